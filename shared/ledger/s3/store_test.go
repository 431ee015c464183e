package s3_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
	"github.com/keyturn/keyturn/shared/ledger/s3"
)

func newStore(lock s3.Lock) (*s3.Store, *bucket) {
	return storeWith(lock, &bucket{keys: map[string][]version{"elsewhere/x": {{data: []byte("x")}}}})
}

func storeOf(b *bucket) (*s3.Store, *bucket) { return storeWith(s3.Lock{}, b) }

func storeWith(lock s3.Lock, b *bucket) (*s3.Store, *bucket) {
	c := sdk.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://local.aws"), HTTPClient: &http.Client{Transport: b},
		Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "fake", ""),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}, func(o *sdk.Options) { o.UsePathStyle = true })
	return s3.New(c, "ledger", "log/", lock), b
}

func TestStore(t *testing.T) {
	t.Parallel()
	s, b := newStore(s3.Lock{})
	if _, err := s.Read(t.Context(), "checkpoint/0"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("read of none: %v", err)
	}
	if err := s.Create(t.Context(), "checkpoint/0", []byte("a")); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), "checkpoint/0", []byte("b")); !errors.Is(err, ledger.ErrExists) {
		t.Errorf("create again: %v", err)
	}
	if got, err := s.Read(t.Context(), "checkpoint/0"); err != nil || string(got) != "a" {
		t.Errorf("read %q, %v", got, err)
	}
	b.conflict = 2
	if err := s.Create(t.Context(), "checkpoint/1", []byte("a")); err != nil {
		t.Errorf("while another wrote: %v", err)
	}
	b.conflict = 10
	if err := s.Create(t.Context(), "checkpoint/2", []byte("a")); err == nil || errors.Is(err, ledger.ErrExists) {
		t.Errorf("while others wrote on and on: %v", err)
	}
	b.conflict, b.lose = 0, 1
	if err := s.Create(t.Context(), "checkpoint/3", []byte("a")); !errors.Is(err, ledger.ErrExists) {
		t.Errorf("with a lost answer: %v", err)
	}
}

// What stays is locked; what passes is where the lifecycle rule takes it.
func TestLock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 9, 0, 0, 5, time.UTC)
	s, b := newStore(s3.Lock{Mode: types.ObjectLockModeCompliance, For: 24 * time.Hour, Now: func() time.Time { return now }})
	got := map[string]string{}
	for _, path := range []string{"tile/0/000", "tile/0/000.p/5", "tile/entries/000", "tile/entries/000.p/5", "checkpoint/5", "next/5", "id/ab", "staging/0-ab"} {
		if err := s.Create(t.Context(), path, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for key, versions := range b.keys {
		got[key] = versions[0].lock
	}
	const locked = "COMPLIANCE 2026-11-25T09:00:00Z"
	want := map[string]string{
		"elsewhere/x": "", "log/passing/tile/0/000.p/5": "", "log/passing/tile/entries/000.p/5": "",
		"log/tile/0/000": locked, "log/tile/entries/000": locked, "log/checkpoint/5": locked,
		"log/next/5": locked, "log/id/ab": locked, "log/staging/0-ab": locked,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWalk(t *testing.T) {
	t.Parallel()
	s, b := newStore(s3.Lock{})
	v, gone := version{data: []byte("x")}, version{}
	b.keys = map[string][]version{
		"log/a": {v}, "log/b": {v, v, v, v, v, v, v}, "log/c": {gone, v}, "log/d": {v, gone, v}, "log/e": {v},
		"log/passing/tile/0/000.p/1": {gone, v}, "log/passing/tile/0/000.p/2": {v}, "log/passing/tile/0/000.p/3": {v, gone, v},
		"log/passing/other": {gone, v}, "other/a": {v},
	}
	got := map[string]int{}
	if err := s.Walk(t.Context(), func(path string, versions int) error {
		got[path] += versions
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"a": 1, "b": 7, "c": 2, "d": 3, "e": 1, "tile/0/000.p/2": 1, "tile/0/000.p/3": 3, "passing/other": 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	stop := errors.New("stop")
	if err := s.Walk(t.Context(), func(string, int) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("walk went on: %v", err)
	}
}

// A ledger in S3 verifies, also when old partial tiles are gone, and not when one
// that stays was deleted or written again.
func TestVerify(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(b *bucket)
		bad    string
	}{
		"as it was":          {func(*bucket) {}, ""},
		"aged":               {func(b *bucket) { b.remove("log/passing/tile/entries/000.p/2") }, ""},
		"checkpoint deleted": {func(b *bucket) { b.remove("log/checkpoint/2") }, "checkpoint/2"},
		"bundle rewritten":   {func(b *bucket) { k := "log/passing/tile/entries/000.p/4"; b.keys[k] = append(b.keys[k], b.keys[k][0]) }, "tile/entries/000.p/4"},
		"batch rewritten": {func(b *bucket) {
			for key, v := range b.keys {
				if strings.HasPrefix(key, "log/staging/2-") {
					b.keys[key] = append(b.keys[key], v[0])
				}
			}
		}, "staging/2-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, b := newStore(s3.Lock{})
			k, err := ledgertest.NewKey("keyturn.example/ledger", "seed")
			if err != nil {
				t.Fatal(err)
			}
			l := ledger.New(ledger.Config{Objects: s, Head: &ledgertest.Memory{}, Signer: k, Verifier: k.Verifier, Parallel: 4})
			if err := l.Create(t.Context()); err != nil {
				t.Fatal(err)
			}
			for n := range 2 {
				var batch []ledger.Entry
				for i := range 2 {
					batch = append(batch, ledger.Entry{ID: strconv.Itoa(2*n + i), Writer: "w", Time: time.Unix(1e9, 0), Act: json.RawMessage(`{}`)})
				}
				if _, err := l.Append(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
			}
			c.change(b)
			report, err := ledger.Verify(t.Context(), s, k.Verifier, ledger.Check{})
			if c.bad == "" {
				if err != nil || report.Tree.N != 4 || report.Pending != 0 {
					t.Errorf("%+v, %v", report, err)
				}
				return
			}
			if bad, ok := errors.AsType[*ledger.TamperError](err); !ok || !strings.HasPrefix(bad.Path, c.bad) {
				t.Errorf("%v, want %s", err, c.bad)
			}
		})
	}
}

func (b *bucket) remove(key string) { b.keys[key] = append([]version{{}}, b.keys[key]...) }

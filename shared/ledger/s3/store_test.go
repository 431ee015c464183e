package s3_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
	"github.com/keyturn/keyturn/shared/ledger/s3"
	"github.com/keyturn/keyturn/test/cloud/clock"
	local "github.com/keyturn/keyturn/test/cloud/s3"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

// place is a bucket with Object Lock on the local AWS, whose pages have three versions.
type place struct {
	*sdk.Client

	config aws.Config
	clock  *clock.Clock
	line   *line
}

func newPlace(t *testing.T) *place {
	t.Helper()
	clk := clock.New()
	t.Cleanup(clk.Stop)
	p := &place{config: wiretest.Config("s3", local.New(clk, rand.Reader), clk), clock: clk, line: &line{}}
	p.Client = p.client(p.line, 3)
	if _, err := p.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: new("ledger"), ObjectLockEnabledForBucket: new(true)}); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *place) client(l *line, tries int) *sdk.Client {
	return sdk.NewFromConfig(l.config(p.config, tries), func(o *sdk.Options) { o.UsePathStyle = true })
}

// ListObjectVersions asks for small pages.
func (p *place) ListObjectVersions(ctx context.Context, in *sdk.ListObjectVersionsInput, o ...func(*sdk.Options)) (*sdk.ListObjectVersionsOutput, error) {
	in.MaxKeys = new(int32(3))
	return p.Client.ListObjectVersions(ctx, in, o...)
}

func (p *place) store(lock s3.Lock) *s3.Store { return s3.New(p, "ledger", "log/", lock) }

func (p *place) put(t *testing.T, key string) {
	t.Helper()
	if _, err := p.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: new("ledger"), Key: &key, Body: strings.NewReader("x")}); err != nil {
		t.Fatal(err)
	}
}

func (p *place) remove(t *testing.T, key string) {
	t.Helper()
	if _, err := p.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: new("ledger"), Key: &key}); err != nil {
		t.Fatal(err)
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.store(s3.Lock{})
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
	other := s3.New(p, "elsewhere", "", s3.Lock{})
	if _, err := other.Read(t.Context(), "checkpoint/0"); err == nil || errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("read where there is no bucket: %v", err)
	}
	p.line.lost = func(n int) (bool, bool) { return n%2 == 1, true }
	p.line.calls = 1
	if err := s.Create(t.Context(), "checkpoint/3", []byte("a")); !errors.Is(err, ledger.ErrExists) {
		t.Errorf("with a lost answer: %v", err)
	}
}

// Two writes at once make S3 refuse one, which is to be tried again.
func TestConflict(t *testing.T) {
	t.Parallel()
	const answer = "<Error><Code>ConditionalRequestConflict</Code><Message>m</Message></Error>"
	for _, conflicts := range []int{2, 10} {
		p := newPlace(t)
		next, n := p.config.HTTPClient.(*http.Client).Transport, 0
		p.config.HTTPClient = &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
			if n++; n > conflicts {
				return next.RoundTrip(r)
			}
			return &http.Response{StatusCode: http.StatusConflict, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
		})}
		s := s3.New(p.client(&line{}, 3), "ledger", "log/", s3.Lock{})
		if err := s.Create(t.Context(), "checkpoint/0", []byte("a")); (err != nil) != (conflicts > 2) || errors.Is(err, ledger.ErrExists) {
			t.Errorf("%d conflicts: %v", conflicts, err)
		}
	}
}

// What stays is locked; what passes is where the lifecycle rule takes it.
func TestLock(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.store(s3.Lock{Mode: types.ObjectLockModeCompliance, For: 24 * time.Hour, Now: p.clock.Now})
	want := map[string]bool{
		"log/passing/tile/0/000.p/5": false, "log/passing/tile/entries/000.p/5": false, "log/tile/0/000": true, "log/tile/entries/000": true,
		"log/checkpoint/5": true, "log/next/5": true, "log/id/ab": true, "log/staging/0-ab": true,
	}
	for key := range want {
		if err := s.Create(t.Context(), strings.TrimPrefix(strings.TrimPrefix(key, "log/"), ledger.PassingDir), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for key, locked := range want {
		head, err := p.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: new("ledger"), Key: &key})
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		_, err = p.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: new("ledger"), Key: &key, VersionId: head.VersionId})
		if (err != nil) != locked || locked != (head.ObjectLockMode == types.ObjectLockModeCompliance) {
			t.Errorf("%s is locked by %q; deleting it: %v", key, head.ObjectLockMode, err)
		}
	}
}

// A clock that is behind locks nothing, and S3 says so.
func TestLockInThePast(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.store(s3.Lock{Mode: types.ObjectLockModeCompliance, For: time.Hour, Now: func() time.Time { return p.clock.Now().Add(-2 * time.Hour) }})
	if err := s.Create(t.Context(), "checkpoint/0", []byte("x")); err == nil || errors.Is(err, ledger.ErrExists) {
		t.Errorf("create: %v", err)
	}
}

func TestWalk(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	// Each letter: p puts, d deletes.
	for key, acts := range map[string]string{
		"log/a": "p", "log/b": "ppppppp", "log/c": "pd", "log/d": "pdp", "log/e": "p",
		"log/passing/tile/0/000.p/1": "pd", "log/passing/tile/0/000.p/2": "p", "log/passing/tile/0/000.p/3": "pdp",
		"log/passing/other": "pd", "other/a": "p",
	} {
		for _, act := range acts {
			if act == 'p' {
				p.put(t, key)
			} else {
				p.remove(t, key)
			}
		}
	}
	got := map[string]int{}
	s := p.store(s3.Lock{})
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
		change func(t *testing.T, p *place)
		bad    string
	}{
		"as it was":          {func(*testing.T, *place) {}, ""},
		"aged":               {func(t *testing.T, p *place) { t.Helper(); p.remove(t, "log/passing/tile/entries/000.p/2") }, ""},
		"checkpoint deleted": {func(t *testing.T, p *place) { t.Helper(); p.remove(t, "log/checkpoint/2") }, "checkpoint/2"},
		"bundle rewritten":   {func(t *testing.T, p *place) { t.Helper(); p.put(t, "log/passing/tile/entries/000.p/4") }, "tile/entries/000.p/4"},
		"note rewritten":     {func(t *testing.T, p *place) { t.Helper(); p.put(t, "log/next/2") }, "next/2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			s := p.store(s3.Lock{})
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
			c.change(t, p)
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

// What is larger than any object of a ledger is not read to its end.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if _, err := p.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: new("ledger"), Key: new("log/checkpoint/1"), Body: bytes.NewReader(make([]byte, ledger.MaxObject+1))}); err != nil {
		t.Fatal(err)
	}
	_, err := p.store(s3.Lock{}).Read(t.Context(), "checkpoint/1")
	if _, ok := errors.AsType[*ledger.TamperError](err); !ok {
		t.Errorf("%v", err)
	}
}

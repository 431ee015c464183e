package s3_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	ddbsdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	kmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/mod/sumdb/note"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/dynamodb"
	"github.com/keyturn/keyturn/shared/ledger/kms"
	"github.com/keyturn/keyturn/shared/ledger/s3"
	"github.com/keyturn/keyturn/test/cloud/clock"
	localddb "github.com/keyturn/keyturn/test/cloud/dynamodb"
	localkms "github.com/keyturn/keyturn/test/cloud/kms"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

var all = flag.Bool("all", false, "crash at the edge of a tile, too, and with more writers: minutes")

// line is the connection to AWS, of which calls are lost.
type line struct {
	mu    sync.Mutex
	calls int
	// lost says whether a call, from 0, is lost, and whether it has taken effect.
	lost func(call int) (lost, done bool)
}

// config returns c with its calls over l; the SDK makes each up to tries times.
func (l *line) config(c aws.Config, tries int) aws.Config {
	c.HTTPClient = l.over(c.HTTPClient.(*http.Client).Transport)
	c.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.RateLimiter = tries, unlimited{}
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	}
	return c
}

func (l *line) over(next http.RoundTripper) *http.Client {
	return &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
		l.mu.Lock()
		n := l.calls
		l.calls++
		lost, done := false, false
		if l.lost != nil {
			lost, done = l.lost(n)
		}
		l.mu.Unlock()
		if lost && !done {
			return nil, io.ErrUnexpectedEOF
		}
		out, err := next.RoundTrip(r)
		if err == nil && lost {
			_ = out.Body.Close()
			return nil, io.ErrUnexpectedEOF
		}
		return out, err
	})}
}

type trip func(*http.Request) (*http.Response, error)

func (t trip) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// account is a ledger on AWS.
type account struct {
	*place

	ddb      aws.Config
	kms      aws.Config
	key      string
	verifier note.Verifier
}

func newAccount(t *testing.T) *account {
	t.Helper()
	clk := clock.New()
	t.Cleanup(clk.Stop)
	a := &account{
		place: newPlace(t),
		ddb:   wiretest.Config("dynamodb", localddb.New(clk, localddb.Options{StaleFor: time.Hour}), clk),
		kms:   wiretest.Config("kms", localkms.New(), clk),
	}
	if _, err := ddbsdk.NewFromConfig(a.ddb).CreateTable(t.Context(), &ddbsdk.CreateTableInput{
		TableName: new("watch"), BillingMode: ddb.BillingModePayPerRequest,
		KeySchema:            []ddb.KeySchemaElement{{AttributeName: new("id"), KeyType: "HASH"}},
		AttributeDefinitions: []ddb.AttributeDefinition{{AttributeName: new("id"), AttributeType: "S"}},
	}); err != nil {
		t.Fatal(err)
	}
	client := kmssdk.NewFromConfig(a.kms)
	out, err := client.CreateKey(t.Context(), &kmssdk.CreateKeyInput{KeySpec: kmstypes.KeySpecEccNistEdwards25519, KeyUsage: kmstypes.KeyUsageTypeSignVerify})
	if err != nil {
		t.Fatal(err)
	}
	a.key = *out.KeyMetadata.Arn
	if a.verifier, err = kms.New(client, a.key).Verifier(t.Context(), "keyturn.example/ledger"); err != nil {
		t.Fatal(err)
	}
	return a
}

// log returns a writer, whose calls go over l; the SDK makes each up to tries times.
func (a *account) log(l *line, tries int) *ledger.Log {
	return ledger.New(ledger.Config{
		Objects:  s3.New(a.client(l, tries), "ledger", "log/", s3.Lock{Mode: types.ObjectLockModeCompliance, For: time.Hour, Now: a.clock.Now}),
		Head:     dynamodb.New(ddbsdk.NewFromConfig(l.config(a.ddb, tries)), "watch", map[string]string{"id": "ledger"}),
		Signer:   kms.New(kmssdk.NewFromConfig(l.config(a.kms, tries)), a.key),
		Verifier: a.verifier, Attempts: 1000, Parallel: 4,
	})
}

// unlimited takes no tokens for retries.
type unlimited struct{}

func (unlimited) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}
func (unlimited) AddTokens(uint) error { return nil }

func entries(writer string, from, to int) []ledger.Entry {
	var out []ledger.Entry
	for n := from; n < to; n++ {
		out = append(out, ledger.Entry{ID: strconv.Itoa(n), Writer: writer, Time: time.Unix(1e9, 0), Act: json.RawMessage(`{"act":"x"}`)})
	}
	return out
}

// holds fails the test unless the log verifies and has want entries, each once.
func (a *account) holds(t *testing.T, want int) {
	t.Helper()
	report, err := ledger.Verify(t.Context(), a.store(s3.Lock{}), a.verifier, ledger.Check{})
	if err != nil || report.Tree.N != int64(want) || report.Pending != 0 {
		t.Errorf("%+v, want %d: %v", report, want, err)
	}
}

// A writer on AWS that dies at any call, before it or after, loses and doubles
// nothing; and one call that is lost is made up for by the SDK.
func TestCrashOnAWS(t *testing.T) {
	t.Parallel()
	sizes := []struct{ before, batch int }{{0, 2}, {3, 2}}
	if *all {
		sizes = append(sizes, struct{ before, batch int }{250, 7})
	}
	next := 1
	if testing.Short() {
		next = 5
	}
	for _, size := range sizes {
		for _, done := range []bool{false, true} {
			for _, forever := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d+%d/%t/%t", size.before, size.batch, done, forever), func(t *testing.T) {
					t.Parallel()
					at := 0
					for crash(t, at, done, forever, size.before, size.batch) {
						at += next
					}
				})
			}
		}
	}
}

// crash lets the call at of an append be lost, and if forever all later ones, and
// reports whether there was one.
func crash(t *testing.T, at int, done, forever bool, before, batch int) bool {
	t.Helper()
	a := newAccount(t)
	calm := a.log(&line{}, 1)
	if err := calm.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := calm.Append(t.Context(), entries("w", 0, before)); err != nil {
		t.Fatal(err)
	}
	l := &line{lost: func(n int) (bool, bool) { return n == at || forever && n > at, done && n == at }}
	mine := entries("w", before, before+batch)
	_, err := a.log(l, 3).Append(t.Context(), mine)
	if l.calls <= at {
		if err != nil {
			t.Fatal(err)
		}
		return false
	}
	if (err != nil) != forever {
		t.Fatalf("call %d was lost: %v", at, err)
	}
	if at%2 == 0 {
		if _, err := calm.Append(t.Context(), entries("other", 0, 1)); err != nil {
			t.Fatalf("call %d was lost: the next writer: %v", at, err)
		}
	}
	placed, err := calm.Append(t.Context(), append(mine, entries("other", 0, 1)...))
	if err != nil || len(placed) != batch+1 {
		t.Fatalf("call %d was lost: again: %v", at, err)
	}
	a.holds(t, before+batch+1)
	return true
}

// Many writers on AWS, of whose calls some are lost.
func TestManyWritersOnAWS(t *testing.T) {
	t.Parallel()
	writers, rounds := 4, 6
	if *all {
		writers, rounds = 8, 40
	}
	a := newAccount(t)
	if err := a.log(&line{}, 1).Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range writers {
		// Two deliveries of each entry at once; lost calls at other places for each.
		rng := rand.New(rand.NewPCG(uint64(w), 1))
		l := &line{lost: func(int) (bool, bool) { return rng.IntN(100) == 0, rng.IntN(2) == 0 }}
		log, name := a.log(l, 1), strconv.Itoa(w/2)
		wg.Go(func() {
			for n := range rounds {
				if err := insist(t.Context(), log, entries(name, 5*n, 5*n+5)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for w := range writers / 2 {
		if _, err := a.log(&line{}, 1).Append(t.Context(), entries(strconv.Itoa(w), 0, 5*rounds)); err != nil {
			t.Fatal(err)
		}
	}
	a.holds(t, writers/2*rounds*5)
}

func insist(ctx context.Context, l *ledger.Log, batch []ledger.Entry) error {
	for range 1000 {
		_, err := l.Append(ctx, batch)
		if _, ok := errors.AsType[*ledger.TamperError](err); err == nil || ok {
			return err
		}
	}
	return errors.New("never appended")
}

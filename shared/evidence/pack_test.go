package evidence_test

import (
	"context"
	"errors"
	"html"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/evidence"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
)

var start = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

type world struct {
	key   *ledgertest.Key
	store *ledgertest.Memory
	log   *ledger.Log
}

func newWorld(t *testing.T) *world {
	t.Helper()
	k, err := ledgertest.NewKey("keyturn.example/ledger", "seed")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{key: k, store: &ledgertest.Memory{}}
	w.log = ledgertest.Log(w.store, k)
	if err := w.log.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) add(t *testing.T, id string, minutes int, f history.Fact) {
	t.Helper()
	e, err := history.Entry("AROAROTATE:keyturn-rotate", id, start.Add(time.Duration(minutes)*time.Minute), f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.log.Append(t.Context(), []ledger.Entry{e}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) act(t *testing.T, minutes int, a audit.Record) {
	t.Helper()
	a.Time = start.Add(time.Duration(minutes) * time.Minute)
	w.add(t, a.ID+"/"+string(a.Phase), minutes, history.Fact{Kind: history.KindAct, Act: &a})
}

// life is a rotation and the end of the key before it, with another secret between.
func (w *world) life(t *testing.T) {
	t.Helper()
	const s, v = "prod/mailer", "v2"
	w.act(t, 0, audit.Record{ID: "request-v2", Act: audit.Request, Phase: audit.Intent, Secret: s, Version: v, Detail: map[string]string{"reason": "leaked <script>", "requester_says": "ann"}})
	w.act(t, 1, audit.Record{ID: "create-n2", Act: audit.Create, Phase: audit.Intent, Secret: s, Vendor: "sendgrid", Version: v, KeyName: "n2"})
	w.act(t, 1, audit.Record{ID: "create-n9", Act: audit.Create, Phase: audit.Intent, Secret: "prod/billing", Vendor: "sendgrid", Version: "v9", KeyName: "n9"})
	w.act(t, 2, audit.Record{ID: "create-n2", Act: audit.Create, Phase: audit.Outcome, Result: audit.Done, Secret: s, Vendor: "sendgrid", Version: v, KeyName: "n2", KeyID: "k2", Fingerprint: "f2"})
	w.act(t, 3, audit.Record{ID: "promote-v2", Act: audit.Promote, Phase: audit.Fact, Result: audit.Done, Secret: s, Version: v, KeyID: "k2", KeyName: "n2"})
	w.act(t, 60, audit.Record{ID: "revoke-k1", Act: audit.Revoke, Phase: audit.Outcome, Result: audit.Done, Secret: s, Version: "v1", KeyID: "k1"})
	w.act(t, 61, audit.Record{ID: "dead-k1", Act: audit.Dead, Phase: audit.Fact, Secret: s, Version: "v1", KeyID: "k1", Detail: map[string]string{"proof": "the vendor refused it"}})
	arn := "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/mailer-AbCdEf"
	for hour := range 3 {
		h := start.Add(time.Duration(hour) * time.Hour)
		w.add(t, "reads/"+h.String(), hour*60, history.Fact{Kind: history.KindReads, Reads: &history.Reads{Hour: h, Principal: "app", Secret: arn, Network: "10.0.0.0/24", Count: 100, First: h, Last: h.Add(time.Minute)}})
	}
	w.add(t, "e1", 70, history.Fact{Kind: history.KindCall, Call: &history.Call{EventID: "e1", Time: start, Name: "GetSecretValue", Principal: "mallory", Secrets: []string{arn}, Source: "198.51.100.9", Error: "AccessDenied"}})
	w.add(t, "e2", 70, history.Fact{Kind: history.KindCall, Call: &history.Call{EventID: "e2", Time: start, Name: "GetSecretValue", Principal: "mallory", Secrets: []string{arn + "2"}}})
}

func (w *world) collect(ctx context.Context, r evidence.Request) (evidence.Pack, error) {
	return evidence.Collect(ctx, w.store, w.store, w.key.Verifier, w.key.Text, r)
}

func TestCollect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.life(t)
	p, err := w.collect(t.Context(), evidence.Request{Secret: "prod/mailer", Now: start.Add(24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range p.Entries {
		ids = append(ids, e.ID)
		got, err := ledger.CheckProof([]byte(e.Proof), w.key.Verifier)
		if err != nil || got.Index != e.Index {
			t.Errorf("proof of %s: %+v, %v", e.ID, got.Index, err)
		}
	}
	if len(ids) != 10 || p.Log.Size != 12 {
		t.Errorf("%d entries of %d: %v", len(ids), p.Log.Size, ids)
	}
	if len(p.Keys) != 2 || p.Keys[0].KeyID != "k2" || p.Keys[1].KeyID != "k1" {
		t.Fatalf("keys %+v", p.Keys)
	}
	k2, k1 := p.Keys[0], p.Keys[1]
	if !strings.Contains(k2.Asked, "leaked") || !strings.Contains(k2.Asked, "ann") || !k2.Created.Equal(start.Add(2*time.Minute)) || !k2.Promoted.Equal(start.Add(3*time.Minute)) || !k2.Ended.IsZero() || k2.Fingerprint != "f2" || len(k2.Moments) != 3 {
		t.Errorf("the new key: %+v", k2)
	}
	if !k1.Ended.Equal(start.Add(61*time.Minute)) || k1.Proof != "the vendor refused it" || k1.Asked != "" {
		t.Errorf("the old key: %+v", k1)
	}
	want := []evidence.Reader{{Principal: "app", Network: "10.0.0.0/24", Count: 300, First: start, Last: start.Add(121 * time.Minute)}}
	got := p.Readers
	if len(got) == 1 {
		if len(got[0].Entries) != 3 {
			t.Errorf("entries of the reader: %v", got[0].Entries)
		}
		got[0].Entries = nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("readers (-want +got):\n%s", diff)
	}
}

func TestCollect_time(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.life(t)
	p, err := w.collect(t.Context(), evidence.Request{Secret: "prod/mailer", From: start.Add(3 * time.Minute), To: start.Add(61 * time.Minute)})
	if err != nil || len(p.Entries) != 3 { // promote, revoke, an hour's reads
		t.Errorf("%d entries, %v", len(p.Entries), err)
	}
	if _, err := w.collect(t.Context(), evidence.Request{Secret: "prod/mail"}); !errors.Is(err, evidence.ErrNothing) {
		t.Errorf("another secret: %v", err)
	}
}

// Nothing is made of a ledger that is not in order.
func TestCollect_tampered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.life(t)
	other, err := ledgertest.NewKey("keyturn.example/ledger", "other")
	if err != nil {
		t.Fatal(err)
	}
	_, err = evidence.Collect(t.Context(), w.store, w.store, other.Verifier, other.Text, evidence.Request{Secret: "prod/mailer"})
	if _, ok := errors.AsType[*ledger.TamperError](err); !ok {
		t.Errorf("signed by another key: %v", err)
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.life(t)
	p, err := w.collect(t.Context(), evidence.Request{Secret: "prod/mailer", Now: start})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := p.Page(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"the vendor refused it", "leaked &lt;script&gt;", "mallory from 198.51.100.9: AccessDenied", "300", "Root"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if !strings.Contains(html.UnescapeString(b.String()), p.Log.Checkpoint) {
		t.Error("the page does not show the checkpoint")
	}
	for _, not := range []string{"<script", "src=", "@import", "url("} {
		if strings.Contains(b.String(), not) {
			t.Errorf("the page has %q", not)
		}
	}
	if out := os.Getenv("KEYTURN_PAGE"); out != "" { // to look at it
		if err := os.WriteFile(out, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// growing is a log that grows each time that it has been listed.
type growing struct {
	*ledgertest.Memory
	grow func()
}

func (g growing) Walk(ctx context.Context, f func(string, int) error) error {
	defer g.grow()
	return g.Memory.Walk(ctx, f)
}

// The checkpoint that the pack shows is the one that was verified, although the log has
// gone on.
func TestCollect_grows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.life(t)
	n := 0
	a := growing{w.store, func() {
		n++
		w.act(t, 100+n, audit.Record{ID: "hold-" + strconv.Itoa(n), Act: audit.Promote, Phase: audit.Fact, Secret: "prod/billing"})
	}}
	p, err := evidence.Collect(t.Context(), a, w.store, w.key.Verifier, w.key.Text, evidence.Request{Secret: "prod/mailer", Now: start})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := ledger.OpenCheckpoint([]byte(p.Log.Checkpoint), w.key.Verifier)
	if err != nil || tree.N != p.Log.Size || tree.Hash.String() != p.Log.Root {
		t.Errorf("%d entries, root %s, and a checkpoint of %+v, %v", p.Log.Size, p.Log.Root, tree, err)
	}
}

// A call that named the secret by part of its ARN is about it.
func TestCollect_partOfARN(t *testing.T) {
	t.Parallel()
	const part = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/mailer"
	w := newWorld(t)
	w.add(t, "e1", 0, history.Fact{Kind: history.KindCall, Call: &history.Call{EventID: "e1", Time: start, Name: "GetSecretValue", Principal: "mallory", Secrets: []string{part}, Error: "AccessDenied"}})
	for _, r := range []evidence.Request{{Secret: "prod/mailer"}, {Secret: "prod/mailer", ARN: part + "-AbCdEf"}, {Secret: "prod/mailer", ARN: part}} {
		if p, err := w.collect(t.Context(), r); err != nil || len(p.Entries) != 1 {
			t.Errorf("%+v: %d entries, %v", r, len(p.Entries), err)
		}
	}
	for _, r := range []evidence.Request{{Secret: "prod/mail"}, {Secret: "prod/mailer", ARN: strings.Replace(part, "1111", "2222", 1) + "-AbCdEf"}} {
		if _, err := w.collect(t.Context(), r); !errors.Is(err, evidence.ErrNothing) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

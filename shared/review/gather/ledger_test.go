package gather

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
	"github.com/keyturn/keyturn/shared/review"
)

// told is a ledger that says what facts are, each so long before now.
type told struct {
	tb     testing.TB
	key    *ledgertest.Key
	memory *ledgertest.Memory
	log    *ledger.Log
	n      int
}

func newLedger(tb testing.TB) *told {
	tb.Helper()
	key, err := ledgertest.NewKey("example.com/ledger", "seed")
	if err != nil {
		tb.Fatal(err)
	}
	m := &ledgertest.Memory{}
	l := &told{tb: tb, key: key, memory: m, log: ledgertest.Log(m, key)}
	if err := l.log.Create(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return l
}

func (l *told) say(writer string, ago time.Duration, f history.Fact) {
	l.tb.Helper()
	l.n++
	e, err := history.Entry(writer, strconv.Itoa(l.n), now.Add(-ago), f)
	if err == nil {
		_, err = l.log.Append(l.tb.Context(), []ledger.Entry{e})
	}
	if err != nil {
		l.tb.Fatal(err)
	}
}

func (l *told) read(secret, principal string, ago time.Duration, count int64) {
	l.tb.Helper()
	at := now.Add(-ago)
	l.say("keyturn/audit", ago, history.Fact{Kind: history.KindReads, Reads: &history.Reads{
		Hour: at.Truncate(time.Hour), Principal: principal, Secret: secret, Count: count, First: at, Last: at,
	}})
}

func (l *told) port() *Ledger {
	return &Ledger{Objects: l.memory, Newest: func(ctx context.Context) (ledger.Checkpoint, error) {
		return ledger.Newest(ctx, l.memory, l.memory, l.key.Verifier)
	}}
}

const day = 24 * time.Hour

// Who did read is the sum of the hours, by ARN, whatever the record called the secret.
func TestLedger_reads(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.read(secretARN("prod/mailer"), role("web"), 200*day, 1000) // beyond what is looked at
	l.read(secretARN("prod/mailer"), role("web"), 100*day, 500)
	l.read(secretARN("prod/mailer"), role("web"), 80*day, 7)
	l.read("prod/mailer", role("web"), 3*day, 2)
	l.read(strings.TrimSuffix(secretARN("prod/mailer"), "-AbCdEf"), role("old"), 2*day, 1)
	l.read("somebody/else", role("old"), day, 9)
	in, made := newAccount().review(t, func(g *Gatherer) { g.Ledger = l.port() })
	want := []review.Read{
		{Secret: secretARN("prod/mailer"), Principal: role("old"), Count: 1, Last: now.Add(-2 * day)},
		{Secret: secretARN("prod/mailer"), Principal: role("web"), Count: 9, Last: now.Add(-3 * day)},
	}
	if diff := cmp.Diff(want, in.Reads); diff != "" {
		t.Error(diff)
	}
	if !in.Since.Equal(now.Add(-90 * day)) {
		t.Errorf("since %s", in.Since)
	}
	if !strings.Contains(made.Checkpoint, "example.com/ledger\n6\n") {
		t.Errorf("checkpoint %q", made.Checkpoint)
	}
	if !has(in, "was not compared with CloudTrail") {
		t.Errorf("said: %q", in.Missing)
	}
}

// A ledger that is young does not make a right unused.
func TestLedger_young(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.read(secretARN("prod/mailer"), role("web"), 5*day, 1)
	in, made := newAccount().review(t, func(g *Gatherer) { g.Ledger = l.port() })
	if !in.Since.Equal(now.Add(-5 * day)) {
		t.Errorf("since %s", in.Since)
	}
	for _, k := range made.Keys {
		for _, f := range k.Findings {
			if f.Kind == review.Removal || f.Kind == review.NotUsed {
				t.Errorf("%s: %s", k.Name, f.Text)
			}
		}
	}
}

// A ledger that cannot be read, or that was tampered with, says nothing.
func TestLedger_refused(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	for range 300 {
		l.read(secretARN("prod/mailer"), role("web"), day, 1)
	}
	for name, spoil := range map[string]func(*ledgertest.Memory){
		"missing":  func(m *ledgertest.Memory) { m.Tamper("tile/entries/000", nil) },
		"no head":  func(m *ledgertest.Memory) { m.SetHead(nil) },
		"changed":  func(m *ledgertest.Memory) { m.Tamper("tile/0/000", make([]byte, 8192)) },
		"unsigned": func(m *ledgertest.Memory) { m.Tamper("checkpoint/300", []byte("example.com/ledger\n300\n")) },
	} {
		m := l.memory.Clone()
		if m.Tamper("id/none", nil); name == "no head" {
			m.SetHead(nil)
		}
		spoil(m)
		bad := &told{tb: t, key: l.key, memory: m}
		in, made := newAccount().review(t, func(g *Gatherer) { g.Ledger = bad.port() })
		if !has(in, "The ledger could not be read") || !in.Since.IsZero() || len(in.Reads) > 0 || made.Checkpoint != "" {
			t.Errorf("%s: said %q, %d reads", name, in.Missing, len(in.Reads))
		}
	}
}

// A sign-off counts if its page is in the ledger, and a person wrote it.
func TestLedger_signOffs(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.say("AROAREVIEW:keyturn-review", 7*day, history.Fact{Kind: history.KindAct, Act: &audit.Record{
		ID: "review-2026-W47", Act: audit.Review, Phase: audit.Fact, Detail: map[string]string{"sha256": "aa", "report": "s3://b/review/2026-W47/review.html"},
	}})
	sign := func(writer, sum string) {
		l.say(writer, 6*day, history.Fact{Kind: history.KindSignOff, SignOff: &history.SignOff{SHA256: sum, By: "me", Decision: "accepted", Note: "seen"}})
	}
	sign("AROAWEB:ann@example.com", "aa")
	sign("AROAKEYTURN-ROTATE-MAIN:keyturn-rotate-main", "aa")
	sign("AROASTRANGER:bob", "bb")
	l.say("keyturn/audit", 5*day, history.Fact{Kind: history.KindChange, Change: &history.Change{What: "honeytoken", Name: "prod/trap", Before: "true"}})
	l.say("keyturn/audit", 2*day, history.Fact{Kind: history.KindReconcile, Reconcile: &history.Reconcile{To: now.Add(-2 * day)}})
	in, made := newAccount().review(t, func(g *Gatherer) {
		g.Ledger = l.port()
	})
	if !has(in, "compared with CloudTrail up to 2026-11-22 12:00") {
		t.Errorf("said: %q", in.Missing)
	}
	var got []string
	for _, s := range made.SignOffs {
		got = append(got, s.Writer+" "+s.SHA256+" "+s.Void)
	}
	want := []string{
		role("web") + " as ann@example.com aa ",
		role("keyturn-rotate-main") + " as keyturn-rotate-main aa ",
		"AROASTRANGER:bob bb the ledger has no review of Keyturn's with this page, in 120 days",
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]review.Notice{{Kind: "honeytoken", Text: "prod/trap was removed on 2026-11-19"}}, made.Notices); diff != "" {
		t.Error(diff)
	}
}

// What a sender says of the time, or of itself, hides no reads and makes no page one of
// Keyturn's.
func TestLedger_senders(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.read(secretARN("prod/shop"), role("old"), 89*day, 1)
	l.read(secretARN("prod/mailer"), role("web"), 50*day, 3)
	forged := &audit.Record{ID: "review-2026-W46", Act: audit.Review, Phase: audit.Fact, Detail: map[string]string{"sha256": "ee"}}
	l.say("AROAWEB:ann@example.com", 9*day, history.Fact{Kind: history.KindAct, Act: forged})
	l.say("AROAWEB:ann@example.com", 8*day, history.Fact{Kind: history.KindSignOff, SignOff: &history.SignOff{SHA256: "ee", Decision: "accepted"}})
	l.say("AROAWEB:ann@example.com", 3000*day, history.Fact{Kind: history.KindSignOff, SignOff: &history.SignOff{SHA256: "ee", Decision: "accepted"}})
	in, _ := newAccount().review(t, func(g *Gatherer) {
		g.Ledger, g.Site = l.port(), &detect.Site{Roles: []string{role("keyturn-rotate-main")}}
	})
	if len(in.Reads) != 2 || !in.Since.Equal(now.Add(-89*day)) {
		t.Errorf("%d reads since %s", len(in.Reads), in.Since)
	}
	if len(in.SignOffs) != 1 || in.SignOffs[0].Void == "" {
		t.Errorf("sign-offs: %+v", in.SignOffs)
	}
}

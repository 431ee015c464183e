package watch_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
	"github.com/keyturn/keyturn/shared/response"
	"github.com/keyturn/keyturn/shared/trail"
	"github.com/keyturn/keyturn/shared/watch"
)

// rotatenow is a response.Requester that counts.
type rotatenow struct {
	w    *world
	sent []string
}

func (r *rotatenow) Request(_ context.Context, secret, _ string) (version, refused string, err error) {
	f := r.w.ask("rotatenow")
	if f == ledgertest.Before {
		return "", "", ledgertest.ErrFault
	}
	r.sent = append(r.sent, secret)
	if f == ledgertest.After {
		return "", "", ledgertest.ErrFault
	}
	return "v7", "", nil
}

func (w *world) respond() *rotatenow {
	r, n := &rotatenow{w: w}, 0
	w.Respond = (&response.Responder{
		Cells: w.cells, Requester: r, Rules: detect.Respond{Rules: []string{"D-01", "D-07"}}, Now: func() time.Time { return w.now },
		NewID: func() string { n++; return strconv.Itoa(n) }, Log: slog.New(slog.DiscardHandler),
	}).Respond
	return r
}

// What a thief read besides a honey token is rotated, once, whatever call fails; the
// ledger and the alert say so, or that it is not known.
func TestRespond(t *testing.T) {
	t.Parallel()
	calls := 0
	w := newWorld(t)
	r := w.respond()
	w.fault = func(string) ledgertest.Fault { calls++; return ledgertest.None }
	w.Handle(t.Context(), everything())
	w.rotated(t, "", r, "prod/mailer: started, version v7")
	for at := range calls {
		for _, f := range []ledgertest.Fault{ledgertest.Before, ledgertest.After} {
			w := newWorld(t)
			r, n, which := w.respond(), 0, ""
			w.fault = func(call string) ledgertest.Fault {
				if n++; n == at+1 {
					which = call
					return f
				}
				return ledgertest.None
			}
			ms := everything()
			for range 4 {
				out, _ := w.Handle(t.Context(), ms)
				ms = slices.DeleteFunc(ms, func(m watch.Message) bool { return !slices.Contains(out, m.ID) })
			}
			want := []string{"prod/mailer: started, version v7"}
			if which == "rotatenow" || which == "put response" || strings.HasSuffix(which, "load response") || strings.Contains(which, "response-recent") {
				want = append(want, "prod/mailer: asked for, and whether it began is not known", "prod/mailer: not started: its state could not be stored")
			}
			w.rotated(t, fmt.Sprintf("fault %d at call %d, %s", f, at, which), r, want...)
		}
	}
}

// rotated says that one rotation was asked for at most, and that the ledger and the
// alert say one of want of it.
func (w *world) rotated(t *testing.T, when string, r *rotatenow, want ...string) {
	t.Helper()
	var entry, alert string
	for _, f := range w.entries(t) {
		if f.Kind == history.KindAlert && f.Alert.Secret == "prod/mailer" {
			entry = f.Alert.Response
		}
	}
	for _, m := range w.told {
		if m.Secret == "prod/mailer" {
			alert = m.Detail["response"]
		}
	}
	if !slices.Contains(want, entry) || entry != alert && len(want) == 1 || !slices.Contains(want, alert) {
		t.Errorf("%s: the ledger says %q, the alert %q, want %q", when, entry, alert, want)
	}
	if len(r.sent) > 1 || strings.Contains(entry, ": started") && len(r.sent) != 1 || strings.Contains(entry, "not started") && len(r.sent) > 0 {
		t.Errorf("%s: sent %v, the ledger says %q", when, r.sent, entry)
	}
}

// TestRespond_told: people are told of every rotation that was asked for, also where
// several are of one matter, and where the matter is known.
func TestRespond_told(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.respond()
	loot := func(secret string) detect.Finding {
		return detect.Finding{ID: "D-01-" + secret, Rule: "D-01", Title: "touched", Group: "D-01-thief", Severity: detect.Critical, Time: start, Secrets: []string{secret}, Rotate: []string{secret}, Count: 1}
	}
	for _, found := range [][]detect.Finding{{loot("a"), loot("b")}, {loot("c")}, {loot("c")}} {
		w.Detector = finder(found)
		if err := w.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, m := range w.told {
		got = append(got, m.Detail["response"])
	}
	if diff := cmp.Diff([]string{"a: started, version v7; b: started, version v7", "c: started, version v7"}, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// finder is a Detector that finds the same each time.
type finder []detect.Finding

func (f finder) Process(ctx context.Context, _ time.Time, _ []trail.Event, deliver func(context.Context, []detect.Finding) error) error {
	return deliver(ctx, f)
}

// A suppressed finding is written and counted, not told, and starts nothing; one whose
// suppression has ended is told.
func TestSuppressed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.respond()
	one := detect.Finding{ID: "D-07-1", Group: "g1", Rule: "D-07", Severity: detect.High, Principal: "arn:x", Secrets: []string{"prod/a"}, Why: "new", Time: w.now, Rotate: []string{"prod/a"}}
	other := one
	other.ID, other.Group, other.Principal, other.Rotate = "D-07-2", "g2", "arn:y", []string{"prod/b"}
	w.Detector = finder{one, other}
	site := &detect.Site{Suppressions: []detect.Suppression{
		{Rule: "D-07", Principal: "arn:x", Until: w.now.Add(time.Hour), Reason: "a move", Owner: "mail@example.com"},
		{Rule: "D-07", Principal: "arn:y", Until: w.now.Add(-time.Hour), Reason: "over", Owner: "mail@example.com"},
	}}
	w.Suppressed = watch.Suppressed(site.Prepare(nil), func() time.Time { return w.now })
	out, done := w.Handle(t.Context(), batch(sqs(trailQ, bridge, record("e", 1, "GetSecretValue", mailer, nil))))
	if len(out) > 0 || done.Findings != 2 || done.Suppressed != 1 {
		t.Errorf("again %v, %+v", out, done)
	}
	if len(w.told) != 1 || !strings.Contains(w.told[0].Known[0], "arn:y") || len(r.sent) != 1 {
		t.Errorf("told %+v, sent %v", w.told, r.sent)
	}
	got := map[string]string{}
	for id, f := range w.entries(t) {
		if f.Kind == history.KindAlert {
			got[id] = f.Alert.Suppressed
		}
	}
	if len(got) != 2 || got["keyturn/audit alert/D-07-1"] != "until 2026-11-24 10:20 UTC: a move (mail@example.com)" || got["keyturn/audit alert/D-07-2"] != "" {
		t.Errorf("the ledger says %q", got)
	}
}

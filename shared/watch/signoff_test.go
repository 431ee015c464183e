package watch_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/watch"
)

// A sign-off is in the ledger under the name of who sent it, whatever it says itself.
func TestHandle_signOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body, err := json.Marshal(audit.Record{ID: "sign-off-1", Time: start, Act: audit.SignOff, Phase: audit.Fact, Detail: map[string]string{
		"sha256": "aa", "report": "s3://b/review.html", "by": "the queen", "decision": "accepted", "note": "seen", "each": "prod/mailer removal: done\nprod/shop people: kept",
	}})
	if err != nil {
		t.Fatal(err)
	}
	again, done := w.Handle(t.Context(), []watch.Message{{ID: "1", Queue: auditQ, Sender: "AROAX:ann@example.com", Body: string(body)}})
	if len(again) > 0 || done.Acts != 1 {
		t.Fatalf("again %q, %+v", again, done)
	}
	c, err := ledger.Newest(t.Context(), w.store, w.store, w.key.Verifier)
	if err != nil || c.Tree.N != 1 {
		t.Fatalf("%d entries, %v", c.Tree.N, err)
	}
	err = ledger.Backwards(t.Context(), w.store, c, func(_ int64, line []byte) (bool, error) {
		e, err := ledger.Decode(line)
		if err != nil || e.Writer != "AROAX:ann@example.com" {
			t.Fatalf("%s, %v", line, err)
		}
		f, err := history.Of(e)
		want := history.Fact{Kind: history.KindSignOff, SignOff: &history.SignOff{
			SHA256: "aa", Report: "s3://b/review.html", By: "the queen", Decision: "accepted", Note: "seen",
			Each: []string{"prod/mailer removal: done", "prod/shop people: kept"},
		}}
		if diff := cmp.Diff(want, f); diff != "" {
			t.Error(diff)
		}
		return true, err
	})
	if err != nil {
		t.Error(err)
	}
}

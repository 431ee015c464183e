package watch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/watch"
)

const auditRole = "arn:aws:iam::111122223333:role/keyturn-audit"

func (w *world) canary(read func(context.Context) error) *watch.Canary {
	c := &watch.Canary{
		Cells: w.cells, Secret: "keyturn/canary", Role: auditRole, Read: read, Alerts: w.Alerts, Ledger: w.Ledger,
		Now: func() time.Time { return w.now },
	}
	w.Canary = c
	return c
}

// beatAt is the record of a beat, as it comes back.
func beatAt(id string, seconds int, role string) string {
	return record(id, seconds, "GetSecretValue", "keyturn/canary", map[string]any{"userIdentity": map[string]any{
		"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/keyturn-audit/keyturn-audit", "accountId": account,
		"sessionContext": map[string]any{"sessionIssuer": map[string]any{"type": "Role", "arn": role}},
	}})
}

// A path that is alive is silent for nobody; one that stops is told once, and again
// when it stops again.
func TestCanary(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reads := 0
	c := w.canary(func(context.Context) error { reads++; return nil })
	returns := true
	beats := func(n int, role string) (silent int) {
		for range n {
			quiet, err := c.Beat(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if quiet {
				silent++
			}
			if returns {
				ms := batch(sqs(trailQ, bridge, beatAt(fmt.Sprintf("beat-%d", reads), int(w.now.Sub(start).Seconds()), role)))
				if again, _ := w.Handle(t.Context(), ms); len(again) > 0 {
					t.Fatal("not done")
				}
			}
			w.now = w.now.Add(15 * time.Minute)
		}
		return silent
	}
	if n := beats(20, auditRole); n != 0 || len(w.told) != 0 {
		t.Fatalf("alive, and silent %d times: %v", n, w.told)
	}
	returns = false
	if n := beats(8, ""); n != 5 || len(w.told) != 1 || w.told[0].Detail["rule"] != "D-23" || !strings.Contains(w.told[0].Summary, "limit 45m") {
		t.Fatalf("silent %d times, told %v", n, w.told)
	}
	returns = true
	beats(4, auditRole)
	returns = false
	w.now = w.now.Add(24 * time.Hour)
	if n := beats(1, ""); n != 1 || len(w.told) != 2 {
		t.Errorf("silent again %d times, told %d", n, len(w.told))
	}
}

// The reads of others are no sign of life, and a canary that cannot read is silent.
func TestCanary_dead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	refused := errors.New("refused")
	c := w.canary(func(context.Context) error { return refused })
	for i := range 5 {
		silent, err := c.Beat(t.Context())
		if !errors.Is(err, refused) || silent != (i == 4) {
			t.Fatalf("beat %d: silent %v, %v", i, silent, err)
		}
		w.Handle(t.Context(), batch(sqs(trailQ, bridge, beatAt(fmt.Sprintf("beat-%d", i), int(w.now.Sub(start).Seconds()), "arn:aws:iam::111122223333:role/thief"))))
		w.now = w.now.Add(15 * time.Minute)
	}
}

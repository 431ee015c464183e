package rotation_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/keyturn/keyturn/shared/audit"
)

// Whatever the strategy, what the audit trail does not accept is not done at the
// vendor, and is done as soon as it does.
// Promise: audited-first
func TestStrategies_unaudited(t *testing.T) {
	t.Parallel()
	for kind, act := range map[string]string{"fill": "fill", "place": "place", "set": "set", "roll": "roll", "grace": "roll"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
				w.first()
				w.enable()
				before, old := f.count(act), w.value("AWSCURRENT")
				w.audit.refuse = func(r audit.Record) error {
					if r.Phase == audit.Intent {
						return errors.New("the queue is gone")
					}
					return nil
				}
				token := w.rotate()
				if n := f.count(act) - before; n > 0 || !f.accepts(old) || w.value("AWSCURRENT") != old {
					t.Errorf("without an intent: %d times %s; %q", n, act, w.steps)
				}
				w.audit.refuse = nil
				w.again(token)
				if n := f.count(act) - before; n != 1 || !slices.Contains(w.stages()[token], "AWSCURRENT") {
					t.Errorf("with one: %d times %s; %q", n, act, w.steps)
				}
			})
		})
	}
}

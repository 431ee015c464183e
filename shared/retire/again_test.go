package retire_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// Of two attempts, the vendor says that neither is the current one.
func TestDuplicate_identifyLies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.identify, w.usage, w.lie = true, false, "id1"
		other := w.mint(token(1))
		current := w.rotate(token(1))
		w.live(w.engine(), key(), 5*24*time.Hour, never)
		if w.keys[current].revoked || w.keys[other].revoked {
			t.Errorf("revoked without knowing which is current: %+v", w.book.Keys)
		}
		w.check()
	})
}

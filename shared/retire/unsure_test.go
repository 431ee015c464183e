package retire_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/store"
)

// A try that gets no answer proves nothing, whichever of them it is: the vendor
// goes on accepting the old key here.
// Promise: proof-of-death
func TestProof_unanswered(t *testing.T) {
	t.Parallel()
	for at, over := 0, false; !over; at += next() {
		synctest.Test(t, func(t *testing.T) {
			w, old, _ := replaced(t)
			w.limp = time.Now().Add(24 * time.Hour)
			w.live(w.engine(), key(), 12*time.Hour, w.is(old, keyrecord.Revoked))
			time.Sleep(time.Hour)
			w.calls, w.faultAt, w.mode = nil, at, errorBefore
			_, _, _ = w.run(w.engine())
			if over = len(w.calls) <= at; !w.state(old).Alive() {
				t.Errorf("call %d (%s): %+v", at, w.calls[at], w.record(old))
			}
			w.check()
		})
	}
}

// A use that the vendor may tell late is waited for on top of the quiet time.
// Promise: quiet-first
func TestGrace_lateUsage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := replaced(t, func(w *world) { w.lag = 3 * time.Hour })
		_, _, _ = w.run(w.engine())
		time.Sleep(2 * time.Hour)
		w.keys[old].used = w.now()
		if w.live(w.engine(), key(), 9*time.Hour-time.Minute, func() bool { return w.keys[old].revoked }) {
			t.Errorf("ended before the vendor must have told of a use: %+v", w.record(old))
		}
		if !w.live(w.engine(), key(), time.Hour, func() bool { return w.keys[old].revoked }) {
			t.Errorf("not ended: %+v", w.record(old))
		}
		w.check()
	})
}

// A label that has left its version meanwhile is not asked to be taken off it:
// it is a rotation's that has just begun.
// Promise: killed-anywhere
func TestLabels_moved(t *testing.T) {
	t.Parallel()
	for at, over := 0, false; !over; at += next() {
		synctest.Test(t, func(t *testing.T) {
			w, _ := steady(t)
			w.stages(map[string][]string{token(1): {store.Current, store.Pending}})
			time.Sleep(2 * time.Hour)
			moved := false
			w.calls, w.faultAt = nil, at
			w.between = func() {
				if w.calls[at] == "Unstage" || !w.secret.Has(token(1), store.Pending) {
					return // too late
				}
				moved = true
				w.secret.Stages = map[string][]string{token(1): {store.Current}, token(3): {store.Pending}}
			}
			_, _, _ = w.run(w.engine())
			over = w.between != nil
			if taken := slices.Contains(w.calls, "Unstage"); taken == moved || w.secret.Has(token(3), store.Pending) != moved {
				t.Errorf("call %d (%s): asked for: %v, moved: %v; labels %v", at, w.calls[min(at, len(w.calls)-1)], taken, moved, w.secret.Stages)
			}
			w.check()
		})
	}
}

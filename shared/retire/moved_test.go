package retire_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/store"
)

// At whatever call somebody puts the old key to use again by the labels, or
// stores its value under a version that nothing is known of, it is not ended.
// Promise: never-the-current
func TestMoved(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(w *world, old string){
		"pending again": func(w *world, _ string) {
			w.secret.Stages[token(1)] = append(slices.Clone(w.secret.Stages[token(1)]), store.Pending)
		},
		"stored by hand": func(w *world, old string) {
			w.put("by-hand", w.keys[old].value)
			w.promote("by-hand")
		},
	} {
		for what, setup := range map[string][]func(*world){"revoke": nil, "disable": {canDisable}} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				for at, over := 0, false; !over; at += next() {
					synctest.Test(t, func(t *testing.T) { over = moved(t, at, move, setup) })
				}
			})
		}
	}
}

func moved(t *testing.T, at int, move func(*world, string), setup []func(*world)) (over bool) {
	t.Helper()
	w, old, _ := replaced(t, setup...)
	_, _, _ = w.run(w.engine())
	time.Sleep(2 * time.Hour)
	did := false
	w.calls, w.faultAt = nil, at
	w.between = func() {
		if op := w.calls[at]; w.keys[old].revoked || w.keys[old].disabled || op == "Revoke" || op == "Disable" {
			return // too late: between two systems there is always such a moment
		}
		did = true
		move(w, old)
	}
	_, _, _ = w.run(w.engine())
	if k := w.keys[old]; did && (k.revoked || k.disabled) {
		t.Errorf("call %d (%s): %+v", at, w.calls[at], w.record(old))
	}
	w.check()
	return w.between != nil
}

// A key that may belong to a rotation is left alone for as long as rotations
// take here.
// Promise: lost-keys-end
func TestLost_slowRotations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := steady(t)
		id := w.mint(token(7))
		e := w.engine()
		e.MaxRotation = 20 * time.Hour
		if w.live(e, key(), 39*time.Hour, func() bool { return w.keys[id].revoked }) {
			t.Errorf("ended while its rotation may go on: %+v", w.record(id))
		}
		if !w.live(e, key(), 3*time.Hour, func() bool { return w.keys[id].revoked }) {
			t.Errorf("not ended: %+v", w.record(id))
		}
		w.check()
	})
}

// A value cannot be proven dead by itself: one refusal between two answers of a
// flaky vendor would do.
// Promise: proof-of-death
func TestProof_sameValue(t *testing.T) {
	t.Parallel()
	for refused := range 4 {
		synctest.Test(t, func(t *testing.T) {
			w, old, _ := replaced(t)
			_, _, _ = w.run(w.engine())
			w.put("by-hand", w.keys[old].value)
			w.promote("by-hand")
			w.hidden = old
			_, _, _ = w.run(w.engine())
			time.Sleep(time.Hour)
			w.verifies, w.deafFrom, w.deafTo = 0, refused+1, refused+2
			_, _, _ = w.run(w.engine())
			if r := w.record(old); !r.State.Alive() || r.State == keyrecord.Revoked {
				t.Errorf("try %d is refused: %+v", refused+1, r)
			}
			w.check()
		})
	}
}

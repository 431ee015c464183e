package retire_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/retire"
	"github.com/keyturn/keyturn/shared/store"
)

// stuck puts AWSPENDING on version 3, whose value is of a key that the vendor
// accepts.
func stuck(w *world) {
	w.put(token(3), w.keys[w.mint(token(3))].value)
	w.secret.Stages[token(3)] = []string{store.Pending}
	w.secret.LastChanged = w.now()
}

func stuckRefused(w *world) { stuck(w); w.holder(token(3)).revoked = true }
func stuckEmpty(w *world)   { stuck(w); delete(w.values, token(3)) }
func stuckUntold(w *world)  { stuck(w); w.values[token(3)] = "{}" }
func stuckBefore(w *world) {
	w.stages(map[string][]string{token(2): {store.Current}, token(1): {store.Previous, store.Pending}})
}

// without lets do happen, and takes AWSCURRENT away.
func without(do func(w *world)) func(w *world) {
	return func(w *world) {
		do(w)
		delete(w.secret.Stages, token(2))
	}
}

// Each line of docs/heal.md, as Secrets Manager would show it.
func TestHeal(t *testing.T) {
	t.Parallel()
	const (
		no       = notify.Severity("")
		warning  = notify.Warning
		critical = notify.Critical
	)
	for _, tt := range []struct {
		name   string
		roll   func(fakeVendor) provider.Strategy // nil: Overlap
		spoil  func(w *world)
		due    time.Duration // when the line for old labels begins to fit
		remove bool
		told   notify.Severity // of what is said at that time
	}{
		{"on AWSCURRENT", nil, func(w *world) { w.stages(map[string][]string{token(2): {store.Current, store.Pending}}) }, time.Hour, true, no},
		{"on AWSPREVIOUS", nil, stuckBefore, time.Hour, true, no},
		{"no value", nil, stuckEmpty, 24 * time.Hour, true, warning},
		{"accepted", nil, stuck, 24 * time.Hour, true, warning},
		{"refused", nil, stuckRefused, 24 * time.Hour, true, warning},
		{"cannot tell", nil, stuckUntold, 24 * time.Hour, true, warning},
		{"nothing current", nil, without(stuck), 24 * time.Hour, false, warning},
		{"nothing current, on AWSPREVIOUS", nil, without(stuckBefore), time.Hour, false, warning},
		{"no value, replaced in place", inPlace, stuckEmpty, 24 * time.Hour, true, critical},
		{"accepted, replaced in place", inPlace, stuck, 24 * time.Hour, false, critical},
		{"refused, replaced in place", inPlace, stuckRefused, 24 * time.Hour, true, critical},
		{"cannot tell, replaced in place", inPlace, stuckUntold, 24 * time.Hour, false, critical},
		{"no value, replaced", withGrace, stuckEmpty, 24 * time.Hour, true, critical},
		{"accepted, replaced", withGrace, stuck, 24 * time.Hour, false, critical},
		{"refused, replaced", withGrace, stuckRefused, 24 * time.Hour, true, critical},
		{"cannot tell, replaced", withGrace, stuckUntold, 24 * time.Hour, false, critical},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				if tt.roll != nil {
					w.strategy = tt.roll(fakeVendor{w})
				}
				w.rotate(token(1))
				_, _, _ = w.run(w.engine())
				time.Sleep(time.Hour)
				w.rotate(token(2))
				_, _, _ = w.run(w.engine())
				tt.spoil(w)
				version := w.secret.VersionAt(store.Pending)
				time.Sleep(tt.due - time.Second)
				w.heal(t, version, false, no)
				time.Sleep(time.Second)
				w.heal(t, version, tt.remove, tt.told)
				w.check()
			})
		})
	}
}

// heal lets the engine look once, and compares what that did to AWSPENDING and
// whom it told.
func (w *world) heal(t *testing.T, version string, removed bool, told notify.Severity) {
	t.Helper()
	w.news, w.trail = nil, nil
	_, _, _ = w.run(w.engine())
	if got := !w.secret.Has(version, store.Pending); got != removed {
		t.Errorf("taken off: %v, want %v; labels %v", got, removed, w.secret.Stages)
	}
	want := 0
	if removed {
		want = 1
	}
	if i, o := w.count(audit.Unstage, audit.Intent), w.count(audit.Unstage, audit.Outcome); i != want || o != want {
		t.Errorf("%d intents, %d outcomes, want %d", i, o, want)
	}
	var said notify.Severity
	for _, m := range w.news {
		if m.Detail["version"] == version && (m.ErrorType == "RotationStuck" || m.Kind == notify.Overdue) {
			said = m.Severity
		}
	}
	if said != told {
		t.Errorf("told %q, want %q: %+v", said, told, w.news)
	}
}

// Nothing is decided on two reads that disagree.
func TestHeal_differ(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := apart(t)
		stuck(w)
		w.versions = w.versions[:2] // ListSecretVersionIds does not show it
		time.Sleep(48 * time.Hour)
		w.heal(t, token(3), false, "")
	})
}

// A value that was left pending is told of daily, and made current when the
// vendor has ended the current one.
func TestHeal_onlyValue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := rolling(t, withGrace)
		stuck(w)
		w.live(w.engine(), key(), 73*time.Hour, never)
		if n := w.told(notify.Failed); n != 3 || !w.secret.Has(token(3), store.Pending) {
			t.Errorf("told %d times in three days, want 3; labels %v", n, w.secret.Stages)
		}
		w.holder(token(2)).revoked = true
		w.live(w.engine(), key(), 2*time.Hour, never)
		if w.secret.VersionAt(store.Current) != token(3) {
			t.Errorf("labels %v", w.secret.Stages)
		}
	})
}

// Whatever call of the mending fails or is its last, the next look mends it.
func TestHeal_faults(t *testing.T) {
	t.Parallel()
	for m := range modes {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			for at, over := 0, false; !over; at += next() {
				synctest.Test(t, func(t *testing.T) {
					w, _, current := apart(t)
					stuck(w)
					time.Sleep(24 * time.Hour)
					w.calls, w.faultAt, w.mode = nil, at, m
					_, _, _ = w.run(w.engine())
					over, w.faultAt = len(w.calls) <= at, -1
					w.live(w.engine(), key(), 2*time.Hour, never)
					if w.secret.Has(token(3), store.Pending) || w.secret.VersionAt(store.Current) != token(2) || w.keys[current].revoked {
						t.Errorf("call %d: labels %v", at, w.secret.Stages)
					}
					w.check()
				})
			}
		})
	}
}

// After a stuck label is gone, a rollback is possible again.
func TestHeal_thenRollback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := apart(t)
		stuck(w)
		if _, _, err := w.ask(back); typeOf(err) != retire.InProgress {
			t.Errorf("%v, want InProgress", err)
		}
		w.holder(token(1)).used = w.now().Add(48 * time.Hour) // so that it is not retired meanwhile
		time.Sleep(24 * time.Hour)
		_, _, _ = w.run(w.engine())
		if a, _, err := w.ask(back); err != nil || a.Status != retire.RolledBack {
			t.Errorf("%+v, %v", a, err)
		}
		w.check()
	})
}

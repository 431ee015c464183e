package retire_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/retire"
	"github.com/keyturn/keyturn/shared/store"
)

var back = retire.Request{Mode: retire.Rollback, Reason: "it broke the mailer", Requester: "arn:aws:iam::123456789012:user/eve"}

// holder returns the key in a version, nil if there is none.
func (w *world) holder(version string) *vendorKey {
	for _, k := range w.keys {
		if strings.Contains(w.values[version], `"`+k.value+`"`) {
			return k
		}
	}
	return nil
}

// ask makes a request once, and reports whether it was killed.
func (w *world) ask(q retire.Request) (a retire.Answer, dead bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(killed); !ok {
				panic(p)
			}
			dead = true
		}
	}()
	a, _, err = w.engine().Do(w.t.Context(), key(), q)
	return a, false, err
}

func typeOf(err error) retire.Type {
	e, _ := errors.AsType[*retire.Error](err)
	if e == nil {
		return ""
	}
	return e.Type
}

// apart is a world in which key 1 was replaced by key 2 an hour after it was
// made, and the retirement of key 1 has begun.
func apart(t *testing.T, setup ...func(*world)) (w *world, old, current string) {
	t.Helper()
	w, old = steady(t, setup...)
	time.Sleep(time.Hour)
	current = w.rotate(token(2))
	if _, _, err := w.run(w.engine()); err != nil {
		t.Fatal(err)
	}
	return w, old, current
}

func TestRollback(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		setup []func(*world)
		do    func(w *world, old, current string)
	}{
		"in grace":               {},
		"the new key is refused": {do: func(w *world, _, current string) { w.keys[current].revoked = true }},
		"not looked at yet":      {do: func(w *world, _, _ string) { w.book.Keys = nil }},
		"disabled": {[]func(*world){canDisable}, func(w *world, old, _ string) {
			w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Disabled))
		}},
		"AWSPENDING was left on the new version": {do: func(w *world, _, _ string) {
			w.secret.Stages[token(2)] = []string{store.Current, store.Pending}
		}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, old, current := apart(t, tt.setup...)
				if tt.do != nil {
					tt.do(w, old, current)
				}
				a, _, err := w.ask(back)
				want := retire.Answer{Version: 1, Mode: retire.Rollback, Secret: name, Status: retire.RolledBack, VersionID: token(1), KeyID: old}
				if err != nil || a != want {
					t.Fatalf("%+v, %v, want %+v", a, err, want)
				}
				if !slices.Equal(w.secret.Stages[token(1)], []string{store.Current}) || !slices.Equal(w.secret.Stages[token(2)], []string{store.Previous}) {
					t.Errorf("labels %v", w.secret.Stages)
				}
				if w.keys[old].disabled || w.state(old) != keyrecord.Current || !w.record(old).Wanted.IsZero() {
					t.Errorf("the previous key: %+v", w.record(old))
				}
				if i, o := w.count(audit.Promote, audit.Intent), w.count(audit.Promote, audit.Outcome); i != 1 || o != 1 || w.told(notify.RolledBack) != 1 {
					t.Errorf("%d intents, %d outcomes, %d messages, want 1 each", i, o, w.told(notify.RolledBack))
				}
				if m := w.news[slices.IndexFunc(w.news, func(m notify.Message) bool { return m.Kind == notify.RolledBack })]; m.Detail["reason"] != back.Reason {
					t.Errorf("message %+v", m)
				}
				if a, _, err = w.ask(back); err != nil || a.Status != retire.Unchanged || a.VersionID != token(1) {
					t.Errorf("repeated: %+v, %v", a, err)
				}
				if !w.live(w.engine(), key(), weeks, func() bool { return !w.state(current).Alive() }) || w.state(old) != keyrecord.Current {
					t.Errorf("the newer key is not retired: %+v", w.record(current))
				}
				w.check()
			})
		})
	}
}

func TestRollback_refused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		setup []func(*world)
		do    func(w *world, old string)
		want  retire.Type
	}{
		"no previous version": {nil, func(w *world, _ string) { w.secret.Stages = map[string][]string{token(2): {store.Current}} }, retire.NoPrevious},
		"no value":            {nil, func(w *world, _ string) { delete(w.values, token(1)) }, retire.NoPrevious},
		"no current version":  {nil, func(w *world, _ string) { w.secret.Stages = map[string][]string{token(1): {store.Previous}} }, retire.NoCurrent},
		"deleted":             {nil, func(w *world, _ string) { w.secret.Deleted = w.now() }, retire.NotOurs},
		"a rotation": {nil, func(w *world, _ string) {
			w.secret.Stages[token(3)] = []string{store.Pending}
		}, retire.InProgress},
		"refused": {nil, func(w *world, old string) { w.keys[old].revoked = true }, retire.PreviousRefused},
		"untried": {nil, func(w *world, _ string) { w.fail["Verify"] = lostVendor("GET") }, retire.PreviousUntried},
		"revoked": {nil, func(w *world, old string) {
			w.limp = w.now().Add(weeks) // and accepted all the same
			w.live(w.engine(), key(), weeks, func() bool { return w.keys[old].revoked })
		}, retire.PreviousEnded},
		"being ended": {nil, func(w *world, _ string) { w.book.Keys[0].Ending = w.now() }, retire.KeyEnding},
		"the audit trail": {nil, func(w *world, _ string) {
			w.fail["Audit"] = errRecords
		}, retire.AuditUnavailable},
		"rolled in place": {[]func(*world){inStrategy("RollInPlace")}, nil, retire.NotReversible},
		"rolled":          {[]func(*world){inStrategy("RollWithGrace")}, nil, retire.NotReversible},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, old, _ := apart(t)
				for _, s := range tt.setup {
					s(w)
				}
				if tt.do != nil {
					tt.do(w, old)
				}
				before := w.secret.VersionAt(store.Current)
				_, _, err := w.ask(back)
				if typeOf(err) != tt.want || err == nil || w.secret.VersionAt(store.Current) != before {
					t.Errorf("%v (%s), want %s", err, typeOf(err), tt.want)
				}
				if !w.record(old).Wanted.IsZero() || w.told(notify.RolledBack) != 0 {
					t.Errorf("a claim or a message is left: %+v", w.record(old))
				}
				w.check()
			})
		})
	}
}

func inStrategy(s string) func(*world) { return func(w *world) { w.kind = s } }

// Whatever call of a rollback fails or is its last, once it is repeated
// AWSCURRENT is where it was asked to be, or where it was.
// Promise: killed-anywhere
func TestRollback_faults(t *testing.T) {
	t.Parallel()
	for m := range modes {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			for at, over := 0, false; !over; at += next() {
				synctest.Test(t, func(t *testing.T) {
					w, old, current := apart(t, canDisable)
					w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Disabled))
					w.calls, w.faultAt, w.mode = nil, at, m
					_, _, _ = w.ask(back)
					over = len(w.calls) <= at
					w.faultAt = -1
					call := w.calls[min(at, len(w.calls)-1)]
					if _, _, err := w.ask(back); err != nil {
						t.Errorf("call %d (%s): %v", at, call, err)
					}
					if w.secret.VersionAt(store.Current) != token(1) || w.keys[old].disabled {
						t.Errorf("call %d (%s): labels %v, %+v", at, call, w.secret.Stages, w.record(old))
					}
					if !w.live(w.engine(), key(), weeks, w.is(current, keyrecord.Dead)) || w.state(old) != keyrecord.Current {
						t.Errorf("call %d (%s): %+v", at, call, w.book.Keys)
					}
					if n := w.told(notify.RolledBack); n != 1 {
						t.Errorf("call %d (%s): told %d times", at, call, n)
					}
					w.check()
				})
			}
		})
	}
}

// A rollback that was killed and is not repeated: either nothing has happened,
// or it is told.
func TestRollback_killed(t *testing.T) {
	t.Parallel()
	for at, over := 0, false; !over; at += next() {
		synctest.Test(t, func(t *testing.T) {
			w, old, current := apart(t, canDisable)
			w.calls, w.faultAt, w.mode = nil, at, killBefore
			_, dead, _ := w.ask(back)
			over, w.faultAt = !dead, -1
			ends := old
			if w.secret.VersionAt(store.Current) == token(1) {
				ends = current
			}
			if !w.live(w.engine(), key(), weeks, w.is(ends, keyrecord.Dead)) {
				t.Errorf("call %d: %+v", at, w.record(ends))
			}
			if told := w.told(notify.RolledBack) == 1; told != (ends == current) {
				t.Errorf("call %d: told %v", at, told)
			}
			w.check()
		})
	}
}

// A rollback and a retirement that is about to end the same key,
// interleaved at every call of either, never leave AWSCURRENT on a dead key.
// Promise: never-the-current
func TestRollback_races(t *testing.T) {
	t.Parallel()
	for name, setup := range map[string][]func(*world){"revoke": nil, "disable": {canDisable}} {
		for first, order := range map[string]bool{"retirement": true, "rollback": false} {
			t.Run(name+", "+first+" first", func(t *testing.T) {
				t.Parallel()
				for at, over := 0, false; !over; at += next() {
					synctest.Test(t, func(t *testing.T) { over = race(t, at, order, setup) })
				}
			})
		}
	}
}

// race runs one of the two whole between two calls of the other.
func race(t *testing.T, at int, retirementFirst bool, setup []func(*world)) (over bool) {
	t.Helper()
	w, old, current := apart(t, setup...)
	time.Sleep(7 * time.Hour) // its grace is over
	w.calls, w.faultAt = nil, at
	var asked error
	retirement := func() { _, _, _ = w.run(w.engine()) }
	rollback := func() { _, _, asked = w.ask(back) }
	one, other := retirement, rollback
	if !retirementFirst {
		one, other = rollback, retirement
	}
	w.between = other
	one()
	if w.between != nil {
		return true
	}
	done := w.secret.VersionAt(store.Current) == token(1)
	if done != (asked == nil) {
		t.Errorf("call %d (%s): AWSCURRENT moved: %v, and the answer is %v", at, w.calls[at], done, asked)
	}
	if k := w.keys[old]; done && (k.revoked || k.disabled) {
		t.Errorf("call %d (%s): AWSCURRENT is on a key that does not work: %+v", at, w.calls[at], w.record(old))
	}
	ends := old
	if done {
		ends = current
	}
	if !w.live(w.engine(), key(), weeks, w.is(ends, keyrecord.Dead)) {
		t.Errorf("call %d (%s): %+v", at, w.calls[at], w.record(ends))
	}
	w.check()
	return false
}

// A retirement that stands still while it holds a claim does not act on it when
// it has run out.
func TestRollback_claimRunsOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := apart(t)
		time.Sleep(7 * time.Hour)
		w.calls = nil
		var stalled func()
		w.onAudit = func(r audit.Record) {
			if r.Act == audit.Revoke && r.Phase == audit.Intent && stalled != nil {
				stalled()
			}
		}
		stalled = func() {
			stalled = nil
			w.mu.Unlock()
			defer w.mu.Lock()
			if _, _, err := w.ask(back); typeOf(err) != retire.KeyEnding {
				t.Errorf("at once: %v", err)
			}
			time.Sleep(6 * time.Minute)
		}
		_, _, _ = w.run(w.engine())
		if w.keys[old].revoked {
			t.Error("revoked under a claim that had run out")
		}
		if a, _, err := w.ask(back); err != nil || a.Status != retire.RolledBack {
			t.Errorf("afterwards: %+v, %v", a, err)
		}
		w.check()
	})
}

// A rotation that finishes beside a rollback: one of the two gives way, and the
// key that is current works.
func TestRollback_besideRotation(t *testing.T) {
	t.Parallel()
	for at, over := 0, false; !over; at += next() {
		synctest.Test(t, func(t *testing.T) {
			w, old, _ := apart(t)
			var third string
			w.calls, w.faultAt = nil, at
			w.between = func() { third = w.rotate(token(3)) }
			_, _, _ = w.ask(back)
			if over = w.between != nil; over {
				return
			}
			cur := w.secret.VersionAt(store.Current)
			if k := w.holder(cur); k == nil || k.revoked {
				t.Errorf("call %d (%s): %s is current", at, w.calls[at], cur)
			}
			w.live(w.engine(), key(), weeks, func() bool { return w.state(old) == keyrecord.Dead })
			if cur == token(3) && w.state(third) != keyrecord.Current {
				t.Errorf("call %d: %+v", at, w.record(third))
			}
			w.check()
		})
	}
}

// A vendor that takes its time to accept an enabled key, and tells so.
func TestRollback_settles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := apart(t, canDisable)
		w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Disabled))
		w.settle = provider.Settle{Within: 30 * time.Second, Every: time.Second, Successes: 2}
		w.verifies, w.deafFrom, w.deafTo = 0, 1, 5
		if a, _, err := w.ask(back); err != nil || a.Status != retire.RolledBack || w.verifies < 6 {
			t.Errorf("%+v, %v after %d tries", a, err, w.verifies)
		}
	})
}

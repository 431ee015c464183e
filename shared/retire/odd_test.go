package retire_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/store"
)

// A vendor where the current key stops with the old one.
func TestLinkedKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, current := replaced(t, canDisable)
		w.linked = current
		w.live(w.engine(), key(), 5*24*time.Hour, never)
		if w.keys[current].disabled || w.keys[old].disabled || w.keys[old].revoked || w.state(old) != keyrecord.Held || w.told(notify.Held) != 1 {
			t.Errorf("%+v, current %+v", w.record(old), w.keys[current])
		}
		if d, e := w.count(audit.Disable, audit.Outcome), w.count(audit.Enable, audit.Outcome); d != 1 || e != 1 {
			t.Errorf("disabled %d times, enabled %d times; want once", d, e)
		}
		w.check()
	})
}

// Somebody enables a disabled key at the vendor, and uses it.
func TestEnabledByHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := replaced(t, canDisable)
		w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Disabled))
		time.Sleep(2 * time.Hour)
		w.keys[old].disabled, w.keys[old].used = false, time.Now()
		w.live(w.engine(), key(), time.Hour, never)
		if w.state(old) != keyrecord.Grace || !strings.Contains(w.record(old).Why, "last used") {
			t.Fatalf("%+v", w.record(old))
		}
		if !w.live(w.engine(), key(), 40*time.Hour, w.is(old, keyrecord.Dead)) || w.count(audit.Disable, audit.Outcome) != 2 {
			t.Errorf("%+v", w.record(old))
		}
		w.check()
	})
}

// A vendor that answers 204 and does nothing.
// Promise: proof-of-death
func TestRevokeWithoutEffect(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		stubborn int
		alerts   int
	}{{"once", 1, 0}, {"for days", 10, 1}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, old, _ := replaced(t)
				w.stubborn = tt.stubborn
				if !w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Dead)) || !w.keys[old].revoked {
					t.Errorf("%+v", w.record(old))
				}
				if got := w.told(notify.Held); got != tt.alerts {
					t.Errorf("%d alerts, want %d", got, tt.alerts)
				}
				w.check()
			})
		})
		t.Run(tt.name+", of a lost key", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, _ := steady(t)
				lost := w.mint(token(7))
				w.stubborn = tt.stubborn
				if !w.live(w.engine(), key(), weeks, w.is(lost, keyrecord.Gone)) || !w.keys[lost].revoked {
					t.Errorf("%+v", w.record(lost))
				}
				if got := w.told(notify.Held); got != tt.alerts {
					t.Errorf("%d alerts, want %d", got, tt.alerts)
				}
				w.check()
			})
		})
	}
}

// A proof needs the vendor to answer, and to accept the current key.
// Promise: proof-of-death
func TestNoProof(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		begin func(*world, string)
		mend  func(*world, string)
	}{
		{"the vendor does not answer", func(w *world, _ string) { w.fail["Verify"] = lostVendor("GET") }, func(w *world, _ string) { delete(w.fail, "Verify") }},
		{"it refuses everything", func(w *world, c string) { w.keys[c].disabled = true }, func(w *world, c string) { w.keys[c].disabled = false }},
		{"the old value cannot be read", func(w *world, _ string) { w.fail["Get"] = lostStore("GetSecretValue") }, func(w *world, _ string) { delete(w.fail, "Get") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, old, current := replaced(t)
				w.onRevoke = func() { tt.begin(w, current) }
				w.live(w.engine(), key(), 60*time.Hour, never)
				if !w.keys[old].revoked || !w.state(old).Alive() || w.told(notify.Held)+w.told(notify.Overdue) == 0 {
					t.Fatalf("%+v", w.record(old))
				}
				tt.mend(w, current)
				if !w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Dead)) {
					t.Errorf("%+v", w.record(old))
				}
				w.check()
			})
		})
	}
}

// Nothing is done where there is nothing to stand on.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		do    func(*world)
		skip  string
		err   error
		alert int
	}{
		{"deleted", func(w *world) { w.secret.Deleted = time.Now() }, "deletion", nil, 0},
		{"no current version", func(w *world) { w.secret.Stages = nil }, "no current", nil, 0},
		{"an admin credential of another shape", func(w *world) { w.admin = `{"hosts":["h"]}` }, "", nil, 1},
		{"no admin credential", func(w *world) {
			w.fail["GetAdmin"] = &store.Error{Op: "GetSecretValue", Kind: store.KindNotFound}
		}, "", nil, 1},
		{"the table does not answer", func(w *world) { w.fail["Load"] = errRecords }, "", errRecords, 0},
		{"no versions", func(w *world) { w.fail["Versions"] = errRecords }, "", errRecords, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, old, _ := replaced(t)
				_, _, _ = w.run(w.engine())
				time.Sleep(2 * time.Hour)
				tt.do(w)
				r, _, err := w.run(w.engine())
				if !errors.Is(err, tt.err) || tt.err == nil && err != nil {
					t.Errorf("error %v, want %v", err, tt.err)
				}
				if !strings.Contains(r.Skipped, tt.skip) || tt.skip == "" && r.Skipped != "" {
					t.Errorf("skipped %q, want %q", r.Skipped, tt.skip)
				}
				if w.keys[old].revoked || w.told(notify.Failed) != tt.alert {
					t.Errorf("revoked %v, %d alerts", w.keys[old].revoked, w.told(notify.Failed))
				}
			})
		})
	}
}

func TestAnotherName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rotate(token(1))
	w.secret.Name = "prod/other"
	if _, _, err := w.run(w.engine()); err == nil || len(w.book.Keys) != 0 {
		t.Errorf("error %v, records %+v", err, w.book.Keys)
	}
}

// A key that its rotation has just promoted, with AWSPENDING not removed yet,
// and another attempt of the same rotation.
func TestDuplicate_inFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.identify = true
		orphan := w.mint(token(1))
		w.rotate(token(1))
		w.stages(map[string][]string{token(1): {store.Current, store.Pending}})
		if _, _, err := w.run(w.engine()); err != nil || w.state(orphan) != "" {
			t.Errorf("%v, %+v", err, w.record(orphan))
		}
	})
}

// Two keys of one old version, and the one that is not in it will not die: that
// the value is refused proves nothing about it.
func TestSharedVersion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := replaced(t, noUsage)
		stubborn := w.mint(token(2)) // an attempt at the rotation that made the current key
		w.rotate(token(3))
		w.stubborn, w.stubbornK = 3, stubborn
		k := key()
		k.Grace.NoUsage = config.Revoke
		if !w.live(w.engine(), k, weeks, func() bool { return !w.state(stubborn).Alive() }) || !w.keys[stubborn].revoked {
			t.Errorf("%+v", w.record(stubborn))
		}
		w.check()
	})
}

// A firewall that refuses everything for a moment proves nothing. Each try of
// the old key is between two tries of the current one.
// Promise: proof-of-death
func TestProof_betweenTwo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		from, to int // of the tries: current (a gate), current, old, current
	}{{"before the old key", 2, 3}, {"until just before the end", 2, 4}, {"to the end", 3, 5}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, old, _ := replaced(t)
				w.limp = time.Now().Add(2 * time.Hour) // it goes on accepting the old key
				_, _, _ = w.run(w.engine())
				time.Sleep(time.Hour)
				w.verifies, w.deafFrom, w.deafTo = 0, tt.from, tt.to
				_, _, _ = w.run(w.engine())
				if w.verifies < 2 || w.state(old) != keyrecord.Revoked {
					t.Errorf("after %d tries: %+v", w.verifies, w.record(old))
				}
			})
		})
	}
}

// A disabled key is refused too: that it is missing from one list is no death.
func TestListIsLate_disabled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := replaced(t, canDisable)
		w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Disabled))
		w.hidden = old
		_, _, _ = w.run(w.engine())
		w.hidden = ""
		_, _, _ = w.run(w.engine())
		if r := w.record(old); r.State != keyrecord.Disabled || !r.Missing.IsZero() {
			t.Errorf("%+v", r)
		}
	})
}

// Both attempts were used, or the vendor is too late to say: nothing is known.
func TestDuplicate_unclear(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]time.Duration{"both used": 48 * time.Hour, "too early": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				other := w.mint(token(1))
				current := w.rotate(token(1))
				w.keys[other].used = time.Now()
				if wait < time.Hour {
					w.keys[current].used = time.Time{}
				}
				time.Sleep(wait)
				r, _, err := w.run(w.engine())
				if err != nil || r.Current != "" || len(w.book.Keys) != 0 || len(r.Keys) != 2 || r.Keys[0].Role != "unclear" {
					t.Errorf("%v, %+v", err, r)
				}
			})
		})
	}
}

// Killed right after a key was disabled, and the label moves back: it works
// again.
func TestRolledBack_afterKill(t *testing.T) {
	t.Parallel()
	for at := 0; ; at++ {
		over := false
		synctest.Test(t, func(t *testing.T) {
			w, old, _ := replaced(t, canDisable)
			_, _, _ = w.run(w.engine())
			time.Sleep(2 * time.Hour)
			w.calls, w.faultAt, w.mode = nil, at, killAfter
			if _, dead, _ := w.run(w.engine()); !dead {
				over = true
				return
			}
			w.promote(token(1))
			w.live(w.engine(), key(), 3*time.Hour, never)
			if k := w.keys[old]; k.disabled || k.revoked || w.state(old) != keyrecord.Current {
				t.Errorf("call %d (%s): %+v", at, w.calls[at], w.record(old))
			}
			w.check()
		})
		if over {
			return
		}
	}
}

// A vendor that forgets when a key was used.
func TestUsageForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := replaced(t)
		_, _, _ = w.run(w.engine())
		time.Sleep(time.Hour)
		w.keys[old].used = time.Now()
		_, _, _ = w.run(w.engine())
		w.keys[old].used = time.Time{}
		if _, _, _ = w.run(w.engine()); w.keys[old].revoked {
			t.Error("revoked within its quiet time")
		}
	})
}

// What is not due yet has not failed.
func TestOutage_notDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := replaced(t)
		_, _, _ = w.run(w.engine())
		w.fail["List"] = lostVendor("GET")
		time.Sleep(30 * time.Minute)
		if _, _, err := w.run(w.engine()); err != nil || w.record(old).Attempts != 0 {
			t.Errorf("%v, %+v", err, w.record(old))
		}
		time.Sleep(30 * time.Minute)
		if _, _, err := w.run(w.engine()); err != nil || w.record(old).Attempts != 1 {
			t.Errorf("%v, %+v", err, w.record(old))
		}
	})
}

// A key that was replaced during an outage, and is current again after it, is
// not what the next run waits for: it would be started for ever.
func TestOutage_movedBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _, current := replaced(t)
		_, _, _ = w.run(w.engine())
		w.fail["List"] = lostVendor("GET")
		w.promote(token(1))
		if _, _, err := w.run(w.engine()); err != nil || w.record(current).Next.IsZero() {
			t.Fatalf("%v, %+v", err, w.record(current))
		}
		w.promote(token(2))
		time.Sleep(30 * time.Minute)
		if report, _, err := w.run(w.engine()); err == nil && !report.Next.IsZero() && !report.Next.After(w.now()) {
			t.Errorf("due at %s, and it is %s", report.Next, w.now())
		}
		delete(w.fail, "List")
		report, _, err := w.run(w.engine())
		if r := w.record(current); err != nil || !r.Next.IsZero() || r.Attempts != 0 || r.LastErr != "" {
			t.Errorf("%v, %+v", err, r)
		}
		if !report.Next.After(w.now()) {
			t.Errorf("due at %s, and it is %s", report.Next, w.now())
		}
	})
}

// An alert that did not go out is not said to have been.
func TestNotSent_daily(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := steady(t)
		w.secret.NextRotation = time.Now()
		time.Sleep(25 * time.Hour)
		w.fail["Notify"] = errRecords
		_, _, _ = w.run(w.engine())
		delete(w.fail, "Notify")
		if _, _, _ = w.run(w.engine()); w.told(notify.Overdue) != 1 {
			t.Errorf("%d alerts", w.told(notify.Overdue))
		}
	})
}

// Even where a vendor leads us to another key, one whose value is the current
// one is not ended.
func TestIdentifyLies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, current := steady(t, canIdentify)
		w.keys["id1"].value = w.keys[current].value
		w.lie = "id1"
		w.put("00000000-0000-0000-0000-000000000000", w.keys[current].value)
		w.promote("00000000-0000-0000-0000-000000000000")
		w.live(w.engine(), key(), 5*24*time.Hour, never)
		if w.keys[current].revoked || w.told(notify.Overdue) == 0 {
			t.Errorf("%+v", w.record(current))
		}
		w.check()
	})
}

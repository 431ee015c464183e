package retire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/store"
)

const weeks = 40 * 24 * time.Hour

// replaced makes a world in which a first key was current and known, and has
// just been replaced by a second.
func replaced(t *testing.T, setup ...func(*world)) (w *world, old, current string) {
	t.Helper()
	w = newWorld(t)
	for _, s := range setup {
		s(w)
	}
	old = w.rotate(token(1))
	if _, _, err := w.run(w.engine()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(30 * 24 * time.Hour)
	return w, old, w.rotate(token(2))
}

func noUsage(w *world)     { w.usage = false }
func untold(w *world)      { w.untold = true }
func canDisable(w *world)  { w.disabling = true }
func canIdentify(w *world) { w.identify = true }

// Promise: proof-of-death
func TestLife(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		setup []func(*world)
		key   func(*config.Key)
		want  time.Duration // until the old key is dead
	}{
		{"never used since: after min", nil, nil, time.Hour},
		{"disabled first", []func(*world){canDisable}, nil, 25 * time.Hour},
		{"the vendor is late with usage", []func(*world){func(w *world) { w.lag = 3 * time.Hour }}, nil, 3 * time.Hour},
		{"no usage, revoke at max", []func(*world){noUsage}, func(k *config.Key) { k.Grace.NoUsage = config.Revoke }, 72 * time.Hour},
		{"usage not told by this server, revoke at max", []func(*world){untold}, func(k *config.Key) { k.Grace.NoUsage = config.Revoke }, 72 * time.Hour},
		{"usage not told by this server, disabled first", []func(*world){untold, canDisable}, func(k *config.Key) { k.Grace.NoUsage = config.Revoke }, 96 * time.Hour},
		{"short graces", []func(*world){canDisable}, func(k *config.Key) {
			k.Grace.Min, k.Grace.Quiet, k.Grace.Max, k.Grace.Disabled = time.Second, time.Second, time.Minute, 2*time.Second
		}, 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, old, current := replaced(t, tt.setup...)
				k := key()
				if tt.key != nil {
					tt.key(&k)
				}
				begin := time.Now()
				if _, err := w.engine().Reconcile(t.Context(), k); err != nil {
					t.Fatal(err)
				}
				if got := w.state(old); got != keyrecord.Grace {
					t.Fatalf("state %q after the label event, want grace", got)
				}
				if !w.live(w.engine(), k, weeks, w.is(old, keyrecord.Dead)) {
					t.Fatalf("not dead: %+v", w.record(old))
				}
				if took := time.Since(begin); took < tt.want || took > tt.want+2*time.Minute {
					t.Errorf("dead after %s, want %s", took, tt.want)
				}
				r := w.record(old)
				if !w.keys[old].revoked || r.Proof == "" || r.Revoked.IsZero() || r.Ended.IsZero() || !r.Next.IsZero() {
					t.Errorf("record %+v", r)
				}
				if w.state(current) != keyrecord.Current || w.told(notify.Rotated) != 2 || w.told(notify.Retired) != 1 || len(w.news) != 3 {
					t.Errorf("%d messages, current %s", len(w.news), w.state(current))
				}
				if w.count(audit.Revoke, audit.Intent) != 1 || w.count(audit.Revoke, audit.Outcome) != 1 || w.count(audit.Dead, audit.Fact) != 1 {
					t.Errorf("trail %+v", w.trail)
				}
				w.check()
			})
		})
	}
}

// Wherever a run is killed or loses an answer, the next ones mend it.
// Promise: killed-anywhere
func TestLife_faults(t *testing.T) {
	t.Parallel()
	for name, setup := range map[string][]func(*world){
		"overlap": nil, "disable first": {canDisable}, "identify, no usage": {canIdentify, noUsage},
	} {
		k := key()
		k.Grace.NoUsage, k.Grace.Max, k.Grace.Disabled = config.Revoke, 3*time.Hour, 2*time.Hour
		calls := 0
		t.Run(name+", undisturbed", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, old, _ := replaced(t, setup...)
				w.calls = nil
				_, _ = w.engine().Reconcile(t.Context(), k)
				w.live(w.engine(), k, weeks, w.is(old, keyrecord.Dead))
				calls = len(w.calls)
			})
		})
		if calls < 20 {
			t.Fatalf("%s: only %d calls", name, calls)
		}
		for m := range modes {
			t.Run(fmt.Sprint(name, ", ", m), func(t *testing.T) {
				t.Parallel()
				for at := range calls {
					synctest.Test(t, func(t *testing.T) { oneFault(t, k, m, at, setup) })
				}
			})
		}
	}
}

func oneFault(t *testing.T, k config.Key, m mode, at int, setup []func(*world)) {
	t.Helper()
	w, old, current := replaced(t, setup...)
	w.calls, w.faultAt, w.mode = nil, at, m
	_, _, _ = w.run(w.engine())
	retired := func() bool {
		return w.state(old) == keyrecord.Dead && w.told(notify.Retired) == 1 && w.told(notify.Rotated) == 2
	}
	if !w.live(w.engine(), k, 6*24*time.Hour, retired) {
		t.Errorf("%s call %d (%s): not retired: %+v, %+v", m, at, w.calls[at], w.record(old), w.news)
	}
	if w.state(current) != keyrecord.Current || !w.keys[old].revoked {
		t.Errorf("%s call %d (%s): %+v", m, at, w.calls[at], w.book)
	}
	// A lost answer may send the same news again, and a crash too: the ID is
	// the same.
	if len(w.news) > 4 {
		t.Errorf("%s call %d (%s): %d messages", m, at, w.calls[at], len(w.news))
	}
	if t.Failed() {
		return
	}
	w.check()
	if t.Failed() {
		t.Errorf("%s call %d (%s)", m, at, w.calls[at])
	}
}

// A vendor that answers 500 for a day still ends in dead or an alert.
// Promise: never-forgotten
func TestOutage(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"List", "LastUsed", "Revoke", "Verify", "Disable", "GetAdmin"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, old, _ := replaced(t, canDisable)
				_, _, _ = w.run(w.engine())
				w.fail[op] = &provider.Error{Op: op, Status: 500}
				w.live(w.engine(), key(), 60*time.Hour, func() bool { return false })
				if w.told(notify.Overdue) == 0 && w.told(notify.Held) == 0 {
					t.Errorf("nobody was told in 60 hours: %+v", w.record(old))
				}
				if w.keys[old].revoked && op != "Verify" && op != "GetAdmin" {
					t.Error("revoked during the outage")
				}
				if n := len(w.news); n > 8 {
					t.Errorf("%d messages in 60 hours", n)
				}
				delete(w.fail, op)
				if !w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Dead)) {
					t.Errorf("not dead after the outage: %+v", w.record(old))
				}
				w.check()
			})
		})
	}
}

// A vendor that fails before we have ever seen the secret's keys.
// Promise: never-forgotten
func TestOutage_fromTheBeginning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rotate(token(1))
		w.fail["List"] = lostVendor("GET")
		if _, _, err := w.run(w.engine()); err == nil || w.told(notify.Overdue) != 1 {
			t.Errorf("error %v, %d alerts: nothing is left that would wake us, so the caller must know", err, w.told(notify.Overdue))
		}
	})
}

// Promise: quiet-first
func TestInUse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		onMax config.Action
		want  keyrecord.State // after four days of use
	}{
		{"hold", config.Hold, keyrecord.Held},
		{"revoke", config.Revoke, keyrecord.Dead},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, old, _ := replaced(t)
				k := key()
				k.Grace.OnMax = tt.onMax
				_, _ = w.engine().Reconcile(t.Context(), k)
				for range 7 * 24 { // used every hour for a week
					w.keys[old].used = time.Now()
					w.live(w.engine(), k, time.Hour, func() bool { return false })
					if time.Since(w.record(old).Replaced) < 72*time.Hour && w.keys[old].revoked {
						t.Fatal("revoked while in use, before its grace was over")
					}
				}
				if got := w.state(old); got != tt.want {
					t.Fatalf("state %s, want %s", got, tt.want)
				}
				if tt.onMax == config.Revoke {
					return
				}
				if !strings.Contains(w.record(old).Why, "last used") || w.told(notify.Held) != 1 || len(w.news) != 3 {
					t.Errorf("%+v, %d messages", w.record(old), len(w.news))
				}
				quiet := time.Now()
				if !w.live(w.engine(), k, weeks, w.is(old, keyrecord.Dead)) {
					t.Fatalf("not dead: %+v", w.record(old))
				}
				if took := time.Since(quiet); took < 5*time.Hour || took > 8*time.Hour {
					t.Errorf("dead %s after it became quiet", took)
				}
				w.check()
			})
		})
	}
}

// Promise: quiet-first
func TestNoUsage_held(t *testing.T) {
	t.Parallel()
	for _, setup := range []func(*world){noUsage, untold} {
		synctest.Test(t, func(t *testing.T) {
			w, old, _ := replaced(t, setup)
			_, _, _ = w.run(w.engine())
			w.live(w.engine(), key(), 10*24*time.Hour, func() bool { return false })
			if w.state(old) != keyrecord.Held || w.keys[old].revoked || w.told(notify.Held) != 1 {
				t.Fatalf("%+v", w.record(old))
			}
			w.keys[old].revoked = true // a person does it
			if !w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Dead)) {
				t.Errorf("not proven dead: %+v", w.record(old))
			}
			w.check()
		})
	}
}

// A server that told when the key was used, and then does not, is one of which
// nothing is known: the key may be in use.
// Promise: quiet-first
func TestNoUsage_anyMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := replaced(t)
		k := key()
		k.Grace.NoUsage = config.Revoke
		w.keys[old].used = w.now()
		_, _, _ = w.run(w.engine())
		w.live(w.engine(), k, 2*time.Hour, func() bool { return !w.record(old).LastUsed.IsZero() })
		w.untold = true
		w.live(w.engine(), k, 10*24*time.Hour, func() bool { return false })
		if w.keys[old].revoked || w.record(old).LastUsed.IsZero() {
			t.Errorf("%+v", w.record(old))
		}
		w.check()
	})
}

// A vendor that goes on accepting a revoked key.
// Promise: proof-of-death
func TestStillAccepted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		limp  time.Duration
		alert int
	}{{"an hour", 2 * time.Hour, 0}, {"two days", 50 * time.Hour, 1}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, old, _ := replaced(t)
				w.limp = time.Now().Add(tt.limp)
				_, _, _ = w.run(w.engine())
				if !w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Dead)) {
					t.Fatalf("not dead: %+v", w.record(old))
				}
				if time.Now().Before(w.limp) || w.told(notify.Held) != tt.alert {
					t.Errorf("dead at %s with %d alerts, want not before %s and %d", time.Now(), w.told(notify.Held), w.limp, tt.alert)
				}
				w.check()
			})
		})
	}
}

// What the audit trail does not accept is not done.
// Promise: audited-first
func TestAuditRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := replaced(t, canDisable)
		_, _, _ = w.run(w.engine())
		w.fail["Audit"] = errors.New("no queue")
		w.live(w.engine(), key(), 10*24*time.Hour, func() bool { return false })
		if w.keys[old].disabled || w.keys[old].revoked {
			t.Error("something was done")
		}
		if w.told(notify.Overdue) < 5 {
			t.Errorf("%d alerts in ten days", w.told(notify.Overdue))
		}
		delete(w.fail, "Audit")
		if !w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Dead)) {
			t.Errorf("not dead: %+v", w.record(old))
		}
		w.check()
	})
}

// Promise: never-the-current
func TestCurrentRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, current := replaced(t)
		_, _, _ = w.run(w.engine())
		w.keys[current].disabled = true
		w.live(w.engine(), key(), 3*24*time.Hour, func() bool { return false })
		if w.keys[old].revoked {
			t.Error("the last working key was cut off")
		}
		if n := w.told(notify.Failed); n < 2 || n > 4 {
			t.Errorf("%d alerts in three days, want one a day", n)
		}
	})
}

// Promise: replicas-first
func TestReplicas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := replaced(t)
		w.secret.Replicas = []store.Replica{{Region: "eu-west-1", Status: "InProgress"}}
		_, _, _ = w.run(w.engine())
		w.live(w.engine(), key(), 12*time.Hour, func() bool { return false })
		if w.keys[old].revoked || !strings.Contains(w.record(old).LastErr, "eu-west-1") {
			t.Errorf("%+v", w.record(old))
		}
		w.secret.Replicas[0].Status = "InSync"
		if !w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Dead)) {
			t.Errorf("not dead: %+v", w.record(old))
		}
	})
}

func TestRateLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := replaced(t)
		_, _, _ = w.run(w.engine())
		w.fail["LastUsed"] = &provider.Error{Op: "GET", Kind: provider.KindRateLimited, Status: 429, RetryAfter: 10 * time.Hour}
		w.live(w.engine(), key(), 2*time.Hour, func() bool { return false })
		calls := len(w.calls)
		w.live(w.engine(), key(), 8*time.Hour, func() bool { return false })
		for _, c := range w.calls[calls:] {
			if c == "LastUsed" {
				t.Fatal("asked again before RetryAfter")
			}
		}
		if w.record(old).Next.Before(time.Now()) {
			t.Errorf("next %s", w.record(old).Next)
		}
	})
}

func TestAdminRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := replaced(t)
		_, _, _ = w.run(w.engine())
		w.fail["Revoke"] = &provider.Error{Op: "DELETE", Kind: provider.KindAuth, Status: 401}
		w.live(w.engine(), key(), 20*time.Hour, func() bool { return false })
		if w.told(notify.Failed) != 1 || w.keys[old].revoked {
			t.Errorf("%d alerts, want one a day", w.told(notify.Failed))
		}
	})
}

// The clock of one function may be wrong for a while.
func TestClockJumpsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := replaced(t, canDisable)
		_, _, _ = w.run(w.engine())
		begin := time.Now()
		for i := 0; w.state(old) != keyrecord.Dead && i < 400; i++ {
			w.skew = -time.Hour * time.Duration(i%2)
			w.live(w.engine(), key(), 30*time.Minute, w.is(old, keyrecord.Dead))
		}
		if w.state(old) != keyrecord.Dead || time.Since(begin) < 25*time.Hour {
			t.Errorf("%s after %s", w.state(old), time.Since(begin))
		}
		w.check()
	})
}

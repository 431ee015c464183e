package retire_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/store"
)

func never() bool { return false }

// steady is a world with one current key, known to us.
func steady(t *testing.T, setup ...func(*world)) (w *world, current string) {
	t.Helper()
	w = newWorld(t)
	for _, s := range setup {
		s(w)
	}
	current = w.rotate(token(1))
	if _, _, err := w.run(w.engine()); err != nil {
		t.Fatal(err)
	}
	return w, current
}

// Promise: lost-keys-end
func TestLost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(*world, string)
		live time.Duration
		want keyrecord.State
	}{
		{"younger than a day", nil, 23 * time.Hour, keyrecord.Lost},
		{"older", nil, 26 * time.Hour, keyrecord.Gone},
		{"it was used", func(w *world, id string) { w.keys[id].used = w.now() }, 48 * time.Hour, keyrecord.Held},
		{"its rotation is in flight", func(w *world, _ string) {
			w.secret.Stages[token(7)] = []string{store.Pending} // registered, and without a value yet
		}, 48 * time.Hour, ""},
		{"the list fails", func(w *world, _ string) { w.fail["List"] = lostVendor("GET") }, 48 * time.Hour, ""},
		{"this server tells no usage", func(w *world, _ string) { w.untold = true }, 26 * time.Hour, keyrecord.Gone},
		{"usage cannot be read", func(w *world, _ string) { w.fail["LastUsed"] = lostVendor("GET") }, 48 * time.Hour, keyrecord.Lost},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, current := steady(t)
				id := w.mint(token(7))
				if tt.do != nil {
					tt.do(w, id)
				}
				w.live(w.engine(), key(), tt.live, never)
				if got := w.state(id); got != tt.want {
					t.Errorf("state %q, want %q: %+v", got, tt.want, w.record(id))
				}
				if got, want := w.keys[id].revoked, tt.want == keyrecord.Gone; got != want {
					t.Errorf("revoked: %v, want %v", got, want)
				}
				if n, want := w.told(notify.OrphanFound), min(1, len(tt.want)); n != want {
					t.Errorf("%d messages about an orphan, want %d", n, want)
				}
				if tt.want == keyrecord.Gone && !strings.Contains(w.record(id).Why, "no proof") {
					t.Errorf("why %q", w.record(id).Why)
				}
				if w.keys[current].revoked {
					t.Error("the current key is revoked")
				}
				w.check()
			})
		})
	}
}

// One old look is not enough, however old the key is.
// Promise: lost-keys-end
func TestLost_secondLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := steady(t)
		id := w.mint(token(7))
		time.Sleep(10 * 24 * time.Hour)
		for range 3 {
			_, _, _ = w.run(w.engine())
			time.Sleep(19 * time.Minute)
		}
		if w.keys[id].revoked {
			t.Fatal("revoked within an hour of being found")
		}
		time.Sleep(10 * time.Minute)
		if _, _, _ = w.run(w.engine()); !w.keys[id].revoked {
			t.Errorf("not revoked after the second look: %+v", w.record(id))
		}
		w.check()
	})
}

// Two attempts of one rotation: one was killed before it stored its key.
func TestDuplicate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		setup []func(*world)
		want  keyrecord.State // of the key that lost, while the other is current
	}{
		{"a value leads to its key", []func(*world){canIdentify, noUsage}, keyrecord.Gone},
		{"one was never used", nil, keyrecord.Gone},
		{"nobody can tell", []func(*world){noUsage}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				for _, s := range tt.setup {
					s(w)
				}
				orphan := w.mint(token(1))
				current := w.rotate(token(1))
				k := key()
				k.Grace.NoUsage = config.Revoke
				w.live(w.engine(), k, 5*24*time.Hour, never)
				if w.keys[current].revoked || w.state(orphan) != tt.want {
					t.Fatalf("orphan %q, want %q; current %+v", w.state(orphan), tt.want, w.record(current))
				}
				w.rotate(token(2)) // now neither can be the current one
				if !w.live(w.engine(), k, weeks, func() bool { return w.keys[orphan].revoked && !w.state(current).Alive() && !w.state(orphan).Alive() }) {
					t.Errorf("after the next rotation: %+v and %+v", w.record(orphan), w.record(current))
				}
				w.check()
			})
		})
	}
}

// Somebody edits the secret by hand.
// Promise: never-the-current
func TestEdited(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		setup []func(*world)
		value func(w *world, current string) string
		ends  bool
	}{
		{"the key stays", nil, func(w *world, c string) string { return w.keys[c].value }, false},
		{"the key stays, and is found by its value", []func(*world){canIdentify}, func(w *world, c string) string { return w.keys[c].value }, false},
		{"another key", nil, func(w *world, _ string) string { return w.keys["id1"].value }, true},
		{"another key, found by its value", []func(*world){canIdentify}, func(w *world, _ string) string { return w.keys["id1"].value }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, current := steady(t, tt.setup...)
				w.put("00000000-0000-0000-0000-000000000000", tt.value(w, current))
				w.promote("00000000-0000-0000-0000-000000000000")
				w.live(w.engine(), key(), 5*24*time.Hour, never)
				if w.keys[current].revoked != tt.ends {
					t.Fatalf("revoked: %v, %+v", !tt.ends, w.record(current))
				}
				if !tt.ends && w.state(current) != keyrecord.Current {
					t.Errorf("state %s", w.state(current))
				}
				w.rotate(token(3))
				if !w.live(w.engine(), key(), weeks, w.is(current, keyrecord.Dead)) {
					t.Errorf("after the next rotation: %+v", w.record(current))
				}
				w.check()
			})
		})
	}
}

// A current version that we cannot explain, and an old value that is not there
// to be compared with it.
func TestUnexplained(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, current := steady(t)
		w.put("00000000-0000-0000-0000-000000000000", w.keys[current].value)
		w.promote("00000000-0000-0000-0000-000000000000")
		delete(w.values, token(1)) // Secrets Manager has purged it
		w.versions = w.versions[1:]
		w.live(w.engine(), key(), 5*24*time.Hour, never)
		if w.keys[current].revoked || w.told(notify.Overdue) == 0 {
			t.Errorf("revoked %v, %d alerts: %+v", w.keys[current].revoked, w.told(notify.Overdue), w.record(current))
		}
		w.check()
	})
}

// At whatever call somebody moves AWSCURRENT back, the key that it
// names then is not ended, and one that was disabled works again.
// Promise: never-the-current
func TestRolledBack(t *testing.T) {
	t.Parallel()
	for name, setup := range map[string][]func(*world){"revoke": nil, "disable": {canDisable}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for at := 0; ; at += next() {
				over := false
				synctest.Test(t, func(t *testing.T) { over = rolledBack(t, at, setup) })
				if over {
					return
				}
			}
		})
	}
}

func rolledBack(t *testing.T, at int, setup []func(*world)) (over bool) {
	t.Helper()
	w, old, current := replaced(t, setup...)
	_, _, _ = w.run(w.engine())
	time.Sleep(2 * time.Hour)
	w.calls, w.faultAt = nil, at
	w.between = func() {
		op := w.calls[at]
		if w.keys[old].revoked || op == "Revoke" || op == "Disable" {
			return // too late: between two systems there is always such a moment
		}
		w.promote(token(1))
	}
	_, _, _ = w.run(w.engine())
	if w.between != nil {
		return true
	}
	if w.secret.VersionAt(store.Current) != token(1) {
		return false
	}
	w.live(w.engine(), key(), 3*time.Hour, never)
	if k := w.keys[old]; k.revoked || k.disabled || w.state(old) != keyrecord.Current {
		t.Errorf("call %d (%s): %+v", at, w.calls[at], w.record(old))
	}
	if !w.live(w.engine(), key(), weeks, w.is(current, keyrecord.Dead)) {
		t.Errorf("call %d (%s): the key that was rolled back is %+v", at, w.calls[at], w.record(current))
	}
	w.check()
	return false
}

// Two runs at once: the second one runs whole between two calls of the first.
// Promise: killed-anywhere
func TestConcurrent(t *testing.T) {
	t.Parallel()
	for at, over := 0, false; !over; at += next() {
		synctest.Test(t, func(t *testing.T) {
			w, old, current := replaced(t, canDisable)
			over = true
			for _, wait := range []time.Duration{0, 2 * time.Hour, 25 * time.Hour} {
				time.Sleep(wait)
				w.calls, w.faultAt = nil, at
				w.between = func() { _, _, _ = w.run(w.engine()) }
				if _, _, err := w.run(w.engine()); err != nil {
					t.Errorf("call %d: %v", at, err)
				}
				over = over && w.between != nil
				w.between = nil
			}
			if !w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Dead)) || w.state(current) != keyrecord.Current {
				t.Errorf("call %d: %+v", at, w.book)
			}
			if len(w.news) != 3 {
				t.Errorf("call %d: %d messages, want 3", at, len(w.news))
			}
			w.check()
		})
	}
}

// Promise: foreign-untouched
func TestAdopted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		adopted := w.foreign("mailer, by hand")
		w.put("by-hand", w.keys[adopted].value)
		w.promote("by-hand")
		w.book.Keys = []keyrecord.Record{{
			Secret: name, KeyID: adopted, KeyName: "mailer, by hand", Vendor: "acme", Origin: keyrecord.Adopted,
			Version: "by-hand", State: keyrecord.Current, Promoted: w.now(), Revision: 1,
		}}
		_, _, _ = w.run(w.engine())
		w.rotate(token(2))
		if !w.live(w.engine(), key(), weeks, w.is(adopted, keyrecord.Dead)) {
			t.Errorf("%+v", w.record(adopted))
		}
		w.check()
	})
}

// A key that does not carry our name is not touched.
// Promise: foreign-untouched
func TestRenamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := replaced(t)
		w.keys[old].name = "keep this"
		w.live(w.engine(), key(), 5*24*time.Hour, never)
		if w.keys[old].revoked || w.state(old) != keyrecord.Held || w.told(notify.Held) != 1 {
			t.Errorf("%+v", w.record(old))
		}
		w.check()
	})
}

// A key of another secret's lineage in the same vendor account.
// Promise: foreign-untouched
func TestOtherLineage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := steady(t)
		other := keyname.New(keyname.Lineage("123456789012", "us-east-1", "prod/other"), keyname.Rotation(token(1)), w.now(), 1)
		id := w.foreign(other.String())
		w.live(w.engine(), key(), 5*24*time.Hour, never)
		if w.keys[id].revoked || w.state(id) != "" {
			t.Errorf("%+v", w.record(id))
		}
	})
}

func TestPurged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := replaced(t)
		_, _, _ = w.run(w.engine())
		delete(w.values, token(1))
		w.versions = w.versions[1:]
		if !w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Gone)) {
			t.Fatalf("%+v", w.record(old))
		}
		if r := w.record(old); !strings.Contains(r.Why, "no proof") || r.Ended.Sub(r.Missing) < 5*time.Minute || r.Proof != "" || w.told(notify.Retired) != 1 || !w.keys[old].revoked {
			t.Errorf("%+v", r)
		}
		w.check()
	})
}

// Somebody deletes the old key at the vendor before we do.
func TestDeletedByHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := replaced(t)
		_, _, _ = w.run(w.engine())
		w.keys[old].revoked = true
		if !w.live(w.engine(), key(), 30*time.Hour, w.is(old, keyrecord.Dead)) {
			t.Errorf("%+v", w.record(old))
		}
		if w.count(audit.Revoke, audit.Intent) != 0 {
			t.Error("revoked a key that was gone")
		}
	})
}

// A list that is late does not shorten a grace.
func TestListIsLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := replaced(t)
		_, _, _ = w.run(w.engine())
		w.keys[old].revoked, w.limp = true, time.Now().Add(time.Hour) // not listed, and accepted
		w.live(w.engine(), key(), 30*time.Minute, never)
		w.keys[old].revoked = false
		w.live(w.engine(), key(), 29*time.Minute, never)
		if w.count(audit.Revoke, audit.Intent) != 0 || !w.record(old).State.Alive() {
			t.Errorf("%+v", w.record(old))
		}
		if !w.live(w.engine(), key(), 30*time.Hour, w.is(old, keyrecord.Dead)) {
			t.Errorf("%+v", w.record(old))
		}
		w.check()
	})
}

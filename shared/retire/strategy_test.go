package retire_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/store"
)

// fakeSlots is the vendor without names.
type fakeSlots struct{ fakeVendor }

func (w fakeSlots) Slots(ctx context.Context) ([]provider.Key, error) {
	keys, err := w.List(ctx)
	for i, k := range keys {
		keys[i] = provider.Key{ID: k.ID, Created: w.born[k.ID]}
	}
	return keys, err
}

// slots makes the vendor one whose keys carry no names, with an old key that was
// replaced and the current one.
func slots(t *testing.T) (w *world, old, current string) {
	t.Helper()
	w = newWorld(t)
	v := fakeVendor{w}
	w.strategy = provider.DualSlot{Slots: fakeSlots{v}, Max: 2, Usage: v}
	old = w.rotate(token(1))
	current = w.rotate(token(2))
	return w, old, current
}

// What is ours is known by its value, with and without records.
func TestDualSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, current := slots(t)
		if !w.live(w.engine(), key(), 4*24*time.Hour, w.is(old, keyrecord.Dead)) {
			t.Fatalf("the old key has not ended: %+v", w.record(old))
		}
		if w.state(current) != keyrecord.Current || w.keys[current].revoked || w.keys["id1"].revoked || len(w.book.Keys) != 2 {
			t.Errorf("current %+v; records %+v", w.record(current), w.book.Keys)
		}
		w.check()
	})
}

// A key that no version holds is nobody's, and stays, unless the principal was
// handed over; then it must be old, seen twice and never used.
// Promise: foreign-untouched
func TestDualSlot_stray(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		exclusive bool
		change    func(w *world, id string)
		gone      bool
	}{
		{"not ours to say", false, func(*world, string) {}, false},
		{"handed over", true, func(*world, string) {}, true},
		{"handed over, and used", true, func(w *world, id string) { w.keys[id].used = w.now() }, false},
		{"handed over, of unknown age", true, func(w *world, id string) { delete(w.born, id) }, false},
		{"handed over, and a version holds it", true, func(w *world, id string) { w.put(token(7), w.keys[id].value) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, old, current := slots(t)
				for id := range w.keys {
					if id != old && id != current {
						delete(w.keys, id) // somebody else's: an exclusive principal has none
					}
				}
				stray := w.mint(token(9))
				c.change(w, stray)
				k := key()
				k.Exclusive = c.exclusive
				early := w.live(w.engine(), k, 7*time.Hour, func() bool { return w.keys[stray].revoked })
				if early && c.name != "handed over, and a version holds it" {
					t.Fatal("a key that may still be stored was ended")
				}
				w.live(w.engine(), k, 6*24*time.Hour, never)
				if w.keys[stray].revoked != c.gone || w.keys[current].revoked {
					t.Errorf("gone: %v, record %+v", w.keys[stray].revoked, w.record(stray))
				}
				w.check()
			})
		})
	}
}

// While a rotation is under way, what it may be about to store is not lost.
func TestDualSlot_pending(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _, current := slots(t)
		stray := w.mint(token(9))
		w.secret.Stages[token(3)] = []string{store.Pending}
		k := key()
		k.Exclusive = true
		w.live(w.engine(), k, 23*time.Hour, never)
		if w.keys[stray].revoked || w.told(notify.OrphanFound) > 0 || w.keys[current].revoked {
			t.Errorf("record %+v, told %+v", w.record(stray), w.news)
		}
	})
}

// rolling is a vendor that replaces the value of one key and ends the old one
// after a while.
func rolling(t *testing.T, s func(fakeVendor) provider.Strategy) (w *world, old string) {
	t.Helper()
	w = newWorld(t)
	w.strategy = s(fakeVendor{w})
	old = w.rotate(token(1))
	w.run(w.engine())
	w.rotate(token(2))
	return w, old
}

func withGrace(v fakeVendor) provider.Strategy {
	return provider.RollWithGrace{ID: "the-key", Key: rollOnly{v}, MinGrace: time.Hour, MaxGrace: 10 * time.Hour}
}

func inPlace(v fakeVendor) provider.Strategy {
	return provider.RollInPlace{ID: "the-key", Key: v, Roll: rollOnly{v}}
}

type rollOnly struct{ fakeVendor }

func (w rollOnly) Roll(context.Context, string, time.Duration) (provider.Issued, error) {
	w.t.Error("retirement replaced a value")
	return provider.Issued{}, lostVendor("POST")
}

// of returns the record of the value in a version.
func (w *world) of(version string) keyrecord.Record {
	for _, r := range w.book.Keys {
		if r.Version == version {
			return r
		}
	}
	return keyrecord.Record{}
}

// The vendor ends the replaced value; that it has is proven, and nothing is
// revoked.
func TestRollWithGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old := rolling(t, withGrace)
		begin := time.Now()
		if w.live(w.engine(), key(), 10*time.Hour-time.Minute, func() bool { return !w.of(token(1)).State.Alive() }) {
			t.Fatalf("ended inside its grace: %+v", w.of(token(1)))
		}
		if w.of(token(1)).State != keyrecord.Grace {
			t.Errorf("in its grace: %+v", w.of(token(1)))
		}
		w.keys[old].revoked = true // as the vendor does by itself
		if !w.live(w.engine(), key(), 2*time.Hour, func() bool { return w.of(token(1)).State == keyrecord.Dead }) {
			t.Fatalf("not proven: %+v", w.of(token(1)))
		}
		if r := w.of(token(1)); r.Proof == "" || r.Ended.Sub(begin) < 10*time.Hour || w.count(audit.Revoke, audit.Intent) > 0 {
			t.Errorf("%+v after %v", r, r.Ended.Sub(begin))
		}
		if w.of(token(2)).State != keyrecord.Current || w.told(notify.Rotated) != 2 || w.told(notify.Retired) != 1 {
			t.Errorf("current %+v; told %+v", w.of(token(2)), w.news)
		}
		w.check()
	})
}

// A vendor that keeps a replaced value alive is told about, and the key never
// counts as dead.
func TestRollWithGrace_livesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := rolling(t, withGrace)
		w.live(w.engine(), key(), 4*24*time.Hour, never)
		if r := w.of(token(1)); r.State != keyrecord.Held || !strings.Contains(r.Why, "accepting") || w.told(notify.Held) != 1 {
			t.Errorf("%+v", r)
		}
	})
}

func TestRollInPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old := rolling(t, inPlace)
		w.keys[old].revoked = true
		if !w.live(w.engine(), key(), 2*time.Hour, func() bool { return w.of(token(1)).State == keyrecord.Dead }) || w.of(token(1)).Proof == "" {
			t.Errorf("not proven: %+v", w.of(token(1)))
		}
		w.check()
	})
}

// Without a value to try there is no proof, and the record says so.
// Promise: proof-of-death
func TestRoll_noProof(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(*world){
		"not stored any more": func(w *world) { delete(w.values, token(1)) },
		"the same value":      func(w *world) { w.values[token(1)] = w.values[token(2)] },
	} {
		synctest.Test(t, func(t *testing.T) {
			w, _ := rolling(t, inPlace)
			change(w)
			w.live(w.engine(), key(), 2*time.Hour, func() bool { return w.of(token(1)).State == keyrecord.Gone })
			if r := w.of(token(1)); r.State != keyrecord.Gone || !strings.Contains(r.Why, what) || r.Proof != "" {
				t.Errorf("%s: %+v", what, r)
			}
		})
	}
}

// A rotation that set its value at the vendor and died leaves consumers with a
// dead one: what works is made current, and nothing else is.
func TestRollInPlace_rescue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                    string
		currentDead, pendingSet bool
		rescued                 bool
	}{
		{"set, and not promoted", true, true, true},
		{"not set yet", false, false, false},
		{"both refused", true, false, false},
		{"both accepted", false, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.strategy = inPlace(fakeVendor{w})
				current := w.rotate(token(1))
				w.run(w.engine())
				fresh := w.mint(token(2))
				w.put(token(2), w.keys[fresh].value)
				w.secret.Stages[token(2)] = []string{store.Pending}
				w.keys[current].revoked, w.keys[fresh].revoked = c.currentDead, !c.pendingSet
				w.live(w.engine(), key(), 2*time.Hour, never)
				if got := w.secret.VersionAt(store.Current) == token(2); got != c.rescued {
					t.Errorf("AWSCURRENT moved: %v; stages %v", got, w.secret.Stages)
				}
				if n := w.count(audit.Promote, audit.Intent); (n == 1) != c.rescued || n != w.count(audit.Promote, audit.Outcome) {
					t.Errorf("%d intents", n)
				}
				w.check()
			})
		})
	}
}

package retire_test

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
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

// A lost key that is missing from two lists is gone, until it is listed again.
func TestGone_listedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := steady(t)
		lost := w.mint(token(7))
		_, _, _ = w.run(w.engine())
		w.hidden = lost
		if !w.live(w.engine(), key(), 3*time.Hour, w.is(lost, keyrecord.Gone)) {
			t.Fatalf("%+v", w.record(lost))
		}
		w.hidden = ""
		if !w.live(w.engine(), key(), 3*24*time.Hour, func() bool { return w.keys[lost].revoked && w.state(lost) == keyrecord.Gone }) {
			t.Errorf("it lives on: %+v", w.record(lost))
		}
		w.check()
	})
}

// A vendor that gives a dead key's id to a new one.
func TestIDUsedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := replaced(t)
		w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Dead))
		n := keyname.New(w.lineage(), keyname.Rotation(token(3)), w.now(), 99)
		w.keys[old] = &vendorKey{name: n.String(), value: "value of the new one", used: w.now()}
		w.put(token(3), "value of the new one")
		w.promote(token(3))
		_, _, _ = w.run(w.engine())
		if r := w.record(old); r.State != keyrecord.Current || r.KeyName != n.String() {
			t.Fatalf("%+v", r)
		}
		w.rotate(token(4))
		if !w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Dead)) || !w.keys[old].revoked {
			t.Errorf("it lives on: %+v", w.record(old))
		}
		w.check()
	})
}

// The configuration gives the secret to another vendor, or to another account:
// what is not in that list is not dead.
func TestMovedAway(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(*config.Key){
		"vendor":  func(k *config.Key) { k.Vendor = "globex" },
		"account": func(k *config.Key) { k.VendorAccount = "acme-eu" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				k := key()
				k.VendorAccount = "acme-main"
				old := w.rotate(token(1))
				if _, err := w.engine().Reconcile(t.Context(), k); err != nil {
					t.Fatal(err)
				}
				there := w.keys
				w.keys = map[string]*vendorKey{}
				move(&k)
				w.rotate(token(2))
				w.live(w.engine(), k, 5*24*time.Hour, never)
				if w.state(old) != keyrecord.Held || w.told(notify.Held) != 1 {
					t.Errorf("a key that lives on elsewhere: %+v", w.record(old))
				}
				maps.Copy(there, w.keys)
				w.keys = there
				k.Vendor, k.VendorAccount = "acme", "acme-main"
				if !w.live(w.engine(), k, weeks, w.is(old, keyrecord.Dead)) || !w.keys[old].revoked {
					t.Errorf("back again: %+v", w.record(old))
				}
				w.check()
			})
		})
	}
}

// A first mint that was killed leaves a key, and no value: it is told, and ended
// when there is a current key.
func TestUnborn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		lost := w.mint(token(7))
		w.live(w.engine(), key(), 23*time.Hour, never)
		if n := w.told(notify.OrphanFound); n != 0 {
			t.Errorf("%d messages about a key that may still be stored", n)
		}
		w.live(w.engine(), key(), 2*time.Hour, never)
		if n := w.told(notify.OrphanFound); n != 1 || w.keys[lost].revoked {
			t.Errorf("%d messages, revoked: %v", n, w.keys[lost].revoked)
		}
		w.rotate(token(8))
		if !w.live(w.engine(), key(), weeks, func() bool { return w.keys[lost].revoked }) {
			t.Errorf("it lives on: %+v", w.record(lost))
		}
		w.check()
	})
}

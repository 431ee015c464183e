package retire_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
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

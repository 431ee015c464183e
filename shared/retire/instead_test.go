package retire_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/store"
)

// rollingVendor can give a key another value; a retirement never does.
type rollingVendor struct{ fakeVendor }

func (v rollingVendor) Roll(context.Context, string, time.Duration) (provider.Issued, error) {
	v.t.Error("a retirement rolled a key")
	return provider.Issued{}, lostVendor("PUT")
}

// An emergency without room gave the current key another value, stored it, and
// was killed before it was made current: consumers fail, and what works is
// pending. It is made current, if nobody else came to do it.
func TestInstead_rescued(t *testing.T) {
	t.Parallel()
	for what, calls := range map[string][]string{"told": nil, "after the vendor said nothing": {"Verify"}, "after it could not be looked at": {"List", "Verify"}} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { rescued(t, calls) })
		})
	}
}

func rescued(t *testing.T, unanswered []string) {
	w, id := steady(t)
	v := rollingVendor{fakeVendor{w}}
	w.strategy = provider.Overlap{Keys: v, Usage: v, Disable: v, Identify: v, Roll: v}
	time.Sleep(time.Hour)
	w.urgent(token(2))
	w.keys[id].value = "value of the roll"
	w.put(token(2), w.keys[id].value)
	w.secret.Stages[token(2)] = []string{store.Pending}
	for _, call := range unanswered {
		w.fail[call] = lostVendor("GET")
	}
	if len(unanswered) > 0 {
		w.live(w.engine(), key(), 2*24*time.Hour, never)
		clear(w.fail)
	}
	w.live(w.engine(), key(), 2*time.Hour, never)
	if w.secret.VersionAt(store.Current) != token(2) || w.keys[id].revoked || w.keys[id].disabled {
		t.Errorf("labels %v, key %+v", w.secret.Stages, w.keys[id])
	}
	if r := w.record(id); r.State != keyrecord.Current || r.Version != token(2) {
		t.Errorf("%+v", r)
	}
	w.check()
}

// An emergency without room gave the current key another value: its name and its
// record still say the version before. It is current, it stays, and no outage of
// the vendor makes it a replaced one.
// Promise: never-the-current
func TestInstead_staysCurrent(t *testing.T) {
	t.Parallel()
	for what, deaf := range map[string]time.Duration{"told": 0, "not told for a week": 7 * 24 * time.Hour} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, id := steady(t)
				v := rollingVendor{fakeVendor{w}}
				w.strategy = provider.Overlap{Keys: v, Usage: v, Disable: v, Identify: v, Roll: v}
				time.Sleep(time.Hour)
				w.urgent(token(2))
				w.keys[id].value = "value of the roll"
				w.put(token(2), w.keys[id].value)
				w.promote(token(2))
				if deaf > 0 {
					w.fail["Identify"] = lostVendor("GET")
				}
				w.live(w.engine(), key(), deaf, func() bool { return false })
				if k := w.keys[id]; k.disabled || k.revoked {
					t.Fatalf("the current key was ended: %+v", w.record(id))
				}
				delete(w.fail, "Identify")
				w.live(w.engine(), key(), weeks, func() bool { return false })
				if r := w.record(id); r.State != keyrecord.Current || r.Version != token(2) || w.keys[id].disabled || w.keys[id].revoked {
					t.Errorf("%+v", r)
				}
				third := w.rotate(token(3)) // an ordinary one, when there is room again
				if !w.live(w.engine(), key(), weeks, w.is(id, keyrecord.Dead)) || w.state(third) != keyrecord.Current || w.secret.VersionAt(store.Current) != token(3) {
					t.Errorf("%+v and %+v", w.record(id), w.record(third))
				}
				w.check()
			})
		})
	}
}

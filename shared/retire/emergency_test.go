package retire_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
)

// urgent says that somebody asked for a rotation in an emergency.
func (w *world) urgent(token string) {
	w.book.Requests = append(w.book.Requests, keyrecord.Request{Secret: name, Rotation: keyname.Rotation(token), Mode: keyrecord.Emergency})
}

// A key that an emergency replaced is stopped when its consumers have had the
// least time that the configuration gives them, though somebody uses it: it may
// be the wrong hands. Otherwise, it would be held.
func TestEmergency_grace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                 string
		usage, disable, told bool

		end audit.Act
	}{
		{"disabled first", true, true, true, audit.Disable},
		{"revoked", true, false, true, audit.Revoke},
		{"no usage told", false, false, true, audit.Revoke},
		{"no emergency", true, true, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, old := steady(t, func(w *world) { w.usage, w.disabling = tt.usage, tt.disable })
				time.Sleep(time.Hour)
				if tt.told {
					w.urgent(token(2))
				}
				replaced := w.now()
				w.rotate(token(2))
				var ended time.Time
				w.onAudit = func(r audit.Record) {
					if r.KeyID == old && r.Phase == audit.Intent && r.Act == tt.end && ended.IsZero() {
						ended = r.Time
					}
				}
				if _, _, err := w.run(w.engine()); err != nil {
					t.Fatal(err)
				}
				use := func() bool { w.keys[old].used = w.now(); return false } // all the time
				w.live(w.engine(), key(), 2*time.Hour, use)
				if tt.told == ended.IsZero() || tt.told && ended.Sub(replaced) < key().Grace.Min {
					t.Errorf("replaced at %s, %q at %s; %+v", replaced, tt.end, ended, w.record(old))
				}
				if !tt.told {
					w.live(w.engine(), key(), 80*time.Hour, use)
					if w.state(old) != keyrecord.Held {
						t.Errorf("%+v", w.record(old))
					}
				} else if !w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Dead)) {
					t.Errorf("not retired: %+v", w.record(old))
				}
				w.check()
			})
		})
	}
}

// A key that an older rotation replaced keeps its own grace, and a hold stays
// one: the emergency is not about it.
func TestEmergency_olderKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, second := apart(t)
		w.urgent(token(3))
		w.rotate(token(3))
		use := func() bool { w.keys[old].used = w.now(); return false }
		w.live(w.engine(), key(), 100*time.Hour, use)
		if w.state(old) != keyrecord.Held || w.keys[old].revoked || !w.keys[second].revoked {
			t.Errorf("%+v and %+v", w.record(old), w.record(second))
		}
		w.check()
	})
}

// Somebody who has such a key work again needs it: its grace is an ordinary one
// from then on.
func TestEmergency_restored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old := steady(t, canDisable)
		time.Sleep(time.Hour)
		w.urgent(token(2))
		w.rotate(token(2))
		if !w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Disabled)) {
			t.Fatalf("%+v", w.record(old))
		}
		if _, _, err := w.ask(enable); err != nil {
			t.Fatal(err)
		}
		w.live(w.engine(), key(), 100*time.Hour, func() bool { w.keys[old].used = w.now(); return false })
		if w.state(old) != keyrecord.Held || w.keys[old].disabled {
			t.Errorf("%+v", w.record(old))
		}
		w.check()
	})
}

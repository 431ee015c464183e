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
)

// handedOver is a world in which a key was taken over without its id. It returns
// the vendor's id, which nobody but the test knows, and that of its record.
func handedOver(t *testing.T) (w *world, vendorID, recorded string) {
	t.Helper()
	w = newWorld(t)
	vendorID = w.foreign("made by hand")
	w.put(token(1), w.keys[vendorID].value)
	w.promote(token(1))
	recorded = keyrecord.UnknownID(keyname.Rotation(token(1)))
	w.book.Keys = []keyrecord.Record{{
		Secret: name, KeyID: recorded, Vendor: "acme", Origin: keyrecord.Adopted, State: keyrecord.Held, Why: keyrecord.WhyUnknownID,
		Version: token(1), Promoted: w.now(), Revision: 1,
	}}
	return w, vendorID, recorded
}

// A key whose id nobody knows is never acted on and never forgotten, though no
// list ever names it: neither while it is current, nor replaced, nor when its
// value is gone.
func TestNameless(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, vendorID, recorded := handedOver(t)
		e, k := w.engine(), key()
		k.Grace.OnMax, k.Grace.NoUsage = config.Revoke, config.Revoke
		w.live(e, k, 2*24*time.Hour, never)
		if rec := w.record(recorded); rec.State != keyrecord.Held || rec.Why != keyrecord.WhyUnknownID || len(w.news) > 0 {
			t.Fatalf("while it is current: %+v, told %v", rec, w.news)
		}
		mine := w.rotate(token(2))
		w.live(e, k, 30*24*time.Hour, never)
		if rec := w.record(recorded); rec.State != keyrecord.Held || !strings.HasPrefix(rec.Why, keyrecord.WhyUnknownID) || w.told(notify.Held) != 1 {
			t.Errorf("replaced: %+v, told %d times", rec, w.told(notify.Held))
		}
		// Rotations go on, and end our own keys.
		w.rotate(token(3))
		if !w.live(e, k, weeks, w.is(mine, keyrecord.Dead)) {
			t.Errorf("our own key: %+v", w.record(mine))
		}
		delete(w.values, token(1)) // Secrets Manager has pruned the version
		w.live(e, k, 30*24*time.Hour, never)
		if rec := w.record(recorded); rec.State != keyrecord.Held || w.keys[vendorID].revoked || w.keys[vendorID].disabled || w.told(notify.Held) != 1 {
			t.Errorf("with its value gone: %+v, %+v", rec, w.keys[vendorID])
		}
		for _, r := range w.trail {
			if r.KeyID == recorded && r.Act != audit.Hold {
				t.Errorf("an act on it: %+v", r)
			}
		}
		w.check()
	})
}

// When somebody has deleted it at the vendor, its value proves that.
func TestNameless_deletedByHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, vendorID, recorded := handedOver(t)
		w.rotate(token(2))
		w.live(w.engine(), key(), 3*24*time.Hour, never)
		w.keys[vendorID].revoked = true
		if !w.live(w.engine(), key(), 2*24*time.Hour, w.is(recorded, keyrecord.Dead)) || w.record(recorded).Proof == "" {
			t.Errorf("%+v", w.record(recorded))
		}
		w.check()
	})
}

// Current again, it is current: nothing is held against it.
func TestNameless_backAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, vendorID, recorded := handedOver(t)
		w.rotate(token(2))
		w.live(w.engine(), key(), 3*time.Hour, never)
		w.promote(token(1))
		w.live(w.engine(), key(), 10*24*time.Hour, never)
		if rec := w.record(recorded); rec.State != keyrecord.Held || !rec.Next.IsZero() || rec.Why != keyrecord.WhyUnknownID || w.keys[vendorID].revoked {
			t.Errorf("%+v, want nothing to be due", rec)
		}
		w.check()
	})
}

// What was due in a pause is not late in it, nor is a rotation that a pause
// refused a failure.
func TestPause_notOverdue(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		until, ended time.Duration // from now; 0: none
		late         bool
	}{
		"no pause":           {0, 0, true},
		"in force":           {time.Hour, 0, false},
		"just over":          {-time.Hour, 0, false},
		"over for days":      {-50 * time.Hour, 0, true},
		"ended for days":     {time.Hour, -50 * time.Hour, true},
		"ended a moment ago": {time.Hour, -time.Minute, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, _ := steady(t)
				now := w.now()
				w.secret.NextRotation = now.Add(-72 * time.Hour)
				w.book.Failure = &keyrecord.Failure{Version: "another", ErrorType: "Paused", At: now.Add(-72 * time.Hour)}
				if tt.until != 0 {
					w.book.Pause = &keyrecord.Pause{Until: now.Add(tt.until)}
				}
				if tt.ended != 0 {
					w.book.Pause.Ended = now.Add(tt.ended)
				}
				report, _, err := w.run(w.engine())
				if err != nil || (len(report.Late) > 0) != tt.late {
					t.Errorf("late: %q, %v; want %v", report.Late, err, tt.late)
				}
				for _, l := range report.Late {
					if strings.Contains(l, "failed") {
						t.Errorf("a refusal by a pause is told as a failure: %q", l)
					}
				}
			})
		})
	}
}

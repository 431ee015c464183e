package retire_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/retire"
	"github.com/keyturn/keyturn/shared/store"
)

// A rotation that begins beside a rollback is not cut off: AWSCURRENT stays.
// Promise: killed-anywhere
func TestRollback_rotationBegins(t *testing.T) {
	t.Parallel()
	for at, over := 0, false; !over; at += next() {
		synctest.Test(t, func(t *testing.T) {
			w, _, _ := apart(t)
			did := false
			w.calls, w.faultAt = nil, at
			w.between = func() {
				if w.calls[at] == "Promote" || w.secret.VersionAt(store.Current) != token(2) {
					return // too late: Secrets Manager moves a label without looking at another
				}
				did = true
				w.secret.Stages[token(3)] = []string{store.Pending}
			}
			_, _, err := w.ask(back)
			over = w.between != nil
			if did && (err == nil || w.secret.VersionAt(store.Current) != token(2)) {
				t.Errorf("call %d (%s): %v, and AWSCURRENT is on %s", at, w.calls[at], err, w.secret.VersionAt(store.Current))
			}
			w.check()
		})
	}
}

// A rollback that stands still until its claim is over does not go back: a
// retirement may be ending the key.
// Promise: untested-never-live
func TestRollback_tooLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := apart(t)
		stood := false
		w.onAudit = func(r audit.Record) {
			if r.Act != audit.Promote || r.Phase != audit.Intent || stood {
				return
			}
			stood = true
			w.mu.Unlock()
			defer w.mu.Lock()
			time.Sleep(6 * time.Minute) // any run may end the key now
		}
		_, _, err := w.ask(back)
		if !stood || typeOf(err) != retire.PreviousUntried || w.secret.VersionAt(store.Current) != token(2) {
			t.Errorf("stood: %v; %v; %+v", stood, err, w.record(old))
		}
		if !w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Dead)) {
			t.Errorf("%+v", w.record(old))
		}
		w.check()
	})
}

// Where the vendor does not tell that the key has just been tried, only the claim
// says that somebody is going back to it.
// Promise: never-the-current
func TestRollback_claims(t *testing.T) {
	t.Parallel()
	k := key()
	k.Grace.NoUsage = config.Revoke
	for at, over := 0, false; !over; at += next() {
		synctest.Test(t, func(t *testing.T) {
			w, old, _ := apart(t, noUsage)
			time.Sleep(k.Grace.Max + time.Hour) // its grace is over
			w.calls, w.faultAt = nil, at
			w.between = func() { _, _ = w.engine().Reconcile(t.Context(), k) }
			_, _, err := w.engine().Do(t.Context(), k, back)
			over = w.between != nil
			if went := w.secret.VersionAt(store.Current) == token(1); went != (err == nil) || went == w.keys[old].revoked {
				t.Errorf("call %d (%s): went back: %v, %v; %+v", at, w.calls[min(at, len(w.calls)-1)], went, err, w.record(old))
			}
			w.check()
		})
	}
}

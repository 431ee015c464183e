package retire

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
)

const heldNameless = "no_id"

// nameless is for a key that was taken over and whose id at the vendor nobody
// knows. Nothing can be done to it, and that no list names it means nothing: it
// stays held until its value is proven dead, which it is when somebody has
// deleted it at the vendor.
func (r *run) nameless(ctx context.Context, rec *keyrecord.Record) error {
	now := r.Now()
	switch {
	case rec.Version == r.version: // or again: nothing is due
		rec.State, rec.Next, rec.Why = keyrecord.Held, time.Time{}, keyrecord.WhyUnknownID
		return r.save(ctx, rec)
	case now.Before(rec.Next):
		return nil
	}
	next := time.Time{}
	old, ok, err := r.valueOf(ctx, rec.Version)
	if err == nil && ok {
		if r.trial(ctx, old) == nil {
			return r.dead(ctx, rec, "its id was never known; the vendor accepted the current key, refused what the secret held for this one, and accepted the current key again, at "+stamp(now))
		}
		next = now.Add(day)
	}
	return r.hold(ctx, rec, heldNameless, next, keyrecord.WhyUnknownID+"; it was replaced, and stays alive until somebody deletes it at the vendor")
}

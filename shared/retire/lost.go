package retire

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
)

const (
	lostAge     = 24 * time.Hour // younger keys may belong to a rotation that is still tried again
	lostApart   = time.Hour      // between two sweeps that both must see it
	lostSweeps  = 2
	lostAnyhow  = "no version of the secret has ever held it"
	heldWasUsed = "lost_and_used"
)

// lost ends a key of ours that no version knows: its value was lost on the way
// to Secrets Manager, so nobody can be using it.
func (r *run) lost(ctx context.Context, rec *keyrecord.Record) error {
	if err := r.tell(ctx, rec, string(notify.OrphanFound), r.messageOrphan(*rec)); err != nil {
		return err
	}
	now := r.Now()
	if now.Sub(rec.LastSeen) >= lostApart {
		rec.Seen++
		rec.LastSeen = now
	}
	name, _ := keyname.Parse(rec.KeyName)
	due := name.Created.Add(max(lostAge, 2*r.MaxRotation))
	if rec.Seen < lostSweeps {
		due = later(due, rec.LastSeen.Add(lostApart))
	}
	if now.Before(due) {
		return r.wait(ctx, rec, keyrecord.Lost, due, lostAnyhow)
	}
	if r.vendor.Usage != nil {
		last, err := r.lastUsed(ctx, rec.KeyID)
		if err != nil {
			return r.failed(ctx, rec, err)
		}
		if !last.IsZero() {
			rec.LastUsed = last
			return r.hold(ctx, rec, heldWasUsed, time.Time{}, lostAnyhow+", and yet it was used at "+stamp(last))
		}
	}
	return r.end(ctx, rec, lostAnyhow)
}

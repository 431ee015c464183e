package retire

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider"
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
		if err != nil && !errors.Is(err, provider.ErrNotTold) {
			return r.failed(ctx, rec, err)
		}
		if !last.IsZero() {
			rec.LastUsed = last
			return r.hold(ctx, rec, heldWasUsed, time.Time{}, lostAnyhow+", and yet it was used at "+stamp(last))
		}
	}
	return r.end(ctx, rec, lostAnyhow)
}

// unborn is for a secret without a current version. A first mint that was killed
// may have left keys; with nothing to hold them against they are not ended, but
// somebody is told. A vendor that cannot be looked at is no news here: the secret
// may not be set up yet.
func (r *run) unborn(ctx context.Context) {
	_ = r.labels(ctx) // that labels cannot be read is none either
	if r.openVendor(ctx) != nil {
		return
	}
	keys, err := r.list(ctx)
	if err != nil {
		return
	}
	var ids []string
	for _, k := range keys {
		if n, ok := keyname.Parse(k.Name); ok && n.Lineage == r.lineage && r.Now().Sub(n.Created) >= lostAge {
			ids = append(ids, k.ID)
		}
	}
	if len(ids) > 0 {
		slices.Sort(ids)
		r.daily(ctx, "unborn", r.messageUnborn(ids))
	}
}

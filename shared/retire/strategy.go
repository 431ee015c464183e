package retire

import (
	"context"
	"errors"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/slot"
	"github.com/keyturn/keyturn/shared/store"
)

// use looks at any strategy as an account in which keys have names.
func (r *run) use(strategy provider.Strategy) {
	switch s := strategy.(type) {
	case provider.Overlap:
		r.vendor = s
	case provider.DualSlot:
		r.own, r.vendor = true, r.named(s)
	case provider.RollInPlace:
		r.roll(s.ID, s.Key, r.info.Settle.Within)
	case provider.RollWithGrace:
		r.roll(s.ID, s.Key, s.Grace(r.key.Grace.Max))
		r.ending.hurried = s.Grace(r.key.Grace.Min)
	}
}

// rolls reports whether the vendor replaces a key's value, also where it could
// not be looked at.
func (r *run) rolls() bool {
	return r.info.Strategy == "RollInPlace" || r.info.Strategy == "RollWithGrace"
}

// nobodys is the rotation that strays are put down to if none is under way.
const nobodys = "0000000000000000"

// named gives the keys of a principal the names that they would carry.
func (r *run) named(d provider.DualSlot) provider.Overlap {
	v := slot.View{
		DualSlot: d, Lineage: r.lineage, Records: r.book.Keys, Value: r.valueOf,
		Versions: func(ctx context.Context) ([]store.VersionInfo, error) {
			r.calls["secretsmanager"]++
			return r.Store.Versions(ctx, r.key.Secret)
		},
	}
	if r.key.Exclusive {
		v.Stray = nobodys
		if p := r.secret.VersionAt(store.Pending); p != "" && p != r.version {
			v.Stray = keyname.Rotation(p) // which may be about to store it
		}
	}
	return v.Overlap()
}

// ending is the end that the vendor itself gives to a value that was replaced
// in its key.
type ending struct {
	after   time.Duration
	hurried time.Duration // after an emergency
}

// roll looks at the values that one key had as if each were a key.
func (r *run) roll(id string, v provider.Verifier, after time.Duration) {
	r.own, r.ending = true, &ending{after: after}
	r.vendor = provider.Overlap{Keys: generations{r: r, id: id, Verifier: v}}
}

// generations are the values of one key, one for each version of the secret
// that is current, was so before, or has a record.
type generations struct {
	provider.Verifier

	r  *run
	id string
}

// Create implements [provider.Creator]; it is never called.
func (generations) Create(context.Context, string) (provider.Issued, error) {
	return provider.Issued{}, &provider.Error{Op: "create a key", Kind: provider.KindPermanent}
}

// Revoke implements [provider.Revoker]: the vendor ends a value by itself.
func (generations) Revoke(context.Context, string) error {
	return &provider.Error{Op: "revoke a value", Kind: provider.KindPermanent}
}

// List implements [provider.Lister]. It makes no call.
func (g generations) List(context.Context) ([]provider.Key, error) {
	var out []provider.Key
	seen := map[string]bool{"": true}
	add := func(id, version string) {
		if !seen[version] {
			seen[version] = true
			out = append(out, provider.Key{ID: id, Name: keyname.Undated(g.r.lineage, keyname.Rotation(version)).String()})
		}
	}
	for _, rec := range g.r.book.Keys {
		if rec.State.Alive() || rec.Version == g.r.version {
			add(rec.KeyID, rec.Version)
		}
		seen[rec.Version] = true
	}
	for _, version := range []string{g.r.version, g.r.secret.VersionAt(store.Previous)} {
		add(g.id+"@"+keyname.Rotation(version), version)
	}
	return out, nil
}

// expire waits for the vendor to end a replaced value, and proves that it has.
func (r *run) expire(ctx context.Context, rec *keyrecord.Record) error {
	due := rec.Replaced.Add(r.ending.after)
	if !rec.Hurried.IsZero() {
		due = earlier(due, rec.Replaced.Add(r.ending.hurried))
	}
	if r.Now().Before(due) {
		return r.wait(ctx, rec, keyrecord.Grace, due, "it was replaced at "+stamp(rec.Replaced)+", and the vendor ends it by itself")
	}
	same, ok, err := r.sameAsCurrent(ctx, rec.Version)
	switch {
	case err != nil:
		return r.failed(ctx, rec, err)
	case ok && !same:
		return r.prove(ctx, rec, due)
	case same:
		rec.Why = "the current version holds the same value"
	default:
		rec.Why = "its value is not stored any more, so no proof of its death is possible"
	}
	return r.ended(ctx, rec, keyrecord.Gone)
}

// rescue makes a stuck rotation's value current where the vendor has replaced
// the current one: consumers fail, what works is stored, and nobody else may
// come to finish it. A rotation that is only slow goes on from there.
func (r *run) rescue(ctx context.Context) error {
	version := r.secret.VersionAt(store.Pending)
	if r.ending == nil && r.vendor.Roll == nil || r.skipped != "" || version == "" || version == r.version {
		return nil
	}
	key, ok, err := r.valueOf(ctx, version)
	if err != nil || !ok {
		return err
	}
	if r.verify(ctx, key) != nil || !errors.Is(r.checkCurrent(ctx), provider.ErrRejected) {
		return nil //nolint:nilerr // what does not work is not made current
	}
	a := audit.Record{
		ID: r.actID(audit.Promote, version), Act: audit.Promote, Phase: audit.Intent, Version: version,
		Detail: map[string]string{"from": r.version, "why": "the vendor refuses the current value and accepts this one, which a rotation has left pending"},
	}
	if err := r.record(ctx, a); err != nil {
		return err
	}
	r.calls["secretsmanager"]++
	err = r.Store.Promote(ctx, r.key.Secret, version, r.version)
	r.rescued = true
	a.Phase, a.Result = audit.Outcome, audit.Done
	if err != nil {
		a.Result, a.Error = audit.Failed, err.Error()
		if !store.Definite(err) {
			a.Result = audit.Unknown
		}
	}
	return errors.Join(err, r.record(ctx, a), r.wake(ctx, r.Now().Add(soon)))
}

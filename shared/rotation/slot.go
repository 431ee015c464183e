package rotation

import (
	"context"
	"regexp"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/slot"
	"github.com/keyturn/keyturn/shared/store"
)

// dualSlot is createSecret for keys without names. Where the vendor chooses the
// value it is minted as any other; a value of ours is stored first, and
// setSecret places it.
func (r *run) dualSlot(ctx context.Context, d provider.DualSlot, b basis) (Outcome, error) {
	o := r.named(d, b)
	if d.Place == nil {
		return r.overlap(ctx, o, b)
	}
	if _, found, err := r.room(ctx, o, b); err != nil || found {
		return Found, err
	}
	return r.choose(ctx, d.Place, "", b) // the vendor gives it an ID when it is placed
}

// named looks at a principal as if its keys had names.
func (r *run) named(d provider.DualSlot, b basis) provider.Overlap {
	v := slot.View{
		DualSlot: d, Lineage: b.lineage, Records: b.book.Keys, Entropy: r.Entropy,
		Versions: func(ctx context.Context) ([]store.VersionInfo, error) { return r.Store.Versions(ctx, r.id) },
		Value: func(ctx context.Context, version string) (secret.Value, bool, error) {
			if version == b.current.ID {
				key, err := payload.Key(b.current.Value, r.key.Value)
				return key, err == nil, nil
			}
			got, err := r.Store.Get(ctx, r.id, version, "")
			if err != nil {
				if store.KindOf(err) == store.KindNotFound {
					err = nil
				}
				return secret.Value{}, false, err
			}
			key, err := payload.Key(got.Value, r.key.Value)
			return key, err == nil, nil
		},
	}
	if r.key.Exclusive {
		v.Stray = keyname.Rotation(r.token)
	}
	return v.Overlap()
}

// choose stores a value of our own choosing as AWSPENDING, before the vendor
// knows it. id is that of the key which is to have it, "" if the vendor gives it
// one of its own.
func (r *run) choose(ctx context.Context, c provider.Chooser, id string, b basis) (Outcome, error) {
	value, err := c.Choose(r.Entropy)
	if err != nil {
		return "", r.vendor("choose a value", err)
	}
	if err = r.shaped(value); err != nil {
		return "", err
	}
	name := keyname.New(b.lineage, keyname.Rotation(r.token), r.Now(), r.Random()).String()
	put := r.pendingPut()
	if put.Value, err = payload.Build(b.current.Value, r.key.Value, value, payload.Meta{Provider: r.key.Vendor, KeyID: id, KeyName: name, CreatedAt: r.Now()}); err != nil {
		return "", r.err(WrongShape, "the new value cannot be built", err)
	}
	rec := audit.Record{ID: "stored-" + r.token, Act: audit.Create, Phase: audit.Fact, Result: audit.Done, KeyID: id, KeyName: name, Fingerprint: r.print(value)}
	if _, err = r.Store.Put(ctx, put); store.KindOf(err) == store.KindExists && err != nil {
		rec.Fingerprint, rec.Detail = "", map[string]string{"found": "a value was stored under this token already"}
		return Found, r.record(ctx, rec)
	}
	if err != nil {
		return "", r.stored("store the new value, which the vendor does not know yet", err)
	}
	return Minted, r.record(ctx, rec)
}

// shaped says why a value cannot be a key of this vendor.
func (r *run) shaped(v secret.Value) error {
	if r.info.Shape == "" {
		return nil
	}
	shape, err := regexp.Compile(`^(?:` + r.info.Shape + `)$`)
	if err != nil {
		return r.err(ConfigInvalid, "the shape of this vendor's keys cannot be read", err)
	}
	if !shape.MatchString(v.Reveal()) {
		return r.err(UnexpectedValue, "what the vendor returned does not look like one of its keys", nil,
			"check where baseURL points to; if the vendor has changed its keys, tell the Keyturn project")
	}
	return nil
}

// set is setSecret. A key that the vendor made works from the moment it is made,
// and then this step has nothing to look at: what is staged is checked before
// and after it. A value of ours is brought to the vendor here.
func (r *run) set(ctx context.Context) (Outcome, error) {
	st, err := r.Vendors.Open(r.key, provider.Admin{Hosts: r.key.Hosts})
	if err != nil {
		return "", r.vendor("open "+r.info.Title, err)
	}
	switch s := st.(type) {
	case provider.DualSlot:
		if s.Place != nil {
			return r.place(ctx)
		}
	case provider.RollInPlace:
		if s.Set != nil {
			return r.setInPlace(ctx)
		}
	case provider.Overlap, provider.RollWithGrace:
	}
	return Nothing, nil
}

// place makes the stored value one of the principal's keys. It can be done
// again: a value that is there is left alone.
func (r *run) place(ctx context.Context) (Outcome, error) {
	v, done, err := r.chosen(ctx)
	if done || err != nil {
		return Already, err
	}
	st, err := r.open(ctx)
	if err != nil {
		return "", err
	}
	d, ok := st.(provider.DualSlot)
	if !ok || d.Place == nil {
		return "", r.err(ConfigInvalid, "the vendor does not take a value of our own choosing", nil)
	}
	rec := r.intent(audit.Create, v)
	if err = r.record(ctx, rec); err != nil {
		return "", err
	}
	k, err := d.Place.Place(ctx, v.key)
	rec.Phase, rec.Result, rec.KeyID = audit.Outcome, audit.Done, k.ID
	if err != nil {
		rec.Result, rec.Error = result(err), err.Error()
		r.note(ctx, rec)
		return "", r.vendor("place the new value", err)
	}
	return Placed, r.record(ctx, rec)
}

// pendingKey is a stored value of ours that the vendor is to take.
type pendingKey struct {
	store.Version

	key  secret.Value
	name string
}

func (r *run) chosen(ctx context.Context) (p pendingKey, done bool, err error) {
	v, done, err := r.pending(ctx)
	switch {
	case done || err != nil:
		return p, done, err
	case v.ID == "":
		return p, false, r.err(EmptyPending, "nothing is stored under this ClientRequestToken", nil, "start a rotation with RotateSecret")
	case r.copied(v):
		return p, false, r.err(NotStaged, "the pending version holds a key that another rotation made", nil, "start a rotation with RotateSecret")
	}
	p.Version = v
	if p.key, err = payload.Key(v.Value, r.key.Value); err != nil {
		return p, false, r.err(WrongShape, "the version's value is not what the configuration says", err)
	}
	meta, _ := payload.Metadata(v.Value, r.key.Value)
	if p.name = r.token; keyname.Rotation(r.token) == rotationOf(meta.KeyName) {
		p.name = meta.KeyName
	}
	return p, false, nil
}

func (r *run) intent(act audit.Act, p pendingKey) audit.Record {
	return audit.Record{ID: string(act) + "-" + p.name, Act: act, Phase: audit.Intent, KeyName: p.name, Fingerprint: r.print(p.key)}
}

func rotationOf(name string) string {
	n, _ := keyname.Parse(name)
	return n.Rotation
}

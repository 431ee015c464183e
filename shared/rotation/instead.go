package rotation

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/store"
)

// instead is for an emergency in an account that has no room: the current key's
// own value is replaced, which ends the old one at once. Whoever configured the
// key must have accepted that, and the key must be ours and be found by its
// value, for from then on neither its name nor its record says which version
// holds it. full is what is said otherwise.
func (r *run) instead(ctx context.Context, o provider.Overlap, b basis, f family, full *Error) (Outcome, error) {
	id := f.current()
	switch {
	case !emergency(b.book, r.token) || o.Roll == nil || o.Identify == nil || !f.ours(id):
		return "", full
	case !r.key.AcceptDowntime:
		full.Next = append(full.Next, "or let an emergency replace the current key's own value, which cuts its consumers off until they read the secret again: "+
			"\"acceptDowntime\": true in the key's configuration")
		return "", full
	}
	ctx, release, err := r.lease(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	if found, err := r.overtaken(ctx, b); found || err != nil {
		return Found, err
	}
	from := r.Now()
	is, rec, err := r.roll(ctx, o.Roll, id, 0, b.lineage)
	if err != nil {
		return "", err
	}
	if out, err := r.keepRolled(ctx, rolled{issued: is, key: o.Keys, template: b.current.Value}, rec); err != nil {
		return out, err
	}
	// Consumers fail until it is current: finishSecret would be later.
	if err = r.settle(ctx, o.Keys, is.Value); err != nil {
		return "", err
	}
	if err = r.promote(ctx, b.current.ID, audit.Record{KeyID: id, KeyName: is.Name, Fingerprint: rec.Fingerprint}); err != nil {
		return "", err
	}
	r.window(ctx, from)
	r.tryOld(ctx, o.Keys, b, id)
	return Promoted, nil
}

// overtaken reports, under the lease, whether a value is stored by now. The
// labels must be as they were.
func (r *run) overtaken(ctx context.Context, b basis) (bool, error) {
	s, err := r.Store.Describe(ctx, r.id)
	if err != nil {
		return false, r.stored("describe the secret again", err)
	}
	if s.VersionAt(store.Current) != b.current.ID || !s.Has(r.token, store.Pending) {
		return false, r.err(Superseded, "the labels have moved meanwhile", nil, "nothing: the next try looks again")
	}
	switch _, err = r.Store.Get(ctx, r.id, r.token, ""); {
	case err == nil:
		return true, nil
	case store.KindOf(err) != store.KindNotFound:
		return false, r.stored("read the pending version again", err)
	}
	return r.rolledBefore(ctx)
}

// tryOld records whether the vendor refuses the value that was replaced.
func (r *run) tryOld(ctx context.Context, v provider.Verifier, b basis, id string) {
	old, err := payload.Key(b.current.Value, r.key.Value)
	if err == nil {
		err = v.Verify(ctx, old)
	}
	if errors.Is(err, provider.ErrRejected) {
		r.note(ctx, audit.Record{
			ID: "dead-" + id + "-" + r.token, Act: audit.Dead, Phase: audit.Fact, KeyID: id, Fingerprint: r.print(old),
			Detail: map[string]string{"proof": "the vendor accepted the new value, and then refused the one before it", "replaced_version": b.current.ID},
		})
		return
	}
	said := "it was accepted"
	if err != nil {
		said = err.Error()
	}
	r.Log.LogAttrs(ctx, slog.LevelError, "that the replaced value is dead was not seen", slog.String("secret", r.key.Secret),
		slog.String("vendor", r.key.Vendor), slog.String("key_id", id), slog.String("said", said))
}

// ours reports whether a listed key is ours to change, by its name or because
// the operator handed it over.
func (f family) ours(id string) bool {
	return slices.ContainsFunc(f.keys, func(k provider.Key) bool {
		n, ok := keyname.Parse(k.Name)
		rec, _ := f.book.Key(k.ID)
		return k.ID == id && (ok && n.Lineage == f.lineage || rec.Origin == keyrecord.Adopted)
	})
}

package rotation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

// create is createSecret:
//
//	token is AWSCURRENT              an earlier run finished: done
//	token is not AWSPENDING          refused
//	AWSPENDING has a value           somebody stored one: done
//	AWSPENDING is empty              mint, then store
//	AWSPENDING cannot be read        unknown is not empty: fail
func (r *run) create(ctx context.Context) (Outcome, error) {
	if r.rolls() { // before the pending version is read
		leased, release, err := r.lease(ctx)
		if err != nil {
			return "", err
		}
		defer release()
		ctx = leased
	}
	s, err := r.Store.Describe(ctx, r.id)
	if err != nil {
		return "", r.stored("describe the secret", err)
	}
	if err = r.rotatable(s); err != nil {
		return "", err
	}
	if done, err := r.staged(s.Has(r.token, store.Pending), s.Has(r.token, store.Current)); done || err != nil {
		return Already, err
	}
	switch _, err = r.Store.Get(ctx, r.id, r.token, store.Pending); {
	case err == nil:
		return Found, r.record(ctx, audit.Record{
			ID: "stored-" + r.token, Act: audit.Create, Phase: audit.Fact, Result: audit.Done,
			Detail: map[string]string{"found": "a value was stored under this token already"},
		})
	case store.KindOf(err) != store.KindNotFound:
		return "", r.stored("read the pending version", err)
	}
	if s.VersionAt(store.Current) == "" {
		return "", r.err(NoCurrent, "the secret has no current value to replace", nil, "make its first key: keyturn init "+r.key.Secret)
	}
	cur, err := r.Store.Get(ctx, r.id, "", store.Current)
	if err != nil {
		return "", r.stored("read the current version", err)
	}
	if err = r.buildable(cur.Value); err != nil {
		return "", r.err(WrongShape, "the current value is not what the configuration says", err,
			"correct the key's \"value\" in the configuration, or the secret's value")
	}
	book, err := r.Records.Load(ctx, r.key.Secret)
	if err != nil {
		return "", r.stored("read the keys' records", err)
	}
	if err = r.paused(ctx, book); err != nil {
		return "", err
	}
	if err = r.asked(ctx, book); err != nil {
		return "", err
	}
	strategy, err := r.open(ctx)
	if err != nil {
		return "", err
	}
	return r.renew(ctx, strategy, basis{secret: s, current: cur, book: book})
}

// renew does what the strategy does in createSecret.
func (r *run) renew(ctx context.Context, strategy provider.Strategy, b basis) (out Outcome, err error) {
	if b.lineage, err = keyname.LineageOf(b.secret.ARN); err != nil {
		return "", r.err(NotOurs, "the secret's ARN cannot be read", err)
	}
	switch st := strategy.(type) {
	case provider.Overlap:
		return r.overlap(ctx, st, b)
	case provider.DualSlot:
		return r.dualSlot(ctx, st, b)
	case provider.RollInPlace:
		return r.inPlace(ctx, st, b)
	case provider.RollWithGrace:
		return r.withGrace(ctx, st, b)
	}
	return "", r.err(ConfigInvalid, "the strategy of "+r.info.Title+" is not known", nil)
}

// basis is what createSecret knows before it does anything.
type basis struct {
	secret  store.Secret
	current store.Version
	book    keyrecord.Book
	lineage string
}

// buildable says why a new value could not be made of the current one, before a
// key is made for it.
func (r *run) buildable(current secret.Value) error {
	key, err := payload.Key(current, r.key.Value)
	if err != nil {
		return err
	}
	_, err = payload.Build(current, r.key.Value, key, payload.Meta{
		Provider: r.key.Vendor, KeyID: strings.Repeat("0", 64), KeyName: keyname.New("0123456789", "0123456789abcdef", r.Now(), 0).String(), CreatedAt: r.Now(),
	})
	return err
}

// open reads the admin credential and opens the vendor with it.
func (r *run) open(ctx context.Context) (provider.Strategy, error) {
	v, err := r.Store.Get(ctx, r.key.Admin, "", store.Current)
	if store.KindOf(err) == store.KindNotFound && err != nil {
		return nil, r.err(AdminMissing, "there is no admin credential in "+r.key.Admin, err,
			"store it: a JSON object with \"hosts\" and the vendor's fields")
	}
	if err != nil {
		return nil, r.stored("read the admin credential", err)
	}
	admin, err := payload.ParseAdmin(v.Value, r.info.Admin)
	if err != nil {
		return nil, r.err(AdminMissing, "the admin credential in "+r.key.Admin+" is not usable", err, "store it again")
	}
	st, err := r.Vendors.Open(r.key, admin)
	if err != nil {
		return nil, r.vendor("open "+r.info.Title, err)
	}
	return st, nil
}

// overlap mints a second key beside the current one, or does without where an
// emergency finds no room.
func (r *run) overlap(ctx context.Context, o provider.Overlap, b basis) (Outcome, error) {
	f, found, err := r.room(ctx, o, b)
	out := Found
	if err == nil && !found {
		out, err = r.beside(ctx, o, b, f)
	}
	if full, ok := errors.AsType[*Error](err); ok && full.Type == VendorFull {
		return r.instead(ctx, o, b, f, full)
	}
	return out, err
}

func (r *run) beside(ctx context.Context, o provider.Overlap, b basis, f family) (Outcome, error) {
	old, err := r.scopesOf(ctx, o, f.current())
	if err != nil {
		return "", err
	}
	if old == nil {
		r.notCompared(ctx, o)
	}
	m := mint{o: o, lineage: b.lineage, old: old, template: b.current.Value, put: r.pendingPut()}
	if o.Copy != nil {
		if m.like = f.current(); m.like == "" {
			return "", r.err(KeyUnknown, "the next key's rights are to be copied from the current one, and its id is not known", nil,
				"take the key over: keyturn adopt "+r.key.Secret, "or write its rights into the key's settings")
		}
	}
	return r.mint(ctx, m)
}

// room makes sure that there is room for another key: no older one lives, and
// the vendor is not full. found says that somebody has stored a value meanwhile.
func (r *run) room(ctx context.Context, o provider.Overlap, b basis) (f family, found bool, err error) {
	keys, err := o.Keys.List(ctx)
	if err != nil {
		return f, false, r.vendor("list the keys", err)
	}
	f = family{lineage: b.lineage, keys: keys, book: b.book, secret: b.secret}
	if older := f.older(r.token); len(older) > 0 && !emergency(b.book, r.token) {
		return f, false, r.err(Held, fmt.Sprintf("skipped: %s still alive from an earlier rotation", plural(len(older), "older key is", "older keys are")), nil,
			"see why: keyturn status "+r.key.Secret, "the next rotation goes on by itself when the older key is dead")
	}
	if o.Max > 0 && len(keys) >= o.Max {
		found, err = r.makeRoom(ctx, o, f)
	}
	return f, found, err
}

// pendingPut is the PutSecretValue of a rotation, without its value.
func (r *run) pendingPut() store.Put {
	return store.Put{SecretID: r.id, Token: r.token, Stages: []string{store.Pending}, RotationToken: r.rotationToken}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// scopesOf returns the rights of a key, or nil where they cannot be known.
func (r *run) scopesOf(ctx context.Context, o provider.Overlap, id string) ([]string, error) {
	if o.Scope == nil || id == "" {
		return nil, nil
	}
	scopes, err := o.Scope.Scopes(ctx, id)
	if err != nil {
		return nil, r.vendor("read the current key's rights", err)
	}
	return scopes, nil
}

// saidFor is how long what is always so is not said again.
const saidFor = 365 * 24 * time.Hour

// notCompared says once of a secret that rights are not compared.
func (r *run) notCompared(ctx context.Context, o provider.Overlap) {
	if first, err := r.Records.First(ctx, r.key.Secret, "rights-not-compared", saidFor); err == nil && !first {
		return
	}
	r.Log.LogAttrs(ctx, slog.LevelWarn, "rights of the new key are not compared with the old one's",
		slog.String("secret", r.key.Secret), slog.String("vendor", r.key.Vendor), slog.Bool("vendor_tells", o.Scope != nil))
}

// record writes to the audit trail; an error means it was not accepted.
func (r *run) record(ctx context.Context, rec audit.Record) error {
	rec.Time, rec.Secret, rec.Vendor, rec.Version = r.Now(), r.key.Secret, r.key.Vendor, r.token
	if err := r.Audit.Record(ctx, rec); err != nil && !r.unrecorded(ctx, rec, err) {
		return r.err(AuditUnavailable, "the audit trail did not accept a record, so nothing more is done", err,
			"check the audit queue; Secrets Manager tries again")
	}
	return nil
}

func (r *run) print(v secret.Value) string { return v.Fingerprint(r.Fingerprint) }

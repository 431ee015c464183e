package rotation

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

// firstStep is no step of Secrets Manager's: it names the first mint in errors.
const firstStep Step = "init"

// Init makes a secret's first key: it mints, verifies and only then stores, for
// the first version of a secret goes live the moment it is put, whatever labels
// are asked for. token becomes the version's ID; calling Init again with the
// same one is safe.
//
// A secret that has a value already is left alone: the error's Type is
// [HasCurrent].
func (e *Engine) Init(ctx context.Context, secretID, token string) error {
	k, ok := e.Keys(secretID)
	if !ok {
		return &Error{Step: firstStep, Type: NotOurs, What: "this secret is not in the function's configuration", Next: []string{"add it to the configuration and deploy"}}
	}
	if len(token) < 32 || len(token) > 64 {
		return &Error{Step: firstStep, Type: BadEvent, Secret: k.Secret, What: "the request lacks a token of 32 to 64 characters", Next: []string{"use a UUID"}}
	}
	r, err := e.begin(k, secretID, token, firstStep)
	if err != nil {
		return err
	}
	work, cancel := r.working(ctx)
	defer cancel()
	if err = r.first(work); err != nil {
		if t := r.typed(err); t.Type == HasCurrent {
			return t
		}
		return r.failed(ctx, err)
	}
	e.Log.LogAttrs(ctx, slog.LevelInfo, "first key stored", slog.String("secret", k.Secret), slog.String("vendor", k.Vendor), slog.String("version", token))
	return nil
}

func (r *run) first(ctx context.Context) error {
	s, err := r.empty(ctx)
	if err != nil {
		return err
	}
	lineage, err := keyname.LineageOf(s.ARN)
	if err != nil {
		return r.err(NotOurs, "the secret's ARN cannot be read", err)
	}
	st, err := r.open(ctx)
	if err != nil {
		return err
	}
	switch st := st.(type) {
	case provider.Overlap:
		return r.firstBeside(ctx, st, lineage)
	case provider.DualSlot:
		book, err := r.Records.Load(ctx, r.key.Secret)
		if err != nil {
			return r.stored("read the keys' records", err)
		}
		return r.firstBeside(ctx, r.named(st, basis{secret: s, book: book, lineage: lineage}), lineage)
	case provider.RollWithGrace:
		g := st.Grace(r.key.Grace.Max)
		return r.firstRolled(ctx, func() (provider.Issued, audit.Record, error) {
			return r.roll(ctx, st.Key, st.ID, g, lineage)
		}, st.Key)
	case provider.RollInPlace:
		return r.firstInPlace(ctx, st, lineage)
	}
	return r.err(ConfigInvalid, "the strategy of "+r.info.Title+" is not known", nil)
}

// firstBeside mints a key beside those that others have.
func (r *run) firstBeside(ctx context.Context, o provider.Overlap, lineage string) error {
	keys, err := o.Keys.List(ctx)
	if err != nil {
		return r.vendor("list the keys", err)
	}
	if o.Max > 0 && len(keys) >= o.Max {
		full := r.err(VendorFull, fmt.Sprintf("there is no room for another key: %d of %d are taken", len(keys), o.Max), nil,
			"delete keys that nobody needs at the vendor; Keyturn never deletes a key that is not its own",
			"or, if the key that the consumers use is one of these, store it in the secret and take it over: keyturn adopt "+r.key.Secret)
		full.Next = append(full.Next, r.slots(keys, "")...)
		return full
	}
	m := mint{
		o: o, lineage: lineage,
		put:   store.Put{SecretID: r.id, Token: r.token, Stages: []string{store.Current}},
		prove: func(ctx context.Context, key secret.Value) error { return r.firstProof(ctx, o.Keys, key) },
	}
	_, err = r.mint(ctx, m)
	return err
}

func (r *run) firstProof(ctx context.Context, v provider.Verifier, key secret.Value) error {
	if err := r.settle(ctx, v, key); err != nil {
		return err
	}
	_, err := r.empty(ctx) // somebody may have been faster
	return err
}

// firstInPlace replaces the value that the key has at the vendor, which ends it
// for everybody who uses it.
func (r *run) firstInPlace(ctx context.Context, st provider.RollInPlace, lineage string) error {
	if !r.key.AcceptDowntime {
		return r.err(DowntimeRefused, "the key at the vendor has a value already, and whoever uses it would be cut off at once", nil,
			"store the present value in the secret and take it over: keyturn adopt "+r.key.Secret,
			"or, if nobody uses it, write \"acceptDowntime\": true in the key's configuration")
	}
	return r.firstRolled(ctx, func() (provider.Issued, audit.Record, error) {
		if st.Set == nil {
			return r.roll(ctx, st.Roll, st.ID, 0, lineage)
		}
		return r.roll(ctx, setter{r, st.Set}, st.ID, 0, lineage)
	}, st.Key)
}

// setter rolls a key with a value of our own choosing.
type setter struct {
	r   *run
	set provider.Setter
}

// Roll implements [provider.Roller].
func (s setter) Roll(ctx context.Context, id string, _ time.Duration) (provider.Issued, error) {
	v, err := s.set.Choose(s.r.Entropy)
	if err == nil {
		if err = s.set.Set(ctx, id, v); err != nil && provider.KindOf(err) == provider.KindUnknown {
			err = s.set.Set(ctx, id, v)
		}
	}
	return provider.Issued{Key: provider.Key{ID: id}, Value: v}, err
}

// firstRolled replaces a key's value, and stores it when it works. Whatever was
// stored before is dead then, or will be, so the new value goes live in any case.
func (r *run) firstRolled(ctx context.Context, roll func() (provider.Issued, audit.Record, error), v provider.Verifier) error {
	ctx, release, err := r.lease(ctx)
	if err != nil {
		return err
	}
	defer release()
	if _, err = r.empty(ctx); err != nil { // who had the lease may have stored one
		return err
	}
	is, rec, err := roll()
	if err != nil {
		return err
	}
	x := rolled{issued: is, key: v}
	if err = r.settle(ctx, v, is.Value); err != nil {
		return err
	}
	value, err := r.value(x)
	if err != nil {
		return err
	}
	rec.Result = audit.Done
	_, err = r.Store.Put(ctx, store.Put{SecretID: r.id, Token: r.token, Value: value, Stages: []string{store.Current}})
	if k := store.KindOf(err); err != nil && (k == store.KindExists || k == store.KindUnknown) {
		err = r.firstAgain(ctx, x, value, err)
	}
	if err != nil {
		return r.unsure("store the first value; if it is not stored, another try replaces it once more", err)
	}
	return r.record(ctx, rec)
}

// firstAgain looks what the token's version holds after a Put that may have
// failed. Where it is the value of an earlier try, which this one has ended,
// the new one goes live under a token of its own.
func (r *run) firstAgain(ctx context.Context, x rolled, value secret.Value, cause error) error {
	got, err := r.Store.Get(ctx, r.id, r.token, "")
	switch {
	case err != nil:
		return cause
	case got.Value.Equal(value):
		return nil
	}
	fresh, err := r.live(ctx, x, value, "an earlier try with this token stored a value that the vendor has replaced since")
	if err != nil {
		return err
	}
	r.Log.LogAttrs(ctx, slog.LevelWarn, "the first value went live under another version", slog.String("secret", r.key.Secret),
		slog.String("vendor", r.key.Vendor), slog.String("asked_version", r.token), slog.String("version", fresh))
	return nil
}

// empty describes the secret, and refuses one that has a value.
func (r *run) empty(ctx context.Context) (store.Secret, error) {
	s, err := r.Store.Describe(ctx, r.id)
	if err != nil {
		return s, r.stored("describe the secret", err)
	}
	if err = r.ours(s.Name); err != nil {
		return s, err
	}
	if v := s.VersionAt(store.Current); v != "" {
		return s, r.err(HasCurrent, "the secret has a value already", nil, "rotate it: keyturn rotate-now "+r.key.Secret)
	}
	return s, nil
}

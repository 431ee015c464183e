package rotation

import (
	"context"
	"fmt"
	"log/slog"

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
	o, ok := st.(provider.Overlap)
	if !ok {
		return r.err(NotSupported, "the strategy of "+r.info.Title+" is not built yet", nil)
	}
	keys, err := o.Keys.List(ctx)
	if err != nil {
		return r.vendor("list the keys", err)
	}
	if o.Max > 0 && len(keys) >= o.Max {
		return r.err(VendorFull, fmt.Sprintf("there is no room for another key: %d of %d are taken", len(keys), o.Max), nil,
			"delete keys that nobody needs at the vendor; Keyturn never deletes a key that is not its own")
	}
	m := mint{
		o: o, lineage: lineage,
		put: store.Put{SecretID: r.id, Token: r.token, Stages: []string{store.Current}},
		prove: func(ctx context.Context, key secret.Value) error {
			if err := r.settle(ctx, o.Keys, key); err != nil {
				return err
			}
			_, err := r.empty(ctx) // somebody may have been faster
			return err
		},
	}
	_, err = r.mint(ctx, m)
	return err
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

package rotation_test

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

func (r *records) Put(_ context.Context, rec keyrecord.Record) (keyrecord.Record, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.book.Keys, func(k keyrecord.Record) bool { return k.KeyID == rec.KeyID })
	if i < 0 && rec.Revision != 0 || i >= 0 && r.book.Keys[i].Revision != rec.Revision {
		return rec, keyrecord.ErrConflict
	}
	rec.Revision++
	if i < 0 {
		r.book.Keys = append(r.book.Keys, rec)
	} else {
		r.book.Keys[i] = rec
	}
	return rec, nil
}

// shelf has the records of other secrets too.
type shelf struct {
	*records

	others map[string]keyrecord.Book
}

func (s shelf) Load(ctx context.Context, secretName string) (keyrecord.Book, error) {
	if b, ok := s.others[secretName]; ok {
		return b, nil
	}
	return s.records.Load(ctx, secretName)
}

// knowing is a vendor that knows its keys by their values.
type knowing struct{ *vendor }

func (k knowing) Open(c config.Key, a provider.Admin) (provider.Strategy, error) {
	st, err := k.vendor.Open(c, a)
	if o, ok := st.(provider.Overlap); ok {
		o.Identify = k
		st = o
	}
	return st, err
}

func (k knowing) Identify(_ context.Context, v secret.Value) (string, error) {
	for _, key := range k.keys {
		if key.value == v.Reveal() {
			return key.ID, nil
		}
	}
	return "", &provider.Error{Op: "identify", Kind: provider.KindNotFound}
}

// described changes what Secrets Manager says of a secret, where the local AWS
// cannot be brought to say it.
type described struct {
	rotation.Store

	change func(*store.Secret)
}

func (d described) Describe(ctx context.Context, id string) (store.Secret, error) {
	s, err := d.Store.Describe(ctx, id)
	d.change(&s)
	return s, err
}

const handMade = `{"user":"mail","apiKey":"acme-0-aaaaaaaaaaaaaaaaaaaaaaaa"}`

// byHand gives the secret a value that somebody made by hand.
func (w *world) byHand(value string) (version string) {
	w.t.Helper()
	out, err := w.sm.PutSecretValue(w.t.Context(), &sm.PutSecretValueInput{SecretId: aws.String(name), SecretString: &value})
	if err != nil {
		w.t.Fatal(err)
	}
	return aws.ToString(out.VersionId)
}

func (w *world) adopt(a rotation.Adoption) rotation.Adopted {
	w.t.Helper()
	a.Secret = name
	out, err := w.engine.Adopt(w.t.Context(), a)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func types(ps []rotation.Problem) (out []string) {
	for _, p := range ps {
		out = append(out, string(p.Type))
	}
	return out
}

// replace puts another value into a secret.
func (w *world) replace(id, value string) {
	w.t.Helper()
	if _, err := w.sm.PutSecretValue(w.t.Context(), &sm.PutSecretValueInput{SecretId: &id, SecretString: &value}); err != nil {
		w.t.Fatal(err)
	}
}

// alien is a vendor that accepts a key of another account.
type alien struct{ knowing }

func (a alien) Open(c config.Key, ad provider.Admin) (provider.Strategy, error) {
	st, err := a.knowing.Open(c, ad)
	if o, ok := st.(provider.Overlap); ok {
		o.Keys = generous{client{a.vendor, ad.Field("apiKey").Reveal()}}
		st = o
	}
	return st, err
}

type generous struct{ client }

func (generous) Verify(context.Context, secret.Value) error { return nil }

// late is records that cannot be written.
type late struct {
	*records

	fail error
}

func (l late) Put(context.Context, keyrecord.Record) (keyrecord.Record, error) {
	return keyrecord.Record{}, l.fail
}

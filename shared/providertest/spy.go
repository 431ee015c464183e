package providertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// watch puts a spy before every method. It looks at each error and result as
// they leave, not only at the last ones, and compares what is claimed with what
// is so at the fake.
func watch(b *bench, o provider.Overlap) provider.Overlap {
	w := o
	w.Keys = keySpy{b, o}
	if o.Usage != nil {
		w.Usage = usageSpy{b, o.Usage}
	}
	if o.Scope != nil {
		w.Scope = scopeSpy{b, o.Scope}
	}
	if o.Disable != nil {
		w.Disable = disableSpy{b, o.Disable}
	}
	if o.Expire != nil {
		w.Expire = expireSpy{b, o.Expire}
	}
	if o.Identify != nil {
		w.Identify = identifySpy{b, o.Identify}
	}
	return w
}

// show looks for secrets and foreign text in everything that may be logged.
func (b *bench) show(method string, vs ...any) {
	for _, v := range vs {
		js, _ := json.Marshal(v) //nolint:errchkjson // what cannot be encoded shows nothing
		text := fmt.Sprintf("%v %+v %#v %s", v, v, v, js)
		if b.judged(text) {
			continue
		}
		if l := Leak(text, b.fake.Values()); l != "" {
			b.breach("%s shows a secret: %T", method, v)
		}
		for _, foreign := range []string{marker, "http://", "https://", "Authorization", host} {
			if strings.Contains(text, foreign) {
				b.breach("%s shows what was sent or where to (%s): %v", method, foreign, v)
			}
		}
	}
}

// see checks an error that leaves method.
func (b *bench) see(method string, err error) error {
	if err == nil {
		return nil
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		b.show(method, e)
	}
	if _, ok := errors.AsType[*provider.Error](err); !ok && !errors.Is(err, provider.ErrRejected) {
		b.breach("%s returned a %T: want an *Error or ErrRejected", method, err)
	}
	return err
}

type keySpy struct {
	b *bench
	o provider.Overlap
}

func (s keySpy) Create(ctx context.Context, name string) (provider.Issued, error) {
	before := len(s.b.named(name))
	is, err := s.o.Keys.Create(ctx, name)
	err = s.b.see("Create", err)
	s.b.show("Create", is)
	made := len(s.b.named(name)) - before
	switch kind := provider.KindOf(err); {
	case made > 1:
		s.b.breach("one Create made %d keys", made)
	case err == nil && !s.b.lied():
		s.b.mu.Lock()
		s.b.made[is.ID] = is.Value
		s.b.mu.Unlock()
		s.issued(is, name)
	case err == nil:
	case errors.Is(err, provider.ErrRejected):
		s.b.breach("Create returned ErrRejected")
	case made > 0 && kind != provider.KindUnknown:
		s.b.breach("Create made a key and says %q: nobody will look for it", kind)
	case !is.Value.Empty() || is.ID != "":
		s.b.breach("Create returned a key and an error")
	}
	return is, err
}

func (s keySpy) issued(is provider.Issued, name string) {
	switch {
	case is.Name != name:
		s.b.breach("Create was asked for %q and returned %q", name, is.Name)
	case !s.b.live(is.ID):
		s.b.breach("Create returned nil and the id of no key")
	case !s.b.fake.Works(is.Value):
		s.b.breach("Create returned nil and a value that does not work")
	case !s.b.shape.MatchString(is.Value.Reveal()):
		s.b.breach("Create returned a value that does not have the shape")
	}
}

func (s keySpy) List(ctx context.Context) ([]provider.Key, error) {
	keys, err := s.o.Keys.List(ctx)
	err = s.b.see("List", err)
	if err == nil && !slices.Equal(sorted(keys), sorted(s.b.fake.Live())) {
		s.b.breach("List returned %d keys, there are %d: a page that cannot be read is an error", len(keys), len(s.b.fake.Live()))
	}
	s.b.show("List", keys)
	return keys, err
}

func sorted(keys []provider.Key) []provider.Key {
	return slices.SortedFunc(slices.Values(keys), func(a, b provider.Key) int { return strings.Compare(a.ID, b.ID) })
}

func (s keySpy) Revoke(ctx context.Context, id string) error {
	err := s.b.see("Revoke", s.o.Keys.Revoke(ctx, id))
	switch {
	case err == nil && s.b.live(id) && !s.b.lied():
		s.b.breach("Revoke returned nil and the key lives")
	case err != nil && provider.KindOf(err) == provider.KindNotFound:
		s.b.breach("revoking a key that is gone is an error")
	}
	return err
}

func (s keySpy) Verify(ctx context.Context, k secret.Value) error {
	err := s.b.see("Verify", s.o.Keys.Verify(ctx, k))
	works := s.b.fake.Works(k)
	switch {
	case err == nil && !works:
		s.b.breach("Verify returned nil for a value that does not work")
	case errors.Is(err, provider.ErrRejected) && works && !s.b.lied():
		s.b.breach("Verify returned ErrRejected for a key that works: the vendor did not say so")
	}
	return err
}

type usageSpy struct {
	b *bench
	u provider.UsageReporter
}

func (s usageSpy) LastUsed(ctx context.Context, id string) (time.Time, error) {
	t, err := s.u.LastUsed(ctx, id)
	return t, s.b.see("LastUsed", err)
}

type scopeSpy struct {
	b *bench
	s provider.Scoper
}

func (s scopeSpy) Scopes(ctx context.Context, id string) ([]string, error) {
	sc, err := s.s.Scopes(ctx, id)
	if err == nil && (len(sc) == 0 || !slices.IsSorted(sc)) {
		s.b.breach("Scopes returned %v: want some, sorted", sc)
	}
	return sc, s.b.see("Scopes", err)
}

type disableSpy struct {
	b *bench
	d provider.Disabler
}

func (s disableSpy) Disable(ctx context.Context, id string) error {
	err := s.b.see("Disable", s.d.Disable(ctx, id))
	if err == nil && !s.b.lied() && s.b.fake.Works(s.b.issued(id)) {
		s.b.breach("Disable returned nil and the key works")
	}
	return err
}

func (s disableSpy) Enable(ctx context.Context, id string) error {
	err := s.b.see("Enable", s.d.Enable(ctx, id))
	if err == nil && !s.b.lied() && !s.b.fake.Works(s.b.issued(id)) {
		s.b.breach("Enable returned nil and the key does not work")
	}
	return err
}

type expireSpy struct {
	b *bench
	e provider.Expirer
}

func (s expireSpy) Expire(ctx context.Context, id string, t time.Time) error {
	return s.b.see("Expire", s.e.Expire(ctx, id, t))
}

type identifySpy struct {
	b *bench
	i provider.Identifier
}

func (s identifySpy) Identify(ctx context.Context, v secret.Value) (string, error) {
	id, err := s.i.Identify(ctx, v)
	s.b.show("Identify", id)
	return id, s.b.see("Identify", err)
}

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

// watch puts a spy before what two strategies can offer. It looks at each error
// and result as they leave, not only at the last ones, and compares what is
// claimed with what is so at the fake.
func watch(b *bench, o provider.Overlap) provider.Overlap {
	w := o
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
		if b.known.judged(text) {
			continue
		}
		if b.leak(text) != "" {
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

// alarm breaks a promise that every call by which we get a key makes.
func (b *bench) alarm(method string, err error, made int, told bool) {
	switch kind := provider.KindOf(err); {
	case b.busy:
	case made > 1:
		b.breach("one %s made %d keys", method, made)
	case err == nil:
	case errors.Is(err, provider.ErrRejected):
		b.breach("%s returned ErrRejected", method)
	case made > 0 && kind != provider.KindUnknown:
		b.breach("%s made a key and says %q: nobody will look for it", method, kind)
	case told:
		b.breach("%s returned a key and an error", method)
	}
}

// issue checks a key that a call claims to have made.
func (b *bench) issue(method string, is provider.Issued) {
	switch {
	case b.lied():
		return
	case !b.live(is.ID):
		b.breach("%s returned nil and the id of no key", method)
	case b.sure() && !b.fake.Works(is.Value):
		b.breach("%s returned nil and a value that does not work", method)
	case !b.known.shape.MatchString(is.Value.Reveal()):
		b.breach("%s returned a value that does not have the shape", method)
	}
	b.give(is.ID, is.Value)
}

type verifySpy struct {
	b *bench
	v provider.Verifier
}

func (s verifySpy) Verify(ctx context.Context, k secret.Value) error {
	err := s.b.see("Verify", s.v.Verify(ctx, k))
	works := s.b.fake.Works(k)
	switch {
	case s.b.slow || s.b.busy && s.b.roll.id != "":
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
	switch {
	case err == nil:
	case id != "":
		s.b.breach("Identify returned an id and an error")
	case provider.KindOf(err) == provider.KindNotFound && s.b.sure() && s.b.fake.Works(v):
		s.b.breach("Identify says that a value that works is nobody's: its key is lost")
	}
	return id, s.b.see("Identify", err)
}

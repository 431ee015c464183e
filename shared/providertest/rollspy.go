package providertest

import (
	"context"
	"errors"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

type rollSpy struct {
	b *bench
	r provider.Roller
}

func (s rollSpy) Roll(ctx context.Context, id string, grace time.Duration) (provider.Issued, error) {
	b := s.b
	before := len(b.fake.Values())
	is, err := s.r.Roll(ctx, id, grace)
	err = b.see("Roll", err)
	b.show("Roll", is)
	made := len(b.fake.Values()) - before
	if !b.faulty { // what one Roll adds is learned where nothing goes wrong
		b.learn(made)
	}
	b.alarm("Roll", err, b.rolls(made), !is.Value.Empty() || is.ID != "")
	if err != nil {
		return is, err
	}
	old := b.issued(is.ID)
	if is.ID != id && !b.lied() {
		b.breach("Roll was asked for %q and returned %q", id, is.ID)
	}
	b.issue("Roll", is)
	b.replaced("Roll", old, is.Value)
	if is.Value.Equal(old) && !b.lied() {
		b.breach("Roll returned the value that there was")
	}
	return is, err
}

func (b *bench) learn(texts int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.busy {
		b.texts = max(b.texts, texts)
	}
}

// rolls returns how many values there are more, when there are so many texts
// more to hide.
func (b *bench) rolls(texts int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.texts == 0 {
		return 0
	}
	return (texts + b.texts - 1) / b.texts
}

// replaced: without a grace the old value stops at once.
func (b *bench) replaced(method string, old, now secret.Value) {
	if !b.roll.graceful && b.sure() && !old.Equal(now) && b.fake.Works(old) {
		b.breach("%s returned nil and the old value works", method)
	}
}

type setSpy struct {
	chooseSpy

	p provider.Setter
}

func (s setSpy) Set(ctx context.Context, id string, v secret.Value) error {
	b := s.b
	worked := b.fake.Works(v)
	err := b.see("Set", s.p.Set(ctx, id, v))
	works := b.fake.Works(v)
	switch kind := provider.KindOf(err); {
	case !b.sure():
	case errors.Is(err, provider.ErrRejected):
		b.breach("Set returned ErrRejected")
	case err != nil && works && !worked && kind != provider.KindUnknown:
		b.breach("Set stored the value and says %q: nobody will look", kind)
	case err == nil && !works:
		b.breach("Set returned nil and the value does not work")
	}
	if err == nil {
		b.replaced("Set", b.issued(id), v)
		b.give(id, v)
	}
	return err
}

type readSpy struct {
	b *bench
	r provider.Reader
}

func (s readSpy) Read(ctx context.Context, id string) (secret.Value, error) {
	b := s.b
	v, err := s.r.Read(ctx, id)
	err = b.see("Read", err)
	switch {
	case err != nil && !v.Empty():
		b.breach("Read returned a value and an error")
	case err == nil && b.sure() && !b.fake.Works(v):
		b.breach("Read returned nil and a value that does not work")
	case err == nil && !b.lied() && !b.known.shape.MatchString(v.Reveal()):
		b.breach("Read returned a value that does not have the shape")
	}
	return v, err
}

package providertest

import (
	"context"
	"io"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// slotSpy watches the slots, and shows them as keys with names. Only ids are
// compared.
type slotSpy struct {
	verifySpy

	d provider.DualSlot
}

// Create takes an empty slot; nobody has chosen the name.
func (s slotSpy) Create(ctx context.Context, _ string) (provider.Issued, error) {
	if s.b.slots.Place == nil {
		return s.b.slots.Fill.Fill(ctx)
	}
	v, err := s.b.slots.Place.Choose(s.b)
	if err != nil {
		return provider.Issued{}, err
	}
	k, err := s.b.slots.Place.Place(ctx, v)
	if err != nil {
		return provider.Issued{}, err
	}
	return provider.Issued{Key: k, Value: v}, nil
}

func (s slotSpy) List(ctx context.Context) ([]provider.Key, error) {
	keys, err := s.d.Slots.Slots(ctx)
	return keys, s.b.listed("Slots", ids(keys), err, ids(s.b.fake.Live()))
}

func ids(keys []provider.Key) []provider.Key {
	out := make([]provider.Key, len(keys))
	for i, k := range keys {
		out[i].ID = k.ID
	}
	return out
}

func (s slotSpy) Revoke(ctx context.Context, id string) error {
	return s.b.revoked(id, s.d.Slots.Revoke(ctx, id))
}

type fillSpy struct {
	b *bench
	f provider.Filler
}

func (s fillSpy) Fill(ctx context.Context) (provider.Issued, error) {
	before := len(s.b.fake.Live())
	is, err := s.f.Fill(ctx)
	err = s.b.see("Fill", err)
	s.b.show("Fill", is)
	s.b.alarm("Fill", err, len(s.b.fake.Live())-before, !is.Value.Empty() || is.ID != "")
	s.b.full("Fill", err)
	if err == nil {
		s.b.issue("Fill", is)
	}
	return is, err
}

// full checks that a principal that is said to be full is.
func (b *bench) full(method string, err error) {
	if err != nil && provider.KindOf(err) == provider.KindFull && b.room() > 0 && !b.busy && !b.lied() {
		b.breach("%s says that there is no room, there is for %d", method, b.room())
	}
}

// chooseSpy watches the choice of values.
type chooseSpy struct {
	b *bench
	c provider.Chooser
}

func (s chooseSpy) Choose(random io.Reader) (secret.Value, error) {
	v, err := s.c.Choose(random)
	switch {
	case err != nil && !v.Empty():
		s.b.breach("Choose returned a value and an error")
	case err == nil && (v.Empty() || !s.b.known.shape.MatchString(v.Reveal())):
		s.b.breach("Choose returned a value that does not have the shape")
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if err == nil {
		s.b.chosen = append(s.b.chosen, v.Reveal())
	}
	return v, err
}

type placeSpy struct {
	chooseSpy

	p provider.Placer
}

func (s placeSpy) Place(ctx context.Context, v secret.Value) (provider.Key, error) {
	b := s.b
	before, worked := len(b.fake.Live()), b.fake.Works(v)
	k, err := s.p.Place(ctx, v)
	err = b.see("Place", err)
	b.show("Place", k)
	made := len(b.fake.Live()) - before
	b.alarm("Place", err, made, k.ID != "")
	b.full("Place", err)
	switch {
	case !worked || b.busy || b.lied():
	case made > 0:
		b.breach("Place made another key of a value that was there")
	case err != nil && provider.KindOf(err) == provider.KindFull:
		b.breach("Place says that there is no room for a value that is there")
	}
	if err == nil {
		b.issue("Place", provider.Issued{Key: k, Value: v})
	}
	return k, err
}

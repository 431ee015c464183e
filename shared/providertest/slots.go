package providertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// slotSuite asks of DualSlot what is asked of Overlap: its slots are shown as
// keys with names, and what is ours is what was not there before.
func slotSuite() suite {
	return suite{
		open: func(b *bench, st provider.Strategy) bool {
			d, ok := st.(provider.DualSlot)
			if !ok || d.Slots == nil || d.Fill == nil && d.Place == nil {
				return false
			}
			b.tries = verifySpy{b, d.Slots}
			b.slots = provider.DualSlot{Slots: d.Slots}
			if d.Fill != nil {
				b.slots.Fill = fillSpy{b, d.Fill}
			}
			if d.Place != nil {
				b.slots.Place = placeSpy{chooseSpy{b, d.Place}, d.Place}
			}
			b.Overlap = watch(b, provider.Overlap{Max: d.Max, Usage: d.Usage, Disable: d.Disable, Identify: d.Slots})
			b.Keys = slotSpy{verifySpy{b, d.Slots}, d}
			return true
		},
		ours: func(b *bench, k provider.Key) bool {
			return !slices.ContainsFunc(b.foreign, func(f provider.Issued) bool { return f.ID == k.ID })
		},
		life:  life,
		heal:  heal,
		mint:  func(ctx context.Context, b *bench) (provider.Issued, error) { return b.Keys.Create(ctx, ours) },
		touch: func(b *bench, id string) error { return b.Keys.Revoke(b.ctx, id) },
		calls: keyCalls,
		checks: append(keyChecks(),
			check{"a value placed twice", scenario(placedTwice)},
			check{"a look that fails", scenario(placedBlindly)},
			check{"values of our own choosing", scenario(choices)},
			check{"a value leads to its slot", scenario(identified)},
			check{"an emptied slot is free", scenario(emptied)},
			check{"a disabled key revoked", scenario(disabledRevoked)},
			check{"many at once", scenario(manySlots)},
		),
	}
}

// place is how the engine takes a slot with a value of its own choosing: an
// unknown outcome is settled by placing it again.
func place(b *bench) (provider.Issued, error) {
	v, err := b.slots.Place.Choose(b)
	if err != nil {
		return provider.Issued{}, fmt.Errorf("choose: %w", err)
	}
	k, err := b.slots.Place.Place(b.ctx, v)
	if err != nil && provider.KindOf(err) == provider.KindUnknown {
		k, err = b.slots.Place.Place(b.ctx, v)
	}
	if err != nil {
		return provider.Issued{}, fmt.Errorf("place: %w", err)
	}
	return provider.Issued{Key: k, Value: v}, nil
}

// placedTwice: placed twice is placed once, in a full principal too.
func placedTwice(b *bench) error {
	if b.slots.Place == nil {
		return nil
	}
	is, err := place(b)
	if err != nil {
		return err
	}
	for b.Max > 0 && b.room() > 0 {
		b.stranger("filler")
	}
	again, err := b.slots.Place.Place(b.ctx, is.Value)
	if err != nil || again.ID != is.ID || len(b.mine()) != 1 {
		return fmt.Errorf("placed again: %q and %w, want the %q that there was; %d keys of ours", again.ID, err, is.ID, len(b.mine()))
	}
	return b.Keys.Revoke(b.ctx, is.ID)
}

// placedBlindly: where the look fails, nothing is known and nothing is placed.
func placedBlindly(b *bench) error {
	if b.slots.Place == nil || b.Max > 0 && b.room() < 1 {
		return nil
	}
	is, err := place(b)
	if err != nil {
		return err
	}
	for at := 1; ; at++ {
		b.tr.At, b.tr.Fault = b.tr.Requests()+at, Fault{Reply: canned(http.StatusBadRequest, said)}
		again, err := b.slots.Place.Place(b.ctx, is.Value) // the spy counts the keys
		switch {
		case err == nil && at == 1:
			return errors.New("placed a value without a look")
		case err == nil && again.ID == is.ID: // it took fewer requests
			b.tr.At = 0
			return b.Keys.Revoke(b.ctx, is.ID)
		case err == nil || len(b.mine()) != 1:
			return fmt.Errorf("placed again after a look that failed: %q and %w, want the %q that there was; %d keys of ours", again.ID, err, is.ID, len(b.mine()))
		}
	}
}

// identified: a value leads to its own slot, and one that has none to nothing.
func identified(b *bench) error {
	is, err := b.suite.mint(b.ctx, b)
	if err != nil {
		return err
	}
	for _, k := range append(slices.Clone(b.foreign), is) {
		if id, err := b.Identify.Identify(b.ctx, k.Value); err != nil || id != k.ID {
			return fmt.Errorf("Identify returned %q and %w, want %q", id, err, k.ID)
		}
	}
	if err = b.Keys.Revoke(b.ctx, is.ID); err != nil {
		return err
	}
	gone := []secret.Value{is.Value}
	if b.slots.Place != nil {
		v, err := b.slots.Place.Choose(b)
		if err != nil {
			return err
		}
		gone = append(gone, v)
	}
	for _, v := range gone {
		id, err := b.Identify.Identify(b.ctx, v)
		if err := want("Identify of a value that is not there", err, provider.KindNotFound); err != nil || id != "" {
			return fmt.Errorf("%q: %w", id, err)
		}
	}
	return nil
}

// emptied: a slot that was emptied can be taken again.
func emptied(b *bench) error {
	for b.Max > 0 && b.room() > 1 {
		b.stranger("filler")
	}
	for range 3 {
		is, err := b.suite.mint(b.ctx, b)
		if err != nil {
			return err
		}
		if b.Max > 0 {
			_, err = b.suite.mint(b.ctx, b)
			if err = want("a key more than there are slots", err, provider.KindFull); err != nil {
				return err
			}
		}
		if err = b.Keys.Revoke(b.ctx, is.ID); err != nil {
			return err
		}
		if n := len(b.mine()); n > 0 {
			return fmt.Errorf("%d keys of ours are left", n)
		}
	}
	return nil
}

// disabledRevoked: a key that is disabled already is found and can be revoked.
func disabledRevoked(b *bench) error {
	if b.Disable == nil {
		return nil
	}
	is, err := b.suite.mint(b.ctx, b)
	if err != nil {
		return err
	}
	if err = b.Disable.Disable(b.ctx, is.ID); err != nil {
		return err
	}
	if id, err := b.Identify.Identify(b.ctx, is.Value); err != nil || id != is.ID {
		return fmt.Errorf("Identify of a disabled key returned %q and %w, want %q: nobody would revoke it", id, err, is.ID)
	}
	if err = b.Keys.Revoke(b.ctx, is.ID); err != nil {
		return err
	}
	return dead(b, "a revoked key", is.Value)
}

// manySlots: of many at once as many succeed as there are slots.
func manySlots(b *bench) error {
	b.busy = true
	const all = 8
	var wg sync.WaitGroup
	room := min(all, b.room())
	made, errs := make([]provider.Issued, all), make([]error, all)
	for i := range all {
		wg.Go(func() { made[i], errs[i] = b.suite.mint(b.ctx, b) })
	}
	wg.Wait()
	b.busy = false
	n := 0
	for i, is := range made {
		if errs[i] != nil {
			if err := want("one of many", errs[i], provider.KindFull); err != nil {
				return err
			}
			continue
		}
		n++
		id, err := b.Identify.Identify(b.ctx, is.Value)
		if err = errors.Join(err, b.try(is.Value), b.Keys.Revoke(b.ctx, is.ID)); err != nil || id != is.ID {
			return fmt.Errorf("%q was made, Identify returned %q: %w", is.ID, id, err)
		}
	}
	if left := len(b.mine()); n != room || left > 0 {
		return fmt.Errorf("%d of %d got one of %d slots; %d keys nobody knows of", n, all, room, left)
	}
	return nil
}

package providertest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// setTwice: set twice is set once.
func setTwice(b *bench) error {
	if b.roll.set == nil {
		return nil
	}
	v, err := set(b)
	if err != nil {
		return err
	}
	return errors.Join(b.roll.set.Set(b.ctx, b.roll.id, v), b.try(v))
}

// oldValue: each new value is another one, is read back, and the value before
// it stops at once, or has its grace.
func oldValue(b *bench) error {
	ways := []func(*bench) (secret.Value, error){}
	if b.roll.set != nil {
		ways = append(ways, set)
	}
	if b.roll.roll != nil {
		ways = append(ways, roll)
	}
	var old secret.Value
	for range 2 {
		for _, renew := range ways {
			v, err := present(b, renew)
			if err != nil {
				return err
			}
			switch {
			case old.Empty():
			case b.roll.graceful:
				err = b.try(old)
			default:
				err = dead(b, "a value that was replaced", old)
			}
			if err != nil {
				return err
			}
			old = v
		}
	}
	return nil
}

// grace: the old value is accepted until its grace ends and refused after it.
// Where the grace cannot be chosen, what is asked for changes nothing.
func grace(b *bench) error {
	if !b.roll.graceful {
		return nil
	}
	lo, hi := b.roll.min, b.roll.max
	asked := []time.Duration{lo, hi, min(max(lo, time.Hour), hi)}
	if lo == hi {
		asked = []time.Duration{hi, 0, hi / 2, 2 * hi}
	}
	for _, ask := range slices.Compact(asked) {
		if err := oneGrace(b, ask, min(max(ask, lo), hi)); err != nil {
			return fmt.Errorf("a grace of %v was asked for: %w", ask, err)
		}
	}
	return nil
}

const near = 3 * time.Second // vendors count in seconds

func oneGrace(b *bench, ask, is time.Duration) error {
	b.again()
	old, err := b.roll.roll.Roll(b.ctx, b.roll.id, ask)
	if err != nil {
		return err
	}
	now, err := b.roll.roll.Roll(b.ctx, b.roll.id, ask)
	if err != nil {
		return err
	}
	end := time.Now().Add(is)
	if is > 2*near {
		for _, at := range []time.Time{time.Now(), end.Add(-near)} {
			<-time.After(time.Until(at))
			b.again()
			if err := errors.Join(b.try(old.Value), b.try(now.Value)); err != nil {
				return fmt.Errorf("%v before the grace ends: %w", time.Until(end), err)
			}
		}
	}
	<-time.After(time.Until(end.Add(near)))
	b.again()
	if err := dead(b, "the old value after its grace", old.Value); err != nil {
		return err
	}
	return b.try(now.Value)
}

// settlesOld: after the settle time, and the grace where there is one, the
// vendor refuses the old value for good.
func settlesOld(t *testing.T, s Subject) []string {
	t.Helper()
	if s.Slow == nil {
		return nil
	}
	return onceWith(t, s, s.Slow, func(b *bench) error {
		b.slow = true
		old, err := mintRoll(b.ctx, b)
		if err == nil {
			err = b.settle(old.Value)
		}
		if err != nil {
			return err
		}
		now, err := mintRoll(b.ctx, b)
		if err != nil {
			return err
		}
		<-time.After(max(b.roll.usual(), b.s.Definition.Settle.Within) + 3*time.Second)
		for range 10 {
			b.again()
			if err := errors.Join(dead(b, "an old value", old.Value), b.try(now.Value)); err != nil {
				return err
			}
			<-time.After(time.Second)
		}
		return nil
	})
}

// manyRolls: of many at once each gets a value of its own, and one of them is
// the key's.
func manyRolls(b *bench) error {
	b.busy = true
	const all = 8
	var wg sync.WaitGroup
	made, errs := make([]provider.Issued, all), make([]error, all)
	for i := range all {
		wg.Go(func() {
			made[i], errs[i] = mintRoll(b.ctx, b)
			if err := b.try(made[i].Value); err != nil && !errors.Is(err, provider.ErrRejected) {
				errs[i] = errors.Join(errs[i], err)
			}
		})
	}
	wg.Wait()
	b.busy = false
	if err := errors.Join(errs...); err != nil {
		return err
	}
	seen, works := map[string]bool{}, 0
	for _, is := range made {
		seen[is.Value.Reveal()] = true
		if err := b.try(is.Value); err == nil {
			works++
		} else if !errors.Is(err, provider.ErrRejected) {
			return err
		}
	}
	if len(seen) != all || works == 0 || works > 1 && !b.roll.graceful {
		return fmt.Errorf("%d at once got %d values, of which %d work", all, len(seen), works)
	}
	return nil
}

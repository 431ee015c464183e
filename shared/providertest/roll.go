package providertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// rolling is what the two strategies share whose key keeps its ID. All of it is
// watched by spies.
type rolling struct {
	id       string // "" for the other strategies
	set      provider.Setter
	roll     provider.Roller
	read     provider.Reader
	min, max time.Duration
	graceful bool // RollWithGrace
}

func rollSuite() suite {
	return suite{
		open:  openRoll,
		ours:  func(*bench, provider.Key) bool { return false }, // what is named stays
		life:  rollLife,
		heal:  rollHeal,
		mint:  mintRoll,
		touch: touchRoll,
		calls: rollCalls,
		checks: []check{
			{"values of our own choosing", scenario(choices)},
			{"a value set twice", scenario(setTwice)},
			{"the old value", scenario(oldValue)},
			{"grace", scenario(grace)},
			{"old values settle", settlesOld},
			{"many at once", scenario(manyRolls)},
		},
	}
}

func openRoll(b *bench, st provider.Strategy) bool {
	switch r := st.(type) {
	case provider.RollInPlace:
		if r.Key == nil || r.Set == nil && r.Roll == nil || r.ID == "" || b.s.Definition.Strategy != "RollInPlace" {
			return false
		}
		b.roll = rolling{id: r.ID}
		b.tries = verifySpy{b, r.Key}
		if r.Set != nil {
			b.roll.set = setSpy{chooseSpy{b, r.Set}, r.Set}
		}
		if r.Roll != nil {
			b.roll.roll = rollSpy{b, r.Roll}
		}
		if r.Read != nil {
			b.roll.read = readSpy{b, r.Read}
		}
	case provider.RollWithGrace:
		if r.Key == nil || r.ID == "" || r.MinGrace < 0 || r.MaxGrace < r.MinGrace || r.MaxGrace == 0 || b.s.Definition.Strategy != "RollWithGrace" {
			return false
		}
		b.roll = rolling{id: r.ID, roll: rollSpy{b, r.Key}, min: r.MinGrace, max: r.MaxGrace, graceful: true}
		b.tries = verifySpy{b, r.Key}
	default:
		return false
	}
	return true
}

// usual is the grace of a life: an hour, or what the vendor allows that is
// nearest.
func (r rolling) usual() time.Duration { return min(max(time.Hour, r.min), r.max) }

func mintRoll(ctx context.Context, b *bench) (provider.Issued, error) {
	if b.roll.set == nil {
		return b.roll.roll.Roll(ctx, b.roll.id, b.roll.usual())
	}
	v, err := b.roll.set.Choose(b)
	if err == nil {
		err = b.roll.set.Set(ctx, b.roll.id, v)
	}
	if err != nil {
		return provider.Issued{}, err
	}
	return provider.Issued{Key: provider.Key{ID: b.roll.id}, Value: v}, nil
}

func rollCalls(b *bench) map[string]func(context.Context) error {
	calls := map[string]func(context.Context) error{
		"the call for a new value": func(ctx context.Context) error { _, err := mintRoll(ctx, b); return err },
	}
	if b.roll.roll != nil {
		calls["Roll"] = func(ctx context.Context) error {
			_, err := b.roll.roll.Roll(ctx, b.roll.id, b.roll.usual())
			return err
		}
	}
	if b.roll.read != nil {
		calls["Read"] = func(ctx context.Context) error { _, err := b.roll.read.Read(ctx, b.roll.id); return err }
	}
	return calls
}

// touchRoll does everything to a key that there is not.
func touchRoll(b *bench, id string) error {
	var errs []error
	refused := func(what string, err error) {
		if err == nil {
			b.breach("%s of %q returned nil", what, id)
		}
		errs = append(errs, err)
	}
	if b.roll.set != nil {
		v, err := b.roll.set.Choose(b)
		if err != nil {
			return err
		}
		refused("Set", b.roll.set.Set(b.ctx, id, v))
		if b.fake.Works(v) {
			b.breach("Set of %q set some key", id)
		}
	}
	if b.roll.roll != nil {
		n := len(b.fake.Values())
		_, err := b.roll.roll.Roll(b.ctx, id, b.roll.usual())
		refused("Roll", err)
		if len(b.fake.Values()) > n {
			b.breach("Roll of %q rolled some key", id)
		}
	}
	if b.roll.read != nil {
		_, err := b.roll.read.Read(b.ctx, id)
		refused("Read", err)
	}
	for _, err := range errs {
		if provider.KindOf(err) == provider.KindUnknown && err != nil {
			return err
		}
	}
	return nil
}

// set stores a value the way the engine does: an unknown outcome is settled by
// setting it again.
func set(b *bench) (secret.Value, error) {
	v, err := b.roll.set.Choose(b)
	if err != nil {
		return v, fmt.Errorf("choose: %w", err)
	}
	err = b.roll.set.Set(b.ctx, b.roll.id, v)
	if err != nil && provider.KindOf(err) == provider.KindUnknown {
		err = b.roll.set.Set(b.ctx, b.roll.id, v)
	}
	if err != nil {
		return v, fmt.Errorf("set: %w", err)
	}
	return v, nil
}

// roll gets a value the way the engine does: after an unknown outcome it reads
// the value that there is, or has another one made.
func roll(b *bench) (secret.Value, error) {
	is, err := b.roll.roll.Roll(b.ctx, b.roll.id, b.roll.usual())
	if err != nil && provider.KindOf(err) == provider.KindUnknown {
		if b.roll.read != nil {
			return b.roll.read.Read(b.ctx, b.roll.id)
		}
		is, err = b.roll.roll.Roll(b.ctx, b.roll.id, b.roll.usual())
	}
	if err != nil {
		return secret.Value{}, fmt.Errorf("roll: %w", err)
	}
	return is.Value, nil
}

// rollLife gives the key two values in turn, in the two ways there are.
func rollLife(b *bench) error {
	first, second := set, roll
	if b.roll.set == nil {
		first = roll
	}
	if b.roll.roll == nil {
		second = set
	}
	one, err := present(b, first)
	if err != nil {
		return err
	}
	since := time.Now()
	if _, err = present(b, second); err != nil {
		return err
	}
	if !b.roll.graceful {
		return dead(b, "a value that was replaced", one)
	}
	switch err = b.try(one); {
	case err != nil && !errors.Is(err, provider.ErrRejected):
		return err
	case err == nil:
	case time.Since(since) < b.roll.usual() && !b.lied():
		return fmt.Errorf("the old value within its grace of %v: %w", b.roll.usual(), err)
	}
	return dead(b, "a value that never was", secret.New(shuffled(one.Reveal())))
}

// present gives the key a value, tries it and reads it back.
func present(b *bench, renew func(*bench) (secret.Value, error)) (secret.Value, error) {
	v, err := renew(b)
	if err != nil {
		return v, err
	}
	if err = b.try(v); err != nil {
		return v, fmt.Errorf("verify: %w", err)
	}
	if b.roll.read == nil {
		return v, nil
	}
	back, err := b.roll.read.Read(b.ctx, b.roll.id)
	if err != nil {
		return v, fmt.Errorf("read back: %w", err)
	}
	if !back.Equal(v) && !b.lied() {
		b.breach("Read returned another value than the present one")
	}
	return v, nil
}

// rollHeal is the next rotation: whatever happened, it must go well.
func rollHeal(b *bench) {
	if err := rollLife(b); err != nil {
		b.breach("the rotation after the fault: %v", err)
	}
}

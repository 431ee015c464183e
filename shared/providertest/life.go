package providertest

import (
	"errors"
	"fmt"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// lifeOrFail is a life in which nothing may go wrong.
func lifeOrFail(b *bench) error {
	if err := b.suite.life(b); err != nil {
		return err
	}
	if n := len(b.mine()); n > 0 && b.roll.id == "" {
		return fmt.Errorf("%d keys are left", n)
	}
	return nil
}

// life is what the engine does with a key of Overlap or DualSlot. The spies
// judge; life only stops at the first error, as the engine does.
func life(b *bench) error {
	is, err := create(b)
	if err != nil {
		return err
	}
	if err = b.try(is.Value); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	ids, err := find(b)
	if err != nil {
		return err
	}
	if len(ids) != 1 || ids[0] != is.ID {
		return fmt.Errorf("found %d keys of ours, want the one", len(ids))
	}
	if err = ask(b, is); err != nil {
		return err
	}
	if err = change(b, is); err != nil {
		return err
	}
	for range 2 {
		if err = b.Keys.Revoke(b.ctx, is.ID); err != nil {
			return fmt.Errorf("revoke: %w", err)
		}
	}
	return dead(b, "a revoked key", is.Value)
}

// dead tries a value that must not work any more.
func dead(b *bench, what string, v secret.Value) error {
	switch err := b.try(v); {
	case errors.Is(err, provider.ErrRejected):
		return nil
	case err == nil:
		return fmt.Errorf("%s verifies", what)
	default:
		return fmt.Errorf("verify %s: %w", what, err)
	}
}

// ask asks what the vendor can tell about a living key.
func ask(b *bench, is provider.Issued) error {
	if b.Scope != nil {
		if _, err := b.Scope.Scopes(b.ctx, is.ID); err != nil {
			return fmt.Errorf("scopes: %w", err)
		}
	}
	if b.Usage != nil {
		if _, err := b.Usage.LastUsed(b.ctx, is.ID); err != nil {
			return fmt.Errorf("last used: %w", err)
		}
	}
	if b.Identify == nil {
		return nil
	}
	id, err := b.Identify.Identify(b.ctx, is.Value)
	if err != nil {
		return fmt.Errorf("identify: %w", err)
	}
	if id != is.ID {
		b.breach("Identify returned the id of another key")
	}
	return nil
}

// change does to a living key what can be undone, and gives it an end that is
// far away.
func change(b *bench, is provider.Issued) error {
	if b.Disable != nil {
		if err := b.Disable.Disable(b.ctx, is.ID); err != nil {
			return fmt.Errorf("disable: %w", err)
		}
		if err := b.Disable.Enable(b.ctx, is.ID); err != nil {
			return fmt.Errorf("enable: %w", err)
		}
	}
	if b.Expire == nil {
		return nil
	}
	if err := b.Expire.Expire(b.ctx, is.ID, time.Now().Add(24*time.Hour)); err != nil {
		return fmt.Errorf("expire: %w", err)
	}
	return nil
}

// create recovers the way the engine does: it looks before it sends again, or
// places the same value again.
func create(b *bench) (provider.Issued, error) {
	if b.slots.Place != nil {
		return place(b)
	}
	is, err := b.Keys.Create(b.ctx, ours)
	if err == nil {
		return is, nil
	}
	if provider.KindOf(err) != provider.KindUnknown {
		return is, fmt.Errorf("create: %w", err)
	}
	ids, err := find(b)
	if err != nil {
		return is, err
	}
	for _, id := range ids {
		if err = b.Keys.Revoke(b.ctx, id); err != nil {
			return is, fmt.Errorf("revoke orphan: %w", err)
		}
	}
	if is, err = b.Keys.Create(b.ctx, ours); err != nil {
		return is, fmt.Errorf("create again: %w", err)
	}
	return is, nil
}

func find(b *bench) ([]string, error) {
	keys, err := b.Keys.List(b.ctx)
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	var ids []string
	for _, k := range keys {
		if b.suite.ours(b, k) {
			ids = append(ids, k.ID)
		}
	}
	return ids, nil
}

// heal does what the engine's sweep does after a rotation that failed: what is
// ours is found and revoked.
func heal(b *bench) {
	ids, err := find(b)
	if err != nil {
		b.breach("after the fault: %v", err)
		return
	}
	for _, id := range ids {
		if err := b.Keys.Revoke(b.ctx, id); err != nil {
			b.breach("revoke after the fault: %v", err)
		}
	}
	if n := len(b.mine()); n > 0 {
		b.breach("%d keys of ours cannot be found: lost for ever", n)
	}
}

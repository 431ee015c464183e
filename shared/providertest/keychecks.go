package providertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// keyChecks are asked of Overlap and of DualSlot.
func keyChecks() []check {
	return []check{
		{"no room", scenario(noRoom)},
		{"forbidden with room", scenario(forbidden)},
		{"pages", scenario(pages)},
		{"last use moves", scenario(usage)},
		{"disable and enable", scenario(disable)},
	}
}

func keyCalls(b *bench) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Create": func(ctx context.Context) error { _, err := b.Keys.Create(ctx, ours); return err },
		"List":   func(ctx context.Context) error { _, err := b.Keys.List(ctx); return err },
		"Revoke": func(ctx context.Context) error { return b.Keys.Revoke(ctx, b.foreign[0].ID) },
	}
}

// others returns what a vendor may offer besides, for one key.
func (b *bench) others(is provider.Issued) map[string]func(context.Context) error {
	calls := map[string]func(context.Context) error{}
	if b.Usage != nil {
		calls["LastUsed"] = func(ctx context.Context) error { _, err := b.Usage.LastUsed(ctx, is.ID); return err }
	}
	if b.Scope != nil {
		calls["Scopes"] = func(ctx context.Context) error { _, err := b.Scope.Scopes(ctx, is.ID); return err }
	}
	if b.Disable != nil {
		calls["Disable"] = func(ctx context.Context) error { return b.Disable.Disable(ctx, is.ID) }
		calls["Enable"] = func(ctx context.Context) error { return b.Disable.Enable(ctx, is.ID) }
	}
	if b.Expire != nil {
		calls["Expire"] = func(ctx context.Context) error { return b.Expire.Expire(ctx, is.ID, time.Now().Add(time.Hour)) }
	}
	if b.slots.Slots != nil { // some vendors of Overlap have the id in the value
		calls["Identify"] = func(ctx context.Context) error { _, err := b.Identify.Identify(ctx, is.Value); return err }
	}
	return calls
}

// absent returns the id of no key.
func (b *bench) absent() (string, error) {
	if b.slots.Slots == nil {
		return "999999999", nil
	}
	is, err := b.suite.mint(b.ctx, b)
	if err != nil {
		return "", err
	}
	return is.ID, b.Keys.Revoke(b.ctx, is.ID)
}

func noRoom(b *bench) error {
	if b.Max == 0 {
		return nil
	}
	for b.room() > 0 {
		if b.slots.Slots == nil {
			b.stranger("filler")
		} else if _, err := b.suite.mint(b.ctx, b); err != nil {
			return fmt.Errorf("with room for %d: %w", b.room(), err)
		}
	}
	_, err := b.Keys.Create(b.ctx, ours)
	return want("Create", err, provider.KindFull)
}

// forbidden: a 403 while there is room must not look like a full account, on
// which a caller may revoke keys.
func forbidden(b *bench) error {
	for at := 1; ; at++ {
		b.tr.At, b.tr.Fault = b.tr.Requests()+at, Fault{Reply: canned(http.StatusForbidden, said)}
		is, err := b.Keys.Create(b.ctx, ours)
		if provider.KindOf(err) == provider.KindFull || err == nil && at == 1 {
			return fmt.Errorf("a 403 with room for another key: %w", err)
		}
		if err == nil { // it took fewer requests
			b.tr.At = 0
			return b.Keys.Revoke(b.ctx, is.ID)
		}
	}
}

// pages: the spy compares each list with what there is.
func pages(b *bench) error {
	for i := range 100 {
		if b.room() < 1 {
			break
		}
		b.stranger(fmt.Sprintf("more %d", i))
		if i%7 != 0 {
			continue
		}
		if _, err := b.Keys.List(b.ctx); err != nil {
			return err
		}
	}
	_, err := b.Keys.List(b.ctx)
	return err
}

func usage(b *bench) error {
	if b.Usage == nil {
		return nil
	}
	is, err := b.Keys.Create(b.ctx, ours)
	if err != nil {
		return err
	}
	if t, err := b.Usage.LastUsed(b.ctx, is.ID); err != nil || !t.IsZero() {
		return fmt.Errorf("a key that was never used: %v and %w", t, err)
	}
	var last time.Time
	for range 2 {
		<-time.After(3 * time.Second)
		if err := b.consume(is.Value); err != nil {
			return err
		}
		t, err := b.Usage.LastUsed(b.ctx, is.ID)
		if err != nil || !t.After(last) || time.Since(t).Abs() > b.s.Definition.UsageLag+time.Second {
			return fmt.Errorf("a key used now, before at %v: last used %v and %w", last, t, err)
		}
		last = t
	}
	if err = b.Keys.Revoke(b.ctx, is.ID); err != nil {
		return err
	}
	none, err := b.absent()
	if err != nil {
		return err
	}
	_, err = b.Usage.LastUsed(b.ctx, none)
	return want("LastUsed of no key", err, provider.KindNotFound)
}

// consume uses a key as its consumer does.
func (b *bench) consume(v secret.Value) error {
	req, err := b.s.Consume(base, v)
	if err != nil {
		return err
	}
	res, err := (&http.Client{Transport: b.tr}).Do(req.WithContext(b.ctx))
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // in memory
	_, _ = io.Copy(io.Discard, res.Body)
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("the consumer was answered %d", res.StatusCode)
	}
	return nil
}

// disable: disabled twice it stays disabled, and enabled it is what it was.
func disable(b *bench) error {
	if b.Disable == nil {
		return nil
	}
	is, err := b.Keys.Create(b.ctx, ours)
	if err != nil {
		return err
	}
	err = keepsRights(b, is.ID, func() error {
		for range 2 {
			if err := b.Disable.Disable(b.ctx, is.ID); err != nil {
				return err
			}
		}
		if err := b.Keys.Verify(b.ctx, is.Value); !errors.Is(err, provider.ErrRejected) {
			return fmt.Errorf("a disabled key: %w", err)
		}
		if ids, err := find(b); err != nil || len(ids) != 1 {
			return fmt.Errorf("a disabled key is listed %d times and %w", len(ids), err)
		}
		return b.Disable.Enable(b.ctx, is.ID)
	})
	if err != nil {
		return err
	}
	if err = errors.Join(b.try(is.Value), b.Keys.Revoke(b.ctx, is.ID)); err != nil {
		return err
	}
	none, err := b.absent()
	if err != nil {
		return err
	}
	return want("Disable of no key", b.Disable.Disable(b.ctx, none), provider.KindNotFound)
}

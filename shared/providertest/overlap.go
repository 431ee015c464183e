package providertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
)

func overlapSuite() suite {
	return suite{
		open: func(b *bench, st provider.Strategy) bool {
			o, ok := st.(provider.Overlap)
			if ok {
				b.tries = verifySpy{b, o.Keys}
				b.Overlap = watch(b, o)
				b.Keys = keySpy{verifySpy{b, o.Keys}, o}
			}
			return ok
		},
		ours:  func(_ *bench, k provider.Key) bool { return k.Name == ours },
		life:  life,
		heal:  heal,
		mint:  func(ctx context.Context, b *bench) (provider.Issued, error) { return b.Keys.Create(ctx, ours) },
		touch: func(b *bench, id string) error { return b.Keys.Revoke(b.ctx, id) },
		calls: keyCalls,
		checks: append(keyChecks(),
			check{"one name twice", scenario(sameName)},
			check{"one key revoked", scenario(oneRevoked)},
			check{"keys made alike may do the same", scenario(alike)},
			check{"expire", scenario(expire)},
			check{"many at once", scenario(manyAtOnce)},
		),
	}
}

// sameName: either a name is taken for good, or both keys are listed.
func sameName(b *bench) error {
	if _, err := b.Keys.Create(b.ctx, ours); err != nil {
		return err
	}
	_, err := b.Keys.Create(b.ctx, ours)
	ids, lerr := find(b)
	switch {
	case lerr != nil:
		return lerr
	case err == nil && (len(ids) != 2 || ids[0] == ids[1]):
		return fmt.Errorf("two keys of one name, %d listed", len(ids))
	case err != nil && (provider.KindOf(err) != provider.KindPermanent || len(ids) != 1):
		return fmt.Errorf("a name that is taken: %w", err)
	}
	return nil
}

// oneRevoked: to revoke one key is to revoke that one, whatever others are
// called.
func oneRevoked(b *bench) error {
	b.stranger(ours + "-of-another-lineage")
	is, err := b.Keys.Create(b.ctx, ours)
	if err != nil {
		return err
	}
	return b.Keys.Revoke(b.ctx, is.ID) // untouched looks at the foreign keys
}

func alike(b *bench) error {
	if b.Scope == nil {
		return nil
	}
	var scopes [2][]string
	for i := range scopes {
		is, err := b.Keys.Create(b.ctx, ours+string(rune('a'+i)))
		if err != nil {
			return err
		}
		if scopes[i], err = b.Scope.Scopes(b.ctx, is.ID); err != nil {
			return err
		}
	}
	if !slices.Equal(scopes[0], scopes[1]) {
		return fmt.Errorf("two keys made alike have scopes %v and %v", scopes[0], scopes[1])
	}
	_, err := b.Scope.Scopes(b.ctx, "999999999")
	return want("Scopes of no key", err, provider.KindNotFound)
}

// keepsRights calls do and compares what the key may do before and after: some
// vendors' updates lose what they do not repeat.
func keepsRights(b *bench, id string, do func() error) error {
	if b.Scope == nil {
		return do()
	}
	before, err := b.Scope.Scopes(b.ctx, id)
	if err != nil {
		return err
	}
	if err = do(); err != nil {
		return err
	}
	after, err := b.Scope.Scopes(b.ctx, id)
	if err == nil && !slices.Equal(before, after) {
		err = fmt.Errorf("a change of its state changed what the key may do: %v, now %v", before, after)
	}
	return err
}

// expire: a key works until its end and not after it, and can be revoked then.
func expire(b *bench) error {
	if b.Expire == nil {
		return nil
	}
	is, err := b.Keys.Create(b.ctx, ours)
	if err != nil {
		return err
	}
	err = keepsRights(b, is.ID, func() error {
		return b.Expire.Expire(b.ctx, is.ID, time.Now().Add(10*time.Second))
	})
	if err != nil {
		return err
	}
	if err := b.Keys.Verify(b.ctx, is.Value); err != nil {
		return fmt.Errorf("a key before its end: %w", err)
	}
	<-time.After(11 * time.Second)
	if err := b.Keys.Verify(b.ctx, is.Value); !errors.Is(err, provider.ErrRejected) {
		return fmt.Errorf("a key after its end: %w", err)
	}
	return b.Keys.Revoke(b.ctx, is.ID)
}

func manyAtOnce(b *bench) error {
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			name := fmt.Sprintf("%s-%d", ours, i)
			is, err := b.Keys.Create(b.ctx, name)
			errs[i] = errors.Join(err, b.Keys.Verify(b.ctx, is.Value), b.Keys.Revoke(b.ctx, is.ID))
			if err := b.Keys.Verify(b.ctx, is.Value); !errors.Is(err, provider.ErrRejected) {
				errs[i] = errors.Join(errs[i], fmt.Errorf("after the revoke: %w", err))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

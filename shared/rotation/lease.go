package rotation

import (
	"context"
	"fmt"
	"time"

	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/store"
)

const (
	leaseName   = "lease"
	rollMark    = "roll-"         // with the token of a run that has begun to replace the value
	leaseMost   = 2 * time.Minute // replacing a value takes no longer
	leaseSpare  = 2 * time.Second // DynamoDB's clock counts whole seconds
	leaseEvery  = 2 * time.Second
	rolledFor   = 7 * 24 * time.Hour
	rollRereads = 2
)

// lease makes this the only run that replaces the value of the secret's key:
// the vendor keeps the last value, Secrets Manager the first, and these must be
// the same.
func (r *run) lease(ctx context.Context) (leased context.Context, release func(), err error) {
	return r.alone(ctx, r.key.Secret, leaseName, "another run is replacing this key's value, or was killed while it did")
}

// alone makes this the only run with a name of a secret's. Whoever is killed
// holds it until he must have ended, so it is waited for. leased ends with the
// lease.
func (r *run) alone(ctx context.Context, secret, name, taken string) (leased context.Context, release func(), err error) {
	ttl := leaseMost
	if r.longest > 0 {
		ttl = min(ttl, r.longest)
	}
	for {
		end := time.Now().Add(ttl)
		leased, cancel := context.WithDeadline(ctx, end)
		first, err := r.Records.First(ctx, secret, name, ttl+leaseSpare)
		if err == nil && first {
			r.leased = end
			return leased, func() {
				cancel()
				if !time.Now().Before(end) {
					return // it may be another's by now
				}
				tidy, done := r.tidy(ctx)
				defer done()
				_ = r.Records.Forget(tidy, secret, name) // it ends by itself
			}, nil
		}
		cancel()
		if err != nil {
			return nil, nil, r.stored("make sure that nobody else does the same at once", err)
		}
		if !wait(ctx, leaseEvery) {
			return nil, nil, r.err(InProgress, taken, nil,
				fmt.Sprintf("nothing: it has ended in %s at the latest, and the next try goes on", notify.Duration(ttl+leaseSpare)))
		}
	}
}

// rolls reports whether createSecret itself may replace the value of a key.
func (r *run) rolls() bool {
	st, err := r.Vendors.Open(r.key, provider.Admin{Hosts: r.key.Hosts})
	if err != nil {
		return false // said where the vendor is needed
	}
	switch s := st.(type) {
	case provider.RollWithGrace:
		return true
	case provider.RollInPlace:
		return s.Set == nil
	case provider.Overlap, provider.DualSlot:
	}
	return false
}

// rolledBefore looks again whether a value is stored, if a run with this token
// has begun to replace it: a read may be older than what that run stored.
func (r *run) rolledBefore(ctx context.Context) (found bool, err error) {
	first, err := r.Records.First(ctx, r.key.Secret, rollMark+r.token, rolledFor)
	if err != nil {
		return false, r.stored("note that the key's value is replaced", err)
	}
	if first {
		return false, nil
	}
	for range rollRereads {
		if !wait(ctx, rereadEvery) {
			return false, r.err(StoreUnavailable, "there was no time to look again whether a value is stored", nil, "raise the function's timeout")
		}
		switch _, err = r.Store.Get(ctx, r.id, r.token, ""); {
		case err == nil:
			return true, nil
		case store.KindOf(err) != store.KindNotFound:
			return false, r.stored("read the pending version again", err)
		}
	}
	return false, nil
}

// begun reports whether a run with this token has begun to replace the key's
// value in createSecret. It needs the lease.
func (r *run) begun(ctx context.Context) (bool, error) {
	if r.leased.IsZero() {
		return false, nil
	}
	// Asked by saying it: should this run die here, it is soon forgotten.
	first, err := r.Records.First(ctx, r.key.Secret, rollMark+r.token, leaseSpare)
	if err == nil && first {
		err = r.Records.Forget(ctx, r.key.Secret, rollMark+r.token)
	}
	if err != nil {
		return false, r.stored("see whether the key's value is being replaced", err)
	}
	return !first, nil
}

package retire

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/provider"
)

const sweepers = 4 // secrets that one sweep looks at at once

// Sweep reconciles every key: it catches what events and schedules lost, finds
// lost keys, and sees what is overdue. It goes on after an error, and returns
// the reports in the order of keys, and all errors. Secrets that it did not get
// to in time have an empty report and an error.
//
// Each sweep begins at another key, so that one which runs out of time does not
// leave out the same ones for ever. Each vendor account's keys are listed once.
func (e *Engine) Sweep(ctx context.Context, keys []config.Key) ([]Report, error) {
	reports, errs := make([]Report, len(keys)), make([]error, len(keys))
	if len(keys) == 0 {
		return reports, nil
	}
	seen := &lists{}
	first := int(e.Now().Unix()/int64(time.Hour/time.Second)) % len(keys)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(sweepers, len(keys)) {
		wg.Go(func() {
			for i := range next {
				reports[i], errs[i] = e.reconcile(ctx, keys[i], seen)
			}
		})
	}
	for n := range keys {
		next <- (first + n) % len(keys)
	}
	close(next)
	wg.Wait()
	return reports, errors.Join(errs...)
}

// lists keeps what one sweep has listed, so that a vendor account with a
// thousand keys is not listed a thousand times. A list is read before the
// versions it is compared with; that it may be older by a sweep's length makes
// us see less, never more.
type lists struct {
	mu  sync.Mutex
	all map[string]func() ([]provider.Key, error)
}

func (l *lists) get(k config.Key, ask func() ([]provider.Key, error)) ([]provider.Key, error) {
	id := k.VendorAccount + "\x00" + k.Vendor + "\x00" + k.Admin + "\x00" + string(k.Settings)
	l.mu.Lock()
	if l.all == nil {
		l.all = map[string]func() ([]provider.Key, error){}
	}
	once, ok := l.all[id]
	if !ok {
		once = sync.OnceValues(ask)
		l.all[id] = once
	}
	l.mu.Unlock()
	keys, err := once()
	return slices.Clone(keys), err
}

// Package consumer is a program that uses a key the whole time, as the programs
// do for which keys are rotated, and counts the requests that fail.
package consumer

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/keyturn/keyturn/shared/secret"
)

// timeout ends a request that is not answered: it has failed.
const timeout = 5 * time.Second

// Options make a Consumer. All but Stubborn are needed.
type Options struct {
	Name string
	// Fetch reads the secret: its key and the version that holds it.
	Fetch func(ctx context.Context) (key secret.Value, version string, err error)
	// Request makes the request with which the key is used; Want is the status
	// that means that it worked.
	Request func(key secret.Value) (*http.Request, error)
	Want    int
	Client  *http.Client
	Now     func() time.Time // the clock that Cache is counted on
	Cache   time.Duration    // how long a key is kept before it is fetched again
	Every   time.Duration    // between two requests
	// Stubborn fetches once and never again, like a program that got its key
	// as an environment variable when it started.
	Stubborn bool
	// World is held for reading from the fetch to the answer, so that whoever
	// moves the clock does it between two requests.
	World *sync.RWMutex
}

// Consumer uses a key. Use [New]; it is safe for concurrent use.
type Consumer struct {
	opt Options

	mu      sync.Mutex
	key     secret.Value
	fetched time.Time
	keys    map[string]secret.Value // by version
	stats   Stats
}

// Stats is what a Consumer has done so far.
type Stats struct {
	Name     string
	Stubborn bool
	Requests int
	Failed   int
	LastErr  string // of the last that failed; safe text
	Version  string // of the secret, whose key it uses; "" before the first fetch
	Fetches  int
}

// New returns a Consumer that does nothing yet.
func New(o Options) *Consumer {
	return &Consumer{opt: o, keys: map[string]secret.Value{}, stats: Stats{Name: o.Name, Stubborn: o.Stubborn}}
}

// Run uses the key until ctx ends. A request that the end cuts short does not
// count.
func (c *Consumer) Run(ctx context.Context) {
	tick := time.NewTicker(c.opt.Every)
	defer tick.Stop()
	for {
		c.once(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Restart makes the Consumer forget its key, as a program does that is started
// again.
func (c *Consumer) Restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.key, c.fetched = secret.Value{}, time.Time{}
}

// Stats returns what it has done so far.
func (c *Consumer) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Keys returns every key that it ever fetched, by version.
func (c *Consumer) Keys() map[string]secret.Value {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.keys)
}

func (c *Consumer) once(ctx context.Context) {
	c.opt.World.RLock()
	defer c.opt.World.RUnlock()
	if ctx.Err() != nil {
		return
	}
	err := c.use(ctx)
	if err != nil && ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Requests++
	if err != nil {
		c.stats.Failed++
		c.stats.LastErr = err.Error()
	}
}

func (c *Consumer) use(ctx context.Context) error {
	key, err := c.current(ctx)
	if err != nil {
		return fmt.Errorf("fetch the secret: %w", err)
	}
	r, err := c.opt.Request(key)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer, err := c.opt.Client.Do(r.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("use the key: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, answer.Body)
	if answer.StatusCode != c.opt.Want {
		return fmt.Errorf("use the key: status %d, not %d", answer.StatusCode, c.opt.Want)
	}
	return nil
}

// current returns the key to use, fetched again where it is too old.
func (c *Consumer) current(ctx context.Context) (secret.Value, error) {
	now := c.opt.Now()
	c.mu.Lock()
	key, age := c.key, now.Sub(c.fetched)
	c.mu.Unlock()
	if !key.Empty() && (c.opt.Stubborn || age < c.opt.Cache) {
		return key, nil
	}
	key, version, err := c.opt.Fetch(ctx)
	if err != nil {
		return secret.Value{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.key, c.fetched, c.keys[version] = key, now, key
	c.stats.Version = version
	c.stats.Fetches++
	return key, nil
}

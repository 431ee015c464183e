//go:build real

package real_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// consumer uses a key of the secret all the time. It keeps the value that it
// read until it is told to read again, as a program does that reads its secrets
// at its start.
type consumer struct {
	server server
	sm     *sm.Client
	secret string
	stop   func() // and wait until the last request is answered

	mu       sync.Mutex
	value    string
	requests int
	failed   []string
	used     map[string]time.Time // last use of each value
}

// consume starts the consumer.
func (w *scene) consume() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan struct{})
	c := &consumer{server: w.server, sm: w.sm, secret: w.secret, used: map[string]time.Time{}, stop: func() { cancel(); <-ended }}
	c.fetch(ctx, w.t)
	w.consumer = c
	go func() {
		defer close(ended)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				// A request that has begun is answered.
				c.use(context.WithoutCancel(ctx))
			}
		}
	}()
	w.t.Cleanup(c.stop)
	w.logf("a consumer reads the secret, and uses its key five times a second from now on")
}

// fetch has the consumer read the secret again.
func (c *consumer) fetch(ctx context.Context, t *testing.T) {
	t.Helper()
	k, err := read(ctx, c.sm, c.secret)
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value = k.value
}

// use is one request. The lock is held, so no fetch comes in between.
func (c *consumer) use(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	accepted, err := c.server.try(ctx, c.value)
	now := time.Now()
	if err != nil || !accepted {
		c.failed = append(c.failed, fmt.Sprintf("%s: accepted: %v, %v", now.UTC().Format("15:04:05.000"), accepted, err))
	}
	c.used[c.value] = now
}

// lastUse returns when a value was last used, the zero time if never.
func (c *consumer) lastUse(value string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used[value]
}

// counts returns how many requests there were, and which failed.
func (c *consumer) counts() (requests int, failed []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests, slices.Clone(c.failed)
}

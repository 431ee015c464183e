package cloud

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Event is one event on the default bus, before it is put in its envelope.
// https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
type Event struct {
	Source     string          // "aws.secretsmanager"
	DetailType string          // "Secret Label Updated"
	Resources  []string        // ARNs
	Detail     json.RawMessage // an object
	// ID and Time are set by Emit where they are zero.
	ID   string
	Time time.Time
}

type subscription struct {
	pattern func(Event) bool
	deliver func(ctx context.Context, event []byte)
}

// Emit puts an event on the bus. Each subscriber whose pattern fits gets it in
// a goroutine of its own: like EventBridge, without a promise of order.
func (c *Cloud) Emit(e Event) {
	if e.ID == "" {
		e.ID = c.newUUID()
	}
	if e.Time.IsZero() {
		e.Time = c.clock.Now()
	}
	if e.Resources == nil {
		e.Resources = []string{}
	}
	body, err := json.Marshal(envelope{
		Version: "0", ID: e.ID, DetailType: e.DetailType, Source: e.Source, Account: wire.Account,
		Time: e.Time.UTC().Format(time.RFC3339), Region: wire.Region, Resources: e.Resources, Detail: e.Detail,
	})
	if err != nil {
		panic(err) // the detail is not JSON: a mistake in this package's caller
	}
	c.mu.Lock()
	var to []subscription
	for _, s := range c.subs {
		if s.pattern == nil || s.pattern(e) {
			to = append(to, s)
		}
	}
	c.mu.Unlock()
	for _, s := range to {
		c.busy.start()
		go func() {
			defer c.busy.end()
			s.deliver(c.life, body)
		}()
	}
}

type envelope struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// Subscribe delivers the events that pattern accepts (nil: all) until the
// returned function is called. deliver's context ends with the Cloud.
func (c *Cloud) Subscribe(pattern func(Event) bool, deliver func(ctx context.Context, event []byte)) (cancel func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subSeq++
	id := c.subSeq
	c.subs[id] = subscription{pattern, deliver}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.subs, id)
	}
}

// Idle returns when no rotation and no delivery is under way.
func (c *Cloud) Idle(ctx context.Context) error {
	for {
		if err := c.secrets.Wait(ctx, ""); err != nil {
			return err
		}
		done := c.busy.wait()
		if done == nil {
			return nil
		}
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Rotated returns when no rotation of the secret, by name or ARN, is under way.
func (c *Cloud) Rotated(ctx context.Context, secretID string) error {
	return c.secrets.Wait(ctx, secretID)
}

// inflight counts what is under way.
type inflight struct {
	mu   sync.Mutex
	n    int
	idle chan struct{}
}

func (f *inflight) start() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == 0 {
		f.idle = make(chan struct{})
	}
	f.n++
}

func (f *inflight) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n--
	if f.n == 0 {
		close(f.idle)
	}
}

// wait returns a channel that closes when nothing is under way, nil if so now.
func (f *inflight) wait() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == 0 {
		return nil
	}
	return f.idle
}

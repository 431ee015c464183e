package sqs

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// queue is one queue. A message leaves live when it is deleted, dead-lettered
// or too old; sent keeps it for tests.
type queue struct {
	name  string
	clock *clock.Clock

	mu                sync.Mutex
	settings          settings
	created, modified time.Time
	live, sent        []*message
	mappings          []*mapping
	changed           chan struct{} // closed and replaced when a message may have become visible
}

// put adds m and tells who waits once it becomes visible.
func (q *queue) put(m *message) {
	q.mu.Lock()
	q.live = append(q.live, m)
	q.sent = append(q.sent, m)
	visible := m.visible
	q.mu.Unlock()
	q.tellAt(visible)
}

// tellAt wakes receivers and mappings when the clock reaches t, or now.
func (q *queue) tellAt(t time.Time) {
	if t.After(q.clock.Now()) {
		q.clock.At(t, q.tell)
		return
	}
	q.tell()
}

func (q *queue) tell() {
	q.mu.Lock()
	close(q.changed)
	q.changed = make(chan struct{})
	mappings := slices.Clone(q.mappings)
	q.mu.Unlock()
	for _, m := range mappings {
		m.kick()
	}
}

// expire drops what is older than the retention period. q.mu is held.
func (q *queue) expire(now time.Time) {
	oldest := now.Add(-q.settings.seconds("MessageRetentionPeriod"))
	q.live = slices.DeleteFunc(q.live, func(m *message) bool { return m.Sent.Before(oldest) })
}

// take receives up to n visible messages and hides them for the visibility
// timeout (negative: the queue's own). With redrive, what was received too often
// is returned as dead instead. changed closes when it is worth asking again.
func (q *queue) take(n int, timeout time.Duration, redrive bool) (taken []message, dead []*message, changed <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.clock.Now()
	q.expire(now)
	if timeout < 0 {
		timeout = q.settings.seconds("VisibilityTimeout")
	}
	slices.SortStableFunc(q.live, byVisibility)
	for _, m := range slices.Clone(q.live) {
		if len(taken) == n || m.visible.After(now) {
			break
		}
		if r := q.settings.redrive; redrive && r != nil && m.Receives >= r.max {
			q.live = slices.DeleteFunc(q.live, func(o *message) bool { return o == m })
			m.DeadLetter = true
			dead = append(dead, m)
			continue
		}
		m.Receives++
		if m.firstReceived.IsZero() {
			m.firstReceived = now
		}
		m.visible = now.Add(timeout)
		if timeout > 0 {
			q.clock.At(m.visible, q.tell)
		}
		taken = append(taken, *m)
	}
	return taken, dead, q.changed
}

// receive is take with dead-lettering and a wait of at most wait.
func (s *Service) receive(ctx context.Context, q *queue, n int, timeout, wait time.Duration) ([]message, error) {
	late := make(chan struct{})
	if wait > 0 {
		defer q.clock.After(wait, func() { close(late) })()
	}
	for {
		target := s.deadLetters(q)
		taken, dead, changed := q.take(n, timeout, target != nil)
		for _, m := range dead {
			moved := *m
			moved.visible, moved.firstReceived = s.clock.Now(), time.Time{}
			moved.Receives, moved.DeadLetter, moved.Source = 0, false, ARN(q.name)
			target.put(&moved)
		}
		if len(taken) > 0 || wait <= 0 {
			return taken, nil
		}
		select {
		case <-changed:
		case <-late:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// deadLetters returns the dead-letter queue of q, or nil if it has none that
// exists: then messages stay.
func (s *Service) deadLetters(q *queue) *queue {
	q.mu.Lock()
	r := q.settings.redrive
	q.mu.Unlock()
	if r == nil {
		return nil
	}
	target, err := s.find(r.Target)
	if err != nil {
		return nil
	}
	return target
}

// remove deletes the message of the receipt; one that is gone is no error.
func (q *queue) remove(handle string) error {
	id, ok := messageOf(handle)
	if !ok {
		return &wire.Error{Code: "ReceiptHandleIsInvalid", Message: "The input receipt handle is invalid."}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.live = slices.DeleteFunc(q.live, func(m *message) bool {
		if m.ID == id {
			m.Deleted = true
		}
		return m.ID == id
	})
	return nil
}

// hide makes the message of the receipt visible again after d.
func (q *queue) hide(handle string, d time.Duration) error {
	id, ok := messageOf(handle)
	if !ok {
		return &wire.Error{Code: "ReceiptHandleIsInvalid", Message: "The input receipt handle is invalid."}
	}
	q.mu.Lock()
	now := q.clock.Now()
	i := slices.IndexFunc(q.live, func(m *message) bool { return m.ID == id && m.visible.After(now) })
	if i < 0 {
		q.mu.Unlock()
		return &wire.Error{Code: "MessageNotInflight", Message: "Value " + handle + " for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."}
	}
	q.live[i].visible = now.Add(d)
	q.mu.Unlock()
	q.tellAt(now.Add(d))
	return nil
}

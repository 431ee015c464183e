// Package ledgertest has a store in memory whose calls can be made to fail, and a
// key, for tests of the ledger and of what writes to it.
package ledgertest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/keyturn/keyturn/shared/ledger"
)

// ErrFault is what a call that was made to fail returns.
var ErrFault = errors.New("fault")

// Fault is what happens to one call.
type Fault int

// The faults.
const (
	None   Fault = iota
	Before       // it fails and has no effect
	After        // it takes effect, and its answer is lost
	Stale        // a Load that answers with the head before the last; None for other calls
)

// Memory is both stores of a log. Its zero value is empty and ready. It is used by
// several goroutines at once.
type Memory struct {
	// Fault says what happens to a call: "create", "read", "load" or "swap", and
	// its path. It is called without a lock, and may be nil.
	Fault func(op, path string) Fault

	mu       sync.Mutex
	objects  map[string][]byte
	versions map[string]int
	head     []byte
	old      []byte
	calls    map[string]int
}

func (m *Memory) do(ctx context.Context, op, path string, effect func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	fault := None
	if m.Fault != nil {
		fault = m.Fault(op, path)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ready()
	m.calls[op]++
	if fault == Before {
		return ErrFault
	}
	err := effect()
	if fault == After {
		return ErrFault
	}
	return err
}

// ready makes the maps; m.mu is held.
func (m *Memory) ready() {
	if m.calls == nil {
		m.objects, m.versions, m.calls = map[string][]byte{}, map[string]int{}, map[string]int{}
	}
}

// Create stores data at path if there is nothing.
func (m *Memory) Create(ctx context.Context, path string, data []byte) error {
	return m.do(ctx, "create", path, func() error {
		if _, ok := m.objects[path]; ok {
			return ledger.ErrExists
		}
		m.objects[path], m.versions[path] = bytes.Clone(data), 1
		return nil
	})
}

// Read returns what is at path.
func (m *Memory) Read(ctx context.Context, path string) (data []byte, err error) {
	err = m.do(ctx, "read", path, func() error {
		d, ok := m.objects[path]
		if !ok {
			return ledger.ErrNotFound
		}
		data = bytes.Clone(d)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

// Load returns the head.
func (m *Memory) Load(ctx context.Context) (head []byte, err error) {
	stale := false
	if f := m.Fault; f != nil {
		stale = f("stale", "") == Stale
	}
	err = m.do(ctx, "load", "", func() error {
		head = bytes.Clone(m.head)
		if stale && m.old != nil {
			head = bytes.Clone(m.old)
		}
		if head == nil {
			return ledger.ErrNotFound
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return head, nil
}

// Swap replaces the head if it is old.
func (m *Memory) Swap(ctx context.Context, old, next []byte) error {
	return m.do(ctx, "swap", "", func() error {
		if !bytes.Equal(m.head, old) {
			return ledger.ErrConflict
		}
		m.old, m.head = m.head, bytes.Clone(next)
		return nil
	})
}

// Walk calls f for each path, in order.
func (m *Memory) Walk(_ context.Context, f func(path string, versions int) error) error {
	for _, path := range m.Paths() {
		m.mu.Lock()
		n := m.versions[path]
		m.mu.Unlock()
		if err := f(path, n); err != nil {
			return err
		}
	}
	return nil
}

// Paths returns the paths of all objects, in order.
func (m *Memory) Paths() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	paths := make([]string, 0, len(m.objects))
	for path := range m.objects {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// Calls returns how often op was called: "create", "read", "load" or "swap".
func (m *Memory) Calls(op string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[op]
}

// Tamper replaces what is at path without leaving a version, as somebody with
// all rights could; nil removes it.
func (m *Memory) Tamper(path string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ready()
	if data == nil {
		delete(m.objects, path)
		return
	}
	m.objects[path], m.versions[path] = bytes.Clone(data), max(m.versions[path], 1)
}

// Rewrite stores data at path as a further version.
func (m *Memory) Rewrite(path string, data []byte) {
	m.Tamper(path, data)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.versions[path]++
}

// SetHead puts the head to any value; nil loses it.
func (m *Memory) SetHead(head []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.head = bytes.Clone(head)
}

// Clone returns a store with the same content, without faults and calls.
func (m *Memory) Clone() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &Memory{objects: map[string][]byte{}, versions: map[string]int{}, calls: map[string]int{}, head: bytes.Clone(m.head), old: bytes.Clone(m.old)}
	for path, data := range m.objects {
		c.objects[path], c.versions[path] = bytes.Clone(data), m.versions[path]
	}
	return c
}

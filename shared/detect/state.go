package detect

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrConflict says that a track was changed by somebody else since it was loaded.
var ErrConflict = errors.New("the track has changed since it was loaded")

// Item is a track as it is stored.
type Item struct {
	Track    string
	Revision int64     // 0: it is not stored yet
	Due      time.Time // something settles then; zero: nothing
	Expires  time.Time // it is of no use any more
	Data     []byte    // at most MaxTrack
}

// State keeps tracks. It is used by several processes at once.
type State interface {
	// Load returns those of the tracks that exist, in any order.
	Load(ctx context.Context, tracks []string) ([]Item, error)
	// Store stores each item whose stored revision is the item's, with the next
	// one. If it refused any for their revision, the error is ErrConflict, and the
	// others are stored. After another error, any may be.
	Store(ctx context.Context, items []Item) error
	// Due returns tracks that are due at t: some of them, if there are many.
	Due(ctx context.Context, t time.Time) ([]string, error)
}

// Memory is a State of one process. The zero value is empty. It forgets nothing.
// It is safe for concurrent use.
type Memory struct {
	mu    sync.Mutex
	items map[string]Item
}

// Load implements [State].
func (m *Memory) Load(_ context.Context, tracks []string) ([]Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Item
	for _, t := range tracks {
		if i, ok := m.items[t]; ok {
			out = append(out, i)
		}
	}
	return out, nil
}

// Store implements [State].
func (m *Memory) Store(_ context.Context, items []Item) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.items == nil {
		m.items = map[string]Item{}
	}
	var err error
	for _, i := range items {
		if m.items[i.Track].Revision != i.Revision {
			err = ErrConflict
			continue
		}
		i.Revision++
		i.Data = slices.Clone(i.Data)
		m.items[i.Track] = i
	}
	return err
}

// Due implements [State].
func (m *Memory) Due(_ context.Context, t time.Time) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, i := range m.items {
		if !i.Due.IsZero() && !i.Due.After(t) {
			out = append(out, i.Track)
		}
	}
	return out, nil
}

// Size returns how many tracks there are, and their bytes with their names.
func (m *Memory) Size() (tracks, bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, i := range m.items {
		bytes += len(name) + len(i.Data)
	}
	return len(m.items), bytes
}

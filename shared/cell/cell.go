// Package cell keeps small pieces of state that several processes change at once:
// each has a revision, and a write that was made of an older one is refused.
package cell

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrConflict says that a cell is not at the revision that a write was made of. It
// may have been changed by this very write, when the answer to a first sending was
// lost: whoever gets it loads again and sees.
var ErrConflict = errors.New("the stored state has changed")

// MaxData is how many bytes a cell may hold: DynamoDB's limit of an item, less what
// goes with it.
const MaxData = 392 << 10

// Cell is one piece of state. The zero Revision is that of a cell which is not stored.
type Cell struct {
	Part     string // of what: cells of one part can be walked in the order of their names
	Name     string
	Revision int64
	Expires  time.Time // it may vanish some time after this; zero: never
	Data     []byte
}

// Store keeps cells. It is used by several goroutines and processes at once, and
// every read sees every write that was answered before.
type Store interface {
	// Load returns those cells of part that exist, in any order. A name may come
	// more than once.
	Load(ctx context.Context, part string, names []string) ([]Cell, error)
	// Put stores c if the stored revision is c.Revision, with the next one, or
	// returns an error that is ErrConflict. After another error it may have stored it.
	Put(ctx context.Context, c Cell) error
	// Remove deletes the cell if its stored revision is c.Revision, or returns an
	// error that is ErrConflict; one that is gone is no error.
	Remove(ctx context.Context, c Cell) error
	// Walk calls f for each cell of part whose name is less than before ("": for
	// all), in the order of the names, until f returns an error.
	Walk(ctx context.Context, part, before string, f func(Cell) error) error
}

// Memory is a Store of one process. The zero value is empty. Cells do not expire.
type Memory struct {
	mu    sync.Mutex
	cells map[[2]string]Cell
}

// Load implements [Store].
func (m *Memory) Load(_ context.Context, part string, names []string) ([]Cell, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Cell
	for _, name := range names {
		if c, ok := m.cells[[2]string{part, name}]; ok {
			out = append(out, copied(c))
		}
	}
	return out, nil
}

// Put implements [Store].
func (m *Memory) Put(_ context.Context, c Cell) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := [2]string{c.Part, c.Name}
	if m.cells[at].Revision != c.Revision {
		return ErrConflict
	}
	if m.cells == nil {
		m.cells = map[[2]string]Cell{}
	}
	c.Revision++
	m.cells[at] = copied(c)
	return nil
}

// Remove implements [Store].
func (m *Memory) Remove(_ context.Context, c Cell) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := [2]string{c.Part, c.Name}
	switch have, ok := m.cells[at]; {
	case !ok:
		return nil
	case have.Revision != c.Revision:
		return ErrConflict
	}
	delete(m.cells, at)
	return nil
}

// Walk implements [Store].
func (m *Memory) Walk(_ context.Context, part, before string, f func(Cell) error) error {
	m.mu.Lock()
	var found []Cell
	for at, c := range m.cells {
		if at[0] == part && (before == "" || at[1] < before) {
			found = append(found, copied(c))
		}
	}
	m.mu.Unlock()
	slices.SortFunc(found, func(a, b Cell) int { return strings.Compare(a.Name, b.Name) })
	for _, c := range found {
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}

func copied(c Cell) Cell {
	c.Data = slices.Clone(c.Data)
	return c
}

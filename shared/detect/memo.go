package detect

import (
	"sync"
	"time"
)

// maxMemo bounds how many marks a memo knows; beyond it, it begins anew.
const maxMemo = 50_000

// memo knows which marks are stored that many calls make again: of whom is seen all
// day, one mark in an hour is kept. Such a call then costs nothing. It knows what this
// process stored; what it does not know is only looked up.
type memo struct {
	mu     sync.Mutex
	stored map[memoKey]uint32 // the minute of the first
}

type memoKey struct {
	track, value string
	slot         int
	period       uint32
}

// period is how long marks of one value are the same mark; 0: none are, or too few to
// know them.
func (p *Pattern) period() uint32 {
	d := max(p.First, p.Bucket)
	if d < time.Hour || p.Cap > 0 {
		return 0
	}
	return uint32(d / time.Minute) //nolint:gosec // days
}

// has says that the mark would change nothing.
func (m *memo) has(k memoKey, minute uint32) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	first, ok := m.stored[k]
	return ok && first <= minute
}

// put takes down marks that are stored.
func (m *memo) put(marks map[memoKey]uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stored == nil || len(m.stored)+len(marks) > maxMemo {
		m.stored = make(map[memoKey]uint32, len(marks))
	}
	for k, at := range marks {
		if first, ok := m.stored[k]; !ok || at < first {
			m.stored[k] = at
		}
	}
}

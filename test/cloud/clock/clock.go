// Package clock is the local AWS's idea of time: real time that can be moved
// forward, so that a month's schedule runs in a second.
package clock

import (
	"container/heap"
	"sync"
	"time"
)

// Clock runs at the speed of real time from where it was last moved to. Use
// [New]; a Clock is safe for concurrent use.
//
// Inside a testing/synctest bubble "real time" is the bubble's.
type Clock struct {
	mu     sync.Mutex
	offset time.Duration
	due    alarms
	seq    int
	wake   *time.Timer
}

// New returns a Clock that agrees with time.Now.
func New() *Clock { return &Clock{} }

// Now returns the Clock's time in UTC.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() time.Time { return time.Now().Add(c.offset).UTC() }

// Offset returns how far the Clock is ahead of real time.
func (c *Clock) Offset() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset
}

// At runs f in its own goroutine when the Clock reaches t, or soon if it has.
// The returned function cancels it, and reports whether it was in time.
func (c *Clock) At(t time.Time, f func()) (cancel func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	a := &alarm{at: t, seq: c.seq, f: f}
	heap.Push(&c.due, a)
	c.arm()
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if a.index < 0 {
			return false
		}
		heap.Remove(&c.due, a.index)
		c.arm()
		return true
	}
}

// After is At, d from now.
func (c *Clock) After(d time.Duration, f func()) (cancel func() bool) { return c.At(c.Now().Add(d), f) }

// Advance moves the Clock forward by d. What falls due on the way is started
// in order, and Advance returns without waiting for it to end.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
	c.arm()
}

// arm starts what is due and sets the timer for what is next. c.mu is held.
func (c *Clock) arm() {
	for len(c.due) > 0 && !c.due[0].at.After(c.now()) {
		go heap.Pop(&c.due).(*alarm).f() //nolint:errcheck,forcetypeassert // the heap holds nothing else
	}
	if c.wake != nil {
		c.wake.Stop()
		c.wake = nil
	}
	if len(c.due) > 0 {
		c.wake = time.AfterFunc(c.due[0].at.Sub(c.now()), func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.arm()
		})
	}
}

// Stop cancels everything that waits.
func (c *Clock) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.due) > 0 {
		heap.Pop(&c.due)
	}
	c.arm()
}

type alarm struct {
	at    time.Time
	seq   int
	f     func()
	index int // -1: no longer in the heap
}

type alarms []*alarm

func (s alarms) Len() int { return len(s) }

func (s alarms) Less(i, j int) bool {
	if s[i].at.Equal(s[j].at) {
		return s[i].seq < s[j].seq
	}
	return s[i].at.Before(s[j].at)
}

func (s alarms) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

func (s *alarms) Push(x any) {
	a := x.(*alarm) //nolint:errcheck,forcetypeassert // the heap holds nothing else
	a.index = len(*s)
	*s = append(*s, a)
}

func (s *alarms) Pop() any {
	old := *s
	a := old[len(old)-1]
	a.index = -1
	*s = old[:len(old)-1]
	return a
}

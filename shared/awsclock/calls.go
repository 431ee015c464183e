package awsclock

import (
	"context"
	"maps"
	"sync"
)

// Call names an operation, in the SDK's words: "Secrets Manager",
// "GetSecretValue".
type Call struct{ Service, Operation string }

// Calls counts the calls to AWS made with one context, each sending of a retried
// call by itself. It is safe for concurrent use.
type Calls struct {
	mu sync.Mutex
	n  map[Call]int
}

type callsKey struct{}

// Counting returns a context whose calls are counted, and the count. Contexts
// made from it count too.
func Counting(ctx context.Context) (context.Context, *Calls) {
	c := &Calls{n: map[Call]int{}}
	return context.WithValue(ctx, callsKey{}, c), c
}

func (c *Calls) add(call Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[call]++
}

// Total returns how many calls were sent.
func (c *Calls) Total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	total := 0
	for _, n := range c.n {
		total += n
	}
	return total
}

// By returns how many calls were sent of each operation.
func (c *Calls) By() map[Call]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.n)
}

package cloud

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Effect is what a [Fault] does to a call.
type Effect int

// The effects. "Before" means that the call did nothing, "After" that it took
// effect and the caller does not learn so.
const (
	FailBefore Effect = iota // an error answer
	FailAfter                // an error answer
	DropBefore               // the connection is closed without an answer
	DropAfter                // the connection is closed without an answer
	Hang                     // no answer until the caller gives up; nothing was done
	HangAfter                // no answer until the caller gives up; it took effect
	Throttle                 // ThrottlingException; nothing was done
	Stale                    // a read answers from the state before the last write
)

// Fault makes calls fail. The zero value makes each call answer 500.
type Fault struct {
	Service   string // "secretsmanager"; "": any
	Operation string // "PutSecretValue"; "": any
	// Match selects calls further. Nil: all.
	Match func(*wire.Call) bool
	// Nth is the first matching call that fails, from 1; 0: every one.
	Nth int
	// Count is how many fail in a row from Nth on; 0: one.
	Count  int
	Effect Effect
	// Error is the answer of FailBefore and FailAfter. Nil: InternalServiceError, 500.
	Error *wire.Error
}

type fault struct {
	Fault
	seen int
}

// Inject adds a fault. Faults are asked in the order they were added; the
// first that fits applies. The returned function removes it.
func (c *Cloud) Inject(f Fault) (remove func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	added := &fault{Fault: f}
	c.faults = append(c.faults, added)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.faults = slices.DeleteFunc(c.faults, func(o *fault) bool { return o == added })
	}
}

// match returns the fault for a call, or nil, and counts it on every fault
// that it fits.
func (c *Cloud) match(call *wire.Call) *fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	var hit *fault
	for _, f := range c.faults {
		if f.fits(call) && f.due() && hit == nil {
			hit = f
		}
	}
	return hit
}

func (f *fault) fits(call *wire.Call) bool {
	return (f.Service == "" || f.Service == call.Service) &&
		(f.Operation == "" || f.Operation == call.Operation) &&
		(f.Match == nil || f.Match(call))
}

func (f *fault) due() bool {
	f.seen++
	return f.Nth == 0 || f.seen >= f.Nth && f.seen < f.Nth+max(f.Count, 1)
}

// errGone is a call without an answer.
var errGone = errors.New("no answer")

// run carries out a call under a fault, which may be nil.
func (c *Cloud) run(ctx context.Context, s wire.Service, call *wire.Call, f *fault) (*wire.Reply, error) {
	if f == nil {
		return s.Serve(ctx, call)
	}
	switch f.Effect {
	case FailBefore:
		return nil, f.answer()
	case DropBefore:
		return nil, errGone
	case Throttle:
		return nil, &wire.Error{Code: "ThrottlingException", Message: "Rate exceeded"}
	case Hang:
		<-ctx.Done()
		return nil, errGone
	case Stale:
		return s.Serve(wire.WithStale(ctx), call)
	case FailAfter, DropAfter, HangAfter:
	}
	if _, err := s.Serve(ctx, call); err != nil {
		return nil, err
	}
	switch f.Effect {
	case HangAfter:
		<-ctx.Done()
		return nil, errGone
	case DropAfter:
		return nil, errGone
	default:
		return nil, f.answer()
	}
}

func (f *fault) answer() error {
	if f.Error != nil {
		return f.Error
	}
	return &wire.Error{
		Code: "InternalServiceError", Message: "An error occurred on the server side.",
		Status: http.StatusInternalServerError,
	}
}

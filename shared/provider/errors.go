package provider

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Kind says what a caller may do about an error.
type Kind uint8

// The kinds, from the one that promises least.
const (
	KindUnknown     Kind = iota // may have taken effect: look before sending again
	KindNotSent                 // nothing left this machine: safe to send again
	KindRateLimited             // refused for now: safe to send again after RetryAfter
	KindAuth                    // the admin credential was refused: a person must act
	KindNotFound                // the key named is not there
	KindFull                    // no room for another key: revoke one first
	KindPermanent               // the same request will fail again
	KindBlocked                 // our own rules forbid the request: nothing was sent
)

func (k Kind) String() string {
	return [...]string{
		"outcome unknown", "not sent", "rate limited", "admin credential refused",
		"not found", "no room for another key", "refused", "not allowed by our own rules",
	}[k]
}

// ErrRejected is what Verify returns for a key the vendor says is not valid.
var ErrRejected = errors.New("key rejected")

// ErrNotTold is in the [*Error], of [KindPermanent], of a UsageReporter whose
// server answered, and does not tell when keys are used. It says nothing of the
// key.
var ErrNotTold = errors.New("it is not told when keys are used")

// Error is the one error type that leaves a provider. It holds no body, header
// or query string, so its text is safe to log.
type Error struct {
	Op         string // method and path template: "DELETE /v3/api_keys/{id}"
	Kind       Kind
	Status     int           // 0: no response
	RetryAfter time.Duration // 0: the vendor did not say
	Err        error         // transport cause in safe words, or nil
}

func (e *Error) Error() string {
	s := e.Op + ": " + e.Kind.String()
	if e.Status != 0 {
		s += fmt.Sprintf(" (%d %s)", e.Status, http.StatusText(e.Status))
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the Kind of err, however wrapped. An error that did not come
// from a provider has an unknown outcome.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindUnknown
}

package boot

import (
	"context"
	"errors"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/store"
)

const (
	internal = "Internal"
	maxText  = 8 << 10 // of an error's message
)

// fault is one of the boundary's own errors.
type fault struct{ kind, text string }

func (f *fault) Error() string     { return f.text }
func (f *fault) ErrorType() string { return f.kind }

var (
	errPanic    = &fault{"Panic", "the function panicked; its log shows where, and never with what"}
	errNotJSON  = &fault{"BadEvent", "the event is not JSON"}
	errNotEvent = &fault{"BadEvent", "the event does not have the shape of one that this function receives"}
)

// typedError is an error that was made to leave the function.
type typedError interface {
	error
	ErrorType() string
}

// report makes of any error what Lambda may see: a stable type, and a text that
// was written for it. The types are those of package rotation.
func report(err error) messages.InvokeResponse_Error {
	kind, text := classify(err)
	return messages.InvokeResponse_Error{Type: kind, Message: text[:min(len(text), maxText)], ShouldExit: kind == errPanic.kind}
}

// refusal reports whether an error of this type says no to what was asked for,
// and nothing is broken.
func refusal(kind string) bool {
	switch kind {
	case "BadEvent", "NotOurs", "NoCurrent", "HasCurrent", "InProgress", "RotationDisabled", "KeyUnknown", "KeyClaimed", "KeyEnded":
		return true
	}
	return false
}

func classify(err error) (kind, text string) {
	if typed, ok := errors.AsType[typedError](err); ok {
		return typed.ErrorType(), typed.Error()
	}
	if e, ok := errors.AsType[*store.Error](err); ok {
		return storeType(e.Kind), e.Error()
	}
	if e, ok := errors.AsType[*provider.Error](err); ok {
		return vendorType(e.Kind), e.Error()
	}
	switch {
	case errors.Is(err, provider.ErrRejected):
		return "KeyRejected", provider.ErrRejected.Error()
	case errors.Is(err, keyrecord.ErrConflict):
		return "Conflict", keyrecord.ErrConflict.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "Timeout", "the function's time was up before it was done"
	}
	return internal, "an unexpected error; the log shows its kind"
}

func storeType(k store.Kind) string {
	switch k {
	case store.KindDenied:
		return "StoreDenied"
	case store.KindInvalid, store.KindNotFound, store.KindExists:
		return "StoreRefused"
	case store.KindUnknown, store.KindThrottled:
	}
	return "StoreUnavailable"
}

func vendorType(k provider.Kind) string {
	switch k {
	case provider.KindAuth:
		return "AdminRefused"
	case provider.KindFull:
		return "VendorFull"
	case provider.KindRateLimited:
		return "VendorRateLimited"
	case provider.KindBlocked:
		return "HostNotAllowed"
	case provider.KindPermanent, provider.KindNotFound:
		return "VendorRefused"
	case provider.KindUnknown, provider.KindNotSent:
	}
	return "VendorUnavailable"
}

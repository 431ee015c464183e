package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/store"
)

// Type names an error for alarms and machines. A Type never changes its
// meaning.
type Type string

// The types.
const (
	UnknownStep          Type = "UnknownStep"
	BadEvent             Type = "BadEvent"
	NotOurs              Type = "NotOurs"              // not in the configuration, or somebody else's
	ConfigInvalid        Type = "ConfigInvalid"        // vendor or settings
	RotationDisabled     Type = "RotationDisabled"     // Secrets Manager does not rotate it
	NotStaged            Type = "NotStaged"            // the token is not AWSPENDING
	EmptyPending         Type = "EmptyPending"         // nothing was stored under the token
	NoCurrent            Type = "NoCurrent"            // there is no value to replace yet
	HasCurrent           Type = "HasCurrent"           // there is a first value already
	WrongShape           Type = "WrongShape"           // the secret's value is not what the configuration says
	AdminMissing         Type = "AdminMissing"         // no usable admin credential
	AdminRefused         Type = "AdminRefused"         // the vendor refuses the admin credential
	HostNotAllowed       Type = "HostNotAllowed"       // our own rules forbid the call
	VendorFull           Type = "VendorFull"           // no room for another key
	VendorRateLimited    Type = "VendorRateLimited"    // refused for now
	VendorUnavailable    Type = "VendorUnavailable"    // no usable answer
	VendorRefused        Type = "VendorRefused"        // the same request will fail again
	CreateOutcomeUnknown Type = "CreateOutcomeUnknown" // a key may have been made; it is not sent again
	UnexpectedValue      Type = "UnexpectedValue"      // what was minted does not look like a key of this vendor
	ScopesDiffer         Type = "ScopesDiffer"         // the new key may do other things than the old
	KeyRejected          Type = "KeyRejected"          // the vendor does not accept the new key
	Held                 Type = "Held"                 // an older key is still alive: skipped
	Superseded           Type = "Superseded"           // somebody else moved AWSCURRENT meanwhile
	InProgress           Type = "InProgress"           // another rotation is under way
	AuditUnavailable     Type = "AuditUnavailable"     // not recorded, so not done
	StoreDenied          Type = "StoreDenied"          // Secrets Manager: no right to
	StoreUnavailable     Type = "StoreUnavailable"     // Secrets Manager or the records: no usable answer
	CurrentEnds          Type = "CurrentEnds"          // the vendor may have replaced the value, and the new one is not live
	DowntimeRefused      Type = "DowntimeRefused"      // it cannot be done without, and the configuration does not accept it
	Paused               Type = "Paused"               // somebody stopped the rotations for a while
	Frozen               Type = "Frozen"               // the configuration stops them for a while
	KeyClaimed           Type = "KeyClaimed"           // another secret has this key
	KeyUnknown           Type = "KeyUnknown"           // the vendor holds no such key
	KeyEnded             Type = "KeyEnded"             // the key was revoked, and should be dead
)

// Error is the one error type that leaves this package. Its text is safe.
type Error struct {
	Step   Step   // "" outside the four steps
	Type   Type   // stable
	Secret string // name, "" if unknown
	What   string // one sentence without a full stop
	Next   []string
	Err    error // cause, safe to print

	told   string // of a pause: what is told of it once
	unsure bool   // whether the step's last write took effect is not known
}

// Error says the step, what happened and its cause.
func (e *Error) Error() string {
	s := e.What
	if e.Step != "" {
		s = string(e.Step) + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// ErrorType is what Lambda reports as errorType.
func (e *Error) ErrorType() string { return string(e.Type) }

func (r *run) err(t Type, what string, cause error, next ...string) *Error {
	return &Error{Step: r.at, Type: t, Secret: r.key.Secret, What: what, Next: next, Err: cause}
}

// typed returns err as an *Error of this run.
func (r *run) typed(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return r.err(StoreUnavailable, "an unexpected error", err)
}

// vendor explains a vendor's error.
func (r *run) vendor(doing string, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e // not the vendor's
	}
	if errors.Is(err, provider.ErrRejected) {
		return r.err(KeyRejected, doing, err)
	}
	switch provider.KindOf(err) {
	case provider.KindAuth:
		return r.err(AdminRefused, doing, err,
			"check that the admin credential in "+r.key.Admin+" is alive and may manage keys"+limitToo(r.info.Limit))
	case provider.KindFull:
		return r.err(VendorFull, doing, err,
			"delete keys that nobody needs at the vendor ("+r.info.Limit+"); Keyturn never deletes a key that is not its own")
	case provider.KindRateLimited:
		what := doing
		if pe, ok := errors.AsType[*provider.Error](err); ok && pe.RetryAfter > 0 {
			what += fmt.Sprintf(" (the vendor asks to wait %s)", pe.RetryAfter.Round(time.Second))
		}
		return r.err(VendorRateLimited, what, err, "nothing: Secrets Manager tries again, and the schedule after it")
	case provider.KindBlocked:
		return r.err(HostNotAllowed, doing, err, "list the host in the admin secret's hosts, if it really is the vendor's")
	case provider.KindPermanent, provider.KindNotFound:
		return r.err(VendorRefused, doing, err, "compare the key's settings with the vendor's API reference: the same request will fail again")
	case provider.KindNotSent, provider.KindUnknown:
	}
	return r.err(VendorUnavailable, doing, err, "look at the vendor's status page; Secrets Manager tries again, and the schedule after it")
}

// unsure explains a write to Secrets Manager that may have taken effect.
func (r *run) unsure(doing string, err error) *Error {
	e := r.stored(doing, err)
	e.unsure = true
	return e
}

// limitToo is for vendors that answer a full account as they answer a credential
// without rights.
func limitToo(limit string) string {
	if limit == "" {
		return ""
	}
	return ", and that there is room (" + limit + "): some vendors answer both alike"
}

// stored explains an error of Secrets Manager or of the records.
func (r *run) stored(doing string, err error) *Error {
	switch store.KindOf(err) {
	case store.KindDenied:
		return r.err(StoreDenied, doing, err, "compare the function's role with the deployment: the secret's policy or its KMS key may have changed")
	case store.KindNotFound:
		return r.err(NotOurs, doing, err, "check that the secret still exists in this account and Region")
	case store.KindUnknown, store.KindThrottled, store.KindExists, store.KindInvalid:
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return r.err(StoreUnavailable, doing+" took longer than the function may run", err, "raise the function's timeout")
	}
	return r.err(StoreUnavailable, doing, err, "nothing: Secrets Manager tries again")
}

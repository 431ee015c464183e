package retire

import (
	"context"
	"errors"
	"log/slog"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
)

// Mode is what a person asks of a secret's keys.
type Mode string

// The modes.
const (
	Rollback Mode = "rollback" // AWSCURRENT goes back to the previous key
	Restore  Mode = "restore"  // a disabled key works again
)

// Request is what somebody asks for.
type Request struct {
	Mode      Mode
	KeyID     string // to restore; "": the only one that is disabled
	Reason    string
	Requester string // as the caller says; Lambda vouches for nobody
}

// Status is what a request came to.
type Status string

// The statuses.
const (
	RolledBack Status = "rolled_back"
	Restored   Status = "restored"
	Unchanged  Status = "unchanged" // it was so already
)

// Answer is what somebody who asks gets.
type Answer struct {
	Version   int    `json:"version"` // of this format: 1
	Mode      Mode   `json:"mode"`
	Secret    string `json:"secret"`
	Status    Status `json:"status"`
	VersionID string `json:"versionId,omitempty"` // rollback: the version that has AWSCURRENT now
	KeyID     string `json:"keyId,omitempty"`     // "": not known
}

// Type names an error for alarms and machines, as package rotation's do. A Type
// never changes its meaning.
type Type string

// The types.
const (
	NotOurs          Type = "NotOurs"          // not in the configuration, or no key of ours
	NoCurrent        Type = "NoCurrent"        // there is no current version
	InProgress       Type = "InProgress"       // a rotation is under way
	Superseded       Type = "Superseded"       // the labels moved meanwhile
	Unclear          Type = "Unclear"          // whether the label has moved is not known
	AuditUnavailable Type = "AuditUnavailable" // not recorded, so not done
	NotReversible    Type = "NotReversible"    // the vendor's strategy leaves nothing to go back to
	NoPrevious       Type = "NoPrevious"       // no previous version, or none with a value
	PreviousRefused  Type = "PreviousRefused"  // the vendor refuses the previous key
	PreviousUntried  Type = "PreviousUntried"  // whether the vendor accepts the previous key is not known
	PreviousEnded    Type = "PreviousEnded"    // the previous key was revoked
	NoDisable        Type = "NoDisable"        // this vendor cannot disable keys
	NothingDisabled  Type = "NothingDisabled"  // no key is disabled
	SeveralDisabled  Type = "SeveralDisabled"  // which one is meant is not said
	KeyEnded         Type = "KeyEnded"         // the key was revoked
	KeyEnding        Type = "KeyEnding"        // a run is ending the key at this moment
)

// Error says why a request was refused. Its text is safe.
type Error struct {
	Type Type
	What string // no capital, no full stop
	Err  error  // the cause, nil if there is none
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.What
	}
	return e.What + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// ErrorType is what Lambda reports as errorType.
func (e *Error) ErrorType() string { return string(e.Type) }

func refuse(t Type, what string, cause error) *Error { return &Error{t, what, cause} }

// Do does what somebody asks for, and then what follows from it, which the
// report tells. It can be repeated: what is done already is Unchanged, or
// refused. Its errors are *[Error] where the request is refused.
func (e *Engine) Do(ctx context.Context, k config.Key, q Request) (Answer, Report, error) {
	var a Answer
	err := keyrecord.ErrConflict
	for n := 0; n < looks && errors.Is(err, keyrecord.ErrConflict); n++ {
		r := &run{Engine: e, key: k, calls: map[string]int{}, prints: map[string]string{}, raised: map[string]bool{}}
		a = Answer{Version: payloadVersion, Mode: q.Mode, Secret: k.Secret}
		switch q.Mode {
		case Rollback:
			err = r.rollback(ctx, q, &a)
		case Restore:
			err = r.restore(ctx, q, &a)
		default:
			err = ErrEvent
		}
	}
	switch {
	case errors.Is(err, errAudit):
		return Answer{}, Report{}, refuse(AuditUnavailable, "nothing was done", err)
	case err != nil:
		return Answer{}, Report{}, err
	}
	report, err := e.reconcile(ctx, k, nil)
	if err != nil { // the label's event and the sweep look again
		e.Log.LogAttrs(ctx, slog.LevelWarn, "what follows is left to the next run",
			slog.String("secret", k.Secret), slog.String("mode", string(q.Mode)), slog.String("error", err.Error()))
	}
	return a, report, nil
}

// lookAll looks at everything that a decision needs.
func (r *run) lookAll(ctx context.Context) error {
	if err := r.look(ctx); err != nil {
		return err
	}
	switch {
	case !r.secret.Deleted.IsZero():
		return refuse(NotOurs, r.skipped, nil)
	case r.skipped != "":
		return refuse(NoCurrent, r.skipped, nil)
	}
	if err := r.openVendor(ctx); err != nil {
		return err
	}
	if err := r.lookAtVendor(ctx); err != nil {
		return err
	}
	if r.skipped != "" {
		return refuse(Superseded, r.skipped, nil)
	}
	return nil
}

// by says who asked, and why, for the audit trail.
func (q Request) by() string {
	s := string(q.Mode) + ": " + q.Reason
	if q.Requester != "" {
		s += " (" + q.Requester + ")"
	}
	return s
}

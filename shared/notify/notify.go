// Package notify is what Keyturn tells people and machines: one message, as
// text and as JSON.
package notify

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Kind is what a message is about.
type Kind string

// The kinds.
const (
	Rotated     Kind = "rotated"
	Failed      Kind = "failed"
	Held        Kind = "held"         // an old key waits for a person, or blocks a rotation
	Retired     Kind = "retired"      // an old key is proven dead
	Overdue     Kind = "overdue"      // a rotation or a retirement is late
	OrphanFound Kind = "orphan_found" // a key of ours that no version of the secret knows
	RolledBack  Kind = "rolled_back"  // the previous key is current again
	Restored    Kind = "restored"     // a disabled key works again
	Paused      Kind = "paused"       // somebody stopped the rotations for a while, or one was refused for that
	Resumed     Kind = "resumed"      // a pause is over
	Adopted     Kind = "adopted"      // a key that somebody else made was handed over
	Emergency   Kind = "emergency"    // somebody asked for an emergency rotation, or one goes on without the audit trail
	Finding     Kind = "finding"      // a detection fired: somebody did what is odd
	Reviewed    Kind = "reviewed"     // an access review was made, and waits for somebody to read it
)

// Severity orders messages for filters.
type Severity string

// The severities.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical" // somebody must act, or a key is in danger
)

// Message is one notification. It holds nothing secret.
type Message struct {
	Version   int               `json:"version"` // of this format: 1
	ID        string            `json:"id"`      // deduplicates: the same news has the same ID
	Time      time.Time         `json:"time"`
	Kind      Kind              `json:"kind"`
	Severity  Severity          `json:"severity"`
	Secret    string            `json:"secret"`
	Vendor    string            `json:"vendor"`
	Owner     string            `json:"owner,omitempty"`
	Step      string            `json:"step,omitempty"`       // "createSecret"
	ErrorType string            `json:"error_type,omitempty"` // stable: see package rotation
	Summary   string            `json:"summary"`              // one sentence
	Known     []string          `json:"known,omitempty"`      // what is certain, a sentence each
	Next      []string          `json:"next,omitempty"`       // what to do, a sentence each
	Detail    map[string]string `json:"detail,omitempty"`
	Alert     string            `json:"alert,omitempty"` // ID to acknowledge it by; "": nothing to acknowledge
	// Checkpoint is one of the ledger's, to be kept where the ledger's writers cannot
	// change it. It is printed as it was signed.
	Checkpoint string `json:"checkpoint,omitempty"`
	About      string `json:"-"` // what its alert waits for, as package keyrecord says; "": a rotation
}

// Asks reports whether m asks somebody to act who does not know of it yet. A
// rollback, a restored key and an adoption do not: whoever asked for one is at it.
func (m Message) Asks() bool {
	if m.Severity == Info || m.Kind == RolledBack || m.Kind == Restored || m.Kind == Adopted {
		return false
	}
	return slices.ContainsFunc(m.Next, func(s string) bool { return !strings.HasPrefix(s, "Nothing") })
}

// Notifier sends messages.
type Notifier interface {
	// Notify returns nil once the message is accepted for delivery.
	Notify(ctx context.Context, m Message) error
}

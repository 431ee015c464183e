// Package audit is the record of everything that Keyturn does to a key: an
// intent before each act at a vendor, an outcome after it. What is not accepted
// is not done.
package audit

import (
	"context"
	"time"
)

// Phase says on which side of an act a record stands.
type Phase string

// The phases.
const (
	Intent  Phase = "intent"
	Outcome Phase = "outcome"
	Fact    Phase = "fact" // something seen or decided, with no act of its own
)

// Act is what was done. The set is open to new acts, but an act's name never
// changes its meaning.
type Act string

// The acts.
const (
	Create   Act = "create"   // a key at the vendor
	Roll     Act = "roll"     // a key's value at the vendor, replaced by another
	Revoke   Act = "revoke"   // a key at the vendor, for ever
	Disable  Act = "disable"  // a key at the vendor, reversibly
	Enable   Act = "enable"   // undoes Disable
	Promote  Act = "promote"  // AWSCURRENT moved to a version
	Unstage  Act = "unstage"  // a label removed from a version
	Hold     Act = "hold"     // a retirement waits for a person
	Dead     Act = "dead"     // the vendor refuses the key; the proof is in Detail
	Request  Act = "request"  // somebody asked for a rotation
	Pause    Act = "pause"    // somebody stopped the rotations for a while, or one went through that
	Resume   Act = "resume"   // undoes Pause
	Ack      Act = "ack"      // somebody took an alert on
	Adopt    Act = "adopt"    // a key that somebody else made was handed over
	Notified Act = "notified" // a notification went out
	Review   Act = "review"   // an access review was made; its hash is in Detail
	SignOff  Act = "sign_off" // somebody signed one off
)

// Record is one entry. It holds ids and keyed fingerprints, never a value.
type Record struct {
	ID          string            `json:"id"` // unique; the intent and the outcome of one act share it
	Time        time.Time         `json:"time"`
	Act         Act               `json:"act"`
	Phase       Phase             `json:"phase"`
	Secret      string            `json:"secret"`
	Vendor      string            `json:"vendor,omitempty"`
	Version     string            `json:"version,omitempty"` // of the secret
	KeyID       string            `json:"key_id,omitempty"`
	KeyName     string            `json:"key_name,omitempty"`
	Fingerprint string            `json:"fingerprint,omitempty"`
	Result      string            `json:"result,omitempty"` // outcome: "done", "failed" or "unknown"
	Error       string            `json:"error,omitempty"`  // safe text
	Function    string            `json:"function,omitempty"`
	RequestID   string            `json:"request_id,omitempty"`
	Detail      map[string]string `json:"detail,omitempty"`
}

// Results of an outcome.
const (
	Done    = "done"
	Failed  = "failed"  // it had no effect
	Unknown = "unknown" // it may have had one
)

// Sink takes records.
type Sink interface {
	// Record returns nil once r is stored durably, and an error if that is not
	// certain. Recording one ID and Phase twice is the same as once.
	Record(ctx context.Context, r Record) error
}

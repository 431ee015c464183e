// Package history is what the entries of the ledger say: one type for each kind of
// entry, made by those who write the ledger and read by those who report from it.
package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/ledger"
)

// Kind says which field of a [Fact] is set. The set is open; a kind's name never
// changes its meaning.
type Kind string

// The kinds.
const (
	KindAct       Kind = "act"       // of ours, at a vendor or in Secrets Manager
	KindCall      Kind = "call"      // a call in CloudTrail that is kept one by one
	KindReads     Kind = "reads"     // an hour's reads of one secret by one principal
	KindAlert     Kind = "alert"     // a detection that fired
	KindChange    Kind = "change"    // of the configuration, seen when it took effect
	KindReconcile Kind = "reconcile" // what a look at CloudTrail's files found
	KindSignOff   Kind = "sign_off"  // of an access review
	KindRefused   Kind = "refused"   // a message that is none of those that a queue is for
)

// Fact is one entry's content. Exactly one field beside Kind is set, or none if the
// kind is newer than this version.
type Fact struct {
	Kind      Kind          `json:"kind"`
	Act       *audit.Record `json:"record,omitempty"`
	Call      *Call         `json:"call,omitempty"`
	Reads     *Reads        `json:"reads,omitempty"`
	Alert     *Alert        `json:"alert,omitempty"`
	Change    *Change       `json:"change,omitempty"`
	Reconcile *Reconcile    `json:"reconcile,omitempty"`
	SignOff   *SignOff      `json:"sign_off,omitempty"`
	Refused   *Refused      `json:"refused,omitempty"`
}

// Call is a call that CloudTrail recorded: one that was refused, one that changes
// what the installation is made of, or a service event.
type Call struct {
	EventID   string    `json:"event_id"`
	Time      time.Time `json:"time"`
	Service   string    `json:"service"` // "secretsmanager.amazonaws.com"
	Name      string    `json:"name"`    // "PutResourcePolicy"
	Region    string    `json:"region,omitempty"`
	Account   string    `json:"account,omitempty"` // that received the call
	Principal string    `json:"principal"`
	Session   string    `json:"session,omitempty"`
	Secrets   []string  `json:"secrets,omitempty"` // ARNs or names
	Source    string    `json:"source,omitempty"`  // address, or the name of a service
	Error     string    `json:"error,omitempty"`   // AWS's code; "": the call succeeded
	Amends    string    `json:"amends,omitempty"`  // event ID of the record that CloudTrail corrected with this one
	SHA256    string    `json:"sha256"`            // of the record as it came
}

// Reads is a [github.com/keyturn/keyturn/shared/tally.Tally] that is closed.
type Reads struct {
	Hour      time.Time `json:"hour"`
	Principal string    `json:"principal"`
	Secret    string    `json:"secret"`
	Network   string    `json:"network"`
	Count     int64     `json:"count"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
	Digest    string    `json:"digest"` // sum of the SHA-256 of the eventIDs, modulo 2^256, in hexadecimal
}

// Alert is what a detection found.
type Alert struct {
	Rule      string    `json:"rule"` // "D-01"
	Severity  string    `json:"severity"`
	Principal string    `json:"principal,omitempty"`
	Secret    string    `json:"secret,omitempty"`
	Source    string    `json:"source,omitempty"`
	Why       string    `json:"why"`
	Events    []string  `json:"events,omitempty"` // eventIDs
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
	Response  string    `json:"response,omitempty"` // what was started because of it
	// Suppressed says why nobody was told, and until when; "": somebody was.
	Suppressed string `json:"suppressed,omitempty"`
}

// Change is one difference between the configuration of before and of now, which
// took effect at some time before its entry.
type Change struct {
	What   string `json:"what"` // "site" for the whole of it, "key", "honeytoken", "suppression", "respond", "rule" and others
	Name   string `json:"name,omitempty"`
	Before string `json:"before,omitempty"` // "": there was none
	After  string `json:"after,omitempty"`  // "": there is none
	Told   bool   `json:"told,omitempty"`   // people were told: less is noticed since, or something else is
}

// Reconcile compares the ledger with CloudTrail's own files.
type Reconcile struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Source  string    `json:"source"`           // "files" whose digests were validated, or "lookup"
	Events  int       `json:"events"`           // about us
	Missed  int       `json:"missed"`           // of them, not in the ledger before, though EventBridge should have brought them
	Added   int       `json:"added,omitempty"`  // of them, not in the ledger before, which EventBridge is not asked for
	Reads   int64     `json:"reads"`            // among them
	Differ  []string  `json:"differ,omitempty"` // hours and secrets whose count of reads is another
	Invalid []string  `json:"invalid,omitempty"`
}

// SignOff is a person's word that a review was read. Who wrote it, AWS vouches for:
// the writer of its entry.
type SignOff struct {
	Report   string   `json:"report,omitempty"` // where the page is
	SHA256   string   `json:"sha256"`           // of the page
	By       string   `json:"by"`               // as the signer says
	Decision string   `json:"decision,omitempty"`
	Note     string   `json:"note,omitempty"`
	Each     []string `json:"each,omitempty"` // decisions about single findings, a line each
}

// Refused is a message that was not believed.
type Refused struct {
	Queue  string `json:"queue"`
	Sender string `json:"sender"`
	Why    string `json:"why"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Entry returns f as an entry of the ledger. id is unique for its writer.
func Entry(writer, id string, at time.Time, f Fact) (ledger.Entry, error) {
	act, err := json.Marshal(f)
	if err != nil {
		return ledger.Entry{}, errors.New("make an entry: a time that JSON does not know")
	}
	return ledger.Entry{ID: id, Time: at, Writer: writer, Act: act}, nil
}

// Of reads what e says. A kind that this version does not know is no error.
func Of(e ledger.Entry) (Fact, error) {
	var f Fact
	if err := json.Unmarshal(e.Act, &f); err != nil {
		return Fact{}, fmt.Errorf("entry %q: a field has another type", e.ID)
	}
	if f.Kind == "" {
		return Fact{}, fmt.Errorf("entry %q: it does not say its kind", e.ID)
	}
	return f, nil
}

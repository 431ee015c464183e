// Package report judges a run of the demonstration, and shows it: as a table
// for a terminal, and as one page of HTML with a timeline.
package report

import (
	"time"
)

// Run is everything that is known about one run. It holds nothing secret.
type Run struct {
	Began    time.Time     // real time
	Build    time.Duration // of the binaries
	Took     time.Duration // the rest
	From, To time.Time     // the local AWS's time
	Keys     []Key
	Jumps    []Jump
	Notes    []Note   // in the order in which they happened
	Unasked  []string // acts at a vendor without an intent in the audit trail before them
	Leaks    []string // places that show a secret
	Problems []string // what did not go as planned
	Watch    Watch
	Files    []File
}

// Watch is what came of looking at every access.
type Watch struct {
	Expected []string // the alerts that the theft must give, by their rule and secret
	Alerts   []string // that are in the ledger
	Told     int      // messages about them
	Denied   int      // calls that were denied, in the ledger
	Acts     int      // of ours, in the ledger
	Reads    int64    // counted in the ledger
	Entries  int64    // of the ledger, proven; 0: it is not
}

// Jump is one move of the local AWS's clock.
type Jump struct {
	From, To time.Time
	Why      string
}

// File is something that was written about the run. Name is what it is called
// in the page's folder.
type File struct{ Path, Name, What string }

// Key is one secret with all the keys that it ever had at its vendor.
type Key struct {
	Secret, Vendor string
	Lives          []Life // in the order in which they were minted
	Rotations      []Rotation
	Consumers      []Consumer
	Live           []string // IDs of our keys that the vendor lists at the end
}

// Rotation is one rotation of a secret.
type Rotation struct {
	Cause             string // "schedule", "rotate-now"
	Started, Promoted time.Time
	Calls, Writes     int // of Secrets Manager, on this secret, by the rotate function
	Crashes           int
}

// Consumer is a program that used the secret's key the whole time.
type Consumer struct {
	Name     string
	Stubborn bool
	Requests int
	Failed   int
	LastErr  string
}

// State is where a key is in its life, as far as the timeline shows it.
type State string

// The states.
const (
	Pending State = "pending" // minted, not yet current
	Lost    State = "lost"    // minted, and its value never reached Secrets Manager
	Current State = "current"
	Grace   State = "grace"
	Held    State = "held"
	Revoked State = "revoked" // proof of death is still to come
)

// Meaning says in a few words what a state means.
func (s State) Meaning() string {
	switch s {
	case Pending:
		return "minted, not live yet"
	case Lost:
		return "minted, its value lost in the crash"
	case Current:
		return "AWSCURRENT: what consumers fetch"
	case Grace:
		return "replaced, works on"
	case Held:
		return "time is up, but somebody still uses it"
	case Revoked:
		return "ended, proof of death to come"
	}
	return ""
}

// Span is a part of a key's life in one state.
type Span struct {
	State    State
	From, To time.Time
}

// Answer is what the vendor says to a key at the end of the run.
type Answer string

// The answers.
const (
	Accepted Answer = "accepted"
	Refused  Answer = "refused"
	Unlisted Answer = "not listed" // its value is not known, so it cannot be tried
	Listed   Answer = "listed"     // its value is not known, and the vendor still has it
)

// Life is one key at the vendor.
type Life struct {
	Number      int // of the secret's keys, from 1
	ID, Name    string
	Fingerprint string // "" where the value was lost
	Version     string // of the secret, for which it was minted
	Spans       []Span
	Ended       time.Time // dead or gone; zero: it lives
	End         string    // "dead", "gone" or ""
	Proof       string    // how that is known
	Answer      Answer
}

// In reports whether the key was ever in state s.
func (l Life) In(s State) bool {
	for _, p := range l.Spans {
		if p.State == s {
			return true
		}
	}
	return false
}

// Is reports whether the key is in state s at the end.
func (l Life) Is(s State) bool {
	return l.End == "" && len(l.Spans) > 0 && l.Spans[len(l.Spans)-1].State == s
}

// Current returns the secret's current key, or nil.
func (k Key) Current() *Life {
	for i := range k.Lives {
		if k.Lives[i].Is(Current) {
			return &k.Lives[i]
		}
	}
	return nil
}

// Requests returns how many requests the secret's consumers made, and how many
// of them failed.
func (k Key) Requests() (made, failed int) {
	for _, c := range k.Consumers {
		made += c.Requests
		failed += c.Failed
	}
	return made, failed
}

// Orphans returns the keys that live at the vendor without being the current
// one.
func (k Key) Orphans() []string {
	var out []string
	for _, id := range k.Live {
		if c := k.Current(); c == nil || c.ID != id {
			out = append(out, id)
		}
	}
	return out
}

// Requests returns how many requests all consumers made, and how many failed.
func (r Run) Requests() (made, failed int) {
	for _, k := range r.Keys {
		m, f := k.Requests()
		made, failed = made+m, failed+f
	}
	return made, failed
}

// Kind is what a Note is about.
type Kind string

// The kinds. The first ones have marks on the timeline.
const (
	Crash   Kind = "crash"
	Asked   Kind = "rotate-now"
	Restart Kind = "restart" // of a consumer
	OnHold  Kind = "held"
	Theft   Kind = "theft"
	Dead    Kind = "dead"
	Started Kind = "started" // a rotation
	Minted  Kind = "minted"
	Live    Kind = "current"
	Ended   Kind = "revoked"
	Moved   Kind = "clock" // was moved
	Message Kind = "message"
)

// Note is something that happened.
type Note struct {
	At     time.Time // the local AWS's time
	Secret string    // "" for all
	Number int       // of the key, 0 for the secret as a whole
	Kind   Kind
	Text   string
}

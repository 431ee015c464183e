// Package keyrecord keeps the life of each key: when it was replaced, why it is
// held, what was tried, how it ended.
//
// It is a cache with proof, not the truth: Secrets Manager's versions and the
// vendor's list are. Where a record is lost, grace begins again; it never
// shrinks.
package keyrecord

import (
	"errors"
	"time"
)

// State is where a key is in its life.
type State string

// The states, in order. Dead and Gone are the end.
const (
	Current  State = "current"  // the version with AWSCURRENT holds it
	Grace    State = "grace"    // replaced; waits for min grace and quiet
	Held     State = "held"     // waits for a person: see Why
	Disabled State = "disabled" // stopped at the vendor, reversibly
	Revoked  State = "revoked"  // ended at the vendor; proof of death is still to come
	Dead     State = "dead"     // refused by the vendor, and proven so
	Gone     State = "gone"     // no longer listed by the vendor, its value never known: no proof possible
	Lost     State = "lost"     // ours by name, and no version of the secret knows it
)

// Alive reports whether a key in this state may still work at the vendor.
func (s State) Alive() bool { return s != Dead && s != Gone }

// Origin says who made a key.
type Origin string

// The origins.
const (
	Minted  Origin = "minted"  // by us: its name proves it
	Adopted Origin = "adopted" // by somebody else, and handed over by the operator
)

// Record is one key of one secret.
type Record struct {
	Secret  string // name
	KeyID   string // the vendor's
	KeyName string
	Vendor  string
	// VendorAccount is the account's name in the configuration; "": not recorded.
	VendorAccount string
	Origin        Origin
	Version       string // the secret's version that holds its value, "" if none does
	State         State
	Promoted      time.Time // when it became current; zero: unknown
	Replaced      time.Time // when it stopped being current; zero: it has not
	Disabled      time.Time
	Revoked       time.Time
	Ended         time.Time // dead or gone
	Hurried       time.Time // when an emergency replaced it: that it is used does not lengthen its grace; zero: none did
	Ending        time.Time // when a run set out to disable or revoke it; zero: none is at it
	Wanted        time.Time // until then somebody goes back to it, so it is not ended; kept until that is told
	LastUsed      time.Time // as the vendor said last; zero: never, or it does not say
	LastSeen      time.Time // in the vendor's list
	Missing       time.Time // the first look since which the vendor has not listed it; zero: it does
	Seen          int       // sweeps that saw it Lost
	Attempts      int       // failures in a row of what is next
	Stuck         time.Time // the first of these failures; zero: none
	LastErr       string    // safe text of the last failure
	Next          time.Time // when the next act is due; zero: none is
	Why           string    // in words, for a person: why it is held or waits
	Proof         string    // in words: how its death was proven
	Told          []string  // notifications that went out about it: kinds, once each
	Revision      int       // of this record; 0: not stored yet
	More          any       // what a newer version stored beside: the store keeps it; nil: nothing
}

// ClaimFor is how long a claim on a record holds: its Ending's, or its Wanted's.
// Whoever has one acts within half of it, so that what it does has taken effect
// when it ends.
const ClaimFor = 5 * time.Minute

// IsEnding reports whether a run may be ending the key at this moment.
func (r Record) IsEnding(now time.Time) bool {
	return !r.Ending.IsZero() && now.Sub(r.Ending) < ClaimFor
}

// The modes of a [Request].
const (
	Asked     = "rotate"
	Emergency = "emergency" // the key may be in the wrong hands
)

// Request is a rotation that somebody asked for.
type Request struct {
	Secret    string
	Rotation  string // keyname.Rotation of its ClientRequestToken
	Mode      string // Asked or Emergency
	Reason    string
	Requester string // as far as AWS vouches for it
	At        time.Time
}

// Failure is the last thing that went wrong with a secret's rotation.
type Failure struct {
	Secret    string
	Version   string // the ClientRequestToken
	Step      string
	ErrorType string
	Text      string // safe
	At        time.Time
	Count     int // failures of this version
}

// Book is everything recorded about one secret.
type Book struct {
	Keys     []Record
	Requests []Request
	Failure  *Failure // nil: the last rotation did not fail
	Pause    *Pause   // the last one; nil: there never was one
	Alerts   []Alert  // those that nobody has seen end
}

// Key returns the record of a key, and whether there is one.
func (b Book) Key(id string) (Record, bool) {
	for _, r := range b.Keys {
		if r.KeyID == id {
			return r, true
		}
	}
	return Record{}, false
}

// Request returns the request behind a rotation, and whether there is one.
func (b Book) Request(rotation string) (Request, bool) {
	for _, r := range b.Requests {
		if r.Rotation == rotation {
			return r, true
		}
	}
	return Request{}, false
}

// ErrConflict is returned by a Put whose Revision is not the stored one:
// somebody else was faster. Load again.
var ErrConflict = errors.New("the record has changed meanwhile")

// Package config is a function's configuration: one JSON file in its asset,
// with an entry per secret.
//
// A SecretId that is not in it is not ours to touch.
package config

import (
	"encoding/json"
	"time"
)

// Key is one secret's configuration, complete: everything its vendor account
// says has been copied in and every default filled.
type Key struct {
	Secret        string          // name
	VendorAccount string          // name in the file
	Vendor        string          // name in the catalog
	Settings      json.RawMessage // the vendor's own
	Admin         string          // name or ARN of the secret with the admin credential
	Hosts         []string        // the only hosts that credentials may be sent to
	AllowPrivate  bool            // loopback and private addresses, and plain HTTP to them, are allowed
	Value         Value
	Grace         Grace
	Owner         string // who is told
	Tier          int    // 1 is the most critical; 0: not given
	// Exclusive hands over the principal whose keys carry no names (DualSlot):
	// every key of it that no version of the secret holds may be ended.
	Exclusive bool
	// AcceptDowntime allows what cuts consumers off until they fetch again, where
	// the vendor offers nothing better (RollInPlace).
	AcceptDowntime bool
	// Freeze are the times in which no scheduled rotation starts.
	Freeze []Freeze
}

// Freeze is a time in which rotations are refused. An emergency goes through it.
type Freeze struct {
	From, Until time.Time // Until is over
	Reason      string
}

// Due returns when a rotation that is scheduled at t is due: where a freeze is
// in force within a day after t, in which its window may lie, at that one's end.
func (k Key) Due(t time.Time) time.Time {
	const window = 24 * time.Hour
	for range k.Freeze { // one may end in another
		for _, f := range k.Freeze {
			if f.From.Before(t.Add(window)) && t.Before(f.Until) {
				t = f.Until
			}
		}
	}
	return t
}

// Frozen returns the freeze that is in force at t; false if there is none.
func (k Key) Frozen(t time.Time) (Freeze, bool) {
	for _, f := range k.Freeze {
		if !t.Before(f.From) && t.Before(f.Until) {
			return f, true
		}
	}
	return Freeze{}, false
}

// Value is the shape of the secret's value.
type Value struct {
	Plain  bool   // the whole SecretString is the key
	Field  string // the JSON field with the key; default "apiKey"; "" beside Fields
	Strict bool   // no "keyturn" object beside the consumer's fields
	// Fields are the JSON fields with the parts of a key that has several, in the
	// vendor's order (provider.Info.Parts); nil: the key is one text, in Field.
	Fields []string
}

// Action is what to do with an old key when time is up.
type Action string

// The actions.
const (
	Hold   Action = "hold"   // keep it, and tell a person
	Revoke Action = "revoke" // end it all the same
)

// Grace says how long a replaced key lives.
type Grace struct {
	Min      time.Duration // at least this long after it was replaced; default 1 h
	Quiet    time.Duration // and until nobody used it for this long; default 6 h
	Max      time.Duration // time is up; default 72 h
	Disabled time.Duration // disabled this long before it is revoked, where the vendor can; default 24 h
	OnMax    Action        // it is still in use when time is up; default Hold
	NoUsage  Action        // the vendor does not say when keys are used: at Max, Hold or Revoke; default Hold
}

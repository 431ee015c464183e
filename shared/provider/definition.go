package provider

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/keyturn/keyturn/shared/secret"
)

// Admin is the credential that manages a vendor account's keys, as its secret
// in Secrets Manager holds it: a JSON object with the vendor's own fields and
// "hosts", the only hosts it may be sent to.
type Admin struct {
	Hosts  []string // host or host:port, lower case
	Fields map[string]secret.Value
}

// Field returns the field called name, empty if there is none.
func (a Admin) Field(name string) secret.Value { return a.Fields[name] }

// Conn is a connection to a vendor that does not speak HTTP.
type Conn = net.Conn

// Dialer connects to an address, "host:port". Network is "tls" (the server has
// proved by its certificate that it is the host) or "tcp". It is safe for
// concurrent use.
type Dialer func(ctx context.Context, network, address string) (Conn, error)

// Problem is one thing wrong with settings or a configuration.
type Problem struct {
	Field string // where: "scopes", or "" for the whole
	What  string // what is wrong
	Hint  string // what to do about it
}

// Settle says how long the vendor takes to accept a key that it has issued.
type Settle struct {
	Within    time.Duration // at most this long; 0: at once
	Every     time.Duration // between two tries; 0: 2 s
	Successes int           // this many in a row prove it; 0: one
}

// Field describes one field of the admin credential.
type Field struct{ Name, Doc string }

// Info is what a vendor's package knows about it, for the engine, the
// infrastructure and the documentation.
type Info struct {
	Name     string        // "sendgrid"; the name of its package
	Title    string        // "Twilio SendGrid"
	Links    []string      // the API reference the facts come from
	Strategy string        // "Overlap", "DualSlot", "RollInPlace" or "RollWithGrace"
	Hosts    []string      // the vendor's own API hosts; empty: self-hosted
	Admin    []Field       // the admin credential's fields, all of them needed
	Limit    string        // in words: "100 keys an account"; "": none known
	Self     bool          // a key may manage its own principal's keys: its secret may be the admin secret too
	LastUsed bool          // the vendor says when a key was last used
	UsageLag time.Duration // how late LastUsed may be
	Settle   Settle
	Shape    string // RE2 that the whole of a real value matches; "": unknown
	// Parts are the names of a value's parts, where it has several: they are
	// joined with ":" in this order, and stored as fields
	// of their own. No part but the last contains a ":". nil: one text.
	Parts []string
}

// Settings is a vendor's own settings for one key: a struct with json and doc
// tags. The zero value must have usable defaults for everything optional.
type Settings interface {
	// Problems returns everything that is wrong with the settings.
	Problems() []Problem
	// BaseURL returns where the API is.
	BaseURL() string
}

// Definition is a vendor as the rest of Keyturn sees it. Make one with
// [Define].
type Definition struct {
	Info

	example any
	check   func(json.RawMessage) (Settings, []Problem)
	open    func(json.RawMessage, Admin, *http.Client) (Strategy, error) // nil: openNet is set
	openNet func(json.RawMessage, Admin, Dialer) (Strategy, error)
}

// Check returns everything that is wrong with raw settings: fields that are
// unknown, of the wrong type, missing, or refused by the vendor's own rules.
func (d Definition) Check(raw json.RawMessage) []Problem {
	_, p := d.check(raw)
	return p
}

// Principal names what the settings hand over: the key that is rolled, or the
// principal whose keys carry no names. It is the values of the settings with
// the tag principal:"true"; "" if there are none, or the settings are wrong. Two
// secrets with one principal would end each other's keys.
func (d Definition) Principal(raw json.RawMessage) string {
	s, p := d.check(raw)
	if len(p) > 0 {
		return ""
	}
	return principal(s)
}

// BaseURL returns where the API is for these settings, "" if they are wrong.
func (d Definition) BaseURL(raw json.RawMessage) string {
	s, p := d.check(raw)
	if len(p) > 0 {
		return ""
	}
	return s.BaseURL()
}

// Open returns the vendor's half of a rotation. It makes no call. An admin
// without Fields can verify keys and nothing else. A vendor that does not speak
// HTTP is an error: see [Definition.OpenNet].
func (d Definition) Open(raw json.RawMessage, admin Admin, hc *http.Client) (Strategy, error) {
	if d.open == nil {
		return nil, &Error{Op: "open " + d.Name, Kind: KindPermanent, Err: errors.New("this vendor does not speak HTTP")}
	}
	return d.open(raw, admin, hc)
}

// OpenNet is [Definition.Open] for a vendor that does not speak HTTP; any other
// is an error.
func (d Definition) OpenNet(raw json.RawMessage, admin Admin, dial Dialer) (Strategy, error) {
	if d.openNet == nil {
		return nil, &Error{Op: "open " + d.Name, Kind: KindPermanent, Err: errors.New("this vendor speaks HTTP")}
	}
	return d.openNet(raw, admin, dial)
}

// SpeaksHTTP reports which of [Definition.Open] and [Definition.OpenNet] opens
// the vendor.
func (d Definition) SpeaksHTTP() bool { return d.open != nil }

// Example returns the zero settings, whose type carries json and doc tags, for
// documentation and schemas.
func (d Definition) Example() any { return d.example }

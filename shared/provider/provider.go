// Package provider defines what a third-party key API must be able to do, and
// the four ways its keys can be replaced.
//
// Every method must honor ctx, be safe for concurrent use, and return either
// nil, [ErrRejected] or an [*Error].
package provider

import (
	"context"
	"io"
	"time"

	"github.com/keyturn/keyturn/shared/secret"
)

// Key describes one key held by the vendor. It carries nothing secret.
type Key struct {
	ID      string    // the vendor's handle; safe to log
	Name    string    // the name it was given; ours parse with package keyname
	Created time.Time // zero: the vendor does not say, or nobody needs it
}

// Issued is a key together with its value, which most vendors show only once.
type Issued struct {
	Key
	Value secret.Value
}

// A Creator makes a key.
type Creator interface {
	// Create makes a key called name. It never sends the request twice unless
	// the vendor has refused the first one: an [*Error] of [KindUnknown] tells
	// the caller to look for name before anything else.
	Create(ctx context.Context, name string) (Issued, error)
}

// A Copier makes a key that may do what another one may.
type Copier interface {
	// Copy is [Creator.Create] for a key with the rights of the key with this id. An
	// [*Error] of [KindNotFound] says that the vendor has none; then none is made.
	Copy(ctx context.Context, name, id string) (Issued, error)
}

// A Lister finds keys again after a crash.
type Lister interface {
	// List returns every key the admin credential can see, reading all pages.
	// A page that cannot be read is an error, never a shorter list.
	List(ctx context.Context) ([]Key, error)
}

// A Revoker ends a key's life.
type Revoker interface {
	// Revoke makes the key stop working. It returns nil if the key is already
	// gone.
	Revoke(ctx context.Context, id string) error
}

// A Verifier tries a key.
type Verifier interface {
	// Verify makes one harmless call with key and nil means the vendor showed
	// it had accepted it. It returns [ErrRejected] only if the vendor answered
	// the way it answers dead keys; any other error means "could not tell".
	Verify(ctx context.Context, key secret.Value) error
}

// A Chooser lets us choose a key's value, so that it is stored before the vendor
// knows it: then no value can be lost.
type Chooser interface {
	// Choose returns a new value of the vendor's shape. It makes no call; random
	// is cryptographically strong.
	Choose(random io.Reader) (secret.Value, error)
}

// A Slotter holds the few keys of one principal: an application's secrets, a
// user's access keys. They carry no names, so what is ours is known by value.
type Slotter interface {
	// Slots returns the keys that the principal holds, reading all pages;
	// disabled ones too. A page that cannot be read is an error.
	Slots(ctx context.Context) ([]Key, error)
}

// A Filler makes a key in an empty slot; the vendor chooses the value.
type Filler interface {
	// Fill makes a key. It never sends the request twice unless the vendor has
	// refused the first one. An [*Error] of [KindFull] says that there is no
	// empty slot.
	Fill(ctx context.Context) (Issued, error)
}

// A Placer puts a value of our own choosing into an empty slot.
type Placer interface {
	Chooser
	// Place makes value one of the principal's keys and returns it. It looks
	// first, so that placing a value twice is the same as placing it once. An
	// [*Error] of [KindFull] says that there is no empty slot.
	Place(ctx context.Context, value secret.Value) (Key, error)
}

// A Roller replaces a key's value and keeps its ID.
type Roller interface {
	// Roll issues a new value; the old one works for grace more, where the
	// vendor allows one. Calling it again replaces the new value in turn. It
	// never sends the request twice unless the vendor has refused the first one.
	Roll(ctx context.Context, id string, grace time.Duration) (Issued, error)
}

// A Setter stores a value of our own choosing in a key and keeps its ID.
type Setter interface {
	Chooser
	// Set makes value the key's value; the old one stops. Setting the same
	// value twice is the same as setting it once.
	Set(ctx context.Context, id string, value secret.Value) error
}

// A Reader can show a key's value again.
type Reader interface {
	// Read returns the value of the key with this id.
	Read(ctx context.Context, id string) (secret.Value, error)
}

// A UsageReporter knows when a key was last used.
type UsageReporter interface {
	// LastUsed returns the zero time for a key that has never been used. That
	// nothing is said is not "never": see [ErrNotTold].
	LastUsed(ctx context.Context, id string) (time.Time, error)
}

// A Disabler can stop a key and start it again.
type Disabler interface {
	// Disable makes the key stop working; a disabled key stays disabled.
	Disable(ctx context.Context, id string) error
	// Enable undoes Disable.
	Enable(ctx context.Context, id string) error
}

// An Expirer lets the vendor end a key by itself. No engine asks for that:
// docs/adr/0023-no-expiry.md says why.
type Expirer interface {
	// Expire makes the key stop working at t.
	Expire(ctx context.Context, id string, t time.Time) error
}

// An Identifier finds a key's ID from its value, which taking over a key that
// somebody else made needs.
type Identifier interface {
	// Identify returns the ID of the key with this value; an [*Error] of
	// [KindNotFound] says that the vendor has none.
	Identify(ctx context.Context, value secret.Value) (id string, err error)
}

// A Scoper knows what a key may do.
type Scoper interface {
	// Scopes returns the key's rights, sorted, in the vendor's own words. Two
	// keys with equal Scopes may do the same things.
	Scopes(ctx context.Context, id string) ([]string, error)
}

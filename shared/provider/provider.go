// Package provider defines what a third-party key API must be able to do, and
// the four ways its keys can be replaced.
//
// Every method must honor ctx, be safe for concurrent use, and return either
// nil, [ErrRejected] or an [*Error].
package provider

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/shared/secret"
)

// Key describes one key held by the vendor. It carries nothing secret.
type Key struct {
	ID   string // the vendor's handle; safe to log
	Name string // the name it was given; ours parse with package keyname
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

// A Roller replaces a key's value and keeps its ID.
type Roller interface {
	// Roll issues a new value; the old one works for grace more, where the
	// vendor allows one. Calling it again replaces the new value in turn.
	Roll(ctx context.Context, id string, grace time.Duration) (Issued, error)
}

// A Setter stores a value of our own choosing in a key and keeps its ID, so
// that the value can be saved before the vendor knows it.
type Setter interface {
	// Set makes value the key's value. Setting the same value twice is the same
	// as setting it once.
	Set(ctx context.Context, id string, value secret.Value) error
}

// A Slotter has a fixed set of keys, each of which can be regenerated.
type Slotter interface {
	// Slots returns the slots in a fixed order.
	Slots(ctx context.Context) ([]Key, error)
	// Regenerate replaces the value in one slot; the old value stops at once.
	Regenerate(ctx context.Context, slot string) (Issued, error)
}

// A Reader can show a key's value again.
type Reader interface {
	// Read returns the value of the key with this id.
	Read(ctx context.Context, id string) (secret.Value, error)
}

// A UsageReporter knows when a key was last used.
type UsageReporter interface {
	// LastUsed returns the zero time for a key that has never been used.
	LastUsed(ctx context.Context, id string) (time.Time, error)
}

// A Disabler can stop a key and start it again.
type Disabler interface {
	// Disable makes the key stop working; a disabled key stays disabled.
	Disable(ctx context.Context, id string) error
	// Enable undoes Disable.
	Enable(ctx context.Context, id string) error
}

// An Expirer lets the vendor end a key by itself.
type Expirer interface {
	// Expire makes the key stop working at t.
	Expire(ctx context.Context, id string, t time.Time) error
}

// An Identifier finds a key's ID from its value, which taking over a key that
// somebody else made needs.
type Identifier interface {
	// Identify returns the ID of the key with this value.
	Identify(ctx context.Context, value secret.Value) (id string, err error)
}

// A Scoper knows what a key may do.
type Scoper interface {
	// Scopes returns the key's rights, sorted, in the vendor's own words. Two
	// keys with equal Scopes may do the same things.
	Scopes(ctx context.Context, id string) ([]string, error)
}

// Package status says how each key is, from what Secrets Manager and the keys'
// records tell. It needs no right to read a value.
package status

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/store"
)

// Secrets is what a Reader needs of Secrets Manager.
type Secrets interface {
	Describe(ctx context.Context, secretID string) (store.Secret, error)
}

// Records is what a Reader needs of the keys' records.
type Records interface {
	Load(ctx context.Context, secret string) (keyrecord.Book, error)
}

// Stage is where a key's rotation is.
type Stage string

// The stages.
const (
	Idle     Stage = "idle"     // nothing is under way
	Rotating Stage = "rotating" // a version is pending
	Stuck    Stage = "stuck"    // a version has been pending for longer than a rotation takes
	Off      Stage = "off"      // Secrets Manager does not rotate it
	Empty    Stage = "empty"    // it has no value yet
	Paused   Stage = "paused"   // somebody stopped its rotations for a while
	Frozen   Stage = "frozen"   // the configuration stops them for a while
	Deleted  Stage = "deleted"  // the secret is marked for deletion
	Unknown  Stage = "unknown"  // it could not be read
)

// Key is how one key is.
type Key struct {
	Secret        string    `json:"key"`
	Vendor        string    `json:"vendor"`
	VendorAccount string    `json:"vendor_account"`
	Owner         string    `json:"owner,omitempty"`
	Tier          int       `json:"tier,omitempty"`
	Stage         Stage     `json:"stage"`
	Since         time.Time `json:"stage_since,omitzero"` // of rotating and stuck: no later than this
	Version       string    `json:"version,omitempty"`    // at AWSCURRENT
	Pending       string    `json:"pending,omitempty"`    // at AWSPENDING, if it is another
	Born          time.Time `json:"current_since,omitzero"`
	AgeSeconds    int64     `json:"age_seconds,omitempty"`
	LastRotation  time.Time `json:"last_rotation,omitzero"`
	NextRotation  time.Time `json:"next_rotation,omitzero"`
	Overdue       []string  `json:"overdue,omitempty"` // what is late, in words
	Older         []Older   `json:"older_keys,omitempty"`
	LastError     *Failure  `json:"last_error,omitempty"`
	Pause         *Pause    `json:"pause,omitempty"`
	Alerts        []Alert   `json:"alerts,omitempty"` // that are open
	// CurrentUnknown says that the current key was taken over without its id.
	CurrentUnknown string `json:"current_key_unknown,omitempty"`
	Next           Act    `json:"next_act,omitzero"`
	Problem        string `json:"problem,omitempty"` // why this is not all: what could not be read
}

// Older is a replaced key that may still work at the vendor, or one that no
// version knows.
type Older struct {
	KeyID     string          `json:"key_id"`
	Name      string          `json:"name,omitempty"`
	State     keyrecord.State `json:"state"`
	Why       string          `json:"why,omitempty"`
	Replaced  time.Time       `json:"replaced,omitzero"`
	LastUsed  time.Time       `json:"last_used,omitzero"`
	Next      time.Time       `json:"next_look,omitzero"`
	Attempts  int             `json:"failed_attempts,omitempty"`
	LastError string          `json:"last_error,omitempty"`
}

// Pause is why a key is not rotated for a while, or was not. One that is over is
// shown until a rotation has succeeded after it.
type Pause struct {
	State  string    `json:"state"` // "in_force", "expired", or "freeze" for one of the configuration
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
	Owner  string    `json:"owner,omitempty"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

// Alert asks somebody to act, until its cause ends.
type Alert struct {
	ID        string    `json:"id"`
	Severity  string    `json:"severity"`
	Summary   string    `json:"summary"`
	At        time.Time `json:"at"`
	Acked     time.Time `json:"acknowledged,omitzero"`
	By        string    `json:"by,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Escalated time.Time `json:"escalated,omitzero"`
}

// Failure is the last thing that went wrong with a key's rotation.
type Failure struct {
	Step    string    `json:"step,omitempty"`
	Type    string    `json:"error_type"`
	Text    string    `json:"text"`
	At      time.Time `json:"at,omitzero"`
	Count   int       `json:"count,omitempty"` // failures of the same version
	Version string    `json:"version,omitempty"`
}

// Act is what happens, or has to be done, next.
type Act struct {
	What string    `json:"what"`
	At   time.Time `json:"at,omitzero"` // zero: now, or whenever somebody does it
}

// Reader reads how keys are. All fields are needed.
type Reader struct {
	Secrets Secrets
	Records Records
	Now     func() time.Time
}

// Read returns how each of keys is, in the same order. What cannot be read of a
// key is in its Problem; the others are read all the same.
func (r Reader) Read(ctx context.Context, keys []config.Key) []Key {
	const atOnce = 8 // far below any quota of DescribeSecret, and fast enough for a thousand
	out := make([]Key, len(keys))
	var wg sync.WaitGroup
	work := make(chan int)
	for range min(atOnce, len(keys)) {
		wg.Go(func() {
			for i := range work {
				out[i] = r.read(ctx, keys[i])
			}
		})
	}
	for i := range keys {
		work <- i
	}
	close(work)
	wg.Wait()
	return out
}

func (r Reader) read(ctx context.Context, k config.Key) Key {
	s, err := r.Secrets.Describe(ctx, k.Secret)
	if err != nil {
		out := of(k)
		out.Problem = "describe the secret: " + err.Error()
		if missing, ok := errors.AsType[*store.Error](err); ok && missing.Kind == store.KindNotFound {
			out.Problem = "there is no such secret here: it is not deployed yet (keyturn preflight), or was deleted"
		}
		return out
	}
	book, err := r.Records.Load(ctx, k.Secret)
	out := look(k, s, book, r.Now())
	if err != nil {
		out.Problem = err.Error()
	}
	return out
}

func of(k config.Key) Key {
	return Key{Secret: k.Secret, Vendor: k.Vendor, VendorAccount: k.VendorAccount, Owner: k.Owner, Tier: k.Tier, Stage: Unknown}
}

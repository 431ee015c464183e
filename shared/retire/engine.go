// Package retire ends keys that have been replaced, when it is proven that
// nobody needs them, and proves that they are dead.
//
// It is level-triggered. Each [Engine.Reconcile] looks at the labels and
// versions in Secrets Manager, the vendor's list, the records and the clock,
// does the next missing thing for each key, and makes its own next schedule. It
// can be killed anywhere, run twice at once, late, or never: the next run mends
// it.
//
// What it never does: touch a key that neither carries our name nor was handed
// over by the operator; act on a list that could not be read whole; end a key
// while the current one is not accepted, or while it is not certain that they
// are two; act at a vendor before the audit trail has accepted the intent.
package retire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/schedule"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

// Store is what a retirement needs of Secrets Manager. Errors are
// *[store.Error].
type Store interface {
	Describe(ctx context.Context, secretID string) (store.Secret, error)
	// Get reads the version with this ID and this label; either may be "".
	Get(ctx context.Context, secretID, version, stage string) (store.Version, error)
	// Versions returns every version, unlabeled ones included.
	Versions(ctx context.Context, secretID string) ([]store.VersionInfo, error)
	// Promote moves AWSCURRENT to version to; from has it now.
	Promote(ctx context.Context, secretID, to, from string) error
	// Unstage takes label off version from.
	Unstage(ctx context.Context, secretID, label, from string) error
}

// Records is what a retirement needs of the keys' records.
type Records interface {
	Load(ctx context.Context, secret string) (keyrecord.Book, error)
	// Put stores r if its Revision is still the stored one, and returns it with
	// the new one; otherwise [keyrecord.ErrConflict].
	Put(ctx context.Context, r keyrecord.Record) (keyrecord.Record, error)
	PutFailure(ctx context.Context, f keyrecord.Failure) error
	ClearFailure(ctx context.Context, secret string) error
	// First reports whether nobody has said id of this secret within ttl.
	First(ctx context.Context, secret, id string, ttl time.Duration) (bool, error)
	// Forget takes back what First said.
	Forget(ctx context.Context, secret, id string) error
	// PutAlert stores over the one with a's Revision only.
	PutAlert(ctx context.Context, a keyrecord.Alert) (keyrecord.Alert, error)
	CloseAlert(ctx context.Context, secret, id string) error
}

// Vendors opens a key's vendor.
type Vendors interface {
	Info(vendor string) (provider.Info, error)
	// Open makes no call.
	Open(k config.Key, admin provider.Admin) (provider.Strategy, error)
}

// Scheduler starts this function again.
type Scheduler interface {
	// Schedule returns nil also for a schedule whose name exists.
	Schedule(ctx context.Context, o schedule.Once) error
}

// Engine retires the keys of one function's configuration. All fields but
// the last two are needed; an Engine is safe for concurrent use.
type Engine struct {
	Store       Store
	Records     Records
	Vendors     Vendors
	Audit       audit.Sink
	Notifier    notify.Notifier
	Scheduler   Scheduler
	Now         func() time.Time
	Random      func() uint32 // tells apart two acts of one millisecond
	MaxRotation time.Duration // the longest that a rotation may take, retries included
	Fingerprint secret.Value  // key of the fingerprints in the audit trail
	Log         *slog.Logger

	// Alerts that nobody has acknowledged after EscalateAfter go to Escalation;
	// without either, none does.
	Escalation    notify.Notifier
	EscalateAfter time.Duration
}

const looks = 5 // at one secret in one Reconcile, if others change its records meanwhile

// Reconcile does whatever is due for the keys of one secret. It returns nil
// when it has done so, or has left a record of why not and a schedule for the
// next try. After an error the caller must try again.
func (e *Engine) Reconcile(ctx context.Context, k config.Key) (Report, error) {
	return e.reconcile(ctx, k, nil)
}

func (e *Engine) reconcile(ctx context.Context, k config.Key, seen *lists) (Report, error) {
	var err error
	for range looks {
		r := &run{Engine: e, key: k, lists: seen, calls: map[string]int{}, prints: map[string]string{}, raised: map[string]bool{}}
		err = r.once(ctx)
		if !errors.Is(err, keyrecord.ErrConflict) {
			if seen != nil {
				err = errors.Join(err, r.escalate(ctx))
			}
			if err != nil {
				err = fmt.Errorf("retire the keys of %q: %w", k.Secret, err)
			}
			return r.report(), err
		}
	}
	return Report{Secret: k.Secret, Vendor: k.Vendor}, fmt.Errorf("retire the keys of %q: %w", k.Secret, err)
}

// once looks, and does what is due.
func (r *run) once(ctx context.Context) error {
	if err := r.look(ctx); err != nil || r.skipped != "" {
		if err == nil && r.version == "" && r.secret.Deleted.IsZero() {
			r.unborn(ctx)
		}
		return errors.Join(err, errors.Join(r.unsent...))
	}
	err := r.openVendor(ctx)
	if err == nil {
		err = r.lookAtVendor(ctx)
	}
	var late error
	switch {
	case errors.Is(err, errVendor):
		late = r.blind(ctx, err)
	case err != nil:
		return err
	case r.skipped == "":
		late = r.act(ctx)
	}
	if errors.Is(late, keyrecord.ErrConflict) {
		return late
	}
	return errors.Join(late, r.rescue(ctx), r.labels(ctx), r.overdue(ctx), r.again(ctx), r.closeAlerts(ctx, !errors.Is(err, errVendor)), errors.Join(r.unsent...))
}

// act does what is due for each key; what fails for one does not stop another.
func (r *run) act(ctx context.Context) error {
	if err := r.findCurrent(ctx); err != nil {
		return err
	}
	errs := []error{r.promote(ctx)}
	for _, id := range r.ids() {
		if errors.Is(errs[len(errs)-1], keyrecord.ErrConflict) {
			return errs[len(errs)-1]
		}
		errs = append(errs, r.advance(ctx, id))
	}
	return errors.Join(errs...)
}

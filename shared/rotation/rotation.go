// Package rotation replaces a secret's key: the four steps that Secrets Manager
// asks for, the first mint, and the plan of either.
//
// It is level-triggered. Each step looks at the staging labels, the vendor's
// list, the key's record and the clock, and does the next missing thing, so
// that it can be killed anywhere, run twice at once, late, or never: the next
// run mends it. PutSecretValue is the arbiter: a token's version can be written
// once, so whoever stored a value has won, and everybody else revokes what he
// minted himself, and only that.
//
// The contract with Secrets Manager:
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
package rotation

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

// reserve is left of an invocation's deadline to record what happened.
const reserve = 2 * time.Second

// Store is what a rotation needs of Secrets Manager. Errors are *[store.Error].
type Store interface {
	Describe(ctx context.Context, secretID string) (store.Secret, error)
	// Versions returns every version, unlabeled ones included.
	Versions(ctx context.Context, secretID string) ([]store.VersionInfo, error)
	// Get reads the version with this ID and this label; either may be "".
	Get(ctx context.Context, secretID, version, stage string) (store.Version, error)
	// Put returns the labels that the new version carries.
	Put(ctx context.Context, p store.Put) (stages []string, err error)
	// Promote moves AWSCURRENT from one version to another.
	Promote(ctx context.Context, secretID, to, from string) error
	// Unstage takes label off version from.
	Unstage(ctx context.Context, secretID, label, from string) error
}

// Records is what a rotation needs of the keys' records.
type Records interface {
	Load(ctx context.Context, secret string) (keyrecord.Book, error)
	SetFailure(ctx context.Context, f keyrecord.Failure) error
	// First reports whether nobody has said id of this secret within ttl.
	First(ctx context.Context, secret, id string, ttl time.Duration) (bool, error)
	// Forget takes back what First said.
	Forget(ctx context.Context, secret, id string) error
	// Put stores a key's record over the one with its Revision only.
	Put(ctx context.Context, rec keyrecord.Record) (keyrecord.Record, error)
}

// Vendors opens a key's vendor.
type Vendors interface {
	Info(vendor string) (provider.Info, error)
	// Open makes no call. With an admin that has no Fields, only Verify works.
	Open(k config.Key, admin provider.Admin) (provider.Strategy, error)
}

// Engine rotates the keys of one function's configuration. All fields are
// needed; an Engine is safe for concurrent use.
type Engine struct {
	Keys        func(secretID string) (config.Key, bool) // false: not ours
	Store       Store
	Records     Records
	Vendors     Vendors
	Audit       audit.Sink
	Notifier    notify.Notifier
	Now         func() time.Time
	Random      func() uint32 // tells apart two attempts of one millisecond
	Entropy     io.Reader     // cryptographically strong: values of our own choosing come from it
	Fingerprint secret.Value  // key of the fingerprints in the audit trail
	Log         *slog.Logger
}

// Step is one of Secrets Manager's four.
type Step string

// The steps, as they are on the wire.
const (
	CreateSecret Step = "createSecret"
	SetSecret    Step = "setSecret"
	TestSecret   Step = "testSecret"
	FinishSecret Step = "finishSecret"
)

// Event is what Secrets Manager sends to a rotation function.
type Event struct {
	Step          Step
	SecretID      string
	Token         string       // ClientRequestToken: the new version's ID
	RotationToken secret.Value // empty if Secrets Manager sent none; never logged
}

// Outcome is what a step came to, for metrics.
type Outcome string

// The outcomes of a step that did not fail.
const (
	Minted   Outcome = "minted"          // a new key is stored as AWSPENDING
	Found    Outcome = "found"           // a value was stored already
	Nothing  Outcome = "nothing"         // this strategy has nothing to do in this step
	Verified Outcome = "verified"        // the vendor accepts the pending key
	Checked  Outcome = "checked"         // testSecret alone: current key and admin work
	Placed   Outcome = "placed"          // the vendor holds the pending value too
	Promoted Outcome = "promoted"        // AWSCURRENT has moved
	Already  Outcome = "already_current" // an earlier run finished it
)

// Rotate carries out one step. Every error is an *[Error]; it has been recorded
// and, where somebody should know, notified when Rotate returns.
func (e *Engine) Rotate(ctx context.Context, ev Event) (Outcome, error) {
	if err := ev.check(); err != nil {
		return "", err
	}
	k, ok := e.Keys(ev.SecretID)
	if !ok {
		return "", &Error{
			Step: ev.Step, Type: NotOurs, What: "this secret is not in the function's configuration",
			Next: []string{"add the secret to the configuration and deploy, or correct the secret's rotation function"},
		}
	}
	r, err := e.begin(k, ev.SecretID, ev.Token, ev.Step)
	if err != nil {
		return "", err
	}
	r.rotationToken = ev.RotationToken
	work, cancel := r.working(ctx)
	defer cancel()
	out, err := r.step(work, ev.Step)
	if err != nil {
		return "", r.failed(ctx, err)
	}
	e.Log.LogAttrs(ctx, slog.LevelInfo, "step done", slog.String("outcome", string(out)),
		slog.String("step", string(ev.Step)), slog.String("secret", k.Secret),
		slog.String("vendor", k.Vendor), slog.String("version", ev.Token))
	return out, nil
}

func (ev Event) check() error {
	if !slices.Contains([]Step{CreateSecret, SetSecret, TestSecret, FinishSecret}, ev.Step) {
		return &Error{
			Type: UnknownStep, What: fmt.Sprintf("unknown step %q", bounded(string(ev.Step))),
			Next: []string{"invoke this function through RotateSecret; the steps are createSecret, setSecret, testSecret and finishSecret"},
		}
	}
	if ev.SecretID == "" || len(ev.Token) < 32 || len(ev.Token) > 64 {
		return &Error{
			Step: ev.Step, Type: BadEvent, What: "the event lacks a SecretId or a ClientRequestToken of 32 to 64 characters",
			Next: []string{"invoke this function through RotateSecret"},
		}
	}
	return nil
}

func bounded(s string) string { return s[:min(len(s), 40)] }

// run is one invocation.
type run struct {
	*Engine

	key           config.Key
	info          provider.Info
	id            string // the secret's ID as we were asked
	token         string
	at            Step
	rotationToken secret.Value
	holds         bool          // the token's version was seen to hold a value, as AWSPENDING
	end           time.Time     // of the invocation; zero: none
	longest       time.Duration // that an invocation of this function lasts; 0: not known
	leased        time.Time     // when the lease ends, if there is one
	urgent        *bool         // whether it was asked for in an emergency; nil: not looked up
}

func (e *Engine) begin(k config.Key, id, token string, s Step) (*run, error) {
	info, err := e.Vendors.Info(k.Vendor)
	if err != nil {
		return nil, &Error{Step: s, Type: ConfigInvalid, Secret: k.Secret, What: "the configuration names an unknown vendor", Err: err}
	}
	return &run{Engine: e, key: k, info: info, id: id, token: token, at: s}, nil
}

// working returns a context that ends before the invocation does: whatever
// hangs, there is time to record it.
func (r *run) working(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	r.end, r.longest = end, time.Until(end)
	return context.WithDeadline(ctx, end.Add(-reserve))
}

func (r *run) step(ctx context.Context, s Step) (Outcome, error) {
	switch s {
	case CreateSecret:
		return r.create(ctx)
	case SetSecret:
		return r.set(ctx)
	case TestSecret:
		return r.test(ctx)
	case FinishSecret:
		return r.finish(ctx)
	case firstStep, freeStep:
	}
	return "", r.err(UnknownStep, "unknown step", nil)
}

// ours checks that a described or read secret is the one in the configuration.
func (r *run) ours(name string) error {
	if name != r.key.Secret {
		return r.err(NotOurs, fmt.Sprintf("the secret is called %q, the configuration says %q", name, r.key.Secret), nil)
	}
	return nil
}

// rotatable says why a secret cannot be rotated, before anything is touched.
func (r *run) rotatable(s store.Secret) error {
	if err := r.ours(s.Name); err != nil {
		return err
	}
	switch {
	case !s.Deleted.IsZero():
		return r.err(NotOurs, "the secret is scheduled for deletion", nil,
			"restore it (aws secretsmanager restore-secret), or remove its rotation")
	case s.OwningService != "":
		return r.err(NotOurs, "the secret is managed by "+s.OwningService, nil,
			"remove it from the configuration: its owner rotates it")
	case !s.RotationEnabled:
		return r.err(RotationDisabled, "rotation is not enabled for the secret", nil,
			"turn it on: aws secretsmanager rotate-secret --rotation-lambda-arn ... --rotation-rules ...")
	}
	return nil
}

// staged says whether the token may be worked on: nil for AWSPENDING, and
// done=true where an earlier run has finished.
func (r *run) staged(pending, current bool) (done bool, err error) {
	switch {
	case current:
		return true, nil
	case !pending:
		return false, r.err(NotStaged, "the version of this ClientRequestToken is not staged as AWSPENDING", nil,
			"start a rotation with RotateSecret; do not call the function by hand")
	}
	return false, nil
}

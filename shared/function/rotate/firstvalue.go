package rotate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/customresource"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

// firstValue is the custom resource Custom::KeyturnFirstValue: it is there when
// the secret has a value that was tested.
//
// Create and Update mint, prove and store the first value; a secret that has one
// is left alone. With "Existing" they only look whether there is one. Delete
// does nothing: what a key's end needs is for a person to say.
type firstValue struct {
	keys     func(id string) (config.Key, bool)
	init     func(ctx context.Context, secretID, token string) error
	describe func(ctx context.Context, secretID string) (store.Secret, error)
	answers  customresource.Sender
	wait     func(context.Context, time.Duration) error
	log      *slog.Logger
}

// answerOf is what CloudFormation is told of an outcome.
func answerOf(q customresource.Request, err error) customresource.Answer {
	if err != nil {
		return q.Failed(reason(err))
	}
	return q.Succeeded()
}

// forAnswer is kept of the function's time, so that CloudFormation hears why.
const forAnswer = 20 * time.Second

// firstPause is between the first two tries where a wait may help. It doubles.
const firstPause = 10 * time.Second

// handle does what CloudFormation asks for and answers it. An error means that
// there was no answer.
func (f firstValue) handle(ctx context.Context, q customresource.Request) error {
	err := errPanicked // until there is another outcome
	defer func() {
		if err == errPanicked { //nolint:errorlint // the very one
			_ = f.answers.Send(context.WithoutCancel(ctx), q.ResponseURL, answerOf(q, err)) // the panic goes on
		}
	}()
	work, cancel := ctx, context.CancelFunc(func() {})
	if until, ok := ctx.Deadline(); ok {
		work, cancel = context.WithDeadline(ctx, until.Add(-forAnswer))
	}
	defer cancel()
	err = f.do(work, q)
	if err != nil {
		f.log.LogAttrs(ctx, slog.LevelError, "no first value", slog.String("request", q.RequestType), slog.String("reason", reason(err)))
	}
	return f.answers.Send(ctx, q.ResponseURL, answerOf(q, err))
}

func (f firstValue) do(ctx context.Context, q customresource.Request) error {
	switch q.RequestType {
	case "Delete":
		return nil
	case "Create", "Update":
	default:
		return refusal("CloudFormation asks for what this function does not know: deploy functions and stacks of one version")
	}
	p := q.ResourceProperties
	k, ok := f.keys(p.Secret)
	switch {
	case p.Version != "1":
		return refusal("the resource is of another version of Keyturn: deploy functions and stacks of one version")
	case !ok:
		return refusal("the secret is not in the function's configuration: deploy the vendor account's stack first")
	case p.Existing == "true":
		return f.exists(ctx, k, p.Secret)
	}
	return f.make(ctx, k, p.Secret, token(q))
}

// token is the version's ID. It is the same when CloudFormation or Lambda sends
// the request again.
func token(q customresource.Request) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{"first value", q.StackID, q.LogicalResourceID, q.RequestID}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// make makes the first value. What passes by itself is waited for.
func (f firstValue) make(ctx context.Context, k config.Key, id, token string) error {
	for pause := firstPause; ; pause *= 2 {
		err := f.init(ctx, id, token)
		if err == nil {
			return nil
		}
		e, ok := errors.AsType[*rotation.Error](err)
		switch {
		case !ok:
			return err
		case e.Type == rotation.HasCurrent:
			return nil
		case e.Type == rotation.AdminMissing || e.Type == rotation.AdminRefused:
			return advisedError{err, "run keyturn admin put " + k.VendorAccount + ", then deploy again"}
		case !passes(e.Type) || f.wait(ctx, pause) != nil:
			return err
		}
	}
}

// passes says whether an error may be gone after a while, with nothing made.
func passes(t rotation.Type) bool {
	return t == rotation.VendorRateLimited || t == rotation.InProgress || t == rotation.StoreUnavailable
}

// exists checks that a secret that is not ours to fill has a value.
func (f firstValue) exists(ctx context.Context, k config.Key, id string) error {
	s, err := f.describe(ctx, id)
	switch {
	case store.KindOf(err) == store.KindNotFound && err != nil:
		return refusal("there is no secret " + k.Secret + ": remove existing from its entry, and the deployment makes it")
	case err != nil:
		return err
	case !s.Deleted.IsZero():
		return refusal("the secret " + k.Secret + " is marked for deletion: restore it with aws secretsmanager restore-secret")
	case s.VersionAt(store.Current) == "":
		return refusal("the secret " + k.Secret + " exists and has no value: store the key that its consumers use, or run keyturn init " + k.Secret)
	}
	f.log.LogAttrs(ctx, slog.LevelInfo, "the secret has a value; unless Keyturn made it, take it over with keyturn adopt", slog.String("secret", k.Secret))
	return nil
}

// refusal is one of our own reasons, which says what to do.
type refusal string

func (r refusal) Error() string { return string(r) }

var errPanicked error = refusal("the function panicked; its log shows where")

// advisedError is an error and what to do about it.
type advisedError struct {
	error
	advice string
}

func (w advisedError) Unwrap() error { return w.error }

// reason is what CloudFormation shows to whoever deploys: texts that were made
// to be shown, and no other.
func reason(err error) string {
	if a, ok := errors.AsType[advisedError](err); ok {
		return reason(a.error) + "; " + a.advice
	}
	if e, ok := errors.AsType[*rotation.Error](err); ok {
		return strings.Join(append([]string{e.Error()}, e.Next...), "; ")
	}
	if e, ok := errors.AsType[*store.Error](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[refusal](err); ok {
		return e.Error()
	}
	return "an unexpected error; the function's log shows its kind"
}

package boot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/keyturn/keyturn/shared/awsclock"
	"github.com/keyturn/keyturn/shared/customresource"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/metric"
)

// Boundary stands between Lambda and a handler. It is safe for concurrent use.
type Boundary struct {
	env     *Env
	handler Handler
	failed  error // why there is no handler
}

// Invoke implements lambda.Handler. Its error is a messages.InvokeResponse_Error,
// which Lambda's library passes on as it is.
func (b *Boundary) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	began := b.env.sys.Now()
	ctx, meter := metric.With(ctx)
	ctx, calls := awsclock.Counting(ctx)
	out, err := b.invoke(ctx, event)
	var answer messages.InvokeResponse_Error
	failed := false
	if err != nil {
		answer = report(err)
		answer.ShouldExit = answer.ShouldExit || b.failed != nil
		meter.Label(metric.Labels{Outcome: answer.Type})
		failed = b.logFailure(ctx, err, answer, meter.WasAsked())
	}
	if werr := meter.Write(b.env.sys.Stdout, metric.Invocation{
		Time: b.env.Clock.Now(), Duration: b.env.sys.Now().Sub(began), AWSCalls: calls.Total(),
		Function: b.env.Function, RequestID: requestID(ctx), Installation: b.env.Installation, Failed: failed,
	}); werr != nil {
		b.env.Log.LogAttrs(ctx, slog.LevelError, "the metrics were not written")
	}
	if err != nil {
		return nil, answer
	}
	return out, nil
}

func (b *Boundary) invoke(ctx context.Context, event []byte) (out []byte, err error) {
	if b.failed != nil {
		b.answerFailed(ctx, event)
		return nil, b.failed
	}
	if !json.Valid(event) {
		return nil, errNotJSON
	}
	var result any
	if err = b.guard(ctx, func() (err error) { result, err = b.handler(ctx, event); return err }); err != nil {
		return nil, err
	}
	err = b.guard(ctx, func() (err error) { out, err = json.Marshal(result); return err })
	return out, err
}

// answerFailed tells CloudFormation that the function cannot start: it would
// wait for an hour. That something is to be deleted is answered with success,
// for then no function of ours does anything, and a rollback must not get stuck.
func (b *Boundary) answerFailed(ctx context.Context, event []byte) {
	q, ok := customresource.In(event)
	if !ok {
		return
	}
	a := q.Failed("the function cannot start: " + report(b.failed).Message)
	if q.RequestType == "Delete" {
		a = q.Succeeded()
	}
	if err := b.env.Answers().Send(ctx, q.ResponseURL, a); err != nil {
		b.env.Log.LogAttrs(ctx, slog.LevelError, "CloudFormation was not answered", slog.String("reason", err.Error()))
	}
}

// guard runs f and makes an error of its panic. The value is dropped: it may
// hold anything, a secret too. What is logged is where it happened.
func (b *Boundary) guard(ctx context.Context, f func() error) (err error) {
	defer func() {
		if recover() != nil {
			b.env.Log.LogAttrs(ctx, slog.LevelError, "the handler panicked", slog.Any("stack", stack()))
			err = errPanic
		}
	}()
	return f()
}

// stack returns the frames below the one that panicked, without arguments.
func stack() []string {
	const skip = 3 // runtime.Callers, this function and the one that recovered
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(skip, pcs)])
	var out []string
	for {
		f, more := frames.Next()
		if f.Function != "" {
			out = append(out, fmt.Sprintf("%s:%d", f.Function, f.Line))
		}
		if !more {
			return out
		}
	}
}

// logFailure logs the answer, and of an error that is not ours what can be said
// safely: its types. A refusal that somebody wanted is no failure, nor is one
// that is the answer to what a person asked for: alarms count failures.
func (b *Boundary) logFailure(ctx context.Context, err error, answer messages.InvokeResponse_Error, asked bool) (failed bool) {
	attrs := []slog.Attr{slog.String("error_type", answer.Type), slog.String("error", answer.Message)}
	if answer.Type == internal {
		attrs = append(attrs, slog.String("go_types", types(err)))
	}
	if (&keyrecord.Failure{ErrorType: answer.Type}).Wanted() || asked && refusal(answer.Type) {
		b.env.Log.LogAttrs(ctx, slog.LevelInfo, "invocation refused", attrs...)
		return false
	}
	b.env.Log.LogAttrs(ctx, slog.LevelError, "invocation failed", attrs...)
	return true
}

func types(err error) string {
	var names []string
	for e := err; e != nil; e = errors.Unwrap(e) {
		names = append(names, fmt.Sprintf("%T", e))
	}
	return strings.Join(names, " ")
}

// Decode reads an event or a part of one. Its error says what was expected and
// nothing of what came.
func Decode[T any](event json.RawMessage) (T, error) {
	var v T
	if err := json.Unmarshal(event, &v); err != nil {
		var zero T
		return zero, errNotEvent
	}
	return v, nil
}

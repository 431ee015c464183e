package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/infra/keyturn/internal/follow"
	"github.com/keyturn/keyturn/infra/keyturn/internal/function"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/rotatenow"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

// rotateOptions are rotate-now's own flags.
type rotateOptions struct {
	reason     string
	plan, wait bool
	emergency  bool
	timeout    time.Duration
}

// rotated is what rotate-now prints as JSON, without --plan.
type rotated struct {
	Key     string  `json:"key"`
	Status  string  `json:"status"` // "rotated", or "started" with --wait=false
	Version string  `json:"version"`
	GaveUp  string  `json:"gave_up,omitempty"` // version of an unfinished rotation that was given up for it
	Seconds float64 `json:"seconds,omitempty"`
}

func (a *app) rotateNow() *cobra.Command {
	var o rotateOptions
	c := &cobra.Command{
		Use:   "rotate-now KEY --reason TEXT",
		Short: "Rotate a key now, or say what that would do",
		Long: `Rotate a key now and wait until the new key is current. The old one is retired
later, when it is safe: see keyturn status KEY. KEY is a secret's name or ARN.

The reason goes into the audit trail together with who asked. With --plan
nothing is changed: it says what a rotation would do, and everything that would
stop it; the exit code is then 1 if something would.

With --emergency the key may be in the wrong hands: the rotation goes through a
pause, does not wait for an older key, and goes on if the audit trail takes no
records; then they stand in the log. The replaced key is ended grace.min after
that, whoever uses it then: where it can be disabled, that comes first, and
keyturn restore undoes it. Where the vendor itself ends the value, it does so
after grace.min, as far as its limits allow.

The exit code is 1 as soon as a failure is recorded. Secrets Manager restarts a
failed rotation by itself, a few times. To stop waiting does not stop it.`,
		Example: `  keyturn rotate-now prod/mailer/sendgrid --reason "laptop lost"
  keyturn rotate-now prod/mailer/sendgrid --emergency --reason "key on the web"
  keyturn rotate-now prod/mailer/sendgrid --plan`,
		Args:              oneKey,
		ValidArgsFunction: a.completeKeys,
	}
	f := c.Flags()
	f.StringVar(&o.reason, "reason", "", "why, as `TEXT` of at most 500 characters; needed to rotate")
	f.BoolVar(&o.plan, "plan", false, "change nothing, say what would be done and what would stop it")
	f.BoolVar(&o.emergency, "emergency", false, "the key may be in the wrong hands: stop at nothing, and end it soon")
	f.BoolVar(&o.wait, "wait", true, "wait for the end of the rotation")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "wait at most this `LONG`")
	a.rotateNowFlag(c)
	a.awsFlags(c)
	a.tableFlag(c)
	return command(c, func(c *cobra.Command, args []string) error { return a.runRotateNow(c.Context(), args[0], o) })
}

func (a *app) rotateNowFlag(c *cobra.Command) {
	c.Flags().StringVar(&a.flags.rotateNow, "rotatenow-function", "", "`NAME` of the function (KEYTURN_ROTATENOW_FUNCTION; else keyturn-rotatenow with the mode's alias)")
}

func (a *app) runRotateNow(ctx context.Context, id string, o rotateOptions) error {
	o.reason = strings.TrimSpace(o.reason)
	again := "keyturn rotate-now " + id
	switch {
	case o.reason == "" && !o.plan:
		return usage("a rotation needs a reason", again+" --reason TEXT", "to see what it would do: "+again+" --plan")
	case o.emergency && o.plan:
		return usage("--emergency and --plan exclude each other", "to see what a rotation would do: "+again+" --plan")
	case !short(o.reason):
		return usage("the reason is longer than 500 characters, or has a line break in it", again+` --reason "a short one"`)
	case o.timeout <= 0:
		return usage("--timeout is not longer than nothing", again+" --timeout 10m")
	}
	cfg, err := a.configuration()
	if err != nil {
		return err
	}
	k, err := a.key(cfg, id)
	if err != nil {
		return err
	}
	aws, err := a.connect(ctx)
	if err != nil {
		return err
	}
	q := rotatenow.Request{Version: rotatenow.Version, Mode: rotatenow.Rotate, Secret: k.Secret, Reason: o.reason}
	switch {
	case o.plan:
		q.Mode = rotatenow.Plan
	case o.emergency:
		q.Mode = rotatenow.Emergency
	}
	q.Requester = requester(ctx, aws)
	began := time.Now()
	answer, err := a.ask(ctx, aws, k, q)
	if f, ok := errors.AsType[*failure](err); ok && o.emergency && f.Type == string(rotation.InProgress) {
		f.Next = append(f.Next,
			"if nothing works on it any more, take AWSPENDING off: docs/runbooks/failed-rotation.md, If it cannot wait",
			"see which version has it: aws secretsmanager list-secret-version-ids --secret-id "+k.Secret)
	}
	if err != nil {
		return err
	}
	if o.plan {
		return a.printPlan(*answer.Plan)
	}
	if answer.GaveUp != "" {
		_, _ = fmt.Fprintf(a.err, "%s: an unfinished rotation was given up for it, version %s\n", k.Secret, answer.GaveUp)
	}
	r := rotated{Key: k.Secret, Status: "started", Version: answer.Token, GaveUp: answer.GaveUp}
	if !o.wait {
		return a.printRotated(r)
	}
	return a.follow(ctx, aws, k, r, began, o.timeout)
}

// short reports whether a reason fits into the audit trail.
func short(s string) bool {
	return utf8.RuneCountInString(s) <= 500 && !strings.ContainsFunc(s, unicode.IsControl)
}

// requester is who AWS says that we are, "" if it does not say soon.
func requester(ctx context.Context, c *connection) string {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	who, err := sts.NewFromConfig(c.cfg).GetCallerIdentity(ctx, nil)
	if err != nil || who.Arn == nil {
		return ""
	}
	return *who.Arn
}

// ask sends the request to the function.
func (a *app) ask(ctx context.Context, c *connection, k config.Key, q rotatenow.Request) (rotatenow.Answer, error) {
	name := a.setting(a.flags.rotateNow, "KEYTURN_ROTATENOW_FUNCTION", a.installation()+"-rotatenow:"+q.Mode.Alias())
	repeat := function.Once // a second rotation would be refused, and hide that the first began
	if q.Mode == rotatenow.Plan {
		repeat = function.Safe
	}
	var answer rotatenow.Answer
	err := function.Invoke(ctx, c.functions(), name, repeat, q, &answer)
	if err != nil {
		return answer, notInvoked(ctx, err, k.Secret, "--rotatenow-function NAME, or KEYTURN_ROTATENOW_FUNCTION")
	}
	if !understood(q.Mode, answer) {
		return answer, failed(typeUnclear, "the answer of "+name+" is not what this version of keyturn understands",
			"see whether it did something: keyturn status "+k.Secret, "use a keyturn of the same version as the functions")
	}
	return answer, nil
}

func understood(asked rotatenow.Mode, a rotatenow.Answer) bool {
	if a.Version != rotatenow.Version {
		return false
	}
	switch asked {
	case rotatenow.Plan:
		return a.Plan != nil
	case rotatenow.Rotate, rotatenow.Emergency:
		return a.Token != ""
	case rotatenow.Pause:
		return a.Pause != nil
	case rotatenow.Ack:
		return a.Status == "none_open" || len(a.Alerts) > 0
	case rotatenow.Resume:
	}
	return a.Status != ""
}

// follow waits for the end of the rotation.
func (a *app) follow(ctx context.Context, c *connection, k config.Key, r rotated, began time.Time, timeout time.Duration) error {
	line := console.Progress{W: a.err, Terminal: a.errTerminal}
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := follow.Watcher{Secrets: c.secrets(), Records: a.records(c), Say: func(what string) {
		line.Say(fmt.Sprintf("%s: %s (%s)", k.Secret, what, console.Duration(time.Since(began))))
	}}.Wait(waiting, k.Secret, r.Version)
	line.End()
	look := "see how it is: keyturn status " + k.Secret
	if f, ok := errors.AsType[*follow.FailedError](err); ok {
		fail := failed(f.Failure.ErrorType, fmt.Sprintf("the rotation of %s %s", k.Secret, f.Error()), advice(f.Failure.ErrorType, k.Secret)...)
		fail.Next = append(fail.Next, "Secrets Manager restarts it by itself, a few times: keyturn status "+k.Secret)
		return fail
	}
	switch {
	case err == nil:
		r.Status, r.Seconds = "rotated", time.Since(began).Round(time.Millisecond).Seconds()
		return a.printRotated(r)
	case errors.Is(err, follow.ErrAbandoned):
		return failed("Superseded", "the rotation of "+k.Secret+" ended, and its version did not become current", look)
	case store.KindOf(err) == store.KindDenied:
		return failed(typeAWS, "the rotation of "+k.Secret+" has begun, and its end cannot be seen: "+err.Error(), awsAdvice("AccessDenied")...)
	case ctx.Err() != nil:
		return failed(typeStopped, "stopped waiting, and the rotation of "+k.Secret+" goes on", look)
	case errors.Is(err, context.DeadlineExceeded):
		return failed(typeTimeout, fmt.Sprintf("no end of the rotation of %s was seen in %s: it may still end well", k.Secret, timeout), look, "look at the log of its rotate function")
	}
	return failed(typeAWS, "the rotation of "+k.Secret+" has begun, and its end cannot be seen: "+err.Error(), look)
}

func (a *app) printRotated(r rotated) error {
	switch {
	case a.flags.json:
		a.printJSON(r)
	case r.Status == "started":
		a.say("%s: a rotation has begun, version %s", r.Key, r.Version)
	default:
		a.say("%s: rotated in %.1fs, version %s", r.Key, r.Seconds, r.Version)
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/rotatenow"
	"github.com/keyturn/keyturn/shared/rotation"
)

// pauseOptions are the flags of pause and resume.
type pauseOptions struct {
	until, reason, owner string
	replace              bool
}

// paused is what pause and resume print as JSON.
type paused struct {
	Key    string    `json:"key"`
	Status string    `json:"status"` // "paused" or "resumed"
	Until  time.Time `json:"until"`  // of a pause that was ended: when it would have ended
	Reason string    `json:"reason"` // of the pause
	Owner  string    `json:"owner,omitempty"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at"`
}

func (a *app) pause() *cobra.Command {
	var o pauseOptions
	c := &cobra.Command{
		Use:   "pause KEY --until WHEN --reason TEXT",
		Short: "Refuse a key's rotations for a while",
		Long: `Refuse a key's rotations until a time, at most 90 days ahead: one that is never
to be rotated does not belong in the configuration. KEY is a secret's name or
ARN; WHEN is a time such as 2026-12-01T00:00:00Z, or how long, such as 72h.

The schedule stays as it is; each rotation is refused before anything is made,
which is told once and is no alarm. Replaced keys are retired as before. The
pause ends by itself, or with keyturn resume. An emergency rotation goes through
it. A pause that is in force is not replaced unless --replace is given.`,
		Example: `  keyturn pause prod/mailer/sendgrid --until 72h --reason "release 4.2"
  keyturn pause prod/mailer/sendgrid --until 2026-12-01T00:00:00Z \
    --reason "change freeze" --owner ops@example.com`,
		Args:              oneKey,
		ValidArgsFunction: a.completeKeys,
	}
	f := c.Flags()
	f.StringVar(&o.until, "until", "", "`WHEN` it ends: a time in RFC 3339, or how long it lasts")
	f.StringVar(&o.reason, "reason", "", "why, as `TEXT` of at most 500 characters")
	f.StringVar(&o.owner, "owner", "", "`WHO` answers for the pause (else the key's owner)")
	f.BoolVar(&o.replace, "replace", false, "put it in the place of a pause that is in force")
	a.rotateNowFlag(c)
	a.awsFlags(c)
	return command(c, func(c *cobra.Command, args []string) error { return a.runPause(c.Context(), args[0], o) })
}

func (a *app) resume() *cobra.Command {
	var o pauseOptions
	c := &cobra.Command{
		Use:   "resume KEY",
		Short: "End a key's pause",
		Long: `End a key's pause before its time. KEY is a secret's name or ARN. If nothing is
paused, the exit code is 3.

Nothing is rotated by this: the schedule goes on, and a rotation that was due in
the pause can be asked for with keyturn rotate-now.`,
		Example: `  keyturn resume prod/mailer/sendgrid
  keyturn resume prod/mailer/sendgrid --reason "release is out"`,
		Args:              oneKey,
		ValidArgsFunction: a.completeKeys,
	}
	c.Flags().StringVar(&o.reason, "reason", "", "why, as `TEXT` of at most 500 characters")
	a.rotateNowFlag(c)
	a.awsFlags(c)
	return command(c, func(c *cobra.Command, args []string) error { return a.runResume(c.Context(), args[0], o) })
}

func (a *app) runPause(ctx context.Context, id string, o pauseOptions) error {
	o.reason, o.owner = strings.TrimSpace(o.reason), strings.TrimSpace(o.owner)
	again := "keyturn pause " + id
	switch {
	case o.until == "":
		return usage("a pause needs an end", again+" --until 72h --reason TEXT")
	case o.reason == "":
		return usage("a pause needs a reason", again+" --until "+o.until+" --reason TEXT")
	case !short(o.reason) || !short(o.owner):
		return usage("the reason or the owner is longer than 500 characters, or has a line break in it", again+` --until 72h --reason "a short one"`)
	}
	k, aws, err := a.keyAndAWS(ctx, id)
	if err != nil {
		return err
	}
	q := rotatenow.Request{
		Version: rotatenow.Version, Mode: rotatenow.Pause, Secret: k.Secret, Reason: o.reason, Until: o.until, Owner: o.owner, Replace: o.replace,
		Requester: requester(ctx, aws), // which also tells AWS's time
	}
	if _, err = rotatenow.PauseEnd(o.until, aws.clock.Now()); err != nil {
		if e, ok := errors.AsType[*rotation.Error](err); ok {
			return usage(e.What, e.Next...)
		}
		return err
	}
	answer, err := a.ask(ctx, aws, k, q)
	if err != nil {
		return err
	}
	return a.printPaused(answer, aws.clock.Now())
}

func (a *app) runResume(ctx context.Context, id string, o pauseOptions) error {
	o.reason = strings.TrimSpace(o.reason)
	if !short(o.reason) {
		return usage("the reason is longer than 500 characters, or has a line break in it", "keyturn resume "+id)
	}
	k, aws, err := a.keyAndAWS(ctx, id)
	if err != nil {
		return err
	}
	answer, err := a.ask(ctx, aws, k, rotatenow.Request{
		Version: rotatenow.Version, Mode: rotatenow.Resume, Secret: k.Secret, Reason: o.reason, Requester: requester(ctx, aws),
	})
	if err != nil {
		return err
	}
	if answer.Pause == nil {
		a.nothing(k.Secret, k.Secret+" is not paused")
		return exit(exitNothing)
	}
	return a.printPaused(answer, aws.clock.Now())
}

// keyAndAWS finds a key in the configuration, and then AWS.
func (a *app) keyAndAWS(ctx context.Context, id string) (config.Key, *connection, error) {
	cfg, err := a.configuration()
	if err != nil {
		return config.Key{}, nil, err
	}
	k, err := a.key(cfg, id)
	if err != nil {
		return config.Key{}, nil, err
	}
	aws, err := a.connect(ctx)
	return k, aws, err
}

func (a *app) printPaused(answer rotatenow.Answer, now time.Time) error {
	p := *answer.Pause
	switch {
	case a.flags.json:
		a.printJSON(paused{Key: answer.Secret, Status: answer.Status, Until: p.Until, Reason: p.Reason, Owner: p.Owner, By: p.By, At: p.At})
	case answer.Status == "resumed":
		a.say("%s: resumed; it was paused until %s: %s", answer.Secret, console.Instant(p.Until, now), console.Clean(p.Reason))
	default:
		a.say("%s: paused until %s: %s", answer.Secret, console.Instant(p.Until, now), console.Clean(p.Reason))
	}
	return nil
}

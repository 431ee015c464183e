package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/infra/keyturn/internal/preflight"
)

// preflighted is what preflight prints as JSON.
type preflighted struct {
	Account  string            `json:"account"`
	Region   string            `json:"region"`
	Checks   []preflight.Check `json:"checks"`
	Warnings int               `json:"warnings"`
	Missing  int               `json:"missing"`
}

func (a *app) preflight() *cobra.Command {
	c := &cobra.Command{
		Use:   "preflight",
		Short: "Whether everything that a deployment needs is there",
		Long: `Whether everything that a deployment needs is there, before and after the first
one: the account and the Region, the CDK's bootstrap, Lambda's concurrency, a
trail that logs management events, whether the rules of the watch see reads, the
encryption keys, the buckets that audit names, the roles and users that the file
names, the admin credentials, secrets that exist already or are marked for
deletion, subscriptions that nobody has confirmed, subscribed queues whose
policies do not let the topics in, and vendor accounts and Regions of replicas
that are deployed and no longer in the file.

Each is "ok", "warning" or "missing", with what to do. The exit code is 1 if
something is missing. It reads no value and changes nothing; what it may not see
is a warning. Its rights are in keyturn permissions deploy.`,
		Example: `  keyturn preflight
  keyturn preflight --environment prod --json`,
		Args: noArgs,
	}
	a.awsFlags(c)
	return command(c, func(c *cobra.Command, _ []string) error { return a.runPreflight(c.Context()) })
}

func (a *app) runPreflight(ctx context.Context) error {
	f, err := a.keysFile()
	if err != nil {
		return err
	}
	where, err := a.place()
	if err != nil {
		return err
	}
	aws, err := a.connect(ctx)
	if err != nil {
		return err
	}
	account, err := accountOf(ctx, aws)
	if err != nil {
		return err
	}
	answer := preflighted{Account: account, Region: aws.cfg.Region}
	answer.Checks = preflight.New(aws.cfg, preflight.Place{Account: account, Region: aws.cfg.Region, Environment: where.name}, f).Run(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, c := range answer.Checks {
		switch c.Status {
		case preflight.Warning:
			answer.Warnings++
		case preflight.Missing:
			answer.Missing++
		case preflight.OK:
		}
	}
	a.printPreflight(answer)
	if answer.Missing > 0 {
		return exit(exitFailed)
	}
	return nil
}

func (a *app) printPreflight(answer preflighted) {
	if a.flags.json {
		a.printJSON(answer)
		return
	}
	styles := map[preflight.Status]console.Style{preflight.OK: console.Good, preflight.Warning: console.Warn, preflight.Missing: console.Bad}
	paint := a.palette(a.outTerminal)
	for _, c := range answer.Checks {
		a.say("%s %s: %s", paint.Paint(styles[c.Status], fmt.Sprintf("%-8s", c.Status)), c.Subject, console.Clean(c.What))
		for _, next := range c.Next {
			a.say("%-8s %s", "", paint.Paint(console.Warn, "  do: "+console.Clean(next)))
		}
	}
	a.say("")
	switch {
	case answer.Missing > 0:
		a.say("%s missing, %s: a deployment would fail, or run without what makes it safe.", count(answer.Missing, "thing"), count(answer.Warnings, "warning"))
	case answer.Warnings > 0:
		a.say("Nothing is missing; %s.", count(answer.Warnings, "warning"))
	default:
		a.say("Nothing is missing.")
	}
}

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
trail that logs management events, the admin credentials, secrets that exist
already or are marked for deletion, and subscriptions that nobody has confirmed.

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
	var f console.Fields
	for _, c := range answer.Checks {
		// Each line begins with its status, also below another of the same.
		f = append(f, console.Field{Name: string(c.Status), Cell: console.Cell{Text: c.Subject + ": " + c.What, Style: styles[c.Status]}})
		for _, next := range c.Next {
			f = append(f, console.Field{Name: "", Cell: console.Cell{Text: "  do: " + next, Style: console.Warn}})
		}
	}
	_, _ = fmt.Fprint(a.out, lines(f, a.palette(a.outTerminal)))
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

// lines renders fields with every name shown.
func lines(f console.Fields, p console.Palette) string {
	out := ""
	for _, l := range f {
		style := l.Style
		if l.Name == "" {
			out += fmt.Sprintf("%-8s %s\n", "", p.Paint(style, console.Clean(l.Text)))
			continue
		}
		out += p.Paint(style, fmt.Sprintf("%-8s", l.Name)) + " " + console.Clean(l.Text) + "\n"
	}
	return out
}

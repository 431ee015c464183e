package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/shared/rotatenow"
)

// acknowledged is what ack prints as JSON.
type acknowledged struct {
	Key    string            `json:"key"`
	Status string            `json:"status"` // "acknowledged"
	Alerts []rotatenow.Alert `json:"alerts"`
}

func (a *app) ack() *cobra.Command {
	var id, reason string
	c := &cobra.Command{
		Use:   "ack KEY --reason TEXT",
		Short: "Say that you are at what an alert asks for",
		Long: `Acknowledge a key's alerts, or one of them: nobody else is called then. KEY is
a secret's name or ARN; keyturn status lists its alerts with their ids, and so
does the notification. If none is open, or somebody has acknowledged them all,
the exit code is 3.

An alert stays open until its cause ends, for 30 days at most. Who acknowledged
it and why is in the audit trail.`,
		Example: `  keyturn ack prod/mailer/sendgrid --reason "I am calling the vendor"
  keyturn ack prod/mailer/sendgrid --id failed-5f0c8a52 --reason "see T-123"`,
		Args:              oneKey,
		ValidArgsFunction: a.completeKeys,
	}
	c.Flags().StringVar(&id, "id", "", "`ID` of one alert (else all that are open)")
	c.Flags().StringVar(&reason, "reason", "", "what is done about it, as `TEXT` of at most 500 characters")
	a.rotateNowFlag(c)
	a.awsFlags(c)
	return command(c, func(c *cobra.Command, args []string) error { return a.runAck(c.Context(), args[0], id, reason) })
}

func (a *app) runAck(ctx context.Context, key, id, reason string) error {
	id, reason = strings.TrimSpace(id), strings.TrimSpace(reason)
	switch {
	case reason == "":
		return usage("an acknowledgement needs a reason", "keyturn ack "+key+" --reason TEXT")
	case !short(reason) || !short(id):
		return usage("the reason or the id is longer than 500 characters, or has a line break in it", "keyturn ack "+key+` --reason "a short one"`)
	}
	k, aws, err := a.keyAndAWS(ctx, key)
	if err != nil {
		return err
	}
	answer, err := a.ask(ctx, aws, k, rotatenow.Request{
		Version: rotatenow.Version, Mode: rotatenow.Ack, Secret: k.Secret, Reason: reason, Alert: id, Requester: requester(ctx, aws),
	})
	if err != nil {
		return err
	}
	switch answer.Status {
	case "none_open":
		a.nothing(k.Secret, "no alert of "+k.Secret+" is open")
		return exit(exitNothing)
	case "already_acknowledged":
		a.nothing(k.Secret, "acknowledged already, by "+console.Clean(answer.Alerts[0].By)+": "+console.Clean(answer.Alerts[0].Reason))
		return exit(exitNothing)
	}
	if a.flags.json {
		a.printJSON(acknowledged{Key: answer.Secret, Status: answer.Status, Alerts: answer.Alerts})
		return nil
	}
	for _, one := range answer.Alerts {
		a.say("%s: acknowledged %s: %s", answer.Secret, console.Clean(one.ID), console.Clean(one.Summary))
	}
	return nil
}

package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
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
	var installation bool
	c := &cobra.Command{
		Use:   "ack KEY | --installation --reason TEXT",
		Short: "Say that you are at what an alert asks for",
		Long: `Acknowledge a key's alerts, or one of them: nobody else is called then. KEY is
a secret's name or ARN; keyturn status lists its alerts with their ids, and so
does the notification. If none is open, or somebody has acknowledged them all,
the exit code is 3.

With --installation it is about alerts of no key: that the log is silent, that
somebody read an admin credential, that what is noticed has changed. Their ids
are in the notifications.

An alert stays open until its cause ends, for 30 days at most. Who acknowledged
it and why is in the audit trail.`,
		Example: `  keyturn ack prod/mailer/sendgrid --reason "I am calling the vendor"
  keyturn ack prod/mailer/sendgrid --id failed-5f0c8a52 --reason "see T-123"
  keyturn ack --installation --id D-23-silence --reason "the trail was off"`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case !installation:
				return oneKey(c, args)
			case len(args) > 0:
				return usage("--installation is about no key", "keyturn ack --installation --reason TEXT")
			}
			return nil
		},
		ValidArgsFunction: a.completeKeys,
	}
	c.Flags().StringVar(&id, "id", "", "`ID` of one alert (else all that are open)")
	c.Flags().BoolVar(&installation, "installation", false, "alerts that are about no key")
	c.Flags().StringVar(&reason, "reason", "", "what is done about it, as `TEXT` of at most 500 characters")
	a.rotateNowFlag(c)
	a.awsFlags(c)
	return command(c, func(c *cobra.Command, args []string) error {
		if installation {
			return a.runAck(c.Context(), "--installation", id, reason)
		}
		return a.runAck(c.Context(), args[0], id, reason)
	})
}

// alerted returns the key that is meant, or what stands for none.
func (a *app) alerted(ctx context.Context, key string) (config.Key, *connection, error) {
	if key != "--installation" {
		return a.keyAndAWS(ctx, key)
	}
	aws, err := a.connect(ctx)
	return config.Key{Secret: keyrecord.Installation}, aws, err
}

func (a *app) runAck(ctx context.Context, key, id, reason string) error {
	id, reason = strings.TrimSpace(id), strings.TrimSpace(reason)
	switch {
	case reason == "":
		return usage("an acknowledgement needs a reason", "keyturn ack "+key+" --reason TEXT")
	case !short(reason) || !short(id):
		return usage("the reason or the id is longer than 500 characters, or has a line break in it", "keyturn ack "+key+` --reason "a short one"`)
	}
	k, aws, err := a.alerted(ctx, key)
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
		a.nothing(k.Secret, "no alert of "+called(k.Secret)+" is open")
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
		a.say("%s: acknowledged %s: %s", called(answer.Secret), console.Clean(one.ID), console.Clean(one.Summary))
	}
	return nil
}

// called is how people call what alerts are about.
func called(secret string) string {
	if secret == keyrecord.Installation {
		return "the installation"
	}
	return secret
}

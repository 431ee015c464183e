package main

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/function"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

// initRequest is what the rotate function is sent: see [rotation.Request].
type initRequest struct {
	Version int           `json:"version"`
	Mode    rotation.Mode `json:"mode"`
	Secret  string        `json:"secret"`
	Token   string        `json:"token"`
}

func (a *app) initKey() *cobra.Command {
	c := &cobra.Command{
		Use:   "init KEY",
		Short: "Make a key's first value",
		Long: `Make the first value of a secret that has none: the rotate function mints a key
at the vendor, tries it, and only then stores it. KEY is a secret's name or ARN.

A secret that has a value already is left alone, and the exit code is 3. Where
the function's answer is lost, the request is sent again with the same token, so
that no second value can be stored.`,
		Example: `  keyturn init prod/mailer/sendgrid
  keyturn init prod/mailer/sendgrid --rotate-function my-rotate --json`,
		Args:              oneKey,
		ValidArgsFunction: a.completeKeys,
	}
	c.Flags().StringVar(&a.flags.rotate, "rotate-function", "", "`NAME` of the function (KEYTURN_ROTATE_FUNCTION; else keyturn-rotate-ACCOUNT, of the key's vendor account)")
	a.awsFlags(c)
	return command(c, func(c *cobra.Command, args []string) error { return a.runInit(c.Context(), args[0]) })
}

func (a *app) runInit(ctx context.Context, id string) error {
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
	token := uuid.NewString()
	if err := a.mintFirst(ctx, aws, k, token); err != nil {
		f, ok := errors.AsType[*function.Error](err)
		if !ok || f.Type != string(rotation.HasCurrent) {
			return notInvoked(ctx, err, k.Secret, "--rotate-function NAME, or KEYTURN_ROTATE_FUNCTION")
		}
		// After a lost answer, the value that is there may be ours.
		s, err := aws.secrets().Describe(ctx, k.Secret)
		if err != nil {
			return failed(typeUnclear, k.Secret+" has a value, and whether it is a new one cannot be seen: "+err.Error(), "keyturn status "+k.Secret)
		}
		if !s.Has(token, store.Current) {
			a.nothing(k.Secret, k.Secret+" has a value already")
			return exit(exitNothing)
		}
	}
	if a.flags.json {
		a.printJSON(rotated{Key: k.Secret, Status: "initialized", Version: token})
		return nil
	}
	a.say("%s: the first key is stored, version %s", k.Secret, token)
	return nil
}

// mintFirst sends the request until its outcome is known, at most three times.
// The token makes that safe.
func (a *app) mintFirst(ctx context.Context, c *connection, k config.Key, token string) error {
	name := a.setting(a.flags.rotate, "KEYTURN_ROTATE_FUNCTION", a.installation()+"-rotate-"+k.VendorAccount)
	q := initRequest{Version: 1, Mode: rotation.ModeInit, Secret: k.Secret, Token: token}
	const tries = 3
	for n := 1; ; n++ {
		err := function.Invoke(ctx, c.functions(), name, function.Safe, q, nil)
		f, answered := errors.AsType[*function.Error](err)
		if err == nil || answered && !f.Ended() || !function.Ran(err) || n == tries {
			return err
		}
		timer := time.NewTimer(time.Duration(n) * time.Second)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

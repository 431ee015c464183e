package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/infra/keyturn/internal/lab"
)

// The commands of this file stand for what is outside of Keyturn: the mailbox, the
// vendor's console, those who look after the AWS account, the deployment, the clock.

func (a *app) labMail(dir *string) *cobra.Command {
	c := &cobra.Command{
		Use: "mail", Short: "The mails of those who are told",
		Long: `The mails of those who are told, oldest first: what was published to the
notifications' topic.`,
		Example: `  keyturn lab mail`, Args: noArgs,
	}
	return command(c, func(c *cobra.Command, _ []string) error {
		held, err := a.held(dir)
		if err != nil {
			return err
		}
		m, err := held.Mail(c.Context())
		switch {
		case err != nil:
			return a.labFailure(err)
		case a.flags.json:
			a.printJSON(m)
		default:
			_, _ = fmt.Fprint(a.out, m.Text)
		}
		return nil
	})
}

func (a *app) labVendor(dir *string) *cobra.Command {
	c := &cobra.Command{
		Use: "vendor", Short: "The vendor's console: its keys",
		Long: `The vendor's console: the keys that it has, by ID and name. A key is SG.ID.REST:
its ID is no secret. Here a key can be revoked by hand, and the vendor's admin
credential replaced.`,
		Example: `  keyturn lab vendor
  keyturn lab vendor new-admin | keyturn admin put sendgrid-main`,
		Args: noArgs,
	}
	revoke := &cobra.Command{
		Use: "revoke ID", Short: "Revoke a key at the vendor, at once and for good",
		Long: `Revoke a key at the vendor, at once and for good. Nothing stops you from
revoking one that is in use. An ID that begins with - follows two hyphens.`,
		Example: `  keyturn lab vendor revoke SbEcmAiTSFuOQiMm4oNVcg
  keyturn lab vendor revoke -- -bEcmAiTSFuOQiMm4oNVcg`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("which key?", c.CommandPath()+" ID", "list them: keyturn lab vendor")
			}
			return nil
		},
	}
	revoke.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage(err.Error(), "an ID that begins with - follows two hyphens: "+c.CommandPath()+" -- ID")
	})
	admin := &cobra.Command{
		Use: "new-admin", Short: "Make an admin credential, for a pipe; the one before ends",
		Long: `Make an admin credential, and print it as the JSON that keyturn admin put reads.
The one before ends at once. It is printed into a pipe only, never to a
terminal.`,
		Example: `  keyturn lab vendor new-admin | keyturn admin put sendgrid-main`, Args: noArgs,
	}
	c.AddCommand(command(revoke, func(c *cobra.Command, args []string) error {
		return a.ordered(c.Context(), dir, "revoked "+args[0], func(ctx context.Context, h *lab.Client) error { return h.Revoke(ctx, args[0]) })
	}), command(admin, func(c *cobra.Command, _ []string) error { return a.runNewAdmin(c.Context(), dir) }))
	return command(c, func(c *cobra.Command, _ []string) error { return a.runVendor(c.Context(), dir) })
}

func (a *app) runVendor(ctx context.Context, dir *string) error {
	held, err := a.held(dir)
	if err != nil {
		return err
	}
	all, err := held.VendorKeys(ctx)
	if err != nil {
		return a.labFailure(err)
	}
	if a.flags.json {
		a.printJSON(all)
		return nil
	}
	var t console.Table
	t.Row("ID", "NAME", "USES")
	for _, k := range all {
		t.Row(k.ID, k.Name, strconv.Itoa(k.Uses))
	}
	_, _ = fmt.Fprint(a.out, t.Render(a.palette(a.outTerminal)))
	return nil
}

func (a *app) runNewAdmin(ctx context.Context, dir *string) error {
	if a.outTerminal {
		return usage("a credential is not printed to a terminal", "keyturn lab vendor new-admin | keyturn admin put "+lab.Account)
	}
	held, err := a.held(dir)
	if err != nil {
		return err
	}
	key, err := held.NewAdmin(ctx)
	if err != nil {
		return a.labFailure(err)
	}
	a.printJSON(map[string]string{"apiKey": key.Reveal()})
	return nil
}

func (a *app) labBlock(dir *string) *cobra.Command {
	var undo bool
	c := &cobra.Command{
		Use: "block ROLE", Short: "Have a role's sessions ended in the AWS account",
		Long: `Have a role's sessions ended, as those do who look after the AWS account: from
now on AWS refuses whatever asks in this role's name. The role of a program that
is in use is a role like any other. ROLE is its name or ARN.`,
		Example: `  keyturn lab block mailer
  keyturn lab block mailer --undo`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("which role?", c.CommandPath()+" ROLE")
			}
			return nil
		},
	}
	c.Flags().BoolVar(&undo, "undo", false, "let the role begin sessions again")
	return command(c, func(c *cobra.Command, args []string) error {
		what := "AWS refuses " + args[0] + " from now on"
		if undo {
			what = "AWS refuses " + args[0] + " no more"
		}
		return a.ordered(c.Context(), dir, what, func(ctx context.Context, h *lab.Client) error { return h.Block(ctx, args[0], undo) })
	})
}

func (a *app) labDeploy(dir *string) *cobra.Command {
	c := &cobra.Command{
		Use: "deploy", Short: "Deploy the folder's keyturn.yaml to the local AWS",
		Long: `Deploy the folder's keyturn.yaml to the local AWS, as make deploy does to AWS:
the functions and the detections take it. Nobody asks whether it widens
anything: see keyturn diff --security. The local AWS has no IAM, so policies are
not made.`,
		Example: `  keyturn lab deploy`, Args: noArgs,
	}
	return command(c, func(c *cobra.Command, _ []string) error {
		return a.ordered(c.Context(), dir, "deployed keyturn.yaml", func(ctx context.Context, h *lab.Client) error { return h.Deploy(ctx) })
	})
}

// ordered has something done in the world around, and says so.
func (a *app) ordered(ctx context.Context, dir *string, what string, do func(context.Context, *lab.Client) error) error {
	held, err := a.held(dir)
	if err != nil {
		return err
	}
	if err := do(ctx, held); err != nil {
		return a.labFailure(err)
	}
	if a.flags.json {
		a.printJSON(map[string]string{"status": "done", "what": what})
		return nil
	}
	a.say("%s", what)
	return nil
}

func (a *app) labWait(dir *string) *cobra.Command {
	c := &cobra.Command{
		Use: "wait LONG", Short: "Let time pass on the local AWS's clock",
		Long: `Let time pass on the local AWS's clock, so long as 90m or 25h: schedules, sweeps
and graces go on as they would. It takes seconds, and is not counted as time of
the exercise.`,
		Example: `  keyturn lab wait 25h`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("how long?", c.CommandPath()+" 25h")
			}
			if d, err := time.ParseDuration(args[0]); err != nil || d <= 0 {
				return usage("that is no time to wait", c.CommandPath()+" 25h", c.CommandPath()+" 90m")
			}
			return nil
		},
	}
	return command(c, func(c *cobra.Command, args []string) error {
		d, _ := time.ParseDuration(args[0]) // Args has looked
		held, err := a.held(dir)
		if err != nil {
			return err
		}
		now, err := held.Wait(c.Context(), d)
		switch {
		case err != nil:
			return a.labFailure(err)
		case a.flags.json:
			a.printJSON(map[string]time.Time{"now": now})
		default:
			a.say("it is %s now", now.UTC().Format("2006-01-02 15:04:05Z"))
		}
		return nil
	})
}

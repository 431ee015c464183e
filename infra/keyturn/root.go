package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// flags are those that several commands share.
type flags struct {
	config, environment              string
	region, profile, endpoint        string
	table, rotateNow, rotate, retire string
	json, noColor                    bool
}

// columns that help is at most wide.
const columns = 80

func (a *app) root() *cobra.Command {
	c := &cobra.Command{
		Use:   "keyturn COMMAND",
		Short: "Look after third-party API keys that AWS Secrets Manager rotates",
		Long: `Look after third-party API keys that AWS Secrets Manager rotates.

Results go to stdout. Errors go to stderr, each with a hint about what to do.
Exit codes: 0 done, 1 failed, 2 usage, 3 nothing to do, 4 wider (diff),
5 not as it was signed (ledger).

Credentials, Region and endpoint are found as the AWS command finds them.
No command needs the right to read a secret's value.`,
		Example: `  keyturn status
  keyturn rotate-now prod/mailer/sendgrid --reason "laptop lost"`,
		Args:                  cobra.ArbitraryArgs,
		DisableFlagsInUseLine: true,
		SilenceErrors:         true,
		SilenceUsage:          true,
		// Of typing mistakes in a command's name, two are forgiven.
		SuggestionsMinimumDistance: 2,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("which command?", "keyturn --help")
			}
			f := usage(fmt.Sprintf("there is no command %q", args[0]), "keyturn --help")
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				f.Next = []string{"did you mean keyturn " + near[0] + "?"}
			}
			return f
		},
	}
	// A command that runs has said its line already.
	template := strings.Replace(c.UsageTemplate(), "{{if .HasAvailableSubCommands}}\n", "{{if and .HasAvailableSubCommands (not .Runnable)}}\n", 1)
	c.SetUsageTemplate(strings.ReplaceAll(template, ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", columns)))
	c.SetOut(a.out)
	c.SetErr(a.err)
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage(err.Error(), c.CommandPath()+" --help") })
	c.PersistentFlags().BoolVar(&a.flags.json, "json", false, "print one JSON document, for errors too")
	c.PersistentFlags().BoolVar(&a.flags.noColor, "no-color", false, "no colors, as with NO_COLOR")
	c.AddCommand(a.newFile(), a.validate(), a.explain(), a.cost(), a.diff())
	c.AddCommand(a.preflight(), a.permissions(), a.access(), a.admin(), a.doctor(), a.alert(), a.detect(), a.ledger(), a.evidence(), a.review())
	c.AddCommand(a.status(), a.rotateNow(), a.initKey(), a.adopt(), a.pause(), a.resume(), a.ack(), a.rollback(), a.restore(), a.leftovers(), a.local(), a.lab(), a.version())
	return c
}

// command gives c what all of our commands have: no error without a hint.
func command(c *cobra.Command, run func(c *cobra.Command, args []string) error) *cobra.Command {
	c.DisableFlagsInUseLine = true
	c.RunE = func(c *cobra.Command, args []string) error {
		err := run(c, args)
		if err == nil {
			return nil
		}
		if _, ok := errors.AsType[exit](err); ok {
			return err
		}
		if f, ok := errors.AsType[*failure](err); ok {
			return f
		}
		return described(c.Context(), err)
	}
	return c
}

// awsFlags adds the flags of the commands that talk to AWS.
func (a *app) awsFlags(c *cobra.Command) {
	a.configFlag(c)
	f := c.Flags()
	f.StringVar(&a.flags.environment, "environment", "", "`NAME` in the keys' file; another account or Region is refused (KEYTURN_ENVIRONMENT; else the only one)")
	f.StringVar(&a.flags.region, "region", "", "AWS `REGION` (AWS_REGION, or the profile's)")
	f.StringVar(&a.flags.profile, "profile", "", "`NAME` in the AWS configuration files (AWS_PROFILE)")
	f.StringVar(&a.flags.endpoint, "endpoint-url", "", "`URL` in place of AWS (AWS_ENDPOINT_URL), such as that of keyturn local")
}

// configFlag adds the flag of the commands that read the keys' file.
func (a *app) configFlag(c *cobra.Command) {
	c.Flags().StringVar(&a.flags.config, "config", "", "the keys' `FILE`, or the functions' configuration (KEYTURN_CONFIG; else keyturn.yaml, else keyturn.json)")
}

func (a *app) tableFlag(c *cobra.Command) {
	c.Flags().StringVar(&a.flags.table, "table", "", "`NAME` of the keys' records in DynamoDB (KEYTURN_TABLE; else the keys' file's name)")
}

// oneKey wants KEY, exactly once.
func oneKey(c *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	if len(args) == 0 {
		return usage("which key?", c.CommandPath()+" KEY", "list the keys: keyturn status")
	}
	return usage(fmt.Sprintf("one key at a time, not %d", len(args)), c.CommandPath()+" "+args[0])
}

func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage(fmt.Sprintf("%s takes no %q", c.CommandPath(), args[0]), c.CommandPath()+" --help")
}

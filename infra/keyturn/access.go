package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/iam"
)

func (a *app) access() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "access KEY | --all",
		Short: "Prove who can do what with a key, and why",
		Long: `Prove who can do what with a key: the policies that the keys' file makes are
evaluated by AWS's rules, for its readers, the functions, people, the deployment
and everybody else. KEY is a secret's name or ARN.

  yes   may do it, whatever the circumstances
  if    may do it if address, VPC endpoint, organization or MFA are right
  -     may not

ROTATE is Secrets Manager's own call, which no person has: people rotate by NOW,
keyturn rotate-now, whose function has that right for them. STOP ends rotation,
POLICY changes the secret's rules, CMK deletes the key that encrypts it. Below
is from which network, with MFA or without, the value may be read. Of Identity
Center's people IAM does not see MFA: "MFA not observable".

--all proves all keys instead: every kind of subject, from every kind of
network, and what the functions need. Each cell that is other than the file
means is named with the statement to blame.

It knows the policies of the keys' file and no others: what other policies of
the account give to somebody counts only as "administrator rights". AWS is not
asked. It fails if the policies do other than they must.`,
		Example: `  keyturn access prod/mailer/sendgrid
  keyturn access prod/mailer/sendgrid --environment prod --json
  keyturn access --all`,
		Args: func(c *cobra.Command, args []string) error {
			if !all {
				return oneKey(c, args)
			}
			return noArgs(c, args)
		},
		ValidArgsFunction: a.completeKeys,
	}
	f := c.Flags()
	f.StringVar(&a.flags.environment, "environment", "", "`NAME` in the keys' file (KEYTURN_ENVIRONMENT; else the only one)")
	f.BoolVar(&all, "all", false, "prove all keys")
	a.configFlag(c)
	return command(c, func(_ *cobra.Command, args []string) error {
		if all {
			return a.runAccessAll()
		}
		return a.runAccess(args[0])
	})
}

func (a *app) runAccess(id string) error {
	f, err := a.keysFile()
	if err != nil {
		return err
	}
	cfg, err := a.configuration()
	if err != nil {
		return err
	}
	k, err := a.key(cfg, config.Name(id))
	if err != nil {
		return err
	}
	env, err := a.placeFor("")
	if err != nil {
		return err
	}
	site, err := access.New(f, env)
	if err != nil {
		return failed(typeConfig, err.Error(), "see all that is wrong: keyturn validate")
	}
	if _, err = site.Prove(); err != nil {
		return failed(typeConfig, err.Error(), "do not deploy this, and report it")
	}
	who, err := site.Key(k.Secret)
	if err != nil {
		return failed(typeConfig, err.Error(), "see all that is wrong: keyturn validate")
	}
	all, err := site.Where(k.Secret)
	if err != nil {
		return failed(typeConfig, err.Error(), "see all that is wrong: keyturn validate")
	}
	if a.flags.json {
		a.printJSON(accessOf(who, all))
		return nil
	}
	_, _ = fmt.Fprint(a.out, accessText(who, all, a.palette(a.outTerminal)))
	return nil
}

// column is an action that the table shows.
type column struct{ head, action string }

func accessColumns() []column {
	return []column{
		{"READ", "secretsmanager:GetSecretValue"},
		{"BATCH", "secretsmanager:BatchGetSecretValue"},
		{"WRITE", "secretsmanager:PutSecretValue"},
		{"UPDATE", "secretsmanager:UpdateSecret"}, // which sets a value too
		{"ROTATE", "secretsmanager:RotateSecret"},
		{"STOP", "secretsmanager:CancelRotateSecret"},
		{"NOW", access.RotateNow},
		{"DELETE", "secretsmanager:DeleteSecret"},
		{"POLICY", "secretsmanager:PutResourcePolicy"},
		{"SEE", "secretsmanager:DescribeSecret"},
		{"CMK", access.EndCMK},
	}
}

func accessText(k access.KeyAccess, all []access.Circumstance, p console.Palette) string {
	var b strings.Builder
	b.WriteString(p.Paint(console.Bold, k.Key) + "\n\n")
	t := console.Table{}
	head := []string{"WHO"}
	for _, c := range accessColumns() {
		head = append(head, c.head)
	}
	t.Row(head...)
	var notes []string
	for _, s := range k.Subjects {
		row := []string{s.Who}
		for _, c := range accessColumns() {
			row = append(row, may(of(s, all), c.action))
		}
		t.Row(row...)
		if s.Principal != "" {
			notes = append(notes, s.Who+": "+s.Principal)
		}
		for _, n := range append(s.Notes, conditions(s)...) {
			notes = append(notes, "  "+n)
		}
	}
	b.WriteString(t.Render(p) + "\n" + readingText(k.Subjects, all, p) + "\n")
	if k.Open {
		b.WriteString(p.Paint(console.Warn, "It has no readers: whoever has the right by an identity policy may read it.") + "\n\n")
	}
	for _, n := range notes {
		b.WriteString(console.Clean(n) + "\n")
	}
	return b.String()
}

func rightOf(s access.Subject, action string) iam.Decision {
	for _, r := range s.Rights {
		if r.Action == action {
			return r.Decision
		}
	}
	return iam.Decision{}
}

// conditions are what the right to read depends on.
func conditions(s access.Subject) []string {
	d := rightOf(s, reading)
	if d.Effect != iam.AllowedIf {
		return nil
	}
	return []string{"may read if " + strings.Join(d.If, ", ") + " are as " + d.Policy + " asks"}
}

// accessJSON is what --json prints.
type accessJSON struct {
	Version  int             `json:"version"`
	Key      string          `json:"key"`
	Open     bool            `json:"open"` // no readers: identity policies decide
	Subjects []accessSubject `json:"subjects"`
}

type accessSubject struct {
	Who       string        `json:"who"`
	Principal string        `json:"principal,omitempty"`
	Rights    []accessRight `json:"rights"`
	From      []accessFrom  `json:"from"`
	Notes     []string      `json:"notes,omitempty"`
}

type accessRight struct {
	Action string   `json:"action"`
	Effect string   `json:"effect"` // "allowed", "allowed if" or "denied"
	If     []string `json:"if,omitempty"`
	Policy string   `json:"policy,omitempty"`
	Sid    string   `json:"sid,omitempty"`
	Why    string   `json:"why,omitempty"`
}

func accessOf(k access.KeyAccess, all []access.Circumstance) accessJSON {
	out := accessJSON{Version: 1, Key: k.Key, Open: k.Open}
	for _, s := range k.Subjects {
		subject := accessSubject{Who: s.Who, Principal: s.Principal, Notes: s.Notes, From: circumstances(s, all)}
		for _, r := range s.Rights {
			d := r.Decision
			subject.Rights = append(subject.Rights, accessRight{r.Action, d.Effect.String(), d.If, d.Policy, d.Sid, d.Why})
		}
		out.Subjects = append(out.Subjects, subject)
	}
	return out
}

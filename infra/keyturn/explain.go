package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/cost"
	words "github.com/keyturn/keyturn/infra/keyturn/internal/explain"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keysfile"
)

func (a *app) explain() *cobra.Command {
	var removed, moved bool
	c := &cobra.Command{
		Use:   "explain KEY",
		Short: "Say in words what a key's entry in the keys' file means",
		Long: `Say in words what a key's entry in the keys' file means: when it is rotated and
how, who may read it and from where, how long the old key lives and what happens
then, who is told, and what it costs a month. KEY is a secret's name or ARN.

With --removed it says what is left of a key that is taken out of the file, how
to end it, how to come back, and what a new name means; with --moved what it
means to move it to another vendor account, and how. The file is not read then.

It reads the file and asks nobody; how the key really is says keyturn status.`,
		Example: `  keyturn explain prod/mailer/sendgrid
  keyturn explain prod/mailer/sendgrid --json
  keyturn explain prod/mailer/sendgrid --removed
  keyturn explain prod/mailer/sendgrid --moved`,
		Args:              oneKey,
		ValidArgsFunction: a.completeKeys,
	}
	c.Flags().StringVar(&a.flags.environment, "environment", "", "`NAME` in the keys' file, for its replicas (KEYTURN_ENVIRONMENT; else the only one)")
	c.Flags().BoolVar(&removed, "removed", false, "say how a key ends that is removed from the file")
	c.Flags().BoolVar(&moved, "moved", false, "say what a move to another vendor account means, and how to do it")
	c.MarkFlagsMutuallyExclusive("removed", "moved")
	a.configFlag(c)
	return command(c, func(_ *cobra.Command, args []string) error {
		switch name := config.Name(args[0]); {
		case removed:
			a.explainChange(name, words.Removed(name), words.RemovedText(name, a.palette(a.outTerminal)))
			return nil
		case moved:
			a.explainChange(name, words.Moved(name), words.MovedText(name, a.palette(a.outTerminal)))
			return nil
		}
		return a.runExplain(args[0])
	})
}

func (a *app) runExplain(id string) error {
	f, err := a.keysFile()
	if err != nil {
		return err
	}
	cfg, err := a.configuration()
	if err != nil {
		return err
	}
	k, err := a.key(cfg, config.Name(id))
	if f, ok := errors.AsType[*failure](err); ok && f.Type == typeKey {
		f.Next = append(f.Next, "if it was removed from the file, or renamed: keyturn explain "+config.Name(id)+" --removed")
	}
	if err != nil {
		return err
	}
	e, err := a.explanation(f, k.Secret)
	if err != nil {
		return err
	}
	if a.flags.json {
		a.printJSON(e)
		return nil
	}
	_, _ = fmt.Fprint(a.out, words.Text(e, a.palette(a.outTerminal)))
	return nil
}

func (a *app) explainChange(name string, sections []words.Section, text string) {
	if a.flags.json {
		a.printJSON(struct {
			Key      string          `json:"key"`
			Sections []words.Section `json:"sections"`
		}{name, sections})
		return
	}
	_, _ = fmt.Fprint(a.out, text)
}

func (a *app) explanation(f *keysfile.File, name string) (words.Key, error) {
	replicas, err := a.replicas(f)
	unsure := err != nil && a.setting(a.flags.environment, "KEYTURN_ENVIRONMENT", "") == ""
	if err != nil && !unsure {
		return words.Key{}, err
	}
	e, err := words.Source{File: f, Vendors: a.vendors, Use: cost.Use{Replicas: replicas}, Now: time.Now().UTC()}.Of(name)
	switch {
	case errors.Is(err, words.ErrUnknown):
		return e, usage(fmt.Sprintf("there is no key %q", name), "list the keys: keyturn status")
	case err != nil:
		return e, failed(typeConfig, err.Error(), "check the file: keyturn validate")
	case unsure:
		last := &e.Sections[len(e.Sections)-1]
		last.Lines = append(last.Lines, "Replicas are not in it: the environments have different ones, and --environment says which is meant.")
	}
	return e, nil
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/shared/keysfile"
)

func (a *app) newFile() *cobra.Command {
	var rails bool
	c := &cobra.Command{
		Use:   "new [FILE]",
		Short: "Write a keys' file to begin with, with every section explained",
		Long: `Write a keys' file to begin with: valid, and with every section explained in
comments. FILE is keyturn.yaml if it is not given. A file that is there already
is left alone.

With --guardrails it writes guardrails.yaml, which bounds what the keys' file
may say: see keyturn validate.`,
		Example: `  keyturn new
  keyturn new --guardrails`,
	}
	c.Flags().BoolVar(&rails, "guardrails", false, "write guardrails.yaml instead")
	return command(c, func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage(fmt.Sprintf("one file at a time, not %d", len(args)), "keyturn new "+args[0])
		}
		return a.runNew(args, rails)
	})
}

func (a *app) runNew(args []string, rails bool) error {
	name, text := keysName, keysfile.Example()
	if rails {
		name, text = guardrailsName, keysfile.ExampleGuardrails()
	}
	if len(args) == 1 {
		name = args[0]
	}
	err := create(name, text)
	switch {
	case errors.Is(err, fs.ErrExist):
		return failed("Exists", name+" is there already, and is left as it is", "write another: keyturn new FILE", "check it: keyturn validate "+name)
	case err != nil:
		return failed("File", err.Error(), "write it to another place: keyturn new FILE")
	case a.flags.json:
		a.printJSON(map[string]string{"file": name, "status": "written"})
		return nil
	}
	a.say("wrote %s", name)
	a.say("")
	if rails {
		a.say("Now write into it what there may be, and give it owners of its own. It is in force")
		a.say("where it lies beside %s:  keyturn validate", keysName)
		return nil
	}
	a.say("Now write your AWS account, vendor accounts and keys into it. Then:")
	for _, step := range [][2]string{
		{"keyturn validate " + name, "what is wrong with it"},
		{"keyturn explain KEY", "what an entry means, in words"},
		{"keyturn cost", "what it costs a month"},
		{"keyturn admin put VENDOR-ACCOUNT", "store the vendor's credential"},
		{"make diff, make deploy", "deploy it"},
	} {
		a.say("  %-34s %s", step[0], step[1])
	}
	return nil
}

// create writes a file that is not there, or nothing.
func create(name, text string) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // G302, G304: no secret, and the operator says which file
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.WriteString(text)
	return err
}

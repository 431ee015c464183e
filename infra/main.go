// The CDK app: it makes the stacks of keyturn.yaml.
//
//	cdk synth -c environment=prod
//
// KEYTURN_FILE names another file; KEYTURN_ENVIRONMENT one of the file's
// environments, which it needs if there are several. With -c keyturn:nag=off it
// does not ask cdk-nag, which takes most of the time: for measuring.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/infra/cdk"
	"github.com/keyturn/keyturn/shared/keysfile"
)

func main() {
	os.Exit(quietly(func() int {
		defer jsii.Close()
		if err := run(os.Getenv); err != nil {
			fmt.Fprintln(os.Stderr, "keyturn:", err)
			return 1
		}
		return 0
	}))
}

// run synthesizes the stacks. The CDK panics on whatever is wrong: that is an
// error like any other here, and no trace.
func run(getenv func(string) string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New(readable(fmt.Sprint(r)))
		}
	}()
	path := getenv("KEYTURN_FILE")
	if path == "" {
		path = "keyturn.yaml"
	}
	file, err := load(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no %s: write one with keyturn new, or name another in KEYTURN_FILE", path)
	case err != nil:
		return err
	}
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)})
	env, err := environment(app, file, getenv)
	if err != nil {
		return err
	}
	proof, err := access.Prove(file, access.Environment{Account: env.Account, Region: env.Region})
	if err != nil {
		return err
	}
	if err = cdk.Stacks(app, cdk.StacksProps{File: file, Environment: env}); err != nil {
		return err
	}
	nag := app.Node().TryGetContext(jsii.String("keyturn:nag")) != "off"
	if nag {
		awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Reports: jsii.Bool(false)}), nil)
	}
	made, err := read(*app.Synth(nil).Directory())
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, made.say(len(file.Keys), proof.Cells, nag))
	return nil
}

// environment is the one that is asked for by the CDK's context or the
// environment variable, or else the only one.
func environment(app awscdk.App, file *keysfile.File, getenv func(string) string) (keysfile.Environment, error) {
	name := getenv("KEYTURN_ENVIRONMENT")
	if c, ok := app.Node().TryGetContext(jsii.String("environment")).(string); ok && c != "" {
		name = c
	}
	names := slices.Sorted(maps.Keys(file.Environments))
	if name == "" && len(names) == 1 {
		name = names[0]
	}
	env, ok := file.Environments[name]
	switch {
	case ok:
		return env, nil
	case len(names) == 0:
		return env, errors.New("the file has no environments: say where to deploy, as environments: {prod: {account: \"111122223333\", region: eu-west-1}}")
	case name == "":
		return env, fmt.Errorf("the file has several environments (%s): choose one with -c environment=%s", strings.Join(names, ", "), names[0])
	}
	return env, fmt.Errorf("the file has no environment %q, but %s", name, strings.Join(names, ", "))
}

// readable is what a panic of the CDK says, without the stack of its own
// process.
func readable(text string) string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "at ") {
			break
		}
		out = append(out, line)
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}

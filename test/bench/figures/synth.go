package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/keyturn/keyturn/infra/cost"
	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/test/binaries"
)

// synthesis is one run of the CDK app.
type synthesis struct {
	took      time.Duration
	peak      int64 // bytes
	resources int
	dollars   float64 // of one key, a month
}

// vendorAccounts is how many the keys are spread over.
const vendorAccounts = 8

// synthFigures runs the CDK app for 10, 100 and 1,000 keys and prints what it
// takes. The app is built before, as are the functions: what is measured is the
// process, from its start to its end. It reads the file, proves the access and
// writes the templates; the CDK's validator is on, cdk-nag is not.
func synthFigures(ctx context.Context, dir string) error {
	app := filepath.Join(dir, "app")
	root, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("find the module: %w", err)
	}
	module := filepath.Dir(strings.TrimSpace(string(root)))
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", app, "./infra")
	build.Dir = module
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the CDK app: %w: %s", err, out)
	}
	for _, f := range binaries.All() {
		if err := binaries.For(ctx, f, filepath.Join(dir, "dist", f, "bootstrap"), "GOOS=linux", "GOARCH=arm64"); err != nil {
			return err
		}
	}
	settings, err := os.ReadFile(filepath.Join(module, "cdk.json"))
	if err != nil {
		return err
	}
	var last synthesis
	for _, n := range []int{10, 100, 1000} {
		if last, err = synthesize(ctx, dir, app, settings, n); err != nil {
			return err
		}
		figure(fmt.Sprintf("synth_%d_seconds", n), fmt.Sprintf("%.1f", last.took.Seconds()), "s")
	}
	if last.peak == 0 {
		return errors.New("this system has no /proc to read the memory of processes from")
	}
	figure("synth_1000_mb", fmt.Sprintf("%.0f", float64(last.peak)/1e6), "MB")
	figure("resources_per_key", fmt.Sprintf("%.2f", float64(last.resources)/1000), "resources")
	figure("dollars_per_key_month", fmt.Sprintf("%.2f", last.dollars), "USD")
	return nil
}

// synthesize runs the app for n keys in a folder that has the functions.
func synthesize(ctx context.Context, dir, app string, settings []byte, n int) (s synthesis, err error) {
	path := filepath.Join(dir, "keyturn.yaml")
	if err = os.WriteFile(path, []byte(keysOf(n)), 0o600); err != nil {
		return s, err
	}
	file, err := keysfile.LoadFiles(keysfile.Options{Vendors: catalog.All()}, path)
	if err != nil {
		return s, err
	}
	s.dollars = cost.Of(file, cost.Use{}).PerKey
	var project struct{ Context map[string]any }
	if err = json.Unmarshal(settings, &project); err != nil {
		return s, fmt.Errorf("read cdk.json: %w", err)
	}
	project.Context["keyturn:nag"] = "off"
	given, err := json.Marshal(project.Context)
	if err != nil {
		return s, err
	}
	out := filepath.Join(dir, fmt.Sprintf("cdk-%d", n))
	var said bytes.Buffer
	c := exec.CommandContext(ctx, app)
	c.Dir, c.Stdout, c.Stderr = dir, &said, &said
	c.Env = append(os.Environ(), "CDK_OUTDIR="+out, "CDK_CONTEXT_JSON="+string(given), "KEYTURN_FILE="+path, "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20")
	began := time.Now()
	if err = c.Start(); err != nil {
		return s, fmt.Errorf("synthesize %d keys: %w", n, err)
	}
	ended, peak := make(chan struct{}), make(chan int64, 1)
	go func() { peak <- watch(c.Process.Pid, ended) }()
	err = c.Wait()
	s.took = time.Since(began)
	close(ended)
	s.peak = <-peak
	if err != nil {
		return s, fmt.Errorf("synthesize %d keys: %w: %s", n, err, said.String())
	}
	s.resources, err = resources(out)
	return s, err
}

// resources counts those of every template.
func resources(dir string) (n int, err error) {
	templates, err := filepath.Glob(filepath.Join(dir, "*.template.json"))
	if err != nil {
		return 0, err
	}
	for _, path := range templates {
		raw, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		var t struct{ Resources map[string]json.RawMessage }
		if err = json.Unmarshal(raw, &t); err != nil {
			return 0, fmt.Errorf("read %s: %w", filepath.Base(path), err)
		}
		n += len(t.Resources)
	}
	if n == 0 {
		return 0, errors.New("nothing was synthesized")
	}
	return n, nil
}

// keysOf writes a keyturn.yaml of n keys, each with a reader of its own.
func keysOf(n int) string {
	var b strings.Builder
	b.WriteString("version: 1\nenvironments: {bench: {account: \"111122223333\", region: eu-west-1}}\n" +
		"defaults: {owner: platform@example.com}\nnotifications: {subscriptions: [{email: platform@example.com}]}\nvendorAccounts:\n")
	for i := range vendorAccounts {
		fmt.Fprintf(&b, "  sendgrid-%d: {provider: sendgrid, admin: keyturn/admin/sendgrid-%d}\n", i, i)
	}
	b.WriteString("keys:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {name: prod/service-%04d/sendgrid, vendorAccount: sendgrid-%d, settings: {scopes: [mail.send]}, readers: [\"arn:aws:iam::111122223333:role/service-%04d\"]}\n",
			i, i%vendorAccounts, i)
	}
	return b.String()
}

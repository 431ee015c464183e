package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/function/audit"
	"github.com/keyturn/keyturn/test/binaries"
)

// build builds the functions and the operator's command into dir.
func (d *demo) build(ctx context.Context) error {
	d.screen.say(dim, "go build of the four functions and of the command (the first time takes a minute or two)")
	began := time.Now()
	if err := d.compile(ctx); err != nil {
		return err
	}
	d.run.Build = time.Since(began)
	var sizes []string
	for _, f := range append(binaries.Functions(), audit.Name) {
		sizes = append(sizes, f+" "+megabytes(filepath.Join(d.dir, f, "bootstrap")))
	}
	d.screen.say(plain, "built in %.1f s: %s, keyturn %s", d.run.Build.Seconds(), strings.Join(sizes, ", "), megabytes(d.command()))
	return nil
}

func (d *demo) compile(ctx context.Context) error {
	defer d.screen.working("building")()
	if err := binaries.Build(ctx, d.dir); err != nil {
		return err
	}
	if err := binaries.For(ctx, audit.Name, filepath.Join(d.dir, audit.Name, "bootstrap")); err != nil {
		return err
	}
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", d.command(), "./infra/keyturn")
	c.Dir, c.Env = d.root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build keyturn: %w\n%s", err, bytes.TrimSpace(out))
	}
	return nil
}

func megabytes(file string) string {
	info, err := os.Stat(file)
	if err != nil {
		return "?"
	}
	return fmt.Sprintf("%.1f MB", float64(info.Size())/1e6)
}

// command is the file of the operator's command.
func (d *demo) command() string { return filepath.Join(d.dir, "keyturn") }

// keyturn runs the operator's command on the local AWS and shows what it says.
func (d *demo) keyturn(ctx context.Context, args ...string) error {
	d.screen.say(bold, "$ keyturn %s", quoted(args))
	c := exec.CommandContext(ctx, d.command(), args...)
	c.Dir = d.dir // which files are named from
	c.Env = []string{
		"AWS_ENDPOINT_URL=" + d.region.Endpoint(), "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		"KEYTURN_CONFIG=" + filepath.Join(d.dir, "keyturn.json"), "NO_COLOR=1",
	}
	out, err := c.CombinedOutput()
	d.screen.block(string(out))
	if err != nil {
		return fmt.Errorf("keyturn %s: %w", args[0], err)
	}
	return nil
}

func quoted(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		if out[i] = a; strings.ContainsAny(a, " ") {
			out[i] = `"` + a + `"`
		}
	}
	return strings.Join(out, " ")
}

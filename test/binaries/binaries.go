// Package binaries builds the functions for the machine that tests run on, as
// `make build` builds them for Lambda.
package binaries

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Functions are the functions that rotate keys.
func Functions() []string { return []string{"rotate", "retire", "rotatenow"} }

// All are the functions that there are: also those that watch, and the one that
// writes to chats.
func All() []string { return append(Functions(), "audit", "chat", "review") }

// Build builds the functions that rotate keys into dir/NAME/bootstrap.
func Build(ctx context.Context, dir string) error {
	for _, f := range Functions() {
		if err := For(ctx, f, filepath.Join(dir, f, "bootstrap")); err != nil {
			return err
		}
	}
	return nil
}

// For builds one function to a file. env is added to the environment: GOARCH=arm64.
func For(ctx context.Context, function, file string, env ...string) error {
	root, err := root(ctx)
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-o", file, "./functions/"+function)
	c.Dir, c.Env = root, append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", function, err, bytes.TrimSpace(out))
	}
	return nil
}

// root is the module's folder.
func root(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

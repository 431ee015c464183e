// Package mutants breaks the code on purpose, one line at a time, and holds the
// tests to finding it. A mutant that no test finds is a test that is missing.
//
// Nothing is written into the source: the mutant takes the file's place while
// one test binary is built (go build -overlay).
package mutants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Mutant is one change to the code that some test must find.
type Mutant struct {
	Name string // unique
	File string // from the repository's root
	Old  string // occurs exactly once in File
	New  string
	// Tests are the packages whose tests must find it, from the root: it is found
	// if those of one of them fail. Empty: those of File's own package.
	Tests []string
	Run   string // which tests, as for go test -run; "": all
	Why   string // what would happen to somebody
}

// packages returns the folders of the tests.
func (m Mutant) packages() []string {
	if len(m.Tests) > 0 {
		return m.Tests
	}
	return []string{filepath.Dir(m.File)}
}

// Verdict is what came of a mutant.
type Verdict string

// The verdicts.
const (
	Caught   Verdict = "caught"
	Survived Verdict = "survived"
	Broken   Verdict = "broken" // it is no test of the tests: it does not compile
)

// Timeout is how long the tests of one package may take. Tests that hang have
// found the mutant.
const Timeout = 2 * time.Minute

// Source returns m's file with the change in it.
func (m Mutant) Source(root string) (string, error) {
	b, err := os.ReadFile(filepath.Join(root, m.File))
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(b), m.Old); n != 1 || m.Old == m.New {
		return "", fmt.Errorf("%s: the old text occurs %d times in %s, not once", m.Name, n, m.File)
	}
	return strings.Replace(string(b), m.Old, m.New, 1), nil
}

// Try builds the tests with the change and runs them. dir is an empty folder for
// its files. The text says what the tests or the compiler said.
func (m Mutant) Try(ctx context.Context, root, dir string) (Verdict, string, error) {
	src, err := m.Source(root)
	if err != nil {
		return Broken, err.Error(), nil //nolint:nilerr // the error is the verdict
	}
	overlay, err := m.overlay(root, dir, src)
	if err != nil {
		return Broken, "", err
	}
	var said strings.Builder
	for i, pkg := range m.packages() {
		bin := filepath.Join(dir, fmt.Sprintf("tests%d", i))
		if out, err := command(ctx, root, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", bin, "./"+pkg); err != nil {
			return Broken, out, nil //nolint:nilerr // the compiler's words say it
		}
		run := m.Run
		if run == "" {
			run = "."
		}
		out, err := command(ctx, filepath.Join(root, pkg), bin, "-test.run="+run, "-test.failfast", "-test.timeout="+Timeout.String())
		if _, failed := errors.AsType[*exec.ExitError](err); failed {
			return Caught, out, nil
		}
		if err != nil {
			return Broken, out, err
		}
		said.WriteString(out)
	}
	return Survived, said.String(), nil
}

func (m Mutant) overlay(root, dir, src string) (string, error) {
	mutant, overlay := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(mutant, []byte(src), 0o600); err != nil {
		return "", err
	}
	b, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, m.File): mutant}})
	if err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, b, 0o600)
}

func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout+3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return string(out), err
}

package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

//go:generate go test -run=^TestDocs$ -count=1 . -args -update

var update = flag.Bool("update", false, "write what the tests compare with")

// TestDocs compares docs/cli.md with the commands.
func TestDocs(t *testing.T) {
	t.Parallel()
	const path = "../../docs/cli.md"
	root := (&app{out: os.Stdout, err: os.Stderr, getenv: func(string) string { return "" }}).root()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	var b strings.Builder
	b.WriteString("<!-- Code generated from the commands by go generate ./infra/keyturn. DO NOT EDIT. -->\n")
	document(&b, root)
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(got)); diff != "" {
		t.Errorf("docs/cli.md is not up to date, run go generate ./infra/keyturn (-want +got):\n%s", diff)
	}
}

func document(b *strings.Builder, c *cobra.Command) {
	level := "##"
	if !c.HasParent() {
		level = "#"
	}
	fmt.Fprintf(b, "\n%s %s\n\n", level, c.CommandPath())
	text := c.Long
	if text == "" {
		text = c.Short
	}
	fmt.Fprintf(b, "%s\n\n```\n%s\n```\n", strings.TrimSpace(text), c.UseLine())
	if c.Example != "" {
		fmt.Fprintf(b, "\nExamples:\n\n```sh\n%s\n```\n", undent(c.Example))
	}
	flags := c.NonInheritedFlags()
	c.InitDefaultHelpFlag()
	if usages := flags.FlagUsagesWrapped(columns); usages != "" {
		fmt.Fprintf(b, "\nFlags:\n\n```\n%s```\n", usages)
	}
	for _, sub := range c.Commands() {
		// Help and completion are cobra's, and say themselves what they do.
		if sub.IsAvailableCommand() && sub.Name() != "help" && sub.Name() != "completion" {
			document(b, sub)
		}
	}
}

func undent(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}

// TestHelp holds every command to help of 80 columns, and those of the root to
// two examples.
func TestHelp(t *testing.T) {
	t.Parallel()
	root := (&app{out: os.Stdout, err: os.Stderr, getenv: func(string) string { return "" }}).root()
	for _, c := range append(root.Commands(), root) {
		if n := strings.Count(c.Example, "keyturn"); n < 2 || c.Long == "" || c.Short == "" {
			t.Errorf("%s: %d examples, and says %q, %q", c.CommandPath(), n, c.Short, c.Long)
		}
	}
	narrow(t, root)
}

func narrow(t *testing.T, c *cobra.Command) {
	t.Helper()
	var b strings.Builder
	c.SetOut(&b)
	if err := c.Help(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "Usage:") {
		t.Errorf("%s: its help has no usage: %q", c.CommandPath(), b.String())
	}
	for line := range strings.SplitSeq(b.String(), "\n") {
		if len(line) > columns {
			t.Errorf("%s: over %d columns: %q", c.CommandPath(), columns, line)
		}
	}
	for _, sub := range c.Commands() {
		narrow(t, sub)
	}
}

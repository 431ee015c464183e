package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var shell = regexp.MustCompile("(?s)```sh\n(.*?)```")

// TestDeployDocument holds every command of docs/deploy.md to what there is: our
// commands with their flags, and the Makefile's targets.
func TestDeployDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	looked := map[string]int{}
	for _, block := range shell.FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " > ")
			words := shellWords(line)
			looked[words[0]]++
			switch words[0] {
			case "keyturn":
				checkOurs(t, line, words[1:])
			case "make":
				if !strings.Contains(string(makefile), "\n.PHONY: "+words[1]+"\n") {
					t.Errorf("%s: there is no such target", line)
				}
			case "aws", "infra/node_modules/.bin/cdk":
			default:
				t.Errorf("%s: of whom?", line)
			}
		}
	}
	if looked["keyturn"] < 20 || looked["make"] < 5 || looked["aws"] < 5 {
		t.Errorf("looked at %v", looked)
	}
}

// checkOurs parses a line of our command, and runs nothing.
func checkOurs(t *testing.T, line string, args []string) {
	t.Helper()
	root := (&app{out: os.Stdout, err: os.Stderr, getenv: func(string) string { return "" }}).root()
	c, rest, err := root.Find(args)
	if err != nil || c == root {
		t.Errorf("%s: there is no such command", line)
		return
	}
	if err := c.ParseFlags(rest); err != nil {
		t.Errorf("%s: %v", line, err)
		return
	}
	if err := c.ValidateArgs(c.Flags().Args()); err != nil {
		t.Errorf("%s: %v", line, err)
	}
}

// shellWords splits a line at spaces, but not between quotes.
func shellWords(line string) []string {
	var words []string
	for _, m := range regexp.MustCompile(`"[^"]*"|'[^']*'|[^\s"']+`).FindAllString(line, -1) {
		words = append(words, strings.Trim(m, `"'`))
	}
	return words
}

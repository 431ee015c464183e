//go:build !race

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/test/binaries"
)

// TestMain is the app itself in a child process, as "cdk synth" starts it.
func TestMain(m *testing.M) {
	if os.Getenv("KEYTURN_TEST_APP") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const example = `version: 1
environments:
  prod: {account: "111122223333", region: eu-west-1}
  test: {account: "444455556666", region: eu-west-1}
defaults: {owner: platform@example.com}
vendorAccounts:
  sendgrid-main: {provider: sendgrid, admin: keyturn/admin/sendgrid}
keys:
  - {name: prod/mailer/sendgrid, vendorAccount: sendgrid-main, settings: {scopes: [mail.send]}}
`

// app runs the app in a folder of its own, with keyturn.yaml in it unless it is
// empty, and returns what it says and its exit code.
func app(t *testing.T, yaml string, env ...string) (dir, stderr string, code int) {
	t.Helper()
	dir = t.TempDir()
	for _, f := range binaries.All() {
		put(t, filepath.Join(dir, "dist", f, "bootstrap"), "stub")
	}
	if yaml != "" {
		put(t, filepath.Join(dir, "keyturn.yaml"), yaml)
	}
	var out bytes.Buffer
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Dir, c.Stderr = dir, &out
	c.Env = append(os.Environ(), append([]string{
		"KEYTURN_TEST_APP=1", "CDK_OUTDIR=" + filepath.Join(dir, "cdk.out"), "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20", "CDK_VALIDATION=false",
	}, env...)...)
	err := c.Run()
	if err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return dir, out.String(), c.ProcessState.ExitCode()
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestApp(t *testing.T) {
	for _, tt := range []struct {
		name, yaml string
		env        []string
		want       string // of what it says; "": it synthesizes
	}{
		{name: "an environment by variable", yaml: example, env: []string{"KEYTURN_ENVIRONMENT=test"}},
		{name: "an environment by context", yaml: example, env: []string{`CDK_CONTEXT_JSON={"environment":"test"}`, "KEYTURN_ENVIRONMENT=other"}},
		{name: "no file", want: "keyturn: there is no keyturn.yaml: write one with keyturn new, or name another in KEYTURN_FILE\n"},
		{name: "another file", env: []string{"KEYTURN_FILE=other.yaml"}, want: "keyturn: there is no other.yaml: write one"},
		{name: "no environment is chosen", yaml: example, want: "the file has several environments (prod, test): choose one with -c environment=prod\n"},
		{name: "an unknown environment", yaml: example, env: []string{"KEYTURN_ENVIRONMENT=pord"}, want: `the file has no environment "pord", but prod, test`},
		{name: "an unknown vendor", yaml: strings.Replace(example, "sendgrid,", "sendgird,", 1), want: `keyturn.yaml:7:29: provider: unknown provider "sendgird": did you mean "sendgrid"?`},
		{name: "not YAML", yaml: "version: [", want: "keyturn.yaml:2:1: not YAML"},
		{
			name: "a name that AWS does not take", yaml: strings.ReplaceAll(example, "sendgrid-main", strings.Repeat("x", 60)),
			env: []string{"KEYTURN_ENVIRONMENT=prod"}, want: strings.Repeat("x", 60),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, stderr, code := app(t, tt.yaml, tt.env...)
			if tt.want == "" {
				raw, err := os.ReadFile(filepath.Join(dir, "cdk.out", "keyturn-vendor-sendgrid-main.template.json"))
				if code != 0 || err != nil || !strings.Contains(string(raw), "444455556666") {
					t.Errorf("exit code %d, %v: %s", code, err, stderr)
				}
				if !regexp.MustCompile(`(?m)^keyturn: 6 stacks with [1-9]\d+ resources for 1 keys; [1-9]\d+ cells of access proven, none wrong; 0 findings and \d warnings \(cdk-nag\)\n\z`).MatchString(stderr) {
					t.Errorf("it ends with %q", stderr)
				}
				return
			}
			if code != 1 || !strings.Contains(stderr, tt.want) || strings.Contains(stderr, "goroutine") {
				t.Errorf("exit code %d, and it says %q, not %q", code, stderr, tt.want)
			}
			if _, err := os.Stat(filepath.Join(dir, "cdk.out", "manifest.json")); err == nil {
				t.Error("something was synthesized")
			}
		})
	}
}

func TestReadable(t *testing.T) {
	got := readable("Validation failed\n  F3002 at keyturn-platform/Topic\n    at App.synth (/tmp/jsii-kernel/app.js:1:2)\n    at x")
	if got != "Validation failed\n  F3002 at keyturn-platform/Topic" {
		t.Errorf("%q", got)
	}
}

func TestFilter(t *testing.T) {
	var out bytes.Buffer
	filter(&out, strings.NewReader("one\n"+harmless+"two\n\n"+harmless+"\nRuntime process exited abnormally: exit status 1\n"+harmless))
	if got := out.String(); got != "one\ntwo\n\nRuntime process exited abnormally: exit status 1\n" {
		t.Errorf("%q", got)
	}
}

func TestRead_counts(t *testing.T) {
	dir := t.TempDir()
	if _, err := read(dir); err == nil {
		t.Error("an empty assembly is read")
	}
	put(t, filepath.Join(dir, "a.template.json"), `{"Resources":{"A":{},"B":{}}}`)
	put(t, filepath.Join(dir, "a.metadata.json"), `{"/a/x":[{"type":"aws:cdk:error"},{"type":"aws:cdk:logicalId"}],"/a":[{"type":"aws:cdk:warning"}]}`)
	put(t, filepath.Join(dir, "empty.template.json"), `{}`)
	put(t, filepath.Join(dir, "empty.metadata.json"), `{}`)
	got, err := read(dir)
	if want := (made{stacks: 1, resources: 2, findings: 1, warnings: 1}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

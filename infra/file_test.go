//go:build !race

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLoad keeps to the guardrails beside the file, wherever it is.
func TestLoad(t *testing.T) {
	for _, tt := range []struct{ name, rails, want string }{
		{"none", "", ""},
		{"kept", "version: 1\nvendors: [sendgrid]\n", ""},
		{"broken", "version: 1\nvendors: [okta]\n", `the guardrails do not admit the vendor "sendgrid"`},
		{"wrong", "version: 2\n", "guardrails.yaml:1:"},
	} {
		dir := t.TempDir()
		put(t, filepath.Join(dir, "keyturn.yaml"), example)
		if tt.rails != "" {
			put(t, filepath.Join(dir, "guardrails.yaml"), tt.rails)
		}
		_, err := load(filepath.Join(dir, "keyturn.yaml"))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	dir := t.TempDir()
	put(t, filepath.Join(dir, "keyturn.yaml"), example)
	if err := os.Symlink("nowhere.yaml", filepath.Join(dir, "guardrails.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, err := load(filepath.Join(dir, "keyturn.yaml")); err == nil {
		t.Error("a link that leads nowhere bounds nothing")
	}
}

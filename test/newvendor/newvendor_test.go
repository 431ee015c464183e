package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What is written builds, and keeps the contract of vendors.
func TestWrite(t *testing.T) {
	t.Parallel()
	const name = "orbit"
	dir, root := t.TempDir(), filepath.Join("..", "..")
	if err := write(dir, name, "Orbit Mail"); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	// The package is where it would be, and the tree stays as it is.
	replace := map[string]string{}
	for _, to := range files(name) {
		at := filepath.Join(dir, name, to)
		b, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		if text := string(b); strings.Contains(strings.ToLower(text), "acme") {
			t.Errorf("%s speaks of another vendor", to)
		}
		replace[filepath.Join(root, "shared", "provider", name, to)] = at
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(at, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "vendor.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-o="+binary, "-overlay="+at, "./shared/provider/"+name)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), binary, "-test.short", "-test.v")
	run.Dir = dir
	if out, err := run.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestContract/") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A name that is no package's, and a folder that is there, are refused.
func TestWrite_refused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, in := range [][2]string{{"", "X"}, {"../x", "X"}, {"Acme", "X"}, {"a-b", "X"}, {"acme", " "}, {"acme", "A\"\n"}} {
		if err := write(dir, in[0], in[1]); err == nil {
			t.Errorf("%q was written", in)
		}
	}
	if err := write(dir, "acme", "Acme"); err != nil {
		t.Fatal(err)
	}
	if err := write(dir, "acme", "Acme"); err == nil {
		t.Error("a vendor was written over another")
	}
}

package promises

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

//go:generate go test -run=^TestPage$ -count=1 . -args -update

var update = flag.Bool("update", false, "write docs/promises.md")

const root = "../.."

// Every promise has a test and a place in the code that are there, and every
// promise that a test names is in the list.
func TestPromises(t *testing.T) {
	t.Parallel()
	tests, err := Tests(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range List() {
		if len(tests[p.ID]) == 0 {
			t.Errorf("no test names the promise %q", p.ID)
		}
		delete(tests, p.ID)
		for _, k := range p.Kept {
			file, fn, _ := strings.Cut(k, " ")
			names, err := functions(filepath.Join(root, file))
			if err != nil || !slices.Contains(names, fn) {
				t.Errorf("%s is said to be kept by %s, which is not there: %v", p.ID, k, err)
			}
		}
		if p.Text == "" || len(p.Kept) == 0 {
			t.Errorf("%s: it needs a text and a place", p.ID)
		}
	}
	for id, by := range tests {
		t.Errorf("%v name the promise %q, which is not in the list", by, id)
	}
}

// TestPage compares docs/promises.md with the tests.
func TestPage(t *testing.T) {
	t.Parallel()
	const path = root + "/docs/promises.md"
	tests, err := Tests(root)
	if err != nil {
		t.Fatal(err)
	}
	want := Page(List(), tests)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/promises.md is not up to date, run go generate ./test/promises (-want +got):\n%s", diff)
	}
}

// What a comment says of a promise that is not above a test is found.
func TestTests_astray(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a_test.go"), []byte("package a\n\n// Promise: one\nvar x int\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Tests(dir); err == nil {
		t.Errorf("Tests = %v, want an error", got)
	}
}

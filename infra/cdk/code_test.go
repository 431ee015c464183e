//go:build !race

package cdk

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRelease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rotate.zip")
	if err := os.WriteFile(path, []byte("PK"), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("PK"))
	for _, tt := range []struct {
		name, function string
		zip            Zip
		want           string // of the error; "": it is taken
	}{
		{"as released", "rotate", Zip{path, hex.EncodeToString(sum[:])}, ""},
		{"in capitals", "rotate", Zip{path, strings.ToUpper(hex.EncodeToString(sum[:]))}, ""},
		{"another sum", "rotate", Zip{path, strings.Repeat("0", 64)}, "is not what was released"},
		{"no sum", "rotate", Zip{Path: path}, "is not what was released"},
		{"not there", "rotate", Zip{Path: path + "x"}, "no such file"},
		{"another function", "retire", Zip{path, hex.EncodeToString(sum[:])}, "no such function"},
	} {
		got, err := Release{"rotate": tt.zip}.Asset(tt.function)
		if tt.want == "" && (err != nil || got != path) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
}

func TestBuilt(t *testing.T) {
	if got, err := (Built{Dir: "testdata"}).Asset("function"); err != nil || got != filepath.Join("testdata", "function") {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := (Built{Dir: "testdata"}).Asset("rotate"); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("%v", err)
	}
	if got, err := (Built{Dir: "testdata", Otherwise: stub{}}).Asset("rotate"); err != nil || got != "testdata/function" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestSource builds a function without Docker, from another folder than its own.
func TestSource(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a function")
	}
	dir, err := Source{Dir: t.TempDir()}.Asset("rotatenow")
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(filepath.Join(dir, "bootstrap"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Machine != elf.EM_AARCH64 {
		t.Errorf("built for %v", f.Machine)
	}
	if _, err = (Source{Dir: t.TempDir()}).Asset("nothing"); err == nil || !strings.Contains(err.Error(), "build nothing") {
		t.Errorf("%v", err)
	}
}

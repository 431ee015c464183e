package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestShort wants every package whose tests run a sample with -short to be one
// that make test runs without it, too.
func TestShort(t *testing.T) {
	t.Parallel()
	whole := regexp.MustCompile(`(?m)^(?:WHOLE|JSII|SERIAL) := (.*)$`).FindAllStringSubmatch(read(t, "Makefile"), -1)
	if len(whole) != 3 {
		t.Fatalf("%d lists of packages", len(whole))
	}
	patterns, found := strings.Fields(whole[0][1]+" "+whole[1][1]+" "+whole[2][1]), 0
	runs := func(dir string) bool {
		for _, p := range patterns {
			if base, all := strings.CutSuffix(p, "/..."); "./"+dir == base || all && strings.HasPrefix("./"+dir, base+"/") {
				return true
			}
		}
		return false
	}
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "dist"):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text := read(t, path)
		if !strings.Contains(text, "testing."+"Short()") && !strings.Contains(text, "providertest."+"Run(") {
			return nil
		}
		if found++; !runs(filepath.ToSlash(filepath.Dir(path))) {
			t.Errorf("%s: nothing runs it without -short: add it to WHOLE in the Makefile", path)
		}
		return nil
	})
	if err != nil || found < 15 {
		t.Errorf("%d files, %v", found, err)
	}
}

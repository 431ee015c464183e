package real_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRuns_all: make test-real cannot pass because nothing ran. A tag that is
// misspelled would leave packages without tests, which is no failure to go test.
func TestRuns_all(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("..", "..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^test-real:.*\n\tgo test -tags=real (?:-\S+ )*\./test/real/\.\.\.$`).Match(b) {
		t.Error("make test-real does not run ./test/real/... with the tag real")
	}
	tests := map[string]string{}
	err = filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		text, untagged := string(b), []string{"runs_test.go", filepath.Join("buildcache", "buildcache_test.go")}
		switch {
		case err != nil || path == untagged[0]:
			return err
		case strings.Contains(text, ".Skip"):
			t.Errorf("%s skips: a test that cannot run must fail", path)
		case !strings.HasPrefix(text, "//go:build real\n") && path != untagged[1]:
			t.Errorf("%s has not the tag real, and nothing else", path)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(text, -1) {
			tests[m[1]] = text
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"TestRotation", "TestGiteaServer", "TestRealClients", "TestEdges"} {
		if tests[name] == "" {
			t.Errorf("%s is gone", name)
		}
	}
	for _, server := range []string{`"gitea": startGitea`, `"redis": startRedis`, `"vault": startVault`} {
		if !strings.Contains(tests["TestRotation"], server) {
			t.Errorf("TestRotation rotates nothing of %s", server)
		}
	}
}

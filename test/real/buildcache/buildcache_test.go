package buildcache

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

func TestOnce(t *testing.T) {
	t.Parallel()
	cache := filepath.Join(t.TempDir(), "server-1.0")
	var compiled atomic.Int32
	build := func(dir string) error {
		compiled.Add(1)
		return os.WriteFile(filepath.Join(dir, "server"), []byte("program"), 0o755)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			dir, err := once(cache, t.Logf, build)
			if err != nil {
				t.Error(err)
			}
			if got, err := os.ReadFile(filepath.Join(dir, "server")); err != nil || string(got) != "program" {
				t.Errorf("built %q, %v", got, err)
			}
		})
	}
	all.Wait()
	if n := compiled.Load(); n != 1 {
		t.Errorf("compiled %d times, want once", n)
	}
}

func TestOnce_interrupted(t *testing.T) {
	t.Parallel()
	cache := filepath.Join(t.TempDir(), "server-1.0")
	half := func(dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "server"), []byte("half"), 0o755); err != nil {
			return err
		}
		return errors.New("interrupted")
	}
	if dir, err := once(cache, t.Logf, half); err == nil {
		t.Fatalf("a build that was interrupted gave %s", dir)
	}
	dir, err := once(cache, t.Logf, func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "server"), []byte("whole"), 0o755)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "server")); err != nil || string(got) != "whole" {
		t.Errorf("built %q, %v", got, err)
	}
	left, err := filepath.Glob(cache + ".part-*")
	if err != nil || len(left) != 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// Package buildcache builds servers from their Go modules, once: some minutes
// of CPU each, which no later run of the tests needs to spend.
package buildcache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/keyturn/keyturn/test/real/daemon"
)

// Once returns the folder `name` of $KEYTURN_CACHE, or else of the folder
// keyturn in the user's cache folder, and fills it with compile where it is not
// there. Processes that need it at once wait for each other. A build that is
// interrupted leaves nothing that a later one would take for whole.
func Once(name string, logf func(format string, args ...any), compile func(dir string) error) (dir string, err error) {
	cache, err := folder()
	if err != nil {
		return "", err
	}
	return once(filepath.Join(cache, name), logf, compile)
}

func once(dir string, logf func(string, ...any), compile func(dir string) error) (_ string, err error) {
	if exists(dir) {
		return dir, nil
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", fmt.Errorf("lock the cache: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if exists(dir) { // made while we waited
		return dir, nil
	}
	part, err := workspace(dir)
	if err != nil {
		return "", err
	}
	start := time.Now()
	logf("building %s: some minutes, once", dir)
	if err := compile(part); err != nil {
		return "", err
	}
	logf("built %s in %s", dir, time.Since(start).Round(time.Second))
	return dir, os.Rename(part, dir)
}

// workspace makes a folder beside dir to build in, under a name of its own.
// The caller holds the lock, so what earlier ones left is of builds that were
// killed.
func workspace(dir string) (string, error) {
	left, err := filepath.Glob(dir + ".part-*")
	if err != nil {
		return "", err
	}
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			return "", err
		}
	}
	return os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".part-")
}

func folder() (string, error) {
	dir := os.Getenv("KEYTURN_CACHE")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("a folder for builds (set KEYTURN_CACHE): %w", err)
		}
		dir = filepath.Join(user, "keyturn")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// lock waits for the file's lock. The kernel drops it when its holder dies.
func lock(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

// Go runs go in a folder, with this added to the environment, and returns what
// it prints. It dies with us.
func Go(ctx context.Context, dir string, env []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.SysProcAttr = new(syscall.SysProcAttr)
	daemon.DieWithParent(cmd.SysProcAttr)
	cmd.Env = append(append(os.Environ(), "GOWORK=off"), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		text := strings.TrimSpace(stderr.String())
		return nil, fmt.Errorf("go %s: %w\n%s", args[0], err, text[max(0, len(text)-2000):])
	}
	return out, nil
}

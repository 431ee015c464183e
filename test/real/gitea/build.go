package gitea

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/keyturn/keyturn/test/real/apt"
)

// The module and its checksum, as `go mod download -json` prints it.
// https://proxy.golang.org/code.gitea.io/gitea/@v/v1.25.2.info
const (
	module    = "code.gitea.io/gitea@v" + Version
	moduleSum = "h1:iZLDfAS0Qhyo5Jt2e1/mpbN/Yyy4SAslK7N5fOyTGho="
)

// Build returns the folder that holds the program `gitea` and the files it
// reads (templates, options, public). It is made once, in the folder
// gitea-1.25.2 of $KEYTURN_CACHE or else of the user's cache folder: some
// minutes of CPU and about 120 MB, plus Go's build cache. Processes that need
// it at once wait for each other. A build that is interrupted leaves nothing
// that a later one would take for whole.
func Build(ctx context.Context, logf func(format string, args ...any)) (dir string, err error) {
	if err = apt.Need(ctx, []string{"gcc", "git"}, "gcc", "libc6-dev", "git"); err != nil {
		return "", err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	return once(cache, logf, func(dir string) error { return compile(ctx, dir) })
}

// once returns the cached build, or makes it with compile.
func once(cache string, logf func(string, ...any), compile func(dir string) error) (dir string, err error) {
	dir = filepath.Join(cache, "gitea-"+Version)
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
	logf("building Gitea %s into %s: some minutes, once", Version, dir)
	if err := compile(part); err != nil {
		return "", err
	}
	logf("built Gitea %s in %s", Version, time.Since(start).Round(time.Second))
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

func cacheDir() (string, error) {
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

// compile fills dir. `go install module@version` would refuse: Gitea's go.mod
// has replace directives. So its main package is built from the module's
// folder, where they count.
func compile(ctx context.Context, dir string) error {
	out, err := goCommand(ctx, dir, "mod", "download", "-json", module)
	if err != nil {
		return err
	}
	var m struct{ Dir, Sum string }
	if err := json.Unmarshal(out, &m); err != nil {
		return fmt.Errorf("go mod download: %w", err)
	}
	if m.Sum != moduleSum {
		return fmt.Errorf("%s has checksum %s, want %s", module, m.Sum, moduleSum)
	}
	if _, err := goCommand(ctx, m.Dir, "build", "-trimpath",
		"-tags", "sqlite sqlite_unlock_notify", "-ldflags", "-s -w -X main.Version="+Version,
		"-o", filepath.Join(dir, "gitea"), "."); err != nil {
		return err
	}
	for _, name := range []string{"templates", "options", "public"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(m.Dir, name))); err != nil {
			return err
		}
	}
	return nil
}

// goCommand runs go in a folder, with CGO on: Gitea's SQLite is C.
func goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.SysProcAttr = new(syscall.SysProcAttr)
	dieWithParent(cmd.SysProcAttr)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		text := strings.TrimSpace(stderr.String())
		return nil, fmt.Errorf("go %s: %w\n%s", args[0], err, text[max(0, len(text)-2000):])
	}
	return out, nil
}

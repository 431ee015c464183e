package gitea

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/keyturn/keyturn/test/real/apt"
	"github.com/keyturn/keyturn/test/real/buildcache"
)

// The module and its checksum, as `go mod download -json` prints it.
// https://proxy.golang.org/code.gitea.io/gitea/@v/v1.25.2.info
const (
	module    = "code.gitea.io/gitea@v" + Version
	moduleSum = "h1:iZLDfAS0Qhyo5Jt2e1/mpbN/Yyy4SAslK7N5fOyTGho="
)

// Build returns the folder that holds the program `gitea` and the files it
// reads (templates, options, public). It is made once, in the folder
// gitea-1.25.2 of the cache: some minutes of CPU and about 120 MB, plus Go's
// build cache.
func Build(ctx context.Context, logf func(format string, args ...any)) (dir string, err error) {
	if err = apt.Need(ctx, []string{"gcc", "git"}, "gcc", "libc6-dev", "git"); err != nil {
		return "", err
	}
	return buildcache.Once("gitea-"+Version, logf, func(dir string) error { return compile(ctx, dir) })
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
	return buildcache.Go(ctx, dir, []string{"CGO_ENABLED=1", "GOFLAGS=-buildvcs=false"}, args...)
}

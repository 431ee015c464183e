// Package apt installs what a test against real software needs and this
// machine lacks. It does so as root on Debian only; elsewhere it says what to
// install. It never lets a test go on without.
package apt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// Need returns nil when every program is there: names to look for in PATH, or
// absolute paths. Otherwise it installs the packages that hold them, and
// returns an error that names them where it cannot. Safe for concurrent use.
func Need(ctx context.Context, programs []string, packages ...string) error {
	return need(ctx, func() error { return found(programs) }, packages)
}

// NeedModule is [Need] for a module of Debian's own Python, /usr/bin/python3.
func NeedModule(ctx context.Context, module string, packages ...string) error {
	return need(ctx, func() error {
		if err := exec.CommandContext(ctx, "/usr/bin/python3", "-c", "import "+module).Run(); err != nil {
			return fmt.Errorf("/usr/bin/python3 cannot import %s: %w", module, err)
		}
		return nil
	}, packages)
}

func found(programs []string) error {
	var errs []error
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// one keeps apt to one run at a time in this process; apt has its own lock
// against others and waits for it.
var one sync.Mutex

func need(ctx context.Context, missing func() error, packages []string) error {
	one.Lock()
	defer one.Unlock()
	why := missing()
	if why == nil {
		return nil
	}
	hint := fmt.Errorf("%w\ninstall it: sudo apt-get update && sudo apt-get install -y %s", why, strings.Join(packages, " "))
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return hint
	}
	for _, args := range [][]string{
		{"update", "-qq"},
		append([]string{"install", "-qq", "-y", "--no-install-recommends"}, packages...),
	} {
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300"}, args...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return errors.Join(hint, fmt.Errorf("apt-get %s: %w\n%s", args[0], err, out))
		}
	}
	return missing()
}

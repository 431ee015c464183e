package gitea

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/keyturn/keyturn/test/real/daemon"
)

// installation is one server's folder: the program, its configuration, its
// data.
type installation struct {
	work    string
	static  string
	account account
}

// install makes the folder. The program is copied into it, for the cache may
// be in a home folder that the server's user cannot enter.
func install(dist string) (_ *installation, err error) {
	a, err := ordinaryAccount()
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "keyturn-gitea-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(work) // the first error says more
		}
	}()
	i := &installation{work: work, static: filepath.Join(work, "static"), account: a}
	if err := os.CopyFS(i.static, os.DirFS(dist)); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(work, "home"), 0o700); err != nil {
		return nil, err
	}
	return i, nil
}

func (i *installation) program() string { return filepath.Join(i.static, "gitea") }

// handOver gives the folder and all that is in it to the server's user.
func (i *installation) handOver() error {
	c := i.account.credential
	if c == nil {
		return nil
	}
	return filepath.WalkDir(i.work, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(c.Uid), int(c.Gid))
	})
}

var appINI = template.Must(template.New("app.ini").Parse(`
APP_NAME = keyturn test
RUN_USER = {{.User}}
RUN_MODE = prod
WORK_PATH = {{.Work}}
[server]
PROTOCOL = http
HTTP_ADDR = {{.Host}}
HTTP_PORT = {{.Port}}
ROOT_URL = http://{{.Host}}:{{.Port}}/
STATIC_ROOT_PATH = {{.Static}}
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
[security]
INSTALL_LOCK = true
SECRET_KEY = {{.SecretKey}}
[service]
DISABLE_REGISTRATION = true
[log]
MODE = console
LEVEL = Warn
[indexer]
ISSUE_INDEXER_TYPE = db
[oauth2]
ENABLED = false
[actions]
ENABLED = false
[cron]
ENABLED = false
`))

func (i *installation) configFile() string { return filepath.Join(i.work, "app.ini") }

// configure writes app.ini, the folder's last file, and hands the folder over.
// The install lock is set, so no request can reach
// the setup page. Gitea adds the secrets that it makes for itself.
func (i *installation) configure(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(i.configFile(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = appINI.Execute(f, map[string]any{
		"User": i.account.name, "Work": i.work, "Static": i.static,
		"Host": host, "Port": port, "SecretKey": rand.Text(),
	})
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return i.handOver()
}

// command runs the program as its ordinary user, with nothing of our
// environment but PATH. It is asked to stop before it is killed, and it dies
// with us.
func (i *installation) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, i.program(), append([]string{"--config", i.configFile()}, args...)...)
	cmd.Dir = i.work
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + filepath.Join(i.work, "home"),
		"USER=" + i.account.name,
		"GITEA_WORK_DIR=" + i.work,
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: i.account.credential}
	daemon.DieWithParent(cmd.SysProcAttr)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

var generated = regexp.MustCompile(`(?m)^generated random password is '(.+)'$`)

// createUser makes an ordinary user. Gitea chooses the password and prints it,
// so it is in no argument list.
func (i *installation) createUser(ctx context.Context, name string) (password string, err error) {
	cmd := i.command(ctx, "admin", "user", "create",
		"--username", name, "--email", name+"@example.com",
		"--random-password", "--random-password-length", "24", "--must-change-password=false")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("gitea admin user create: %w: %s", err, stderr.String())
	}
	m := generated.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("gitea admin user create: no password in %d bytes of output", len(out))
	}
	return string(m[1]), nil
}

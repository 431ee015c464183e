// Command demo shows whole rotations on one machine: the real Lambda binaries,
// started by a local AWS, replace the keys of simulated vendors while programs
// use them. It ends with a table and a page with a timeline, and exits 1 if it
// could not keep what Keyturn promises.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/term"
)

// limit ends a demonstration that hangs.
const limit = 15 * time.Minute

const help = `Usage: go run ./test/demo [-out DIR] [-keep-going]

Shows four keys being rotated, on this machine and without an AWS account: on
schedule, through a crash, while the old key is still in use, and on demand. Then
a secret is stolen, which is noticed, and the ledger of it all is proven.

  -out DIR      where the log, the messages, the audit trail and the timeline go
                (dist/demo in the repository)
  -keep-going   go on with the next act after one that did not work

Colors are for terminals only; NO_COLOR turns them off.
Exit codes: 0 every promise was kept, 1 one was not, 2 usage.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	f := flag.NewFlagSet("demo", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.out, "out", "", "")
	f.BoolVar(&o.keepGoing, "keep-going", false, "")
	err := f.Parse(args)
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("there is no %q to show", f.Arg(0))
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(stdout, help)
		return 0
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "demo: %v\ndemo: hint: go run ./test/demo -h\n", err)
		return 2
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it was not over after %s", limit))
	defer cancel()
	terminal := false
	if out, ok := stdout.(*os.File); ok {
		terminal = term.IsTerminal(int(out.Fd()))
	}
	plain := os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb"
	kept, err := show(ctx, o, newScreen(stdout, time.Now, terminal, terminal && !plain))
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "demo:", err)
	}
	if err != nil || !kept {
		return 1
	}
	return 0
}

type options struct {
	out       string // "": dist/demo in the module
	keepGoing bool
}

// root is the module's folder, where the program is run from or below.
func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("this is not in the repository: go there and run make demo")
		}
		dir = up
	}
}

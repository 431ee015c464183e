package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/provider"
)

// app is one run of the command.
type app struct {
	in                       *os.File // for what is typed or piped in; nil: nothing is
	out, err                 io.Writer
	outTerminal, errTerminal bool
	getenv                   func(string) string
	vendors                  []provider.Definition

	flags flags
	file  *keysfile.File // once it was read
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// run carries out the command and returns its exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.root() //nolint:contextcheck // cobra hands each command its context
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if code, ok := errors.AsType[exit](err); ok {
		return int(code)
	}
	f, ok := errors.AsType[*failure](err)
	if !ok { // our own commands return failures, so cobra did not understand the line
		f = usage(err.Error(), "keyturn --help")
	}
	// Where the line was not understood, its --json may not have been read.
	if a.flags.json || slices.Contains(args, "--json") {
		a.printJSON(map[string]*failure{"error": f})
	} else {
		a.printFailure(f)
	}
	return f.exit
}

// printFailure follows age: no capital, no full stop, then what to type.
func (a *app) printFailure(f *failure) {
	p := a.palette(a.errTerminal)
	line := func(style console.Style, prefix, text string) {
		_, _ = fmt.Fprintln(a.err, p.Paint(style, "keyturn:")+prefix, console.Clean(text))
	}
	what := f.What
	if f.fromFunction {
		what = f.Type + ": " + what
	}
	line(console.Bad, "", what)
	for _, problem := range f.Problems {
		at := problem.What
		if problem.Path != "" {
			at = problem.Path + ": " + at
		}
		line(console.Bad, "", at)
		line(console.Warn, " hint:", problem.Hint)
	}
	for _, next := range f.Next {
		line(console.Warn, " hint:", next)
	}
}

// printJSON prints the one document of --json.
func (a *app) printJSON(v any) {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(v) //nolint:errchkjson // our own types, and stdout
}

// say prints a line of the result.
func (a *app) say(format string, args ...any) {
	_, _ = fmt.Fprintf(a.out, format+"\n", args...)
}

// palette has colors only on a terminal, and not where they are not wanted
// (https://no-color.org).
func (a *app) palette(terminal bool) console.Palette {
	return console.Palette{On: terminal && !a.flags.noColor && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"}
}

// setting returns the flag's value, or the environment's, or the default.
func (a *app) setting(flag, variable, otherwise string) string {
	if flag != "" {
		return flag
	}
	if v := strings.TrimSpace(a.getenv(variable)); v != "" {
		return v
	}
	return otherwise
}

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/infra/reach"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// compared is what diff prints as JSON.
type compared struct {
	Widens  int       `json:"widens"`
	Narrows int       `json:"narrows"`
	Changes []changed `json:"changes"`
	Left    []string  `json:"left"` // what a deployment leaves for a person to end
}

// changed is a change in reach, and where it is written.
type changed struct {
	reach.Change

	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

func (a *app) diff() *cobra.Command {
	var security bool
	c := &cobra.Command{
		Use:   "diff --security BASE [FILE]",
		Short: "What a change of the keys' file lets happen that could not before",
		Long: `What a change of the keys' file lets happen that could not happen before: who
may read, from where, where credentials may be sent, how long a key lives, who
may operate, and who is told no more. BASE is the file before the change, a
directory with a keyturn.yaml in it, or git:REVISION for FILE as it is there.
FILE is KEYTURN_CONFIG if it is not given, else keyturn.yaml.

Changes that widen come first. The exit code is 4 if there is one, and 0 else:
for a pipeline that then asks a second person. What cannot be told, such as what
a vendor's setting means, counts as wider. It is 1 if the change does not keep
to the guardrails.yaml beside FILE: see keyturn validate.

Last it says what a deployment leaves for a person to end: of keys that are
removed, renamed or moved to another vendor account, and of vendor accounts and
Regions of replicas that are removed.`,
		Example: `  keyturn diff --security git:origin/main
  keyturn diff --security before.yaml after.yaml --json`,
	}
	c.Flags().BoolVar(&security, "security", false, "compare reach; there is no other comparison")
	return command(c, func(c *cobra.Command, args []string) error {
		switch {
		case !security:
			return usage("which comparison?", "keyturn diff --security BASE")
		case len(args) == 0:
			return usage("compared with what?", "keyturn diff --security git:HEAD", "keyturn diff --security FILE-BEFORE")
		case len(args) > 2:
			return usage(fmt.Sprintf("two files at a time, not %d", len(args)), "keyturn diff --security BASE FILE")
		}
		return a.runDiff(c.Context(), args[0], append(args[1:], a.declaration())[0])
	})
}

func (a *app) runDiff(ctx context.Context, base, file string) error {
	before, err := a.base(ctx, base, file)
	if err != nil {
		return err
	}
	after, err := a.declared(file)
	if err != nil {
		return unloaded(file, err)
	}
	answer := compared{Changes: []changed{}, Left: leaves(before.file, after.file)}
	for _, c := range append(reach.CompareGuardrails(before.rails, after.rails), reach.Compare(before.file, after.file)...) {
		answer.Changes = append(answer.Changes, changed{c, c.At.File, c.At.Line, c.At.Column})
		if c.Direction == reach.Widens {
			answer.Widens++
		} else {
			answer.Narrows++
		}
	}
	forbidden := tooMany(reach.Removed(before.file, after.file), after.rails)
	if forbidden == nil || !a.flags.json { // with --json there is one document
		a.printCompared(answer)
	}
	switch {
	case forbidden != nil:
		return forbidden
	case answer.Widens > 0:
		return exit(exitWider)
	}
	return nil
}

// tooMany is the failure of a change that removes more than it may; nil: it may.
func tooMany(removed []string, rails *keysfile.Guardrails) error {
	if rails == nil || rails.Removals == nil || len(removed) <= *rails.Removals {
		return nil
	}
	f := failed("Guardrails", "the change does not keep to the guardrails")
	f.Next = []string{}
	f.Problems = []problem{{
		Path: rails.At.String(),
		What: fmt.Sprintf("one change may remove %d keys and vendor accounts, and this one removes %d: %s", *rails.Removals, len(removed), strings.Join(removed, ", ")),
		Hint: "part the change, or let the owners of the guardrails admit it",
	}}
	return f
}

// base loads what is compared with.
func (a *app) base(ctx context.Context, base, file string) (declared, error) {
	if revision, ok := gitRevision(base); ok {
		return a.committed(ctx, revision, file)
	}
	if info, err := os.Stat(base); err == nil && info.IsDir() {
		base = filepath.Join(base, keysName)
	}
	dir, name := filepath.Split(base)
	all, err := a.unguarded(os.DirFS(filepath.Join(".", dir)), name)
	if filepath.IsAbs(base) {
		all, err = a.unguarded(os.DirFS(dir), name)
	}
	if err != nil {
		return all, unloaded(base, err)
	}
	return all, nil
}

func (a *app) printCompared(answer compared) {
	if a.flags.json {
		a.printJSON(answer)
	} else {
		a.printChanges(answer)
	}
}

func (a *app) printChanges(answer compared) {
	p := a.palette(a.outTerminal)
	if len(answer.Changes) == 0 {
		a.say("no change in reach")
	}
	for _, group := range []struct {
		direction reach.Direction
		n         int
		style     console.Style
		title     string
	}{
		{reach.Widens, answer.Widens, console.Bad, "More is possible"},
		{reach.Narrows, answer.Narrows, console.Good, "Less is possible"},
	} {
		if group.n == 0 {
			continue
		}
		a.say("%s", p.Paint(group.style, fmt.Sprintf("%s: %s", group.title, count(group.n, "change"))))
		for _, c := range answer.Changes {
			if c.Direction == group.direction {
				a.say("  %s: %s", console.Clean(c.Where), console.Clean(c.What))
			}
		}
	}
	for _, l := range answer.Left {
		a.say("%s", l)
	}
}

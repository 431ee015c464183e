package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/infra/keyturn/internal/lab"
)

// typeLab is the type of what a lab refuses or lacks.
const typeLab = "Lab"

func (a *app) lab() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "lab COMMAND",
		Short: "Train for the bad day: guided, scored exercises on a local AWS",
		Long: `Train for the bad day: three exercises of about 20 minutes each, on a local AWS
on this machine, with the real functions, a simulated vendor and programs that
use their keys. No AWS account is needed, no network, and no key opens anything.

Start one in a terminal of its own, which watches. In a second terminal go into
its folder, source env.sh, and do there what you would do in earnest, with every
command of keyturn and of aws. What you have reached is judged from the state of
the local AWS and of the vendor, never from what you typed.

The goals are worth 100 points. A hint costs 5, each minute after the 20th costs
1, and harm costs most: a key in use revoked, a program cut off, a value shown,
a key rotated or given up for no reason.

Exit codes: 0 all goals are done, 1 some are not or it failed, 2 usage, 3 no
exercise is held, or there is nothing to give.`,
		Example: `  keyturn lab list
  keyturn lab start leak
  keyturn lab check`,
	}
	c.PersistentFlags().StringVar(&dir, "dir", "", "`FOLDER` of the exercise (KEYTURN_LAB, which env.sh sets; else lab)")
	c.AddCommand(a.labList(), a.labStart(&dir), a.labCheck(&dir), a.labHint(&dir), a.labEnd(&dir))
	c.AddCommand(a.labMail(&dir), a.labVendor(&dir), a.labBlock(&dir), a.labDeploy(&dir), a.labWait(&dir))
	return parent(c)
}

func (a *app) labList() *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "Which exercises there are", Long: "Which exercises there are, in the order in which they are best done.",
		Example: `  keyturn lab list`, Args: noArgs,
	}
	return command(c, func(*cobra.Command, []string) error {
		if a.flags.json {
			a.printJSON(lab.All())
			return nil
		}
		var t console.Table
		t.Row("EXERCISE", "WHAT")
		for _, e := range lab.All() {
			t.Row(e.Name, e.Title)
		}
		_, _ = fmt.Fprint(a.out, t.Render(a.palette(a.outTerminal)))
		a.say("\nkeyturn lab start %s", lab.All()[0].Name)
		return nil
	})
}

// held finds the exercise of the folder.
func (a *app) held(dir *string) (*lab.Client, error) {
	c, err := lab.Open(a.labDir(dir))
	return c, a.labFailure(err)
}

func (a *app) labDir(dir *string) string { return a.setting(*dir, "KEYTURN_LAB", "lab") }

// labFailure explains what a lab answered; nil stays nil.
func (*app) labFailure(err error) error {
	if err == nil {
		return nil
	}
	if r, ok := errors.AsType[*lab.RefusedError](err); ok {
		return failed(typeLab, r.What)
	}
	switch {
	case errors.Is(err, lab.ErrNone):
		return &failure{exit: exitNothing, Type: typeLab, What: err.Error(), Next: []string{"begin one: keyturn lab start NAME", "say where it is: --dir FOLDER"}}
	case errors.Is(err, lab.ErrDead):
		return &failure{exit: exitNothing, Type: typeLab, What: err.Error(), Next: []string{"take its folder away: keyturn lab end"}}
	}
	return err
}

func (a *app) labCheck(dir *string) *cobra.Command {
	c := &cobra.Command{
		Use: "check", Short: "How the exercise stands: goals, time, hints, harm, score",
		Long: `How the exercise stands: which goals are done, what is missing for the others,
the time, the hints, the harm and the score. The exit code is 0 once all goals
are done.`,
		Example: `  keyturn lab check --json`, Args: noArgs,
	}
	return command(c, func(c *cobra.Command, _ []string) error {
		h, err := a.held(dir)
		if err != nil {
			return err
		}
		r, err := h.Check(c.Context())
		if err != nil {
			return a.labFailure(err)
		}
		return a.printReport(r)
	})
}

// printReport prints how an exercise stands, and returns its exit code.
func (a *app) printReport(r lab.Report) error {
	if a.flags.json {
		a.printJSON(r)
	} else {
		_, _ = fmt.Fprint(a.out, reportText(r, a.palette(a.outTerminal)))
	}
	if !r.Done {
		return exit(exitFailed)
	}
	return nil
}

func reportText(r lab.Report, p console.Palette) string {
	var b strings.Builder
	line := func(s console.Style, mark string, points int, text string) {
		fmt.Fprintf(&b, "%s  %4d  %s\n", p.Paint(s, fmt.Sprintf("%-5s", mark)), points, console.Clean(text))
	}
	for _, g := range r.Goals {
		if g.Done {
			line(console.Good, "done", g.Points, g.Text)
			continue
		}
		line(console.Warn, "open", 0, fmt.Sprintf("%s (%d)", g.Text, g.Points))
		fmt.Fprintf(&b, "             %s\n", p.Paint(console.Dim, console.Clean("missing: "+g.Missing)))
	}
	for _, h := range r.Harm {
		line(console.Bad, "harm", -h.Cost, h.What)
	}
	if r.Hints > 0 {
		line(console.Plain, "hints", -r.HintCost, fmt.Sprintf("%d taken", r.Hints))
	}
	if r.Late > 0 {
		line(console.Plain, "late", -r.Late, "more than "+lab.Limit.String())
	}
	took := (time.Duration(r.Seconds) * time.Second).String()
	fmt.Fprintf(&b, "%s\n", p.Paint(console.Bold, fmt.Sprintf("score %5d  of 100, after %s", r.Score, took)))
	return b.String()
}

func (a *app) labHint(dir *string) *cobra.Command {
	c := &cobra.Command{
		Use: "hint", Short: "Take a hint for the first goal that is open; it costs 5 points",
		Long: `Take a hint for the first goal that is open; it costs 5 points. The first hint
says where to look, the last one what to type. The exit code is 3 if there is
none left.`,
		Example: `  keyturn lab hint`, Args: noArgs,
	}
	return command(c, func(c *cobra.Command, _ []string) error {
		held, err := a.held(dir)
		if err != nil {
			return err
		}
		h, err := held.Hint(c.Context())
		if r, ok := errors.AsType[*lab.RefusedError](err); ok {
			a.nothing("", r.What)
			return exit(exitNothing)
		}
		if err != nil {
			return a.labFailure(err)
		}
		if a.flags.json {
			a.printJSON(h)
			return nil
		}
		a.sayHint(h)
		return nil
	})
}

func (a *app) sayHint(h lab.Hint) {
	a.say("%s\n  (for %q; it cost %d points; %d more for this goal)", h.Text, h.Goal, h.Cost, h.Left)
}

func (a *app) labEnd(dir *string) *cobra.Command {
	var keep bool
	c := &cobra.Command{
		Use: "end", Short: "End the exercise, and say how it went",
		Long: `End the exercise, say how it went as keyturn lab check does, and remove its
folder with everything in it. With --keep it stays, with the result in
result.json.`,
		Example: `  keyturn lab end
  keyturn lab end --keep --json`, Args: noArgs,
	}
	c.Flags().BoolVar(&keep, "keep", false, "leave the folder, with result.json in it")
	return command(c, func(c *cobra.Command, _ []string) error {
		held, err := a.held(dir)
		if err != nil {
			return err
		}
		r, err := held.End(c.Context(), keep)
		if errors.Is(err, lab.ErrDead) {
			if err := os.RemoveAll(a.labDir(dir)); err != nil {
				return failed(typeFile, err.Error(), "remove it by hand")
			}
			return failed(typeLab, "it had ended already, and nobody knows how it stood; its folder is removed")
		}
		if err != nil {
			return a.labFailure(err)
		}
		a.gone(c.Context(), a.labDir(dir), keep)
		return a.printReport(r)
	})
}

// gone waits until an exercise has ended and its folder is removed, unless it is kept; a
// few seconds at most.
func (*app) gone(ctx context.Context, dir string, kept bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		_, held := lab.Open(dir)
		_, there := os.Stat(dir)
		if errors.Is(there, fs.ErrNotExist) || kept && held != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

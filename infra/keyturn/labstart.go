package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/infra/keyturn/internal/lab"
)

func (a *app) labStart(dir *string) *cobra.Command {
	c := &cobra.Command{
		Use: "start NAME", Short: "Hold an exercise until its end, and watch",
		Long: `Hold an exercise until keyturn lab end or Ctrl-C. It tells what has happened and
how to use the local AWS, and then says when a goal is done or harm is. In a
terminal it takes h for a hint, c to check, s for the scenario and q to end.

Everything is in one folder, which must be new or empty, and is removed at the
end: ./lab, or --dir FOLDER.`,
		Example: `  keyturn lab start leak
  keyturn lab start stuck --dir /tmp/stuck`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("which exercise?", "list them: keyturn lab list")
			}
			if lab.Find(args[0]) == nil {
				return usage(fmt.Sprintf("there is no exercise %q", args[0]), "list them: keyturn lab list")
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) (names []string, _ cobra.ShellCompDirective) {
			for _, e := range lab.All() {
				names = append(names, e.Name)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
	return command(c, func(c *cobra.Command, args []string) error { return a.runLab(c.Context(), args[0], *dir) })
}

func (a *app) runLab(ctx context.Context, name, dir string) error {
	if dir == "" {
		dir = "lab"
	}
	if !a.flags.json {
		a.say("a local AWS, a vendor and three programs are started ...")
	}
	s, err := lab.Start(ctx, lab.Find(name), lab.Options{Dir: dir, Vendors: a.vendors})
	if errors.Is(err, lab.ErrTaken) {
		return failed(typeLab, err.Error(), "end what is held there: keyturn lab end --dir "+dir, "choose another: --dir FOLDER")
	}
	if err != nil {
		return failed(typeLab, err.Error(), "try again: keyturn lab start "+name)
	}
	a.introduce(s)
	last := a.watchLab(ctx, s)
	if err := s.Close(); err != nil {
		return failed(typeLab, err.Error(), "look for what is left in "+s.Dir)
	}
	if a.flags.json {
		if last.Done {
			return nil
		}
		return exit(exitFailed)
	}
	a.say("")
	return a.printReport(last)
}

// introduce says what has happened, and how to begin.
func (a *app) introduce(s *lab.Session) {
	if a.flags.json {
		variables := map[string]string{}
		for _, v := range s.Variables() {
			variables[v[0]] = v[1]
		}
		a.printJSON(map[string]any{
			"exercise": s.Exercise.Name, "title": s.Exercise.Title, "scenario": s.Scenario(), "dir": s.Dir, "endpoint": s.Endpoint, "variables": variables,
		})
		return
	}
	p := a.palette(a.outTerminal)
	a.say("\n%s\n\n%s\n", p.Paint(console.Bold, s.Exercise.Title), s.Scenario())
	a.say("%s", p.Paint(console.Bold, "In a second terminal"))
	a.say("  cd '%s' && . ./env.sh", s.Dir)
	a.say("  keyturn lab mail        the mails that came")
	a.say("  keyturn status          how the keys are")
	a.say("  keyturn lab check       how far you are; hint, vendor, block, deploy, wait: keyturn lab --help")
	a.say("%s", p.Paint(console.Dim, "No program may be cut off, no key in use revoked, no value shown. You have 20 minutes."))
	if a.interactive() {
		a.say("%s", p.Paint(console.Dim, "Here: h and Enter for a hint (5 points), c to check, s for the scenario, q to end."))
	}
	a.say("")
}

// interactive reports whether a person sits here.
func (a *app) interactive() bool { return a.in != nil && isTerminal(a.in) && a.outTerminal }

// watchLab says what is reached until the end, and returns how the exercise stood then.
func (a *app) watchLab(ctx context.Context, s *lab.Session) lab.Report {
	var typed <-chan string
	if a.interactive() && !a.flags.json {
		typed = lines(a.in)
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	said := &saidLab{done: map[string]bool{}}
	last := s.Check(ctx)
	for {
		a.sayProgress(s, said, last)
		select {
		case <-tick.C:
		case line, ok := <-typed:
			if !ok || a.obey(ctx, s, line) {
				return s.Check(context.WithoutCancel(ctx))
			}
		case <-s.Asked():
			return s.Check(context.WithoutCancel(ctx))
		case <-ctx.Done():
			return s.Check(context.WithoutCancel(ctx))
		}
		if ctx.Err() == nil {
			last = s.Check(ctx)
		}
	}
}

// lines are those that are typed, until the end of what is read.
func lines(r io.Reader) <-chan string {
	out := make(chan string)
	go func() {
		defer close(out)
		for s := bufio.NewScanner(r); s.Scan(); {
			out <- strings.TrimSpace(s.Text())
		}
	}()
	return out
}

// obey does what was typed, and reports whether that was to end.
func (a *app) obey(ctx context.Context, s *lab.Session, line string) (end bool) {
	switch line {
	case "q":
		return true
	case "h":
		if h, ok := s.Hint(ctx); ok {
			a.sayHint(h)
		} else {
			a.say("there is no more hint")
		}
	case "c":
		_, _ = fmt.Fprint(a.out, reportText(s.Check(ctx), a.palette(a.outTerminal)))
	case "s":
		a.say("%s", s.Scenario())
	default:
		a.say("h: a hint   c: check   s: the scenario   q: end")
	}
	return false
}

// saidLab is what was said already.
type saidLab struct {
	done map[string]bool
	harm int
	all  bool
	late bool
	at   string // the goal that is next
}

func (a *app) sayProgress(s *lab.Session, said *saidLab, r lab.Report) {
	if a.flags.json {
		return
	}
	p := a.palette(a.outTerminal)
	a.sayGoals(said, r, p)
	for ; said.harm < len(r.Harm); said.harm++ {
		h := r.Harm[said.harm]
		a.say("%s", p.Paint(console.Bad, fmt.Sprintf("harm: %s (-%d points)", h.What, h.Cost)))
	}
	if r.Late > 0 && !said.late {
		said.late = true
		a.say("%s", p.Paint(console.Warn, "the time is over; go on, at a point a minute"))
	}
	if r.Done && !said.all {
		said.all = true
		a.say("%s", p.Paint(console.Bold, fmt.Sprintf("all goals of %s are done: score %d. Look around, then end it: keyturn lab end", s.Exercise.Name, r.Score)))
	}
}

// sayGoals says which goals are done now, or are so no longer, and which is next.
func (a *app) sayGoals(said *saidLab, r lab.Report, p console.Palette) {
	next := ""
	for i, g := range r.Goals {
		if !g.Done && next == "" {
			next = fmt.Sprintf("goal %d of %d: %s", i+1, len(r.Goals), g.Text)
		}
		if g.Done == said.done[g.ID] {
			continue
		}
		said.done[g.ID] = g.Done
		if g.Done {
			a.say("%s", p.Paint(console.Good, fmt.Sprintf("done: %s (%d points)", g.Text, g.Points)))
		} else {
			a.say("%s", p.Paint(console.Warn, "no longer so: "+g.Text))
		}
	}
	if next != said.at && next != "" {
		a.say("%s", next)
	}
	said.at = next
}

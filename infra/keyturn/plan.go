package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/shared/rotation"
)

// printPlan prints what a rotation would do. A problem is a failed plan.
func (a *app) printPlan(p rotation.Plan) error {
	if a.flags.json {
		a.printJSON(p)
	} else {
		_, _ = fmt.Fprint(a.out, planText(p, time.Now(), a.palette(a.outTerminal)))
	}
	if len(p.Problems) > 0 {
		return exit(exitFailed)
	}
	return nil
}

func planText(p rotation.Plan, now time.Time, paint console.Palette) string {
	var f console.Fields
	f.Add("key", p.Secret)
	f.Add("vendor", fmt.Sprintf("%s (%s)", p.Vendor, p.Strategy))
	f.Add("version", p.Version)
	f.Add("key at the vendor", p.KeyID)
	f.Add("last rotation", console.Instant(p.LastRotated, now))
	if !p.NextRotation.IsZero() {
		f.Add("next rotation", console.Instant(p.NextRotation, now))
	}
	room := fmt.Sprintf("%d keys in the account", p.Keys)
	if p.Limit > 0 {
		room += fmt.Sprintf(", of at most %d", p.Limit)
	}
	f.Add("room", room)
	f.Add("rights", strings.Join(p.Scopes, " "))
	f.Add("older keys", strings.Join(p.Older, " "))
	for i, step := range p.Steps {
		f.Add("would do", fmt.Sprintf("%d. %s", i+1, step))
	}
	for _, problem := range p.Problems {
		f.Paint("would stop it", console.Bad, fmt.Sprintf("%s: %s", problem.Type, problem.What))
		for _, next := range problem.Next {
			f.Paint("would stop it", console.Warn, "  do: "+next)
		}
	}
	if len(p.Problems) == 0 {
		f.Paint("would stop it", console.Good, "nothing")
	}
	return f.Render(paint)
}

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// validated is what validate prints as JSON.
type validated struct {
	Valid          bool         `json:"valid"`
	Keys           int          `json:"keys"`
	VendorAccounts int          `json:"vendor_accounts"`
	Guardrails     bool         `json:"guardrails"` // there are some, and it keeps to them
	Problems       []positioned `json:"problems"`
	Warnings       []string     `json:"warnings,omitempty"` // what has no effect any more
}

// positioned is one thing wrong with the files, for editors.
type positioned struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"` // from 1; 0: of the file as a whole
	Column int    `json:"column,omitempty"`
	What   string `json:"what"`
	Hint   string `json:"hint"`
}

func (a *app) validate() *cobra.Command {
	c := &cobra.Command{
		Use:   "validate [FILE...]",
		Short: "Check the keys' file, and say everything that is wrong with it",
		Long: `Check the keys' file, and say everything that is wrong with it, a line each:

  file:line:column: what is wrong: what to do

FILE is KEYTURN_CONFIG if it is not given, else keyturn.yaml. The files in a
directory keys beside it are read with it; more FILEs may hold keys and vendor
accounts. It asks nobody and needs no credentials. The exit code is 1 if
anything is wrong.

A guardrails.yaml beside FILE bounds what it may say: vendors, vendor accounts,
hosts, ages, graces and removals. Give it owners of its own. One to begin with:
keyturn new --guardrails.`,
		Example: `  keyturn validate
  keyturn validate keys.yaml more/*.yaml --json`,
	}
	return command(c, func(_ *cobra.Command, args []string) error { return a.runValidate(args) })
}

func (a *app) runValidate(files []string) error {
	if len(files) == 0 {
		files = []string{a.declaration()}
	}
	all, err := a.declared(files...)
	answer := validated{Valid: err == nil, Problems: []positioned{}}
	if bad, ok := errors.AsType[*keysfile.Error](err); ok {
		return a.printProblems(answer, bad.Problems)
	}
	if err != nil {
		return unread(files[0], err)
	}
	answer.Guardrails = all.rails != nil
	answer.Keys, answer.VendorAccounts = len(all.file.Keys), len(all.file.VendorAccounts)
	answer.Warnings = ended(all.file, time.Now())
	if a.flags.json {
		a.printJSON(answer)
		return nil
	}
	within := ""
	if answer.Guardrails {
		within = ", within " + guardrailsName
	}
	a.say("%s: nothing is wrong: %s in %s%s", files[0], count(answer.Keys, "key"), count(answer.VendorAccounts, "vendor account"), within)
	for _, w := range answer.Warnings {
		a.say("warning: %s", w)
	}
	return nil
}

// ended says which suppressions are over.
func ended(f *keysfile.File, now time.Time) []string {
	var out []string
	for _, i := range f.Expired(now) {
		s := f.Detect.Suppressions[i]
		out = append(out, fmt.Sprintf("detect.suppressions[%d], of %s, ended on %s: what it finds is told again; take it out, or give it a new end", i, s.Rule, s.Until))
	}
	if r := f.Detect.Respond; r != nil && r.Off && !now.Before(r.End()) {
		out = append(out, fmt.Sprintf("the kill switch of detect.respond was to end on %s: take it out, or give it a new end", r.Until))
	}
	return out
}

func (a *app) printProblems(answer validated, problems []keysfile.Problem) error {
	for _, p := range problems {
		answer.Problems = append(answer.Problems, positioned{File: p.At.File, Line: p.At.Line, Column: p.At.Column, What: p.What, Hint: p.Hint})
		if !a.flags.json {
			a.say("%s", console.Clean(p.String()))
		}
	}
	if a.flags.json {
		a.printJSON(answer)
	}
	return exit(exitFailed)
}

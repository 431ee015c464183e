package main

import (
	"slices"
	"strings"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
)

const reading = "secretsmanager:GetSecretValue"

// accessFrom is one circumstance of a subject, as --json has it.
type accessFrom struct {
	MFA     string   `json:"mfa,omitempty"` // empty: a machine, or a service
	Network string   `json:"network"`
	Allowed []string `json:"allowed"` // actions; the others are denied
}

func circumstances(s access.Subject, all []access.Circumstance) []accessFrom {
	var out []accessFrom
	for _, c := range of(s, all) {
		f := accessFrom{MFA: c.MFA, Network: c.From, Allowed: []string{}}
		for _, action := range c.Actions {
			if c.May(action) {
				f.Allowed = append(f.Allowed, action)
			}
		}
		out = append(out, f)
	}
	return out
}

func of(s access.Subject, all []access.Circumstance) []access.Circumstance {
	return slices.DeleteFunc(slices.Clone(all), func(c access.Circumstance) bool {
		return c.Who != s.Who || c.Principal != s.Principal
	})
}

// may is "yes" if the action is allowed in all of the circumstances, "if" in
// some, and "-" in none.
func may(all []access.Circumstance, action string) string {
	n := 0
	for _, c := range all {
		if c.May(action) {
			n++
		}
	}
	switch n {
	case 0:
		return "-"
	case len(all):
		return "yes"
	}
	return "if"
}

// readingText is the table of who reads from where: a line for each subject, or
// one for each value of MFA where that matters.
func readingText(subjects []access.Subject, all []access.Circumstance, p console.Palette) string {
	var networks []string
	for _, c := range all {
		if !slices.Contains(networks, c.From) {
			networks = append(networks, c.From)
		}
	}
	t := console.Table{}
	t.Row(append([]string{"READ FROM", "MFA"}, upper(networks)...)...)
	for _, s := range subjects {
		mine := of(s, all)
		if !strings.HasPrefix(s.Who, "reader") && may(mine, reading) == "-" {
			continue
		}
		for _, row := range byMFA(mine, networks) {
			t.Row(append([]string{s.Who}, row...)...)
		}
	}
	if len(t) == 1 {
		return "Nobody may read it.\n"
	}
	return t.Render(p)
}

func upper(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.ToUpper(n)
	}
	return out
}

// byMFA returns the rows of one subject: MFA, and what holds for each network.
// Rows that say the same are one.
func byMFA(mine []access.Circumstance, networks []string) [][]string {
	var rows [][]string
	var names []string
	for _, c := range mine {
		if !slices.Contains(names, c.MFA) {
			names = append(names, c.MFA)
		}
	}
	for _, name := range names {
		row := []string{name}
		for _, n := range networks {
			row = append(row, may(slices.DeleteFunc(slices.Clone(mine), func(c access.Circumstance) bool {
				return c.MFA != name || c.From != n
			}), reading))
		}
		if len(rows) == 1 && slices.Equal(rows[0][1:], row[1:]) {
			rows[0][0] = "with or without"
			continue
		}
		rows = append(rows, row)
	}
	for _, row := range rows {
		row[0] = strings.TrimSuffix(row[0], " MFA")
	}
	return rows
}

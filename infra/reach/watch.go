package reach

import (
	"fmt"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// audit: what is kept for a shorter time, or compared with less, proves less.
func (d *diff) audit(base, next keysfile.Audit) {
	if b, n := time.Duration(base.Retention), time.Duration(next.Retention); b != n {
		to := Narrows
		if n < b {
			to = Widens
		}
		d.add(to, "audit.retention", "what is in the ledger is locked for %s instead of %s", Span(n), Span(b))
	}
	d.requires("audit.mode", base.Mode == keysfile.Compliance, next.Mode == keysfile.Compliance,
		"nobody can delete what is in the ledger", "break-glass can delete what is in the ledger")
	d.condition("audit.trail", trail(base.Trail), trail(next.Trail), "a comparison of the ledger with CloudTrail's files")
	d.condition("audit.checkpoints", checkpoints(base.Checkpoints), checkpoints(next.Checkpoints), "a second place for the ledger's checkpoints")
}

func trail(t *keysfile.Trail) string {
	if t == nil {
		return ""
	}
	return fmt.Sprintf("bucket %s, prefix %q, account %s, key %q", t.Bucket, t.Prefix, t.Account, t.KMSKey)
}

func checkpoints(c *keysfile.Checkpoints) string {
	if c == nil {
		return ""
	}
	return c.Bucket
}

// detections: what is no longer told, or told later, is wider.
func (d *diff) detections(base, next keysfile.Detect) {
	if b, n := base.Installed, next.Installed; !b.Equal(n.Time) {
		to := Narrows
		if n.After(b.Time) {
			to = Widens // what is new is learned again
		}
		d.add(to, "detect.installed", "learning begins on %s instead of %s", day(n), day(b))
	}
	d.longer("detect.learning", "learning takes", time.Duration(base.Learning), time.Duration(next.Learning))
	for _, id := range names(base.Rules, next.Rules) {
		if was, is := state(base.Rules, id), state(next.Rules, id); was != is {
			to := Widens
			if is == on || is == byDefault && was == off {
				to = Narrows
			}
			d.add(to, entry("detect.rules", id), "%s instead of %s", is, was)
		}
	}
	for _, id := range names(base.Thresholds, next.Thresholds) {
		b, had := base.Thresholds[id]
		n, has := next.Thresholds[id]
		switch where := entry("detect.thresholds", id); {
		case !had:
			d.add(Widens, where, "%d instead of its own", n)
		case !has:
			d.add(Widens, where, "its own instead of %d", b)
		case n > b:
			d.add(Widens, where, "%d instead of %d", n, b)
		case n < b:
			d.add(Narrows, where, "%d instead of %d", n, b)
		}
	}
	d.list("detect.automation", automation(base), automation(next), "%s reads many secrets, and is not told of", "%s is told of when it reads many secrets")
	d.list("detect.listers", base.Listers, next.Listers, "%s lists secrets, and is not told of", "%s is told of when it lists secrets")
	d.list("detect.accounts", base.Accounts, next.Accounts, "callers of the account %s are not told of", "callers of the account %s are told of")
	d.condition("detect.workingHours", hours(base.Hours), hours(next.Hours), "being told of people who read outside working hours")
	d.respond(base.Respond, next.Respond)
	d.list("detect.suppressions", suppressions(base), suppressions(next), "not told: %s", "told again: %s")
	d.allowed("detect.allow.cidrs", base.Allow.CIDRs, next.Allow.CIDRs)
	d.allowed("detect.allow.vpcEndpoints", base.Allow.VPCEndpoints, next.Allow.VPCEndpoints)
	d.allowed("detect.allow.countries", base.Allow.Countries, next.Allow.Countries)
}

// allowed compares a list that tells of whoever is not on it, and of nobody when it is
// empty.
func (d *diff) allowed(where string, base, next []string) {
	switch {
	case len(base) == 0 && len(next) > 0:
		d.add(Narrows, where, "callers from elsewhere are told of")
	case len(base) > 0 && len(next) == 0:
		d.add(Widens, where, "callers from anywhere are no longer told of")
	default:
		d.list(where, base, next, "callers from %s are not told of", "callers from %s are told of")
	}
}

// The states of a detection.
const (
	on        = "on"
	off       = "off"
	byDefault = "as by default"
)

func state(rules map[string]bool, id string) string {
	switch is, ok := rules[id]; {
	case !ok:
		return byDefault
	case is:
		return on
	default:
		return off
	}
}

func automation(d keysfile.Detect) []string {
	var out []string
	for _, a := range d.Automation {
		s := a.Principal
		if a.UserAgent != "" {
			s += " as " + a.UserAgent
		}
		out = append(out, s)
	}
	return out
}

// respond: what no longer ends by itself what a thief knows is wider, and so is that a
// function gets the right to rotate by itself.
func (d *diff) respond(base, next *keysfile.Respond) {
	switch b, n := base != nil && !base.Off, next != nil && !next.Off; {
	case n && !b:
		d.add(Widens, "detect.respond", "the audit function may start emergency rotations by itself")
	case b && !n:
		d.add(Widens, "detect.respond", "findings start no rotations")
	}
	if base == nil || next == nil {
		return
	}
	for _, id := range base.Rules {
		if !slices.Contains(next.Rules, id) {
			d.add(Widens, "detect.respond.rules", "what %s finds starts no rotation", id)
		}
	}
	for _, id := range next.Rules {
		if !slices.Contains(base.Rules, id) {
			d.add(Narrows, "detect.respond.rules", "what %s finds starts a rotation", id)
		}
	}
	d.longer("detect.respond.cooldown", "no second rotation is started for", time.Duration(base.Cooldown), time.Duration(next.Cooldown))
	switch {
	case next.Hourly < base.Hourly:
		d.add(Widens, "detect.respond.hourly", "%d rotations at most are started in an hour instead of %d", next.Hourly, base.Hourly)
	case next.Hourly > base.Hourly:
		d.add(Narrows, "detect.respond.hourly", "%d rotations at most are started in an hour instead of %d", next.Hourly, base.Hourly)
	}
}

func hours(h *keysfile.WorkingHours) string {
	if h == nil {
		return ""
	}
	days := "working days"
	if h.Weekends {
		days = "all days"
	}
	return fmt.Sprintf("%d to %d UTC on %s", h.From, h.To, days)
}

func suppressions(d keysfile.Detect) []string {
	var out []string
	for _, s := range d.Suppressions {
		of := s.Rule
		if s.Principal != "" {
			of += " by " + s.Principal
		}
		if s.Secret != "" {
			of += " on " + s.Secret
		}
		out = append(out, of+" until "+day(s.Until))
	}
	return out
}

func day(d keysfile.Date) string {
	if d.IsZero() {
		return "no day"
	}
	return d.Format(time.DateOnly)
}

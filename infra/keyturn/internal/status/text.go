package status

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/shared/keyrecord"
)

// List returns a table of keys, and below it a line for everything that
// somebody should know.
func List(keys []Key, now time.Time, p console.Palette) string {
	var t console.Table
	t.Row("KEY", "VENDOR", "AGE", "LAST", "NEXT", "STAGE", "OLDER", "OWNER")
	var notes strings.Builder
	for _, k := range keys {
		next := console.Cell{Text: console.Relative(k.NextRotation, now)}
		if k.NextRotation.IsZero() {
			next.Text = ""
		} else if len(k.Overdue) > 0 {
			next.Style = console.Bad
		}
		t = append(t, []console.Cell{
			{Text: k.Secret},
			{Text: k.Vendor},
			{Text: k.age()},
			{Text: k.last(now)},
			next,
			{Text: string(k.Stage), Style: k.style()},
			{Text: k.olderInShort()},
			{Text: k.Owner},
		})
		for _, n := range k.notes(now) {
			notes.WriteString(p.Paint(n.Style, console.Clean(k.Secret+": "+n.Text)) + "\n")
		}
	}
	if notes.Len() == 0 {
		return t.Render(p)
	}
	return t.Render(p) + "\n" + notes.String()
}

// Whole returns everything about one key.
func Whole(k Key, now time.Time, p console.Palette) string {
	var f console.Fields
	f.Add("key", k.Secret)
	f.Add("vendor", fmt.Sprintf("%s (account %s)", k.Vendor, k.VendorAccount))
	f.Add("owner", k.Owner)
	if k.Tier > 0 {
		f.Add("tier", strconv.Itoa(k.Tier))
	}
	stage := string(k.Stage)
	if !k.Since.IsZero() {
		stage += " since " + console.Instant(k.Since, now)
	}
	f.Paint("stage", k.style(), stage)
	f.Add("version", k.Version)
	f.Add("pending", k.Pending)
	f.Add("age", k.age())
	if k.Stage != Unknown {
		f.Add("last rotation", console.Instant(k.LastRotation, now))
	}
	if !k.NextRotation.IsZero() {
		f.Add("next rotation", console.Instant(k.NextRotation, now))
	}
	if k.Pause != nil {
		f.Paint("pause", console.Warn, k.Pause.inWords(now))
	}
	f.Paint("current key", console.Warn, k.CurrentUnknown)
	for _, o := range k.Older {
		f.Paint("older key", styleOf(o), o.inWords(now))
	}
	if k.LastError != nil {
		f.Paint("last error", console.Bad, k.LastError.inWords(now))
	}
	for _, one := range k.Alerts {
		f.Paint("alert", one.style(), one.inWords(now))
	}
	f.Paint("late", console.Bad, strings.Join(k.Overdue, ", "))
	f.Paint("not read", console.Bad, k.Problem)
	f.Add("next", k.Next.inWords(now))
	return f.Render(p)
}

func (k Key) age() string {
	if k.Born.IsZero() {
		return ""
	}
	return console.Duration(time.Duration(k.AgeSeconds) * time.Second)
}

func (k Key) last(now time.Time) string {
	if k.Stage == Unknown {
		return ""
	}
	return console.Relative(k.LastRotation, now)
}

func (k Key) style() console.Style {
	switch k.Stage {
	case Idle:
		return console.Good
	case Rotating, Off, Empty, Paused, Frozen:
		return console.Warn
	case Stuck, Deleted, Unknown:
		return console.Bad
	}
	return console.Plain
}

// olderInShort is "2: grace, held".
func (k Key) olderInShort() string {
	if len(k.Older) == 0 {
		return ""
	}
	states := make([]string, len(k.Older))
	for i, o := range k.Older {
		states[i] = string(o.State)
	}
	return fmt.Sprintf("%d: %s", len(states), strings.Join(states, ", "))
}

func (k Key) notes(now time.Time) []console.Cell {
	var out []console.Cell
	if k.Problem != "" {
		out = append(out, console.Cell{Text: "not read: " + k.Problem, Style: console.Bad})
	}
	if len(k.Overdue) > 0 {
		out = append(out, console.Cell{Text: "late: " + strings.Join(k.Overdue, ", "), Style: console.Bad})
	}
	if k.LastError != nil {
		out = append(out, console.Cell{Text: "last error: " + k.LastError.inWords(now), Style: console.Bad})
	}
	for _, one := range k.Alerts {
		out = append(out, console.Cell{Text: "alert " + one.inWords(now), Style: one.style()})
	}
	if k.Pause != nil {
		out = append(out, console.Cell{Text: k.Pause.inWords(now), Style: console.Warn})
	}
	if k.CurrentUnknown != "" {
		out = append(out, console.Cell{Text: "current key: " + k.CurrentUnknown, Style: console.Warn})
	}
	for _, o := range k.Older {
		if o.State == keyrecord.Held || o.LastError != "" || o.State == keyrecord.Lost {
			out = append(out, console.Cell{Text: "older key " + o.inWords(now), Style: styleOf(o)})
		}
	}
	switch k.Stage {
	case Stuck, Off, Empty, Deleted:
		out = append(out, console.Cell{Text: "next: " + k.Next.inWords(now), Style: console.Warn})
	case Idle, Rotating, Paused, Frozen, Unknown:
	}
	return out
}

// inWords is `paused until 2026-12-01 00:00:00Z (in 7d), by arn, owner me: a release`.
func (p Pause) inWords(now time.Time) string {
	text := "paused until "
	switch p.State {
	case "expired":
		text = "a pause expired at "
	case freeze:
		text = "frozen by the configuration until "
	}
	text += console.Instant(p.Until, now)
	if p.By != "" {
		text += ", by " + p.By
	}
	if p.Owner != "" {
		text += ", owner " + p.Owner
	}
	return text + ": " + p.Reason
}

// inWords is `failed-1 (critical) 2h ago: it failed; acknowledged 1h ago by arn: I am at it`.
func (a Alert) inWords(now time.Time) string {
	text := a.ID + " (" + a.Severity + ") " + console.Relative(a.At, now) + ": " + a.Summary
	switch {
	case !a.Acked.IsZero():
		text += "; acknowledged " + console.Relative(a.Acked, now) + " by " + a.By + ": " + a.Reason
	case !a.Escalated.IsZero():
		text += "; nobody has acknowledged it, and it was escalated " + console.Relative(a.Escalated, now)
	default:
		text += "; nobody has acknowledged it"
	}
	return text
}

func (a Alert) style() console.Style {
	if a.Acked.IsZero() {
		return console.Bad
	}
	return console.Warn
}

func styleOf(o Older) console.Style {
	if o.State == keyrecord.Held || o.State == keyrecord.Lost || o.LastError != "" {
		return console.Warn
	}
	return console.Plain
}

// inWords is `abc: held: still used; used 5m ago; next look in 60m`.
func (o Older) inWords(now time.Time) string {
	parts := []string{o.KeyID + ": " + string(o.State)}
	if o.Why != "" {
		parts[0] += ": " + o.Why
	}
	if !o.Replaced.IsZero() {
		parts = append(parts, "replaced "+console.Relative(o.Replaced, now))
	}
	if !o.LastUsed.IsZero() {
		parts = append(parts, "used "+console.Relative(o.LastUsed, now))
	}
	if o.LastError != "" {
		parts = append(parts, fmt.Sprintf("failed %dx: %s", o.Attempts, o.LastError))
	}
	if !o.Next.IsZero() {
		parts = append(parts, "next look "+console.Relative(o.Next, now))
	}
	return strings.Join(parts, "; ")
}

func (f Failure) inWords(now time.Time) string {
	s := f.Type + ": " + f.Text
	if !f.At.IsZero() {
		s = console.Relative(f.At, now) + ": " + s
	}
	if f.Count > 1 {
		s += fmt.Sprintf(" (%d times)", f.Count)
	}
	return s
}

func (a Act) inWords(now time.Time) string {
	if a.At.IsZero() {
		return a.What
	}
	return a.What + ", " + console.Instant(a.At, now)
}

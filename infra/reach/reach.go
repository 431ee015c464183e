// Package reach says what a change of the keys' file lets happen that could not
// happen before: who may read, from where, where credentials may go, how long a
// key may live, who may operate, and who no longer watches.
package reach

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// Direction is whether more is possible after a change, or less.
type Direction string

// The directions. What cannot be told counts as wider.
const (
	Widens  Direction = "widens"
	Narrows Direction = "narrows"
)

// Change is one difference in reach.
type Change struct {
	Direction Direction         `json:"direction"`
	Where     string            `json:"where"` // keys["prod/mailer"].readers
	What      string            `json:"what"`  // without a capital or a full stop
	At        keysfile.Position `json:"-"`     // of the key in the newer file; zero: elsewhere
}

// Compare returns every difference in reach between two files with all defaults
// filled: what is about the installation first, then the vendor accounts and the
// keys by name. What has no part in reach, such as tags, is not compared.
func Compare(base, next *keysfile.File) []Change {
	d := &diff{}
	d.identity(base, next)
	d.environments(base.Environments, next.Environments)
	d.policy(base.Policy, next.Policy)
	d.people(base.Access, next.Access)
	d.functions(base.Functions, next.Functions)
	d.notifications(base.Notifications, next.Notifications)
	d.freezes(base.Freeze, next.Freeze)
	d.audit(base.Audit, next.Audit)
	d.detections(base.Detect, next.Detect)
	d.accounts(base.VendorAccounts, next.VendorAccounts)
	d.keys(base, next)
	return d.changes
}

// identity compares what no deployment can change.
func (d *diff) identity(base, next *keysfile.File) {
	if base.Name != next.Name {
		d.add(Widens, "name", "another installation, %q: what %q deployed stays, with its rights, and its secrets cannot be made again", next.Name, base.Name)
	}
	if base.Shards != next.Shards {
		d.add(Widens, "shards", "%d instead of %d: after the first deployment keys would change their stacks, and the deployment would fail", next.Shards, base.Shards)
	}
}

// Wider reports whether any of the changes widens.
func Wider(changes []Change) bool {
	return slices.ContainsFunc(changes, func(c Change) bool { return c.Direction == Widens })
}

// diff collects.
type diff struct {
	changes []Change
	at      keysfile.Position
}

func (d *diff) add(to Direction, where, format string, args ...any) {
	d.changes = append(d.changes, Change{Direction: to, Where: where, What: fmt.Sprintf(format, args...), At: d.at})
}

// list compares a list whose every entry widens. The formats take the entry.
func (d *diff) list(where string, base, next []string, more, less string) {
	for _, s := range unique(next) {
		if !slices.Contains(base, s) {
			d.add(Widens, where, more, s)
		}
	}
	for _, s := range unique(base) {
		if !slices.Contains(next, s) {
			d.add(Narrows, where, less, s)
		}
	}
}

// allows compares a switch that widens when it is on.
func (d *diff) allows(where string, base, next bool, on, off string) {
	switch {
	case next && !base:
		d.add(Widens, where, "%s", on)
	case base && !next:
		d.add(Narrows, where, "%s", off)
	}
}

// requires compares a switch that narrows when it is on.
func (d *diff) requires(where string, base, next bool, on, off string) {
	switch {
	case base && !next:
		d.add(Widens, where, "%s", off)
	case next && !base:
		d.add(Narrows, where, "%s", on)
	}
}

// condition compares a text that narrows while it is there.
func (d *diff) condition(where, base, next, what string) {
	switch {
	case base == next:
	case next == "":
		d.add(Widens, where, "%s is no longer demanded: it was %s", what, base)
	case base == "":
		d.add(Narrows, where, "%s is demanded: %s", what, next)
	default:
		d.add(Widens, where, "another %s is demanded: %s instead of %s", what, next, base)
	}
}

// longer compares a time whose length widens.
func (d *diff) longer(where, what string, base, next time.Duration) {
	switch {
	case next > base:
		d.add(Widens, where, "%s: %s instead of %s", what, Span(next), Span(base))
	case next < base:
		d.add(Narrows, where, "%s: %s instead of %s", what, Span(next), Span(base))
	}
}

// bound compares an upper bound; 0 is none.
func (d *diff) bound(where, what string, base, next time.Duration) {
	switch {
	case base == next:
	case next == 0:
		d.add(Widens, where, "%s is no longer bounded: it was %s", what, Span(base))
	case base == 0:
		d.add(Narrows, where, "%s is bounded: %s", what, Span(next))
	default:
		d.longer(where, "the bound of "+what, base, next)
	}
}

// Span returns a duration as the file has it: "30d", "36h", "90m".
func Span(t time.Duration) string { return keysfile.Duration(t).String() }

func entry(list, name string) string { return list + "[" + strconv.Quote(name) + "]" }

func unique(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

// names returns the names of both, sorted.
func names[A any](base, next map[string]A) []string {
	return slices.Compact(slices.Sorted(func(yield func(string) bool) {
		for _, m := range []map[string]A{base, next} {
			for name := range maps.Keys(m) {
				if !yield(name) {
					return
				}
			}
		}
	}))
}

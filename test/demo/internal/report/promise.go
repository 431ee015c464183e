package report

import (
	"fmt"
	"slices"
	"strings"
)

// most is what a rotation may need of Secrets Manager: see docs/adr/0002.
const (
	mostCalls  = 8
	mostWrites = 2
)

// enough is how many requests a consumer must have made for its having no
// failure to mean something.
const enough = 20

// Promise is something that must be true of every run.
type Promise struct {
	What   string
	Broken []string // how it was broken; empty: it was kept
}

// Kept reports whether it was.
func (p Promise) Kept() bool { return len(p.Broken) == 0 }

// Promises judges the run.
func (r Run) Promises() []Promise {
	return []Promise{
		{"The whole story was shown", r.Problems},
		{"No request of a consumer failed", r.failures()},
		{"One key of each secret lives, and the vendors hold no orphan", r.each(orphans)},
		{"Every current key is accepted by its vendor", r.each(notAccepted)},
		{"Every older key is refused by its vendor, and its end is proven", r.each(notRefused)},
		{"A key that was still in use was held, and revoked only when it was quiet", r.hold()},
		{fmt.Sprintf("A rotation needs at most %d calls of Secrets Manager, %d of them writes", mostCalls, mostWrites), r.each(tooManyCalls)},
		{"Every act at a vendor was in the audit trail before it was done", r.Unasked},
		{"A theft and what it gives away were noticed and told once, nothing else was, and the ledger is proven", r.watched()},
		{"No secret is in any log, message, record or file", r.Leaks},
	}
}

// Broken returns the promises that were not kept.
func Broken(all []Promise) []Promise {
	var out []Promise
	for _, p := range all {
		if !p.Kept() {
			out = append(out, p)
		}
	}
	return out
}

func (r Run) each(check func(Key) []string) []string {
	if len(r.Keys) == 0 {
		return []string{"there is no key"}
	}
	var out []string
	for _, k := range r.Keys {
		for _, s := range check(k) {
			out = append(out, k.Secret+": "+s)
		}
	}
	return out
}

func (r Run) failures() []string {
	return r.each(func(k Key) (out []string) {
		if len(k.Consumers) == 0 {
			out = append(out, "nobody used it")
		}
		for _, c := range k.Consumers {
			switch {
			case c.Failed > 0:
				out = append(out, fmt.Sprintf("%d of %d requests of %s failed, the last with %s", c.Failed, c.Requests, c.Name, c.LastErr))
			case c.Requests < enough:
				out = append(out, fmt.Sprintf("%s made no more than %d requests, which proves nothing", c.Name, c.Requests))
			}
		}
		return out
	})
}

func orphans(k Key) (out []string) {
	if k.Current() == nil {
		out = append(out, "it has no current key")
	}
	if o := k.Orphans(); len(o) > 0 {
		out = append(out, "the vendor also holds "+strings.Join(o, ", "))
	}
	return out
}

func notAccepted(k Key) (out []string) {
	if c := k.Current(); c != nil && c.Answer != Accepted {
		out = append(out, fmt.Sprintf("key %d is %s", c.Number, c.said()))
	}
	return out
}

func notRefused(k Key) (out []string) {
	if len(k.Lives) < 2 {
		out = append(out, "it was not rotated")
	}
	for _, l := range k.Lives {
		switch lost := l.In(Lost); {
		case l.Is(Current):
		case !lost && l.Answer != Refused, lost && l.Answer != Unlisted:
			out = append(out, fmt.Sprintf("key %d is %s", l.Number, l.said()))
		case !lost && l.End != "dead", lost && l.End == "", l.Proof == "":
			out = append(out, fmt.Sprintf("key %d is not proven dead", l.Number))
		}
	}
	return out
}

func (l Life) said() string {
	if l.Answer == "" {
		return "not tried"
	}
	return string(l.Answer)
}

func (r Run) hold() []string {
	for _, k := range r.Keys {
		for _, l := range k.Lives {
			if l.In(Held) && l.End == "dead" {
				return nil
			}
		}
	}
	return []string{"no key was held and then retired"}
}

func (r Run) watched() (out []string) {
	w := r.Watch
	if len(w.Expected) == 0 || w.Told != len(w.Expected) || !slices.Equal(slices.Sorted(slices.Values(w.Alerts)), slices.Sorted(slices.Values(w.Expected))) {
		out = append(out, fmt.Sprintf("%d messages about %d alerts: %s", w.Told, len(w.Alerts), strings.Join(w.Alerts, ", ")))
	}
	if w.Entries == 0 || w.Acts == 0 || w.Reads == 0 || w.Denied == 0 {
		out = append(out, fmt.Sprintf("of the ledger %d entries are proven: %d acts, %d reads, %d denials", w.Entries, w.Acts, w.Reads, w.Denied))
	}
	return out
}

func tooManyCalls(k Key) (out []string) {
	if len(k.Rotations) == 0 {
		out = append(out, "it was not rotated")
	}
	for _, r := range k.Rotations {
		if tries := r.Crashes + 1; r.Calls > tries*mostCalls || r.Writes != mostWrites || r.Calls == 0 {
			out = append(out, fmt.Sprintf("%d calls, %d of them writes", r.Calls, r.Writes))
		}
	}
	return out
}

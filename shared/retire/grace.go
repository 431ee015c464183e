package retire

import (
	"time"

	"github.com/keyturn/keyturn/shared/config"
)

// usage is what the vendor says about a key's use.
type usage struct {
	told bool          // false: this vendor does not say
	last time.Time     // zero: never
	lag  time.Duration // how late last may be
}

// verdict says whether a key's grace is over.
type verdict struct {
	over bool
	held string    // not "": time is up, and a person must decide; a hold's name
	next time.Time // when to look again; zero: with the sweep
	why  string
}

const (
	heldInUse   = "in_use"
	heldNoUsage = "no_usage"
)

// judge decides on the grace of a key that was replaced at this time.
func judge(g config.Grace, replaced, now time.Time, u usage) verdict {
	earliest := replaced.Add(g.Min)
	end := later(earliest, replaced.Add(g.Max))
	if !u.told {
		switch {
		case now.Before(end):
			return verdict{next: end, why: "the vendor does not say when keys are used, so the whole grace is waited for"}
		case g.NoUsage == config.Revoke:
			return verdict{over: true, why: "its grace is over, and the vendor does not say when keys are used"}
		}
		return verdict{held: heldNoUsage, why: "its grace is over, the vendor does not say when keys are used, and grace.noUsage is hold"}
	}
	quiet := later(earliest, replaced.Add(u.lag))
	used := "it has never been used"
	if !u.last.IsZero() {
		quiet = later(quiet, u.last.Add(g.Quiet+u.lag))
		used = "it was last used at " + stamp(u.last)
	}
	switch {
	case !now.Before(quiet):
		return verdict{over: true, why: used}
	case now.Before(end):
		return verdict{next: earlier(quiet, end), why: used}
	case g.OnMax == config.Revoke:
		return verdict{over: true, why: used + "; its grace is over, and grace.onMax is revoke"}
	}
	return verdict{held: heldInUse, next: quiet, why: "it was replaced at " + stamp(replaced) + ", its grace is over, and it is still in use: " + used}
}

// hurried is the grace of a key that an emergency replaced: it may be in the
// wrong hands, so that somebody uses it is no reason to leave it alive. Its
// consumers have the least time that the configuration gives them.
func hurried(g config.Grace) config.Grace {
	g.Quiet, g.Max, g.OnMax, g.NoUsage = 0, g.Min, config.Revoke, config.Revoke
	return g
}

// backoff is the wait after so many failures in a row.
func backoff(failures int) time.Duration {
	steps := [...]time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour}
	return steps[min(max(failures, 1), len(steps))-1]
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

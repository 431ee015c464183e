package detect

import (
	"slices"
	"strings"
	"time"
)

// Respond says which findings start emergency rotations, and how many at most.
// Without one, findings start nothing.
type Respond struct {
	Rules    []string      `json:"rules"`                         // of those that have Responds
	Cooldown time.Duration `json:"cooldownNanoseconds,omitempty"` // of one secret; 0: an hour
	Hourly   int           `json:"hourly,omitempty"`              // at most so many in an hour; 0: 10
	Off      bool          `json:"off,omitempty"`                 // the kill switch
	Until    time.Time     `json:"until,omitzero"`                // when people are reminded of it
}

// Suppression keeps findings that are known from being told, until its end. They are
// written to the ledger and counted all the same.
type Suppression struct {
	Rule      string    `json:"rule"`
	Principal string    `json:"principal,omitempty"` // ARN; a * at the end stands for any rest; "": anybody
	Secret    string    `json:"secret,omitempty"`    // by name; a * at the end stands for any rest; "": any
	Until     time.Time `json:"until"`               // its end
	Reason    string    `json:"reason"`
	Owner     string    `json:"owner,omitempty"` // who answers for it
}

// Expired says that s has ended by now, and is ignored.
func (s Suppression) Expired(now time.Time) bool { return !now.Before(s.Until) }

// covers says that f is one of those that s is about. All of its secrets have to be.
func (s Suppression) covers(f *Finding) bool {
	switch {
	case s.Rule != f.Rule, everyone(s.Principal) && everyone(s.Secret):
		return false
	case s.Principal != "" && !matchOne(s.Principal, f.Principal):
		return false
	case s.Secret == "":
		return true
	}
	return len(f.Secrets) > 0 && !slices.ContainsFunc(f.Secrets, func(name string) bool { return !matchOne(s.Secret, name) })
}

// everyone says that a pattern narrows nothing: to turn a rule off is another setting.
func everyone(pattern string) bool { return strings.Trim(pattern, "*") == "" }

// Suppressed returns the suppression of f that is in force. There is none of a
// critical finding: what a thief does to a honey token, to an admin credential or
// to the watch itself is told whatever a file says.
func (s *Site) Suppressed(f *Finding, now time.Time) (Suppression, bool) {
	if f.Severity >= Critical {
		return Suppression{}, false
	}
	i := slices.IndexFunc(s.Suppressions, func(one Suppression) bool { return !one.Expired(now) && one.covers(f) })
	if i < 0 {
		return Suppression{}, false
	}
	return s.Suppressions[i], true
}

// Suppressible says whether suppressions of the rule can have any effect.
func (r *Rule) Suppressible() bool { return r.Severity < Critical }

// loot finds the secrets of the first tier that were read within span of n values
// that count. of says which secret a value names, "" if none, and whether it counts.
func (s *Site) loot(h History, span time.Duration, n int, of func(value string) (secret string, counts bool)) []Finding {
	if s.tierOne == 0 || len(h.Marks) < n {
		return nil
	}
	var found []Finding
	for w := range windows(h.Marks, span) {
		counted := 0
		for v := range w.values {
			if _, ok := of(v); ok {
				counted++
			}
		}
		if counted < n {
			continue
		}
		for _, m := range w.marks {
			if name, _ := of(m.Value); s.precious(name) {
				f := h.finding([]Mark{m})
				f.Why = name + ", of tier 1, was among what was read"
				f.Secrets, f.Rotate = []string{name}, []string{name}
				f.distinct = name + "\n" + m.Time().Truncate(period).Format(time.RFC3339)
				found = append(found, f)
			}
		}
	}
	return unique(found)
}

// precious says that a finding may have the secret rotated: it is of the first tier.
func (s *Site) precious(name string) bool {
	one := s.secrets[name]
	return one != nil && one.Tier == 1 && !one.HoneyToken && !one.Canary
}

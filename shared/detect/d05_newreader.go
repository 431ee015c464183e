package detect

import (
	"slices"
	"time"
)

// newReader is D-05: somebody reads a secret who is not expected to. Tier-1
// secrets have a list of readers, and nothing is learned about them. Other
// secrets, and those without a list, learn: whoever read one in the time after
// the installation, or in the last 90 days, is expected. That part runs only
// where the site turns D-05 on by name.
//
// False positives: a new consumer; add it to the readers in keyturn.yaml.
func newReader() Rule {
	return Rule{
		ID: "D-05", Title: "a secret has a new reader", Severity: Medium, Technique: "T1555.006", Default: true,
		Next: "ask the key's owner; if nobody knows of the reader, take its right away and rotate the key",
		See:  seeStranger,
		Patterns: []Pattern{{
			Name: "first", Span: remembered, Bucket: time.Minute, Latest: true, First: time.Hour, Settles: true,
			Mark: markReader, Judge: judgeFirst("not seen to read it in 90d before", Medium),
		}},
	}
}

// remembered is how long a reader is known that does not read.
const remembered = 90 * 24 * time.Hour

// listed says that a list of readers decides, and nothing is learned.
func (s Subject) listed() bool { return s.Tier == 1 && len(s.Readers) > 0 }

func seeStranger(_ *Site, c *Call) []Finding {
	if !c.Reads() {
		return nil
	}
	var out []Finding
	for _, one := range c.About {
		if one.Admin || !one.listed() || matches(one.Readers, c.Who) || matches(one.Rotators, c.Who) {
			continue
		}
		f := c.findingOn(one, time.Hour, one.Name+" is of tier 1, and its readers do not include the caller")
		f.Severity = High
		out = append(out, f)
	}
	return out
}

func markReader(s *Site, c *Call) []Note {
	if !c.Reads() || !s.Rules["D-05"] {
		return nil
	}
	var out []Note
	for _, one := range c.About {
		if !one.listed() && !matches(one.Readers, c.Who) {
			out = append(out, Note{reading(c, one), ""})
		}
	}
	return out
}

// judgeFirst finds first marks after learning.
func judgeFirst(why string, severity Severity) func(*Site, History) []Finding {
	return func(s *Site, h History) []Finding {
		var found []Finding
		for _, m := range firsts(h, remembered) {
			if m.Time().Before(s.Learned()) {
				continue
			}
			f := h.finding([]Mark{m})
			f.Why, f.Severity = why, severity
			found = append(found, f)
		}
		return found
	}
}

// firsts returns the settled marks that had no mark of their value before, within forget.
func firsts(h History, forget time.Duration) []Mark {
	var out []Mark
	last := map[string]Mark{}
	for _, m := range h.Old() {
		if before, ok := last[m.Value]; !ok || m.Time().Sub(before.Time()) > forget {
			out = append(out, m)
		}
		last[m.Value] = m
	}
	return slices.Clip(out)
}

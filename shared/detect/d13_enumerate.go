package detect

import (
	"fmt"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// enumerated is D-13: a principal listed the secrets and then read several: a
// thief does not know the names, a consumer does. It is found with fewer reads
// than D-10 needs. Usual listers are in the site; versions read by their id are
// known to the reader (see D-10).
//
// Threshold: n secrets in the 10 minutes after a list. False positives: people
// who look around in the console.
func enumerated(n int) Rule {
	return Rule{
		ID: "D-13", Title: "secrets were listed, then read", Severity: High, Technique: "T1526", Automation: true,
		Next: "ask the principal's owner; if nobody knows of it, revoke its sessions and rotate what it read",
		Patterns: []Pattern{{
			Name: "principal", Span: afterList + period, Bucket: time.Minute, Cap: n + 1, Keep: listed,
			Mark: markEnumeration, Judge: judgeEnumeration(n),
		}},
	}
}

const afterList, listed = 10 * time.Minute, "list"

func markEnumeration(s *Site, c *Call) []Note {
	if c.Manager() && c.Name == "ListSecrets" && c.Result == trail.Succeeded && !matches(s.Listers, c.Who) {
		return []Note{{principal(c), listed}}
	}
	if !c.Reads() {
		return nil
	}
	var out []Note
	for _, one := range c.About {
		if one.Ref.Version == "" {
			out = append(out, Note{principal(c), "read " + one.Name})
		}
	}
	return out
}

func judgeEnumeration(n int) func(*Site, History) []Finding {
	return func(_ *Site, h History) []Finding {
		var found []Finding
		for _, l := range h.Marks {
			if l.Value != listed {
				continue
			}
			evidence, read := readAfter(h.Marks, l)
			if len(read) < n {
				continue
			}
			f := h.finding(evidence)
			f.Count, f.Why = len(read), fmt.Sprintf("%s secrets read within %s after a list; threshold %d", atMost(len(read), n), short(afterList), n)
			f.distinct = l.Time().Truncate(period).Format(time.RFC3339)
			found = append(found, f)
		}
		return unique(found)
	}
}

// readAfter returns what was read after the list, and how many secrets.
func readAfter(marks []Mark, list Mark) (evidence []Mark, read map[string]bool) {
	evidence, read = []Mark{list}, map[string]bool{}
	for _, m := range marks {
		if m.Value != listed && m.Minute >= list.Minute && m.Time().Sub(list.Time()) <= afterList {
			evidence, read[m.Value] = append(evidence, m), true
		}
	}
	return evidence, read
}

package detect

import (
	"fmt"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// grantedAfterDenials is D-04: a principal read a secret that was denied to it
// before. Somebody has changed a policy for it, or it has found a way around.
//
// Threshold: 3 denials in the 24 hours before; fewer are a typing mistake in a
// policy. Within one minute the order is not known: there, denials count that came
// after. False positives: a new consumer, whose policy was mended.
func grantedAfterDenials() Rule {
	return Rule{
		ID: "D-04", Title: "a secret was read after it was denied", Severity: High, Technique: "T1098",
		Next: "find who changed the rights of the principal, and whether that was agreed",
		Patterns: []Pattern{{
			Name: "secret", Span: 24 * time.Hour, Bucket: time.Minute, Cap: 4, Keep: allowed, Brief: allowed,
			Mark: markGrants, Judge: judgeGrants,
		}},
	}
}

const allowed = "allowed"

func markGrants(_ *Site, c *Call) []Note {
	value := "denied " + c.ID
	switch {
	case c.Reads():
		value = allowed
	case !c.Asks() || c.Result != trail.Denied:
		return nil
	}
	var out []Note
	for _, one := range c.About {
		out = append(out, Note{reading(c, one), value})
	}
	return out
}

func judgeGrants(_ *Site, h History) []Finding {
	var found []Finding
	var denials []Mark
	for _, m := range h.Marks {
		if m.Value != allowed {
			denials = append(denials, m)
		}
	}
	for _, m := range h.Marks {
		if m.Value != allowed {
			continue
		}
		before := within(denials, m, 24*time.Hour)
		if len(before) < 3 {
			continue
		}
		f := h.finding(append(before, m))
		f.Why = fmt.Sprintf("read after %d denials within 24h; threshold 3", len(before))
		f.distinct = m.Time().Format(time.DateOnly)
		found = append(found, f)
	}
	return unique(found)
}

// within returns those of the marks that are at most span before m, or in its bucket.
func within(marks []Mark, m Mark, span time.Duration) []Mark {
	var out []Mark
	for _, o := range marks {
		if o.Minute <= m.Minute && m.Time().Sub(o.Time()) <= span {
			out = append(out, o)
		}
	}
	return out
}

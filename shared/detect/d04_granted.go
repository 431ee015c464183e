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
	const span, allowed = 24 * time.Hour, "allowed"
	return Rule{
		ID: "D-04", Title: "a secret was read after it was denied", Severity: High, Technique: "T1098",
		Next: "find who changed the rights of the principal, and whether that was agreed",
		Patterns: []Pattern{{
			Name: "secret", Span: span, Bucket: time.Minute, Cap: 4, Keep: allowed, Latest: true,
			Mark: func(_ *Site, c *Call) []Note {
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
			},
			Judge: func(_ *Site, h History) []Finding {
				var found []Finding
				for i, m := range h.Marks {
					if m.Value != allowed {
						continue
					}
					var before []Mark
					for _, d := range h.Marks {
						if d.Value != allowed && d.Minute <= m.Minute && m.Time().Sub(d.Time()) <= span {
							before = append(before, d)
						}
					}
					if len(before) < 3 {
						continue
					}
					f := h.finding(append(before, h.Marks[i]))
					f.Why = fmt.Sprintf("read after %d denials within 24h; threshold 3", len(before))
					f.distinct = m.Time().Format(time.DateOnly)
					found = append(found, f)
				}
				return unique(found)
			},
		}},
	}
}

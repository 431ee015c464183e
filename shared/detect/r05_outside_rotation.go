package detect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// outsideRotation is R-05: a role that rotates a secret read or changed it, and no
// rotation was asked for or began in the 24 hours before. It waits until both
// are settled. It is off by default: nobody outside AWS has published a record of
// RotationStarted, on which it relies where a schedule rotates, and retiring a
// replaced key, which is days after its rotation, uses a role of its own.
//
// False positives: the first value of a new key counts as a rotation; a rotation
// that AWS tries again for more than a day does not.
func outsideRotation() Rule {
	const span, began = 24 * time.Hour, "began"
	begins := []string{"RotateSecret", "RotationStarted", "TestRotationStarted", "CreateSecret"}
	return Rule{
		ID: "R-05", Title: "a rotation's role was used outside a rotation", Severity: High, Technique: "T1078.004", Ours: true, Services: true,
		Next: "look at the function's log at that time; if it did not run, revoke the role's sessions",
		Patterns: []Pattern{{
			Name: "secret", Span: 2 * span, Bucket: time.Minute, Cap: 20, Keep: began, Settles: true,
			Mark: func(_ *Site, c *Call) []Note {
				if !c.Manager() || c.Result != trail.Succeeded {
					return nil
				}
				var out []Note
				for _, one := range c.About {
					on := "rotation of " + one.Name
					switch {
					case slices.Contains(begins, c.Name):
						out = append(out, Note{on, began})
					case matches(one.Rotators, c.Who) && !strings.Contains(c.Who, "-retire-") && (c.Asks() || writes(c) || c.Name == "UpdateSecretVersionStage"):
						out = append(out, Note{on, c.Who})
					}
				}
				return out
			},
			Judge: func(_ *Site, h History) []Finding {
				var found []Finding
				for _, m := range h.Old() {
					if m.Value == began || slices.ContainsFunc(h.Old(), func(b Mark) bool {
						return b.Value == began && b.Minute <= m.Minute && m.Time().Sub(b.Time()) <= span
					}) {
						continue
					}
					f := h.finding([]Mark{m})
					f.Principal, f.Secrets = m.Value, []string{strings.TrimPrefix(h.On, "rotation of ")}
					f.Why = fmt.Sprintf("used, and no rotation of the secret began in %s before", short(span))
					f.distinct = m.Value + m.Time().Format(time.DateOnly)
					found = append(found, f)
				}
				return unique(found)
			},
		}},
	}
}

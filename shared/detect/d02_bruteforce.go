package detect

import (
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// bruteForce is D-02: many denied calls by one principal, or from one network by
// any principal. A program whose rights were taken away also asks again and
// again, but for one secret: several secrets weigh more than several calls.
// Throttled calls are no denials.
//
// Threshold: n calls in 10 minutes. 5 an hour is Splunk's, 10 to 25 Elastic's, 20 a
// day, which is 4n, Panther's.
// False positives: a deployment before its policy; a role whose policy was cut.
func bruteForce(n int) Rule {
	denied := func(c *Call) bool { return c.Result == trail.Denied && c.Concerns() }
	byPrincipal := func(value func(*Call) []string) func(*Site, *Call) []Note {
		return func(_ *Site, c *Call) []Note {
			if !denied(c) {
				return nil
			}
			return notes(principal(c), value(c))
		}
	}
	event := func(c *Call) []string { return []string{c.ID} }
	few := []Level{{n, Medium}, {2 * n, High}}
	return Rule{
		ID: "D-02", Title: "many calls were denied", Severity: Medium, Technique: "T1110", Default: true,
		Next: "ask the principal's owner; if nobody knows of it, revoke its sessions",
		Patterns: []Pattern{
			counted("calls", "denied calls", 10*time.Minute, time.Minute, few, byPrincipal(event)),
			counted(countsSecrets, "secrets denied", 10*time.Minute, time.Minute, []Level{{3, High}}, byPrincipal((*Call).names)),
			counted("day", "denied calls", 24*time.Hour, time.Hour, []Level{{4 * n, High}}, byPrincipal(event)),
			counted("network", "calls denied from one network", 10*time.Minute, time.Minute, few, func(_ *Site, c *Call) []Note {
				if !denied(c) {
					return nil
				}
				var out []Note
				for _, n := range c.networks() {
					out = append(out, Note{"network " + n, c.ID})
				}
				return out
			}),
		},
	}
}

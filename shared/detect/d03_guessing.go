package detect

import (
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// nameGuessing is D-03: one principal asks for many secrets that do not exist.
// It counts names, so that a program with one wrong name stays quiet.
//
// Threshold: n names in 10 minutes; Elastic counts 40 for buckets, whose names
// are public. False positives: an application started in the wrong Region.
func nameGuessing(n int) Rule {
	return Rule{
		ID: "D-03", Title: "names of secrets were guessed", Severity: Medium, Technique: "T1526", Automation: true,
		Next: "ask the principal's owner; look for what it read before and after",
		Patterns: []Pattern{counted("names", "names that no secret has", 10*time.Minute, time.Minute, []Level{{n, Medium}}, func(_ *Site, c *Call) []Note {
			if !c.Manager() || c.Result != trail.NotFound {
				return nil
			}
			var out []Note
			for _, ref := range c.Secrets() {
				out = append(out, Note{principal(c), ref.Name})
			}
			return out
		})},
	}
}

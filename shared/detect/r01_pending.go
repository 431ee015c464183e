package detect

import (
	"fmt"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// pendingRead is R-01: somebody asked for the version that is being made. Nobody
// but the rotation needs it: its key may not be proven yet, and whoever takes it
// has the next key before its consumers.
//
// False positives: people who look into a stuck rotation.
func pendingRead() Rule {
	return Rule{
		ID: "R-01", Title: "a pending version was asked for by a stranger", Severity: High, Technique: "T1555.006", Default: true,
		Next: "if the caller does not work on this rotation, rotate the key again and take the right away",
		See: func(_ *Site, c *Call) []Finding {
			var out []Finding
			for _, one := range c.About {
				if !c.Asks() || one.Ref.Stage != "AWSPENDING" || matches(one.Rotators, c.Who) {
					continue
				}
				f := c.findingOn(one, time.Hour, fmt.Sprintf("AWSPENDING of %s is for its rotation only", one.Name))
				if c.Result != trail.Succeeded {
					f.Severity = Medium
				}
				out = append(out, f)
			}
			return out
		},
	}
}

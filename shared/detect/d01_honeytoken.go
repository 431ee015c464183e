package detect

import (
	"fmt"

	"github.com/keyturn/keyturn/shared/trail"
)

// honeytoken is D-01. Nobody has a reason to touch a secret that is there to be
// found by a thief, so one call is enough, also a denied one, and also what KMS
// tells of it: whoever denies the reading in Secrets Manager's trail may forget
// the other. Our own rotator keeps such a secret looking alive, so its calls are
// not shown; listed automation is.
//
// False positives: an inventory that describes every secret. Let it skip the
// secret, or exclude it by name, but do not tell anybody why.
func honeytoken() Rule {
	return Rule{
		ID: "D-01", Title: "a honey token was touched", Severity: Critical, Technique: "T1555.006", Default: true,
		Next: "treat the caller's credentials as stolen: revoke its sessions, and rotate what it read in the last 24 hours",
		See: func(_ *Site, c *Call) []Finding {
			for _, one := range c.About {
				if !one.HoneyToken {
					continue
				}
				f := c.Finding(fmt.Sprintf("%s on %s, which nobody reads in peace", c.Name, one.Name))
				f.Rotate = c.Result == trail.Succeeded
				return []Finding{f}
			}
			return nil
		},
	}
}

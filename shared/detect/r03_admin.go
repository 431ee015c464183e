package detect

import (
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// adminRead is R-03: somebody but the rotation asked for a vendor's admin
// credential, which can make and end every key there. Nothing is learned, and no
// automation has a reason.
//
// False positives: whoever stores it looks at what he stored; keyturn admin does
// not need to.
func adminRead() Rule {
	return Rule{
		ID: "R-03", Title: "an admin credential was asked for by a stranger", Severity: Critical, Technique: "T1555.006", Default: true,
		Next: "end the credential at the vendor and store a new one (runbook: an admin credential lost), then look for keys that nobody made",
		See: func(_ *Site, c *Call) []Finding {
			var out []Finding
			for _, one := range c.About {
				if !one.Admin || !c.Asks() || matches(one.Rotators, c.Who) {
					continue
				}
				f := c.findingOn(one, time.Hour, one.Name+" is for the rotation only")
				if c.Result != trail.Succeeded {
					f.Severity = High
				}
				out = append(out, f)
			}
			return out
		},
	}
}

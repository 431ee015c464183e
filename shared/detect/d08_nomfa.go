package detect

import (
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// noMFA is D-08: a person read a value without a second factor. People are IAM
// users, and sessions of the console. A role's session does not say enough: what
// Identity Center or another identity provider asked for is not in the record.
//
// One finding a day for each person. False positives: IAM users that are
// programs; list them as automation until they are roles.
func noMFA() Rule {
	return Rule{
		ID: "D-08", Title: "a person read a secret without MFA", Severity: Medium, Technique: "T1078.004", Automation: true,
		Next: "ask for MFA in the policy (allow.requireMFA), or give the program a role",
		See: func(_ *Site, c *Call) []Finding {
			person := c.Identity.Type == "IAMUser" || c.Identity.Type == "AssumedRole" && c.Console
			if !c.Reads() || len(c.About) == 0 || !person || c.MFA() != trail.MFANotUsed {
				return nil
			}
			why := "the session had no MFA"
			if c.Identity.LongTerm() {
				why = "an access key that does not expire, without MFA"
			}
			f := c.Finding(why)
			f.matter = c.Who
			f.per(24 * time.Hour)
			return one(f)
		},
	}
}

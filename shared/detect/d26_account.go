package detect

import (
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// otherAccount is D-26: a principal of an account that is not on the list called
// for one of our secrets, or for KMS with one, which is how a read across accounts is
// sure to be seen: it needs a key of ours. A call that was refused is medium:
// anybody can try an ARN that he has heard of.
//
// One finding an hour for each caller and secret. False positives: an account
// that is missing in the list.
func otherAccount() Rule {
	return Rule{
		ID: "D-26", Title: "another account asked for a secret", Severity: High, Technique: "T1078.004", Responds: true,
		Next: "remove the account from the policies of the secret and its KMS key, or list it; rotate the key",
		See: func(s *Site, c *Call) []Finding {
			if !foreign(s, c, c.Identity.AccountID) {
				return nil
			}
			var out []Finding
			for _, one := range c.About {
				f := c.findingOn(one, time.Hour, c.Name+" by account "+quoted(c.Identity.AccountID)+", which is not on the list")
				if c.Result != trail.Succeeded {
					f.Severity, f.Why = Medium, f.Why+", failed"
					f.matter += "\nfailed"
					f.per(time.Hour)
				}
				f.Rotate = c.spoiled(one)
				out = append(out, f)
			}
			return out
		},
	}
}

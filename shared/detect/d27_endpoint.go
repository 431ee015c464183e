package detect

import (
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// endpointDenial is D-27: a VPC endpoint's policy denied a call to Secrets Manager.
// Such calls are in the trail only if network activity events are on for the
// endpoint. Somebody in our network used credentials, his own or found ones, that
// the endpoint does not let through: the way in which keys are taken out.
//
// One finding an hour for each caller and endpoint. False positives: an
// endpoint's policy that is narrower than the programs behind it.
//
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-network-events-with-cloudtrail.html
func endpointDenial() Rule {
	return Rule{
		ID: "D-27", Title: "a VPC endpoint denied a call for secrets", Severity: Medium, Technique: "T1555.006",
		Next: "find the machine behind the address, and whose credentials it used",
		See: func(_ *Site, c *Call) []Finding {
			if !c.Manager() || c.ErrorCode != "VpceAccessDenied" || c.Result != trail.Denied {
				return nil
			}
			f := c.Finding(c.Name + " denied by the policy of " + quoted(c.VPCEndpoint))
			f.matter = c.Who + "\n" + c.VPCEndpoint
			f.per(time.Hour)
			return one(f)
		},
	}
}

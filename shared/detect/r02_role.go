package detect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// strangeSession is R-02: a role of ours was used by something that is not our
// function: somebody else took the role, or a session of it has another name than
// the function, which Lambda always gives it. Both mean that the role's trust, or
// credentials that were issued to a function, are in other hands.
//
// False positives: none known in an installation of ours, whose roles trust
// Lambda and the scheduler alone.
//
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
func strangeSession() Rule {
	return Rule{
		ID: "R-02", Title: "a role of ours was used by a stranger", Severity: Critical, Technique: "T1078.004", Default: true, Ours: true,
		Next: "revoke the role's sessions, look at its trust policy, and rotate the keys that it may read",
		See: func(s *Site, c *Call) []Finding {
			if c.Source == "sts.amazonaws.com" && strings.HasPrefix(c.Name, "AssumeRole") {
				return taken(s, c)
			}
			name := c.Identity.SessionName()
			if c.Identity.Type != "AssumedRole" || len(s.Functions) == 0 || !matches(s.Roles, c.Who) || slices.Contains(s.Functions, name) {
				return nil
			}
			f := c.Finding(fmt.Sprintf("session %s is none of our functions", quoted(name)))
			f.per(time.Hour)
			return one(f)
		},
	}
}

// taken finds roles of ours that somebody else asked for. Lambda and the
// scheduler do so as services, without a principal of their own.
func taken(s *Site, c *Call) []Finding {
	var q struct {
		Role string `json:"roleArn"`
	}
	if c.Service || c.RequestFields(&q) != nil || !matches(s.Roles, q.Role) {
		return nil
	}
	f := c.Finding("took " + q.Role)
	f.matter += "\n" + q.Role
	if c.Result != trail.Succeeded {
		f.Severity, f.Why = Medium, "tried to take "+q.Role
	}
	f.per(time.Hour)
	return one(f)
}

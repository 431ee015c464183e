package detect

import (
	"fmt"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/cadence"
	"github.com/keyturn/keyturn/shared/trail"
)

// rotationOff is D-17: a secret's rotation was turned off, made rarer than the
// file says, or given to another function; or the secret was put under another
// KMS key, whose owner then decides who reads it. Deployers may do the last,
// and what they turn off weighs less. Of schedules, rate expressions and
// days are compared; a cron expression is not.
//
// Threshold: one. False positives: a pause by hand, which Keyturn's own pause
// makes unnecessary.
func rotationOff() Rule {
	return Rule{
		ID: "D-17", Title: "rotation was turned off or weakened", Severity: High, Technique: "T1562.001", Default: true,
		Next: "turn rotation on again as the file says, and ask who changed it",
		See: func(s *Site, c *Call) []Finding {
			if !c.Manager() || c.Result != trail.Succeeded || len(c.About) == 0 {
				return nil
			}
			deployer := matches(s.Deployers, c.Who)
			switch c.Name {
			case "CancelRotateSecret":
				f := c.Finding("rotation was turned off")
				if deployer {
					f.Severity = Medium
				}
				return one(f)
			case "UpdateSecret":
				var q struct {
					KMSKeyID string `json:"kmsKeyId"`
				}
				if c.RequestFields(&q) == nil && q.KMSKeyID != "" && !deployer {
					return one(c.Finding("the KMS key was changed to " + quoted(q.KMSKeyID)))
				}
			case "RotateSecret":
				if why := weakened(c); why != "" {
					return one(c.Finding(why))
				}
			}
			return nil
		},
	}
}

func weakened(c *Call) string {
	var q struct {
		Function string `json:"rotationLambdaARN"`
		Rules    struct {
			Days       int    `json:"automaticallyAfterDays"`
			Expression string `json:"scheduleExpression"`
		} `json:"rotationRules"`
	}
	if c.RequestFields(&q) != nil {
		return "the request has another shape"
	}
	for _, one := range c.About {
		if q.Function != "" && one.Function != "" && !isNamed(q.Function, one.Function) {
			return "rotation was given to function " + quoted(q.Function)
		}
		every := time.Duration(q.Rules.Days) * 24 * time.Hour
		if r, err := cadence.Parse(q.Rules.Expression); err == nil {
			every = r.Longest()
		}
		if one.Interval > 0 && every > one.Interval {
			return fmt.Sprintf("rotation every %s; the file says %s", short(every), short(one.Interval))
		}
	}
	return ""
}

// isNamed says whether the value is the name, or an ARN, a URL or a path of it.
func isNamed(value, name string) bool {
	if name == "" {
		return false
	}
	return value == name || strings.HasSuffix(value, ":"+name) || strings.HasSuffix(value, "/"+name) || strings.Contains(value, ":"+name+":")
}

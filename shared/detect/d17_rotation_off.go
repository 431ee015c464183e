package detect

import (
	"fmt"
	"strconv"
	"strings"
	"time"

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
		if r := rate(q.Rules.Expression); r > 0 {
			every = r
		}
		if one.Interval > 0 && every > one.Interval {
			return fmt.Sprintf("rotation every %s; the file says %s", short(every), short(one.Interval))
		}
	}
	return ""
}

// rate reads rate(4 hours) or rate(10 days). Zero means that it is neither.
//
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
func rate(expression string) time.Duration {
	inner, ok := strings.CutPrefix(expression, "rate(")
	number, unit, _ := strings.Cut(strings.TrimSuffix(inner, ")"), " ")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 0 || n > 10000 {
		return 0
	}
	switch strings.TrimSuffix(strings.TrimSpace(unit), "s") {
	case "hour":
		return time.Duration(n) * time.Hour
	case "day":
		return time.Duration(n) * 24 * time.Hour
	default:
		return 0
	}
}

// isNamed says whether the value is the name, or an ARN, a URL or a path of it.
func isNamed(value, name string) bool {
	if name == "" {
		return false
	}
	return value == name || strings.HasSuffix(value, ":"+name) || strings.HasSuffix(value, "/"+name) || strings.Contains(value, ":"+name+":")
}

package detect

import (
	"fmt"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// honeytoken is D-01. Nobody has a reason to touch a secret that is there to be
// found by a thief, so one call is enough, also a denied one, and also what KMS
// tells of it: whoever denies the reading in Secrets Manager's trail may forget
// the other. What the caller read in the day around it is found, too. Our own rotator keeps such a secret looking alive, so its calls are
// not shown; listed automation is.
//
// Who deploys or operates the installation, and our other functions, may do to it
// what they do to every secret; asking for its value is not that.
//
// False positives: an inventory that describes every secret. Let it skip the
// secret, or exclude it by name, but do not tell anybody why.
func honeytoken() Rule {
	return Rule{
		ID: "D-01", Title: "a honey token was touched", Severity: Critical, Technique: "T1555.006", Default: true, Responds: true,
		Next: "treat the caller's credentials as stolen: revoke its sessions, and rotate what it read in the last 24 hours",
		See: func(s *Site, c *Call) []Finding {
			if s.minds(c) {
				return nil
			}
			for _, one := range c.About {
				if !one.HoneyToken {
					continue
				}
				return []Finding{c.Finding(fmt.Sprintf("%s on %s, which nobody reads in peace", c.Name, one.Name))}
			}
			return nil
		},
		Patterns: []Pattern{{
			Name: "loot", Span: spoilsTime, Bucket: spoilsBucket, Latest: true, Every: seen, Cap: 50, Keep: seen,
			Mark: markLoot, Judge: judgeLoot,
		}},
	}
}

// minds says that the caller is one of those who keep the installation, and asks for no
// value.
func (s *Site) minds(c *Call) bool {
	if c.Asks() || c.Source == trail.KMS && c.Name == "Decrypt" {
		return false
	}
	return matches(s.Roles, c.Who) || matches(s.Deployers, c.Who) || matches(s.Operators, c.Who)
}

// What the caller got in the day before and after it got the honey token is in the
// same hands: each such secret is found once for each day of that.
const spoilsTime, spoilsBucket, seen = 24 * time.Hour, 15 * time.Minute, "\x00seen"

func markLoot(s *Site, c *Call) []Note {
	if !s.honey || !c.Gets() {
		return nil
	}
	var out []Note
	for _, one := range c.About {
		if one.HoneyToken {
			out = append(out, Note{principal(c), seen})
		} else if !one.Canary {
			out = append(out, Note{principal(c), one.Name})
		}
	}
	return out
}

func judgeLoot(_ *Site, h History) []Finding {
	var found []Finding
	for _, sight := range h.Marks {
		if sight.Value != seen {
			continue
		}
		for _, m := range h.Marks {
			if d := m.Time().Sub(sight.Time()); m.Value == seen || d.Abs() > spoilsTime {
				continue
			}
			f := h.finding([]Mark{m})
			f.Why = m.Value + " was read by who got a honey token within " + short(spoilsTime)
			f.Secrets, f.Rotate = []string{m.Value}, []string{m.Value}
			f.distinct = m.Value + "\n" + sight.Time().Format(time.DateOnly)
			found = append(found, f)
		}
	}
	return unique(found)
}

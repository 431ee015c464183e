package detect

import (
	"fmt"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// rotationFailed is D-18: a rotation failed, was abandoned because somebody
// stored a version by hand, began and did not end within an hour, or did not
// happen for a day longer than its interval. RotationFailed carries a message
// and no error's code. Each failure is found; Secrets Manager tries again
// several times, and alerts about one secret are counted together.
//
// The day of grace is Secrets Manager's own: it rotates at any time of the day
// that is due. Overdue is noticed when the secret is used; one that nobody
// uses is in the weekly page. False positives: a vendor's outage.
func rotationFailed() Rule {
	return Rule{
		ID: "D-18", Title: "a rotation failed or is missing", Severity: Medium, Technique: "T1562.001", Ours: true, Services: true,
		Next: "see the runbook of a failed rotation; the key in use still works",
		See: func(_ *Site, c *Call) []Finding {
			if !c.Manager() || len(c.About) == 0 {
				return nil
			}
			switch c.Name {
			case "RotationFailed", "TestRotationFailed", "RotationAbandoned":
				f := c.Finding(c.Name)
				if grave(c) {
					f.Severity = High
				}
				return one(f)
			default:
				return nil
			}
		},
		Patterns: []Pattern{unended(), overdue()},
	}
}

// grave says that one of the secrets is an admin credential or of the first tier.
func grave(c *Call) bool {
	for _, one := range c.About {
		if one.Admin || one.Tier == 1 {
			return true
		}
	}
	return false
}

const secretTrack = "secret "

// onSecrets marks the value on each of the call's secrets.
func onSecrets(c *Call, value string) []Note {
	var out []Note
	for _, one := range c.About {
		out = append(out, Note{secretTrack + one.Name, value})
	}
	return out
}

func secretFinding(h History, m Mark, why, distinct string) Finding {
	f := Finding{Time: m.Time(), Count: 1, Why: why, matter: h.On, distinct: distinct, Secrets: []string{strings.TrimPrefix(h.On, secretTrack)}}
	f.evidence([]Mark{m})
	return f
}

func unended() Pattern {
	const began, ended, limit = "began", "ended", 60
	return Pattern{
		Name: "unended", Span: 3 * time.Hour, Bucket: time.Minute, Settles: true, Wait: time.Hour,
		Mark: func(_ *Site, c *Call) []Note {
			switch c.Name {
			case "RotationStarted":
				return onSecrets(c, began)
			case "RotationSucceeded", "RotationFailed", "RotationAbandoned":
				return onSecrets(c, ended)
			default:
				return nil
			}
		},
		Judge: func(_ *Site, h History) []Finding {
			var found []Finding
			open := false
			var since Mark
			check := func(now uint32) {
				if open && now > since.Minute+limit {
					found = append(found, secretFinding(h, since, "a rotation began and did not end within 1h", fmt.Sprint("unended ", since.Minute)))
					open = false
				}
			}
			for _, m := range h.Old() {
				check(m.Minute)
				if m.Value == ended {
					open = false
				} else if !open {
					open, since = true, m
				}
			}
			check(h.Settled)
			return found
		},
	}
}

// Values of overdue.
const rotated, stopped = "rotated", "stopped"

// overdue looks at the clock: that a rotation is missing is no call. It begins with the
// first rotation that is seen; of a key that never had one the weekly review tells.
func overdue() Pattern {
	return Pattern{
		Name: "overdue", Span: 1200 * 24 * time.Hour, Bucket: 24 * time.Hour, Latest: true, Settles: true,
		Until: func(s *Site, h History, m Mark) time.Duration {
			if interval := s.interval(h.On); interval > 0 && m.Value == rotated {
				return interval + grace
			}
			return 0
		},
		Mark: func(_ *Site, c *Call) []Note {
			switch {
			case c.Name == "RotationSucceeded":
				return onSecrets(c, rotated)
			case c.Manager() && c.Result == trail.Succeeded && (c.Name == "CancelRotateSecret" || c.Name == "DeleteSecret"):
				return onSecrets(c, stopped) // which is found by itself
			default:
				return nil
			}
		},
		Judge: judgeOverdue,
	}
}

func judgeOverdue(s *Site, h History) []Finding {
	interval := s.interval(h.On)
	if interval == 0 {
		return nil
	}
	var found []Finding
	old := h.Old()
	for i, m := range old {
		next := (Mark{Minute: h.Settled}).Time()
		if i+1 < len(old) {
			next = old[i+1].Time()
		}
		if m.Value == rotated && next.Sub(m.Time()) > interval+grace {
			found = append(found, secretFinding(h, m, fmt.Sprintf("no rotation for more than %s and a day", short(interval)), fmt.Sprint("overdue ", m.Minute)))
		}
	}
	return found
}

// interval is that of the secret of a track; 0: not known.
func (s *Site) interval(track string) time.Duration {
	if one := s.secrets[strings.TrimPrefix(track, secretTrack)]; one != nil {
		return one.Interval
	}
	return 0
}

// grace is how late a rotation may be: a day, and one more for a bucket is a day, whose
// end is when it is surely over.
const grace = 48 * time.Hour

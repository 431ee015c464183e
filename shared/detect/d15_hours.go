package detect

import (
	"fmt"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// unusualHour is D-15: a person read a secret at an hour at which that person
// does not work. It counts the hours, in UTC, in which the person read
// anything in the last 4 weeks, apart for working days and weekends: an hour is
// unusual if it and its neighbors are less than 1% of them. Programs have no
// hours. Somebody who stole a person's credentials often lives elsewhere. Where the
// site says when people work, a read at another time is found too, at most once a
// day for each person, without any history.
//
// Threshold: n hours of history over a week at least; with fewer, 1% says
// nothing. False positives: being on call, travel, the change to summer time
// for those who read at the edges of the day. A hint, to be seen beside others.
func unusualHour(n int) Rule {
	return Rule{
		ID: "D-15", Title: "a person read a secret at an unusual hour", Severity: Low, Technique: "T1078.004",
		Next: "ask the person",
		See: func(s *Site, c *Call) []Finding {
			if s.Hours == nil || s.Hours.in(c.Time) || !c.Reads() || len(c.About) == 0 || !isPerson(c) {
				return nil
			}
			f := c.Finding(fmt.Sprintf("a read at %s UTC, outside working hours", c.Time.UTC().Format("Monday 15:04")))
			f.matter = c.Who + "\nhours"
			f.per(24 * time.Hour)
			return one(f)
		},
		Patterns: []Pattern{{
			Name: "hours", Span: 28 * 24 * time.Hour, Bucket: time.Hour, Cap: 1, Settles: true,
			Mark: func(_ *Site, c *Call) []Note {
				if !c.Reads() || len(c.About) == 0 || !isPerson(c) {
					return nil
				}
				return []Note{{principal(c), "read"}}
			},
			Judge: func(_ *Site, h History) []Finding { return unusualHours(h, n) },
		}},
	}
}

func unusualHours(h History, n int) []Finding {
	var found []Finding
	var hours [2][24]int
	for total, m := range h.Old() {
		at := m.Time()
		kind, hour := 0, at.Hour()
		if d := at.Weekday(); d == time.Saturday || d == time.Sunday {
			kind = 1
		}
		near := hours[kind][hour] + hours[kind][(hour+1)%24] + hours[kind][(hour+23)%24]
		if total >= n && at.Sub(h.Marks[0].Time()) >= 7*24*time.Hour && near*100 < total {
			f := Finding{
				Time: at, Count: 1, matter: h.On, distinct: strconv.FormatUint(uint64(m.Minute), 10), Principal: h.On[len(principalTrack):],
				Why: fmt.Sprintf("%d of %d hours with reads in 4 weeks were near %02d:00 UTC on such days; threshold 1%%", near, total, hour),
			}
			f.evidence([]Mark{m})
			found = append(found, f)
		}
		hours[kind][hour]++
	}
	return found
}

// isPerson says that the identity is a person's, as far as a record shows.
// Programs with an IAM user's key pass too; they read at all hours.
func isPerson(c *Call) bool {
	switch c.Identity.Type {
	case "IAMUser", "Root", "SAMLUser", "IdentityCenterUser":
		return !c.ByService()
	default:
		return c.AddressClass() != trail.AddressService && (c.Console || c.Identity.FromIdentityCenter())
	}
}

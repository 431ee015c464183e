package detect

import (
	"fmt"
	"math"
	"time"
)

// volume is D-14: a principal reads, or a secret is read, much more in an hour
// than in the hours of the 14 days before. Hours are judged when they have
// settled, 15 minutes after their end, and there must be 7 days of them. Above 128
// reads an hour the count is an estimate, which is 9 % wrong on average.
//
// Threshold: n reads, and more than the mean and 3 standard deviations, as
// Splunk has it. False positives: a new release that reads more often, a job
// that runs once a week; so it stays a hint.
func volume(n int) Rule {
	pattern := func(name string, on func(c *Call) []string) Pattern {
		return Pattern{
			Name: name, Span: baseline + 2*time.Hour, Bucket: time.Hour, Cap: sketch, Most: 15*24 + 6*sketch, Fold: true, Settles: true,
			Mark: func(_ *Site, c *Call) []Note {
				if !c.Reads() || len(c.About) == 0 {
					return nil
				}
				var out []Note
				for _, track := range on(c) {
					out = append(out, Note{track, c.short})
				}
				return out
			},
			Judge: judgeVolume(float64(n)),
		}
	}
	return Rule{
		ID: "D-14", Title: "much more was read than usual", Severity: Medium, Technique: "T1555.006", Automation: true,
		Next: "ask the principal's owner what has changed",
		Patterns: []Pattern{
			pattern("principal", func(c *Call) []string { return []string{principal(c)} }),
			pattern("secret", func(c *Call) []string {
				var out []string
				for _, name := range c.names() {
					out = append(out, "reads of "+name)
				}
				return out
			}),
		},
	}
}

const (
	baseline = 14 * 24 * time.Hour
	atLeast  = 7 * 24 * time.Hour
	sketch   = 128
)

func judgeVolume(n float64) func(*Site, History) []Finding {
	return func(s *Site, h History) []Finding {
		var found []Finding
		hours := counts(h.Old(), sketch)
		for i, at := range hours {
			if at.n < n || at.Time().Before(s.Learned()) {
				continue
			}
			mean, limit, ok := usual(hours[:i], at.Time())
			if !ok || at.n <= limit {
				continue
			}
			f := h.finding([]Mark{at.Mark})
			f.Count, f.Events = int(at.n), nil
			f.Why = fmt.Sprintf("%.0f reads in an hour; usual are %.1f, at most %.1f", at.n, mean, limit)
			found = append(found, f)
		}
		return found
	}
}

// usual returns the mean of the hours before at, and what is too much. It looks
// at nothing before the baseline, of which some may still be remembered.
func usual(past []tally, at time.Time) (mean, limit float64, ok bool) {
	for len(past) > 0 && at.Sub(past[0].Time()) > baseline {
		past = past[1:]
	}
	if len(past) == 0 || at.Sub(past[0].Time()) < atLeast {
		return 0, 0, false
	}
	var sum, squares float64
	for _, p := range past {
		sum, squares = sum+p.n, squares+p.n*p.n
	}
	hours := at.Sub(past[0].Time()).Hours() // those without a read, too
	mean = sum / hours
	return mean, mean + 3*math.Sqrt(max(0, squares/hours-mean*mean)), true
}

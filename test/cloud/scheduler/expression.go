package scheduler

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	atForm   = regexp.MustCompile(`^at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)$`)
	rateForm = regexp.MustCompile(`^rate\((\d{1,6}) (minute|hour|day)s?\)$`)
)

// plan says when a schedule fires: once at a time, or at a rate.
type plan struct {
	at         time.Time     // of at()
	every      time.Duration // of rate(); 0: at()
	start, end time.Time     // of rate(); zero: none
}

// parseExpression reads at() and rate() as
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
// has them. The unit of a rate may be in the singular with any number.
func parseExpression(text string, zone *time.Location) (plan, bool) {
	if m := atForm.FindStringSubmatch(text); m != nil {
		at, err := time.ParseInLocation("2006-01-02T15:04:05", m[1], zone)
		return plan{at: at}, err == nil
	}
	m := rateForm.FindStringSubmatch(text)
	if m == nil {
		return plan{}, false
	}
	n, err := strconv.Atoi(m[1])
	unit := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[m[2]]
	every := time.Duration(n) * unit
	// 100 years of days still fit a Duration, more are not needed.
	return plan{every: every}, err == nil && n > 0 && every/unit == time.Duration(n) && n <= 36500*24*60
}

// isCron reports whether text is a cron expression, which is not modeled.
func isCron(text string) bool {
	body, found := strings.CutPrefix(text, "cron(")
	return found && strings.HasSuffix(body, ")")
}

// first returns when a schedule that is made now fires first, the zero time
// for never.
func (p plan) first(now time.Time) time.Time {
	if p.every == 0 {
		return p.at
	}
	at := now
	if !p.start.IsZero() {
		at = p.start
		if late := now.Sub(at); late > 0 {
			periods := (late + p.every - 1) / p.every // begun ones count
			at = at.Add(periods * p.every)            //nolint:durationcheck // a number of periods
		}
	}
	return p.within(at)
}

// next returns when a schedule that was due, and fires now, fires next; the
// zero time for never.
func (p plan) next(due, now time.Time) time.Time {
	if p.every == 0 {
		return time.Time{}
	}
	at := due.Add(p.every)
	if !at.After(now) {
		at = now.Add(p.every)
	}
	return p.within(at)
}

func (p plan) within(at time.Time) time.Time {
	if !p.end.IsZero() && !at.Before(p.end) {
		return time.Time{}
	}
	return at
}

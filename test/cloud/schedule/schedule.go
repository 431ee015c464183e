// Package schedule reads Secrets Manager's rotation schedules: rate() and
// cron() expressions and the window in which a rotation may run.
//
// The rules are those of
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html.
package schedule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Schedule says when rotation windows open, and for how long. The zero value
// is not usable; use [Parse] or [Days]. It is immutable.
type Schedule struct {
	every time.Duration // rate; 0: cron
	cron  cron
	span  time.Duration // 0: to the end of the UTC day, or an hour if hourly
}

// Days is the schedule of AutomaticallyAfterDays, 1 to 1000 days. With an
// empty duration the window is the whole UTC day.
func Days(n int64, duration string) (Schedule, error) {
	if n < 1 || n > 1000 {
		return Schedule{}, errors.New("days must be between 1 and 1000")
	}
	s := Schedule{every: time.Duration(n) * day}
	var err error
	if s.span, err = parseSpan(duration); err != nil {
		return Schedule{}, err
	}
	return s, s.checkSpan()
}

// Parse reads a ScheduleExpression and a Duration such as "3h"; an empty
// duration gives the documented default.
func Parse(expression, duration string) (Schedule, error) {
	s, err := parse(expression)
	if err != nil {
		return Schedule{}, err
	}
	if s.span, err = parseSpan(duration); err != nil {
		return Schedule{}, err
	}
	return s, s.checkSpan()
}

func parse(expression string) (Schedule, error) {
	kind, rest, found := strings.Cut(expression, "(")
	body, closed := strings.CutSuffix(rest, ")")
	if !found || !closed {
		return Schedule{}, errors.New("a schedule is rate(...) or cron(...)")
	}
	switch kind {
	case "rate":
		return parseRate(body)
	case "cron":
		c, err := parseCron(body)
		return Schedule{cron: c}, err
	default:
		return Schedule{}, errors.New("a schedule is rate(...) or cron(...)")
	}
}

func parseRate(body string) (Schedule, error) {
	number, unit, found := strings.Cut(body, " ")
	n, err := strconv.Atoi(number)
	if !found || err != nil || n < 1 {
		return Schedule{}, errors.New("a rate is rate(value unit)")
	}
	var every time.Duration
	switch unit {
	case "hour", "hours":
		every = time.Duration(n) * time.Hour
	case "day", "days":
		every = time.Duration(n) * day
	default:
		return Schedule{}, errors.New("the unit of a rate is hours or days")
	}
	if every < 4*time.Hour {
		return Schedule{}, errors.New("a secret rotates at most every 4 hours")
	}
	if every > 999*day {
		return Schedule{}, errors.New("a rate is at most 999 days")
	}
	return Schedule{every: every}, nil
}

func parseSpan(duration string) (time.Duration, error) {
	if duration == "" {
		return 0, nil
	}
	hours, found := strings.CutSuffix(duration, "h")
	n, err := strconv.Atoi(hours)
	if !found || err != nil || n < 1 || n > 24 {
		return 0, fmt.Errorf("a duration is 1h to 24h, not %q", duration)
	}
	return time.Duration(n) * time.Hour, nil
}

// checkSpan refuses a window that runs into the next one or, for a schedule
// in days, past the UTC day.
func (s Schedule) checkSpan() error {
	if s.span == 0 {
		return nil
	}
	if s.every > 0 {
		if s.span > s.every {
			return errors.New("the window must not run into the next one")
		}
		return nil
	}
	at := s.cron.next(time.Date(2001, 1, 1, 0, 0, 0, -1, time.UTC))
	for range 50 { // enough for every hour and weekday of a cron
		if at.IsZero() {
			return nil
		}
		following := s.cron.next(at)
		if !following.IsZero() && at.Add(s.span).After(following) {
			return errors.New("the window must not run into the next one")
		}
		if at.Add(s.span).After(endOfDay(at)) {
			return errors.New("the window must not run into the next UTC day")
		}
		at = following
	}
	return nil
}

// Hourly reports whether windows open more than once a day.
func (s Schedule) Hourly() bool {
	if s.every > 0 {
		return s.every%day != 0
	}
	return s.cron.hours.count() > 1
}

// Next returns the window that follows a rotation at last: its start and its
// end, in UTC. A cron that never matches again gives zero times.
//
// A rate in days opens its window at the start of the UTC day on which it
// falls due; a rate in hours, at the full hour.
func (s Schedule) Next(last time.Time) (start, end time.Time) {
	last = last.UTC()
	switch {
	case s.every == 0:
		if start = s.cron.next(last); start.IsZero() {
			return start, start
		}
	case s.Hourly():
		start = last.Add(s.every).Truncate(time.Hour)
	default:
		start = last.Add(s.every).Truncate(day)
	}
	return start, s.windowEnd(start)
}

func (s Schedule) windowEnd(start time.Time) time.Time {
	switch {
	case s.span > 0:
		return start.Add(s.span)
	case s.Hourly():
		return start.Add(time.Hour)
	default:
		return endOfDay(start)
	}
}

func endOfDay(t time.Time) time.Time { return t.Truncate(day).Add(day) }

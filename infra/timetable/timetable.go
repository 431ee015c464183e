// Package timetable says when a rotation schedule's windows open.
package timetable

import (
	"fmt"
	"time"

	"github.com/keyturn/keyturn/test/cloud/schedule"
)

const (
	day   = 24 * time.Hour
	month = 365 * day / 12 // a month of bills: 730 hours
)

// Table is a schedule that has been read. The zero value is not usable; use
// [Parse]. It is immutable.
type Table struct {
	schedule schedule.Schedule
	longest  time.Duration
	mean     time.Duration
}

// Window is a time in which a rotation starts, in UTC.
type Window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Parse reads an expression, rate(...) or cron(...), as Secrets Manager does,
// and a window in whole hours; 0 is the service's default: an hour for a
// schedule that runs more than once a day, else the day.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
func Parse(expression string, window time.Duration) (Table, error) {
	span := ""
	if window > 0 {
		span = fmt.Sprintf("%dh", window/time.Hour)
	}
	s, err := schedule.Parse(expression, span)
	if err != nil {
		return Table{}, fmt.Errorf("read the schedule %q: %w", expression, err)
	}
	t := Table{schedule: s}
	// Four years hold every leap day; 500 openings, every day of a week and a month.
	first := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	at, n := first, 0
	for n < 500 && at.Sub(first) < 4*365*day {
		next, _ := s.Next(at)
		if next.IsZero() {
			break
		}
		if n > 0 { // the first opening ends no interval
			t.longest = max(t.longest, next.Sub(at))
			t.mean += next.Sub(at)
		}
		at = next
		n++
	}
	if n < 2 {
		return Table{}, fmt.Errorf("the schedule %q does not recur", expression)
	}
	t.mean /= time.Duration(n - 1)
	return t, nil
}

// Longest returns the longest time between two openings.
func (t Table) Longest() time.Duration { return t.longest }

// PerMonth returns how many rotations a month of 730 hours has on average.
func (t Table) PerMonth() float64 { return float64(month) / float64(t.mean) }

// Next returns the n windows that follow after. For a rate they are counted
// from there, as from a last rotation.
func (t Table) Next(after time.Time, n int) []Window {
	var out []Window
	for at := after; len(out) < n; {
		start, end := t.schedule.Next(at)
		if start.IsZero() {
			break
		}
		out = append(out, Window{start, end})
		at = start
	}
	return out
}

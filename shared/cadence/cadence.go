// Package cadence reads the expressions that say when Secrets Manager rotates.
package cadence

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MinInterval is the shortest time between two rotations.
const MinInterval = 4 * time.Hour

// Limits of Secrets Manager.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
const (
	day     = 24 * time.Hour
	maxRate = 999 * day
	maxCron = 366 * day
)

// Schedule is an expression, rate(...) or cron(...), that Secrets Manager
// accepts. The zero value is none; use [Parse]. It is immutable.
type Schedule struct {
	every             time.Duration // rate; 0: cron
	cron              cron
	longest, shortest time.Duration
}

// Error is what is wrong with a schedule, and what to do about it.
type Error struct{ What, Hint string }

// Error says what is wrong, and what to do.
func (e *Error) Error() string { return e.What + ": " + e.Hint }

const scheduleHint = "write rate(30 days), or cron(0 4 ? * MON *) in UTC"

// Parse reads an expression, and refuses what Secrets Manager would
// refuse.
func Parse(expression string) (Schedule, error) {
	kind, rest, _ := strings.Cut(expression, "(")
	body, closed := strings.CutSuffix(rest, ")")
	switch {
	case kind == "rate" && closed:
		return parseRate(body)
	case kind == "cron" && closed:
		return parseCronSchedule(body)
	}
	return Schedule{}, &Error{fmt.Sprintf("%q is no schedule", expression), scheduleHint}
}

func parseRate(body string) (Schedule, error) {
	number, unit, _ := strings.Cut(body, " ")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || number[0] == '+' {
		return Schedule{}, &Error{fmt.Sprintf("rate(%s) is no rate", body), scheduleHint}
	}
	one, many, of := "day", "days", day
	switch unit {
	case "day", "days":
	case "hour", "hours":
		one, many, of = "hour", "hours", time.Hour
	default:
		return Schedule{}, &Error{fmt.Sprintf("rate(%s) is not in hours or days", body), scheduleHint}
	}
	right := many
	if n == 1 {
		right = one
	}
	if n > int(maxRate/of) {
		return Schedule{}, &Error{fmt.Sprintf("rate(%s) is longer than Secrets Manager's 999 days", body), "rotate more often"}
	}
	if unit != right {
		return Schedule{}, &Error{fmt.Sprintf("rate(%s) mixes one and many", body), fmt.Sprintf("write rate(%d %s)", n, right)}
	}
	every := time.Duration(n) * of
	if every < MinInterval {
		return Schedule{}, &Error{fmt.Sprintf("rate(%s) is more often than Secrets Manager's every 4 hours", body), "write rate(4 hours) or more"}
	}
	return Schedule{every: every, longest: every, shortest: every}, nil
}

func parseCronSchedule(body string) (Schedule, error) {
	c, err := parseCron(body)
	if err != nil {
		return Schedule{}, err
	}
	s := Schedule{cron: c}
	s.longest, s.shortest = c.gaps()
	switch {
	case s.longest == 0 || s.longest > maxCron:
		return Schedule{}, &Error{fmt.Sprintf("cron(%s) leaves more than a year between two rotations", body), "name a day that every year has"}
	case s.shortest < MinInterval:
		return Schedule{}, &Error{fmt.Sprintf("cron(%s) is more often than Secrets Manager's every 4 hours", body), "leave 4 hours between two rotations"}
	}
	return s, nil
}

// Rate returns the time between two rotations of a rate; 0: it is a cron.
func (s Schedule) Rate() time.Duration { return s.every }

// Longest returns the longest time between the openings of two windows that
// follow each other.
func (s Schedule) Longest() time.Duration { return s.longest }

// Shortest returns the shortest time between the openings of two windows.
func (s Schedule) Shortest() time.Duration { return s.shortest }

// Next returns when the next window opens after a rotation at last, in UTC. A
// rate in days opens its window at the start of the day on which it is due, and
// one in hours on the hour. The zero Schedule has none, and gives the zero time.
func (s Schedule) Next(last time.Time) time.Time {
	last = last.UTC()
	switch {
	case s.longest == 0:
		return time.Time{}
	case s.every == 0:
		return s.cron.next(last)
	case s.every%day == 0:
		return last.Add(s.every).Truncate(day)
	}
	return last.Add(s.every).Truncate(time.Hour)
}

// Room returns the longest window, and what a longer one runs into. A rate in
// days opens its window at midnight.
func (s Schedule) Room() (_ time.Duration, until string) {
	const nextDay, next = "into the next day (UTC)", "into the next one"
	latest := 0
	if s.every == 0 {
		latest = s.cron.hours.last()
	}
	toMidnight := time.Duration(24-latest) * time.Hour
	if s.shortest < toMidnight {
		return s.shortest, next
	}
	return toMidnight, nextDay
}

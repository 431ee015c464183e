package schedule

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// set holds the values that a field of a cron expression matches.
type set uint64

func (s set) has(n int) bool { return n >= 0 && s&(1<<n) != 0 }
func (s set) count() int     { return bits.OnesCount64(uint64(s)) }

// cron is minutes hours day-of-month month day-of-week year, of which the
// minutes are always 0 and the year always *.
type cron struct {
	hours, days, months, weekdays set
	lastDay                       bool // L: the last day of the month
	nearest                       int  // nW: the weekday nearest to day n
	lastWeekday                   bool // LW
	weekday, nth                  int  // day#n; nth -1: the last (dayL)
}

func parseCron(body string) (cron, error) {
	f := strings.Fields(body)
	if len(f) != 6 {
		return cron{}, errors.New("a cron has 6 fields: minutes hours day-of-month month day-of-week year")
	}
	if f[0] != "0" {
		return cron{}, errors.New("the minutes of a cron must be 0")
	}
	if f[5] != "*" {
		return cron{}, errors.New("the year of a cron must be *")
	}
	if (f[2] == "?") == (f[4] == "?") {
		return cron{}, errors.New("one of day-of-month and day-of-week must be ?, and not both")
	}
	c := cron{weekday: -1}
	var err error
	if c.hours, err = parseField(f[1], 0, 23, nil); err != nil {
		return cron{}, fmt.Errorf("hours: %w", err)
	}
	if c.months, err = parseField(f[3], 1, 12, months()); err != nil {
		return cron{}, fmt.Errorf("month: %w", err)
	}
	if err = c.parseDay(f[2]); err != nil {
		return cron{}, fmt.Errorf("day-of-month: %w", err)
	}
	if err = c.parseWeekday(f[4]); err != nil {
		return cron{}, fmt.Errorf("day-of-week: %w", err)
	}
	return c, nil
}

func (c *cron) parseDay(field string) (err error) {
	switch {
	case field == "?":
	case field == "L":
		c.lastDay = true
	case field == "LW":
		c.lastWeekday = true
	case strings.HasSuffix(field, "W"):
		c.nearest, err = number(strings.TrimSuffix(field, "W"), 1, 31, nil)
	default:
		c.days, err = parseField(field, 1, 31, nil)
	}
	return err
}

func (c *cron) parseWeekday(field string) (err error) {
	if field == "?" {
		return nil
	}
	if name, nth, found := strings.Cut(field, "#"); found {
		if c.nth, err = number(nth, 1, 5, nil); err != nil {
			return err
		}
		c.weekday, err = number(name, 1, 7, weekdays())
		return err
	}
	if name, found := strings.CutSuffix(field, "L"); found && name != "" {
		c.nth = -1
		c.weekday, err = number(name, 1, 7, weekdays())
		return err
	}
	c.weekdays, err = parseField(field, 1, 7, weekdays())
	return err
}

func months() []string {
	return strings.Split("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC", " ")
}

func weekdays() []string { return strings.Split("SUN MON TUE WED THU FRI SAT", " ") }

// parseField reads lists, ranges, steps and *. The names stand for low and up.
func parseField(field string, low, high int, names []string) (set, error) {
	var out set
	for part := range strings.SplitSeq(field, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			var err error
			if step, err = number(stepText, 1, high, nil); err != nil {
				return 0, err
			}
		}
		from, to, err := parseSpanOf(span, stepped, low, high, names)
		if err != nil {
			return 0, err
		}
		for n := from; n <= to; n += step {
			out |= 1 << n
		}
	}
	return out, nil
}

func parseSpanOf(span string, stepped bool, low, high int, names []string) (from, to int, err error) {
	if span == "*" || span == "" && stepped {
		return low, high, nil
	}
	first, last, ranged := strings.Cut(span, "-")
	if from, err = number(first, low, high, names); err != nil {
		return 0, 0, err
	}
	switch {
	case ranged:
		to, err = number(last, low, high, names)
		if err == nil && to < from {
			err = fmt.Errorf("%q runs backwards", span)
		}
	case stepped:
		to = high
	default:
		to = from
	}
	return from, to, err
}

func number(text string, low, high int, names []string) (int, error) {
	if i := slices.Index(names, strings.ToUpper(text)); i >= 0 {
		return low + i, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%q is not between %d and %d", text, low, high)
	}
	return n, nil
}

// next returns the first match after t, or the zero time if there is none
// within five years (a 29 February is at most eight away, but then it is not
// a yearly schedule, which AWS refuses).
func (c cron) next(t time.Time) time.Time {
	at := t.UTC().Truncate(day)
	for range 5 * 366 {
		if c.onDay(at) {
			for h := range 24 {
				if when := at.Add(time.Duration(h) * time.Hour); c.hours.has(h) && when.After(t) {
					return when
				}
			}
		}
		at = at.AddDate(0, 0, 1)
	}
	return time.Time{}
}

func (c cron) onDay(t time.Time) bool {
	if !c.months.has(int(t.Month())) {
		return false
	}
	last := time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
	weekday := int(t.Weekday()) + 1
	switch {
	case c.lastDay:
		return t.Day() == last
	case c.lastWeekday:
		return t.Day() == nearestWeekday(t, last, last)
	case c.nearest > 0:
		return t.Day() == nearestWeekday(t, c.nearest, last)
	case c.weekday > 0 && c.nth < 0:
		return weekday == c.weekday && t.Day() > last-7
	case c.weekday > 0:
		return weekday == c.weekday && (t.Day()-1)/7+1 == c.nth
	case c.weekdays != 0:
		return c.weekdays.has(weekday)
	default:
		return c.days.has(t.Day())
	}
}

// nearestWeekday returns the Monday to Friday nearest to day n of t's month,
// without leaving the month; 0 if the month has no day n.
func nearestWeekday(t time.Time, n, last int) int {
	if n > last {
		return 0
	}
	switch time.Date(t.Year(), t.Month(), n, 0, 0, 0, 0, time.UTC).Weekday() {
	case time.Saturday:
		if n == 1 {
			return 3
		}
		return n - 1
	case time.Sunday:
		if n == last {
			return n - 2
		}
		return n + 1
	default:
		return n
	}
}

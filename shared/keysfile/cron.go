package keysfile

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// set holds the numbers that a field of a cron expression names.
type set uint64

func (s set) has(n int) bool { return s&(1<<n) != 0 }
func (s set) last() int      { return 63 - bits.LeadingZeros64(uint64(s)) }

// cron is hours, day of the month, month and day of the week; the minutes are 0
// and the year is any. One of days, weekdays, lastDay and weekday is given.
type cron struct {
	hours, days, months, weekdays set
	lastDay                       bool // L: the last of the month
	weekday                       int  // n#m or nL, from 1, Sunday; 0: not so
	nth                           int  // m; -1: the last
}

var (
	monthNames   = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	weekdayNames = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

func parseCron(body string) (c cron, _ error) {
	f := strings.Fields(body)
	refuse := func(format string, args ...any) (cron, error) {
		return cron{}, &scheduleError{"cron(" + body + ") " + fmt.Sprintf(format, args...), "write cron(0 hours day-of-month month day-of-week *), such as cron(0 4 ? * MON *), in UTC"}
	}
	switch {
	case len(f) != 6:
		return refuse("has %d fields, not 6", len(f))
	case f[0] != "0":
		return refuse("has %q as its minutes: windows open on the hour", f[0])
	case f[5] != "*":
		return refuse("has %q as its year: only * is possible", f[5])
	case (f[2] == "?") == (f[4] == "?"):
		return refuse("needs ? as one of its days, of the month or of the week, and not as both")
	}
	var ok [4]bool
	c.hours, ok[0] = numbers(f[1], 0, 23, nil)
	ok[1] = c.day(f[2])
	c.months, ok[2] = numbers(f[3], 1, 12, monthNames)
	ok[3] = c.dayOfWeek(f[4])
	for i, name := range []string{"hours", "day of the month", "month", "day of the week"} {
		if !ok[i] {
			return refuse("has %q as its %s, which is none", f[i+1], name)
		}
	}
	return c, nil
}

func (c *cron) day(field string) (ok bool) {
	switch field {
	case "?":
		return true
	case "L":
		c.lastDay = true
		return true
	}
	c.days, ok = numbers(field, 1, 31, nil)
	return ok
}

func (c *cron) dayOfWeek(field string) (ok bool) {
	if name, nth, found := strings.Cut(field, "#"); found {
		day, isDay := number(name, 1, 7, weekdayNames)
		n, isNumber := number(nth, 1, 5, nil)
		c.weekday, c.nth = day, n
		return isDay && isNumber
	}
	if name, found := strings.CutSuffix(field, "L"); found && name != "" {
		c.weekday, ok = number(name, 1, 7, weekdayNames)
		c.nth = -1
		return ok
	}
	if field == "?" {
		return true
	}
	if field == "L" { // alone it is Saturday
		field = "7"
	}
	c.weekdays, ok = numbers(field, 1, 7, weekdayNames)
	return ok
}

// numbers reads lists, ranges, steps and *.
func numbers(field string, low, high int, names []string) (out set, ok bool) {
	for part := range strings.SplitSeq(field, ",") {
		span, by, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			if step, ok = number(by, 1, high, nil); !ok {
				return 0, false
			}
		}
		from, to := low, high
		if span != "*" {
			first, last, ranged := strings.Cut(span, "-")
			if from, ok = number(first, low, high, names); !ok {
				return 0, false
			}
			if ranged {
				if to, ok = number(last, from, high, names); !ok || to < from {
					return 0, false
				}
			} else if !stepped {
				to = from
			}
		}
		for n := from; n <= to; n += step {
			out |= 1 << n
		}
	}
	return out, true
}

func number(text string, low, high int, names []string) (int, bool) {
	if i := slices.Index(names, strings.ToUpper(text)); i >= 0 {
		return i + 1, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= low && n <= high && text[0] != '+'
}

// on reports whether a window opens on the day.
func (c cron) on(t time.Time) bool {
	if !c.months.has(int(t.Month())) {
		return false
	}
	last := t.AddDate(0, 1, -t.Day()).Day()
	weekday := int(t.Weekday()) + 1
	switch {
	case c.lastDay:
		return t.Day() == last
	case c.nth < 0:
		return weekday == c.weekday && t.Day() > last-7
	case c.nth > 0:
		return weekday == c.weekday && (t.Day()+6)/7 == c.nth
	case c.weekdays != 0:
		return c.weekdays.has(weekday)
	}
	return c.days.has(t.Day())
}

// gaps returns the longest and the shortest time between two openings; 0 if it
// never opens twice. In 28 years every date has been every day of the week.
func (c cron) gaps() (longest, shortest time.Duration) {
	var before time.Time
	first := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := range 28*365 + 7 {
		on := first.AddDate(0, 0, n)
		if !c.on(on) {
			continue
		}
		for h := range 24 {
			if !c.hours.has(h) {
				continue
			}
			at := on.Add(time.Duration(h) * time.Hour)
			if gap := at.Sub(before); !before.IsZero() {
				if longest = max(longest, gap); shortest == 0 || gap < shortest {
					shortest = gap
				}
			}
			before = at
		}
	}
	return longest, shortest
}

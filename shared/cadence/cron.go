package cadence

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

func monthNames() []string {
	return []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
}

func weekdayNames() []string { return []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"} }

func parseCron(body string) (c cron, _ error) {
	f := strings.Fields(body)
	refuse := func(format string, args ...any) (cron, error) {
		return cron{}, &Error{"cron(" + body + ") " + fmt.Sprintf(format, args...), "write cron(0 hours day-of-month month day-of-week *), such as cron(0 4 ? * MON *), in UTC"}
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
	c.months, ok[2] = numbers(f[3], 1, 12, monthNames())
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
		day, isDay := number(name, 1, 7, weekdayNames())
		n, isNumber := number(nth, 1, 5, nil)
		c.weekday, c.nth = day, n
		return isDay && isNumber
	}
	if name, found := strings.CutSuffix(field, "L"); found && name != "" {
		c.weekday, ok = number(name, 1, 7, weekdayNames())
		c.nth = -1
		return ok
	}
	if field == "?" {
		return true
	}
	if field == "L" { // alone it is Saturday
		field = "7"
	}
	c.weekdays, ok = numbers(field, 1, 7, weekdayNames())
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
		from, to, ok := ends(span, stepped, low, high, names)
		if !ok {
			return 0, false
		}
		for n := from; n <= to; n += step {
			out |= 1 << n
		}
	}
	return out, true
}

// ends reads the first and the last number of *, of a number, which has a last
// one only if it is stepped from, and of a range.
func ends(span string, stepped bool, low, high int, names []string) (from, to int, ok bool) {
	if span == "*" {
		return low, high, true
	}
	first, last, ranged := strings.Cut(span, "-")
	from, ok = number(first, low, high, names)
	switch {
	case ok && ranged:
		to, ok = number(last, low, high, names)
	case stepped:
		to = high
	default:
		to = from
	}
	return from, to, ok && from <= to
}

func number(text string, low, high int, names []string) (int, bool) {
	if i := slices.Index(names, strings.ToUpper(text)); i >= 0 {
		return i + 1, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= low && n <= high && text[0] != '+'
}

// opens reports whether a window opens on a day of a month that has last days.
// weekday counts from 1, Sunday.
func (c cron) opens(month time.Month, day, last, weekday int) bool {
	switch {
	case !c.months.has(int(month)):
		return false
	case c.lastDay:
		return day == last
	case c.nth < 0:
		return weekday == c.weekday && day > last-7
	case c.nth > 0:
		return weekday == c.weekday && (day+6)/7 == c.nth
	case c.weekdays != 0:
		return c.weekdays.has(weekday)
	}
	return c.days.has(day)
}

// next returns the first opening after t. Only what opens within a year is asked.
func (c cron) next(t time.Time) time.Time {
	for midnight := t.Truncate(day); ; midnight = midnight.Add(day) {
		first := midnight.AddDate(0, 0, 1-midnight.Day())
		if !c.opens(midnight.Month(), midnight.Day(), first.AddDate(0, 1, -1).Day(), int(midnight.Weekday())+1) {
			continue
		}
		for h := range 24 {
			if at := midnight.Add(time.Duration(h) * time.Hour); c.hours.has(h) && at.After(t) {
				return at
			}
		}
	}
}

// gaps returns the longest and the shortest time between two openings; 0 if it
// never opens twice. In 28 years every date has been every day of the week.
func (c cron) gaps() (longest, shortest time.Duration) {
	g := gap{before: -1}
	midnight, weekday := 0, int(time.Monday)+1 // of 1 January 2001, in hours from there
	for month := range 28 * 12 {
		first := time.Date(2001, time.Month(month+1), 1, 0, 0, 0, 0, time.UTC)
		last := first.AddDate(0, 1, -1).Day()
		for d := 1; d <= last; d++ {
			if c.opens(first.Month(), d, last, weekday) {
				g.day(midnight, c.hours)
			}
			midnight, weekday = midnight+24, weekday%7+1
		}
	}
	return time.Duration(g.longest) * time.Hour, time.Duration(g.shortest) * time.Hour
}

// gap counts the hours between openings; before is the last of them, -1 for
// none.
type gap struct{ before, longest, shortest int }

func (g *gap) day(midnight int, hours set) {
	for h := range 24 {
		if !hours.has(h) {
			continue
		}
		at := midnight + h
		if between := at - g.before; g.before >= 0 {
			g.longest = max(g.longest, between)
			if g.shortest == 0 || between < g.shortest {
				g.shortest = between
			}
		}
		g.before = at
	}
}

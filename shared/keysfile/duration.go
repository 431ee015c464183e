package keysfile

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

var (
	durationForm = regexp.MustCompile(`^(?:([0-9]{1,5})d)?((?:[0-9]{1,7}h)?(?:[0-9]{1,7}m)?(?:[0-9]{1,7}s)?)$`)
	errDuration  = errors.New("not a time such as 36h, 90m or 30d")
)

// ParseDuration reads "36h", "90m", "30d", and more than one of them in a row:
// "1d12h".
func ParseDuration(s string) (Duration, error) {
	m := durationForm.FindStringSubmatch(s)
	if m == nil || s == "" {
		return 0, errDuration
	}
	var d time.Duration
	if m[1] != "" {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return 0, errDuration
		}
		d = time.Duration(n) * day
	}
	if m[2] != "" {
		rest, err := time.ParseDuration(m[2])
		if err != nil {
			return 0, errDuration
		}
		d += rest
	}
	return Duration(d), nil
}

// String writes the duration as the file has it: whole days from two on, "0s"
// for none.
func (d Duration) String() string {
	t := time.Duration(d)
	if t >= 2*day && t%day == 0 {
		return strconv.Itoa(int(t/day)) + "d"
	}
	var out strings.Builder
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := t / u.unit; n > 0 {
			out.WriteString(strconv.Itoa(int(n)) + u.name)
			t %= u.unit
		}
	}
	if out.Len() == 0 {
		return "0s"
	}
	return out.String()
}

// MarshalText writes the duration as the file has it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String writes the day as the file has it.
func (d Date) String() string { return d.Format(time.DateOnly) }

// MarshalText writes the day as the file has it.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// MarshalJSON writes the day as the file has it.
func (d Date) MarshalJSON() ([]byte, error) { return []byte(strconv.Quote(d.String())), nil }

package schedule_test

import (
	"testing"
	"time"

	"github.com/keyturn/keyturn/test/cloud/schedule"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, expression, duration string }{
		{"nothing", "", ""},
		{"neither rate nor cron", "at(2030-01-01)", ""},
		{"unclosed", "rate(4 hours", ""},
		{"minutes", "rate(300 minutes)", ""},
		{"below four hours", "rate(3 hours)", ""},
		{"no unit", "rate(4)", ""},
		{"negative", "rate(-4 days)", ""},
		{"above 999 days", "rate(1000 days)", ""},
		{"five fields", "cron(0 4 ? * MON)", ""},
		{"minutes of a cron", "cron(30 4 ? * MON *)", ""},
		{"a year", "cron(0 4 ? * MON 2030)", ""},
		{"both days", "cron(0 4 1 * MON *)", ""},
		{"neither day", "cron(0 4 ? * ? *)", ""},
		{"hour 24", "cron(0 24 * * ? *)", ""},
		{"backwards", "cron(0 9-8 * * ? *)", ""},
		{"sixth Monday", "cron(0 4 ? * 2#6 *)", ""},
		{"duration in minutes", "rate(1 day)", "90m"},
		{"window into the next", "rate(4 hours)", "5h"},
		{"cron window into the next", "cron(0 0/4 * * ? *)", "5h"},
		{"window past the day", "cron(0 22 * * ? *)", "3h"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := schedule.Parse(tt.expression, tt.duration); err == nil {
				t.Errorf("Parse(%q, %q) accepts it", tt.expression, tt.duration)
			}
		})
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, expression, duration, last, start, end string }{
		{"hours", "rate(4 hours)", "", "2025-03-01T10:20:00Z", "2025-03-01T14:00:00Z", "2025-03-01T15:00:00Z"},
		{"hours with a window", "rate(12 hours)", "3h", "2025-03-01T10:20:00Z", "2025-03-01T22:00:00Z", "2025-03-02T01:00:00Z"},
		{"days", "rate(10 days)", "", "2025-03-01T10:20:00Z", "2025-03-11T00:00:00Z", "2025-03-12T00:00:00Z"},
		{"days with a window", "rate(1 day)", "2h", "2025-02-28T23:59:59Z", "2025-03-01T00:00:00Z", "2025-03-01T02:00:00Z"},
		{"24 hours are a day", "rate(24 hours)", "", "2025-03-01T10:20:00Z", "2025-03-02T00:00:00Z", "2025-03-03T00:00:00Z"},
		{"Mondays", "cron(0 4 ? * MON *)", "", "2025-03-01T00:00:00Z", "2025-03-03T04:00:00Z", "2025-03-04T00:00:00Z"},
		{"a match itself is past", "cron(0 4 ? * 2 *)", "", "2025-03-03T04:00:00Z", "2025-03-10T04:00:00Z", "2025-03-11T00:00:00Z"},
		{"each eight hours", "cron(0 /8 * * ? *)", "", "2025-03-01T08:00:00Z", "2025-03-01T16:00:00Z", "2025-03-01T17:00:00Z"},
		{"first of the month", "cron(0 0 1 * ? *)", "6h", "2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T06:00:00Z"},
		{"last day", "cron(0 17 L * ? *)", "", "2024-02-01T00:00:00Z", "2024-02-29T17:00:00Z", "2024-03-01T00:00:00Z"},
		{"last Friday", "cron(0 17 ? * 6L *)", "", "2025-03-01T00:00:00Z", "2025-03-28T17:00:00Z", "2025-03-29T00:00:00Z"},
		{"second Tuesday", "cron(0 3 ? * TUE#2 *)", "", "2025-03-01T00:00:00Z", "2025-03-11T03:00:00Z", "2025-03-12T00:00:00Z"},
		{"weekday nearest to the 15th, a Saturday", "cron(0 3 15W * ? *)", "", "2025-03-01T00:00:00Z", "2025-03-14T03:00:00Z", "2025-03-15T00:00:00Z"},
		{"weekday nearest to the 1st, a Saturday", "cron(0 3 1W * ? *)", "", "2025-02-27T00:00:00Z", "2025-03-03T03:00:00Z", "2025-03-04T00:00:00Z"},
		{"last weekday, the 31st is a Sunday", "cron(0 3 LW * ? *)", "", "2025-08-02T00:00:00Z", "2025-08-29T03:00:00Z", "2025-08-30T00:00:00Z"},
		{"months and a list", "cron(0 1,13 1 JAN,JUL ? *)", "", "2025-01-01T13:00:00Z", "2025-07-01T01:00:00Z", "2025-07-01T02:00:00Z"},
		{"another zone", "cron(0 4 * * ? *)", "", "2025-03-01T06:30:00+05:00", "2025-03-01T04:00:00Z", "2025-03-02T00:00:00Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := schedule.Parse(tt.expression, tt.duration)
			if err != nil {
				t.Fatal(err)
			}
			start, end := s.Next(moment(t, tt.last))
			if !start.Equal(moment(t, tt.start)) || !end.Equal(moment(t, tt.end)) {
				t.Errorf("Next(%s) = %s to %s, want %s to %s", tt.last, start, end, tt.start, tt.end)
			}
		})
	}
}

func TestDays(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{0, -1, 1001} {
		if _, err := schedule.Days(n, ""); err == nil {
			t.Errorf("Days(%d) accepts it", n)
		}
	}
	s, err := schedule.Days(30, "4h")
	if err != nil {
		t.Fatal(err)
	}
	start, end := s.Next(moment(t, "2025-01-31T12:00:00Z"))
	if want := moment(t, "2025-03-02T00:00:00Z"); !start.Equal(want) || end.Sub(start) != 4*time.Hour {
		t.Errorf("Next = %s to %s, want %s for 4 h", start, end, want)
	}
}

func TestNeverAgain(t *testing.T) {
	t.Parallel()
	s, err := schedule.Parse("cron(0 4 31 FEB ? *)", "")
	if err != nil {
		t.Fatal(err)
	}
	if start, _ := s.Next(moment(t, "2025-01-01T00:00:00Z")); !start.IsZero() {
		t.Errorf("the 31st of February is %s", start)
	}
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"rate(4 hours)", "cron(0 /8 * * ? *)", "cron(0 17 ? * 6L *)", "cron(0 3 15W * ? *)"} {
		f.Add(seed, "3h")
	}
	f.Fuzz(func(t *testing.T, expression, duration string) {
		s, err := schedule.Parse(expression, duration)
		if err != nil {
			return
		}
		last := time.Date(2025, 3, 1, 10, 20, 0, 0, time.UTC)
		start, end := s.Next(last)
		if !start.IsZero() && (!start.After(last) || !end.After(start)) {
			t.Errorf("%q %q: the window after %s is %s to %s", expression, duration, last, start, end)
		}
	})
}

package timetable_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/infra/timetable"
)

func TestParse(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, tt := range []struct {
		expression string
		longest    time.Duration
		perMonth   float64
	}{
		{"rate(30 days)", 30 * day, 365.0 / 12 / 30},
		{"rate(4 hours)", 4 * time.Hour, 730.0 / 4},
		{"cron(0 4 ? * MON *)", 7 * day, 365.0 / 12 / 7},
		{"cron(0 4 ? * MON,TUE *)", 6 * day, 2 * 365.0 / 12 / 7},
		{"cron(0 4 1 * ? *)", 31 * day, 1},
		{"cron(0 4 1 1,7 ? *)", 184 * day, 1.0 / 6},
	} {
		t.Run(tt.expression, func(t *testing.T) {
			t.Parallel()
			got, err := timetable.Parse(tt.expression, 3*time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if got.Longest() != tt.longest {
				t.Errorf("longest is %s, want %s", got.Longest(), tt.longest)
			}
			if m := got.PerMonth(); math.Abs(m-tt.perMonth) > 0.01*tt.perMonth+0.002 {
				t.Errorf("%v a month, want %v", m, tt.perMonth)
			}
		})
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	table, err := timetable.Parse("cron(0 4 ? * MON *)", 3*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	at := func(d, h int) time.Time { return time.Date(2026, 11, d, h, 0, 0, 0, time.UTC) }
	want := []timetable.Window{{at(23, 4), at(23, 7)}, {at(30, 4), at(30, 7)}}
	if diff := cmp.Diff(want, table.Next(at(16, 5), 2)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, expression := range []string{"", "rate(1 hour)", "weekly", "cron(0 4 31 2 ? *)"} {
		if _, err := timetable.Parse(expression, 0); err == nil {
			t.Errorf("%q was taken", expression)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"rate(30 days)":            "every 30 days",
		"rate(1 day)":              "every day",
		"cron(0 4 ? * MON *)":      "every Monday at 04:00 UTC",
		"cron(0 14 ? * MON,THU *)": "every Monday and Thursday at 14:00 UTC",
		"cron(0 4 * * ? *)":        "every day at 04:00 UTC",
		"cron(0 4 12 * ? *)":       "on day 12 of every month at 04:00 UTC",
		"cron(0 4 L * ? *)":        "on the last day of every month at 04:00 UTC",
		"cron(0 4 ? * MON#1 *)":    "whenever cron(0 4 ? * MON#1 *) says, in UTC",
		"cron(0 4,16 ? * MON *)":   "whenever cron(0 4,16 ? * MON *) says, in UTC",
		"cron(0 4 1 JAN,JUL ? *)":  "whenever cron(0 4 1 JAN,JUL ? *) says, in UTC",
		"cron(0 4 1-5 * ? *)":      "whenever cron(0 4 1-5 * ? *) says, in UTC",
		"something(else)":          "whenever something(else) says, in UTC",
	} {
		if got := timetable.Words(in); got != want {
			t.Errorf("Words(%q) = %q, want %q", in, got, want)
		}
	}
}

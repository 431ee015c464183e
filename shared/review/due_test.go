package review

import (
	"testing"
	"time"
)

// A key is late by Secrets Manager's own schedule, in UTC whatever the summer time, and
// a pause excuses only what was not late when it began.
func TestDue(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		out, err := time.Parse("2006-01-02T15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	span := func(from, until string) Span { return Span{at(from), at(until)} }
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		s    Secret
		want string // "": none
	}{
		"rate":                {Secret{Schedule: "rate(30 days)", LastRotated: at("2026-01-01T00:00"), Window: day}, "2026-02-01T00:00"},
		"never rotated":       {Secret{Schedule: "rate(30 days)", Created: at("2026-01-01T00:00"), Window: day}, "2026-02-01T00:00"},
		"nothing known":       {Secret{Schedule: "rate(30 days)", Window: day}, ""},
		"no schedule":         {Secret{LastRotated: at("2026-01-01T00:00")}, ""},
		"not a schedule":      {Secret{Schedule: "every day", LastRotated: at("2026-01-01T00:00")}, ""},
		"over summer time":    {Secret{Schedule: "cron(0 4 ? * MON *)", LastRotated: at("2026-03-23T04:10"), Window: time.Hour}, "2026-03-30T05:00"},
		"day 31":              {Secret{Schedule: "cron(0 0 31 * ? *)", LastRotated: at("2026-01-31T01:00")}, "2026-03-31T00:00"},
		"last day":            {Secret{Schedule: "cron(0 0 L * ? *)", LastRotated: at("2028-01-31T01:00")}, "2028-02-29T00:00"},
		"paused when due":     {Secret{Schedule: "rate(30 days)", LastRotated: at("2026-01-01T00:00"), Window: day, Stopped: []Span{span("2026-01-30T00:00", "2026-02-10T00:00")}}, "2026-02-11T00:00"},
		"paused in a chain":   {Secret{Schedule: "rate(30 days)", LastRotated: at("2026-01-01T00:00"), Window: day, Stopped: []Span{span("2026-02-10T12:00", "2026-02-20T00:00"), span("2026-01-30T00:00", "2026-02-10T00:00")}}, "2026-02-21T00:00"},
		"paused before":       {Secret{Schedule: "rate(30 days)", LastRotated: at("2026-01-01T00:00"), Window: day, Stopped: []Span{span("2026-01-02T00:00", "2026-01-10T00:00")}}, "2026-02-01T00:00"},
		"paused when late":    {Secret{Schedule: "rate(30 days)", LastRotated: at("2026-01-01T00:00"), Window: day, Stopped: []Span{span("2026-06-01T00:00", "2026-06-05T00:00")}}, "2026-02-01T00:00"},
		"paused for a minute": {Secret{Schedule: "rate(30 days)", LastRotated: at("2026-01-01T00:00"), Window: day, Stopped: []Span{span("2026-02-02T00:00", "2026-02-02T00:01")}}, "2026-02-01T00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := due(&c.s)
			if got.IsZero() != (c.want == "") || c.want != "" && !got.Equal(at(c.want)) {
				t.Errorf("due %s, want %q", got, c.want)
			}
		})
	}
}

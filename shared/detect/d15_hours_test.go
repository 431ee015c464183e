package detect

import (
	"testing"

	"github.com/keyturn/keyturn/shared/trail"
)

func TestWorkingHours(t *testing.T) {
	t.Parallel()
	at := func(day, hour int) trail.Event {
		return ev((day*24+hour-10)*3600, alice, "GetSecretValue", "prod/mail")
	} // start is a Monday, 10:00
	outside := func(when string) []string { return []string{"low: a read at " + when + " UTC, outside working hours"} }
	working := func(h Hours) *Site {
		s := ours()
		s.Hours = &h
		return s
	}
	day, night := working(Hours{From: 7, To: 19}), working(Hours{From: 20, To: 4, Weekends: true})
	check(t, unusualHour(30), []ruleCase{
		{name: "at work", site: day, events: []trail.Event{at(0, 7), at(4, 18)}},
		{name: "too early", site: day, events: []trail.Event{at(0, 6)}, want: outside("Monday 06:00")},
		{name: "at the end", site: day, events: []trail.Event{at(1, 19), at(1, 20)}, want: outside("Tuesday 19:00")},
		{name: "on two days", site: day, events: []trail.Event{at(1, 19), at(2, 19)}, want: append(outside("Tuesday 19:00"), outside("Wednesday 19:00")...)},
		{name: "on a Saturday", site: day, events: []trail.Event{at(5, 12)}, want: outside("Saturday 12:00")},
		{name: "at night", site: night, events: []trail.Event{at(0, 23), at(5, 3)}},
		{name: "by day, at night's", site: night, events: []trail.Event{at(0, 4)}, want: outside("Monday 04:00")},
		{name: "not known", events: []trail.Event{at(5, 3)}},
		{name: "a program", site: day, events: []trail.Event{ev(-5*3600, mailer, "GetSecretValue", "prod/mail", func(e *trail.Event) { e.Identity.Type = "AssumedRole" })}},
		{name: "denied", site: day, events: []trail.Event{ev(-5*3600, alice, "GetSecretValue", "prod/mail", denied)}},
	})
}

func TestUnusualHour(t *testing.T) {
	t.Parallel()
	// Two weeks of eight hours on working days; start is a Monday, 10:00.
	weeks := func(who string, days int) []trail.Event {
		var out []trail.Event
		for day := range days {
			if day%7 >= 5 {
				continue
			}
			for hour := range 8 {
				out = append(out, ev((day*24+hour)*3600, who, "GetSecretValue", "prod/mail"))
			}
		}
		return out
	}
	at := func(hours int, who string, change ...func(*trail.Event)) trail.Event {
		return ev((14*24+hours)*3600, who, "GetSecretValue", "prod/mail", change...)
	}
	role := func(e *trail.Event) { e.Identity.Type = "AssumedRole" }
	check(t, unusualHour(30), []ruleCase{
		{name: "at night", events: append(weeks(alice, 14), at(17, alice)), want: []string{"low: 0 of 80 hours with reads in 4 weeks were near 03:00 UTC on such days; threshold 1%"}},
		{name: "before the events of the day", events: append([]trail.Event{at(17, alice)}, weeks(alice, 14)...), want: []string{"low: 0 of 80 hours with reads in 4 weeks were near 03:00 UTC on such days; threshold 1%"}},
		{name: "an hour early", events: append(weeks(alice, 14), at(23, alice))},
		{name: "at the usual hour", events: append(weeks(alice, 14), at(3, alice))},
		{name: "little history", events: append(weeks(alice, 3), at(17, alice))},
		{name: "a program", events: append(weeks(mailer, 14), at(17, mailer, role))},
		{name: "denied", events: append(weeks(alice, 14), at(17, alice, denied))},
		{name: "another's history", events: append(weeks(alice, 14), at(17, alice+"2"))},
	})
}

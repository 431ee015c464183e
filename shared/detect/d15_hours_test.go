package detect

import (
	"testing"

	"github.com/keyturn/keyturn/shared/trail"
)

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

package detect

import (
	"fmt"
	"testing"

	"github.com/keyturn/keyturn/shared/trail"
)

func TestBruteForce(t *testing.T) {
	t.Parallel()
	try := func(apart int, changes ...func(*trail.Event)) func(int) trail.Event {
		return func(i int) trail.Event { return ev(i*apart, alice, "GetSecretValue", "prod/mail", changes...) }
	}
	check(t, bruteForce(5), []ruleCase{
		{name: "four", events: many(4, try(1, denied))},
		{name: "five", events: many(5, try(1, denied)), want: []string{
			"medium: 5 calls denied from one network within 10m; threshold 5", "medium: 5 denied calls within 10m; threshold 5",
		}},
		{name: "five in an hour", events: many(5, try(900, denied))},
		{name: "twenty in a day", events: many(20, try(3600, denied)), want: []string{"high: 20 or more denied calls within 24h; threshold 20"}},
		{name: "three secrets", events: many(3, func(i int) trail.Event {
			return ev(i, alice, "GetSecretValue", []string{"prod/mail", "prod/pay", "prod/decoy"}[i], denied)
		}), want: []string{"high: 3 or more secrets denied within 10m; threshold 3"}},
		{name: "several principals, one network", events: many(5, func(i int) trail.Event {
			return ev(i, fmt.Sprint(alice, i), "GetSecretValue", "prod/mail", denied, from(fmt.Sprint("198.51.100.", i)))
		}), want: []string{"medium: 5 calls denied from one network within 10m; threshold 5"}},
		{name: "throttled", events: many(200, try(1, fails("ThrottlingException")))},
		{name: "succeeded", events: many(50, try(1))},
		{name: "another service", events: many(50, try(1, denied, func(e *trail.Event) { e.Source = "ec2.amazonaws.com" }))},
		{name: "the rotator", events: many(50, func(i int) trail.Event { return ev(i, rotator, "GetSecretValue", "prod/mail", denied) })},
	})
}

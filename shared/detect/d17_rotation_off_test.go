package detect

import (
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

func TestRotationOff(t *testing.T) {
	t.Parallel()
	site := ours()
	site.Deployers = []string{mailer}
	s := site.secrets["prod/mail"]
	s.Interval, s.Function = 30*24*time.Hour, "keyturn-rotate-mail"
	call := func(who, name string, changes ...func(*trail.Event)) []trail.Event {
		return []trail.Event{ev(0, who, name, "prod/mail", changes...)}
	}
	rules := func(key string, value any) func(*trail.Event) {
		return set("rotationRules", map[string]any{key: value})
	}
	lambda := "arn:aws:lambda:eu-west-1:123456789012:function:"
	cases := []ruleCase{
		{name: "turned off", events: call(alice, "CancelRotateSecret"), want: []string{"high: rotation was turned off"}},
		{name: "turned off by a deployer", events: call(mailer, "CancelRotateSecret"), want: []string{"medium: rotation was turned off"}},
		{name: "turned off by the rotator", events: call(rotator, "CancelRotateSecret")},
		{name: "denied", events: call(alice, "CancelRotateSecret", denied)},
		{name: "rarer by days", events: call(alice, "RotateSecret", rules("automaticallyAfterDays", 90)), want: []string{"high: rotation every 90d; the file says 30d"}},
		{name: "rarer by rate", events: call(mailer, "RotateSecret", rules("scheduleExpression", "rate(31 days)")), want: []string{"high: rotation every 31d; the file says 30d"}},
		{name: "as often", events: call(alice, "RotateSecret", rules("scheduleExpression", "rate(720 hours)"))},
		{name: "rarer by cron", events: call(alice, "RotateSecret", rules("scheduleExpression", "cron(0 4 1 */3 ? *)")), want: []string{"high: rotation every 92d; the file says 30d"}},
		{name: "often by cron", events: call(alice, "RotateSecret", rules("scheduleExpression", "cron(0 4 ? * MON *)"))},
		{name: "no schedule", events: call(alice, "RotateSecret", rules("scheduleExpression", "sometimes"))},
		{name: "another function", events: call(alice, "RotateSecret", set("rotationLambdaARN", lambda+"mine")), want: []string{`high: rotation was given to function "` + lambda + `mine"`}},
		{name: "its function's alias", events: call(alice, "RotateSecret", set("rotationLambdaARN", lambda+"keyturn-rotate-mail:live"))},
		{name: "now", events: call(alice, "RotateSecret")},
		{name: "another key", events: call(alice, "UpdateSecret", set("kmsKeyId", "alias/mine")), want: []string{`high: the KMS key was changed to "alias/mine"`}},
		{name: "another key by a deployer", events: call(mailer, "UpdateSecret", set("kmsKeyId", "alias/mine"))},
		{name: "description", events: call(alice, "UpdateSecret", set("description", "x"))},
	}
	for i := range cases {
		cases[i].site = site
	}
	check(t, rotationOff(), cases)
}

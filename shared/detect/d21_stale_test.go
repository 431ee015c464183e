package detect

import (
	"testing"

	"github.com/keyturn/keyturn/shared/trail"
)

func TestStaleVersion(t *testing.T) {
	t.Parallel()
	const day = 24 * 3600
	read := func(seconds int, who string, changes ...func(*trail.Event)) trail.Event {
		return ev(seconds, who, "GetSecretValue", "prod/mail", changes...)
	}
	stage := func(s string) func(*trail.Event) { return set("versionStage", s) }
	version := func(s string) func(*trail.Event) { return set("versionId", s) }
	stale := "low: a version that was replaced more than 24h ago was read by its id"
	moves := []trail.Event{relabeled(0, "AWSCURRENT", "a"), relabeled(day, "AWSCURRENT", "B")}
	after := func(events ...trail.Event) []trail.Event { return append(events, moves...) }
	check(t, staleVersion(), []ruleCase{
		{name: "previous, twice a day", events: []trail.Event{read(0, mailer, stage("AWSPREVIOUS")), read(60, mailer, stage("AWSPREVIOUS"))}, want: []string{"low: the version before was asked for"}},
		{name: "pending, which is R-01's", events: []trail.Event{read(0, mailer, stage("AWSPENDING"))}},
		{name: "current", events: []trail.Event{read(0, mailer, stage("AWSCURRENT")), read(1, mailer)}},
		{name: "the rotator", events: []trail.Event{read(0, rotator, stage("AWSPENDING")), read(1, rotator, stage("AWSPREVIOUS"))}},
		{name: "denied", events: []trail.Event{read(0, alice, stage("AWSPREVIOUS"), denied)}},
		{name: "replaced a day ago", events: after(read(2*day+3600, mailer, version("A"))), want: []string{stale}},
		{name: "replaced a day ago, every hour", events: after(many(5, func(i int) trail.Event { return read(2*day+3600*(i+1), mailer, version("a")) })...), want: []string{stale}},
		{name: "within the day", events: after(read(day+7200, mailer, version("a")))},
		{name: "in use", events: after(read(3*day, mailer, version("b")))},
		{name: "rolled back", events: after(relabeled(day+7200, "AWSCURRENT", "a"), read(3*day, mailer, version("a")))},
		{name: "not known", events: after(read(3*day, mailer, version("c")))},
		{name: "the rotator by id", events: after(read(3*day, rotator, version("a")))},
	})
}

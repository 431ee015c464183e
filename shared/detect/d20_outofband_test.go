package detect

import (
	"testing"

	"github.com/keyturn/keyturn/shared/trail"
)

func relabeled(seconds int, label, version string) trail.Event {
	return ev(seconds, "", trail.TypeLabel, "", service, func(e *trail.Event) {
		e.Type = trail.TypeLabel
		e.Resources = []byte(`["arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/mail-AbC123"]`)
	}, set("name", "prod/mail"), set("labelUpdated", label), set("versionId", version))
}

func TestOutOfBand(t *testing.T) {
	t.Parallel()
	deployer := ours()
	deployer.Deployers = []string{alice}
	call := func(who, name, secret string, changes ...func(*trail.Event)) []trail.Event {
		return []trail.Event{ev(0, who, name, secret, changes...)}
	}
	lost := []string{"high: AWSCURRENT moved, and no call within 15m explains it"}
	check(t, outOfBand(), []ruleCase{
		{name: "a new value", events: call(alice, "PutSecretValue", "prod/mail"), want: []string{"high: PutSecretValue by somebody else than its rotator"}},
		{name: "an admin's value", events: call(alice, "PutSecretValue", "admin/mail"), want: []string{"critical: PutSecretValue by somebody else than its rotator"}},
		{name: "a label", events: call(alice, "UpdateSecretVersionStage", "prod/mail", set("versionStage", "AWSCURRENT")), want: []string{`high: UpdateSecretVersionStage by somebody else than its rotator, label "AWSCURRENT"`}},
		{name: "a deployer's value", site: deployer, events: call(alice, "PutSecretValue", "prod/mail"), want: []string{"high: PutSecretValue by somebody else than its rotator"}},
		{name: "a deployer's description", site: deployer, events: call(alice, "UpdateSecret", "prod/mail")},
		{name: "denied", events: call(alice, "PutSecretValue", "prod/mail", denied)},
		{name: "the rotator", events: append(call(rotator, "PutSecretValue", "prod/mail"), ev(1, rotator, "UpdateSecretVersionStage", "prod/mail", set("versionStage", "AWSCURRENT")), relabeled(2, "AWSCURRENT", "v"))},
		{name: "rotators not known", site: (&Site{}).Prepare(nil), events: append(call(alice, "PutSecretValue", "s"), relabeled(0, "AWSCURRENT", "v"))},
		{name: "a label that nothing explains", events: []trail.Event{relabeled(0, "AWSCURRENT", "v")}, want: lost},
		{name: "explained before", events: []trail.Event{ev(0, rotator, "UpdateSecretVersionStage", "prod/mail"), relabeled(600, "AWSCURRENT", "v")}},
		{name: "explained after", events: []trail.Event{relabeled(0, "AWSCURRENT", "v"), ev(1000, rotator, "UpdateSecretVersionStage", "prod/mail")}},
		{name: "explained by the rotation's end", events: []trail.Event{relabeled(0, "AWSCURRENT", "v"), ev(5, "", "RotationSucceeded", "prod/mail", service)}},
		{name: "another secret's call", events: []trail.Event{relabeled(0, "AWSCURRENT", "v"), ev(5, rotator, "UpdateSecretVersionStage", "prod/pay")}, want: lost},
		{name: "hours after", events: []trail.Event{relabeled(0, "AWSCURRENT", "v"), ev(7200, rotator, "UpdateSecretVersionStage", "prod/mail")}, want: lost},
		{name: "a label of one's own", events: []trail.Event{relabeled(0, "mine", "v")}},
	})
}

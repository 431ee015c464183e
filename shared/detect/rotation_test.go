package detect

import (
	"testing"

	"github.com/keyturn/keyturn/shared/trail"
)

// of makes a call to another service.
func of(source string) func(*trail.Event) { return func(e *trail.Event) { e.Source = source } }

// installed is ours with functions and a deployer.
func installed() *Site {
	s := ours()
	s.Functions, s.Deployers = []string{"keyturn-rotate-mail"}, []string{mailer}
	return s
}

func TestPendingRead(t *testing.T) {
	t.Parallel()
	pending := set("versionStage", "AWSPENDING")
	check(t, pendingRead(), []ruleCase{
		{name: "stranger", events: []trail.Event{ev(0, alice, "GetSecretValue", "prod/mail", pending)}, want: []string{"high: AWSPENDING of prod/mail is for its rotation only"}},
		{name: "denied", events: []trail.Event{ev(0, alice, "GetSecretValue", "prod/mail", pending, denied)}, want: []string{"medium: AWSPENDING of prod/mail is for its rotation only"}},
		{name: "rotator", events: []trail.Event{ev(0, rotator, "GetSecretValue", "prod/mail", pending)}},
		{name: "current", events: []trail.Event{ev(0, alice, "GetSecretValue", "prod/mail", set("versionStage", "AWSCURRENT"))}},
	})
}

func TestStrangeSession(t *testing.T) {
	t.Parallel()
	session := func(name string) func(*trail.Event) {
		return func(e *trail.Event) {
			e.Identity.Type, e.Identity.ARN = "AssumedRole", "arn:aws:sts::123456789012:assumed-role/keyturn-rotate-mail/"+name
			e.Identity.SessionContext.SessionIssuer.ARN = rotator
		}
	}
	service := func(e *trail.Event) {
		e.Identity = trail.Identity{Type: "AWSService", InvokedBy: "lambda.amazonaws.com"}
	}
	take := func(changes ...func(*trail.Event)) []trail.Event {
		return []trail.Event{ev(0, alice, "AssumeRole", "", append(changes, of("sts.amazonaws.com"), set("roleArn", rotator))...)}
	}
	check(t, strangeSession(), []ruleCase{
		{name: "our function", site: installed(), events: []trail.Event{ev(0, "", "GetSecretValue", "prod/mail", session("keyturn-rotate-mail"))}},
		{name: "another session", site: installed(), events: []trail.Event{ev(0, "", "GetSecretValue", "prod/mail", session("laptop"))}, want: []string{`critical: session "laptop" is none of our functions`}},
		{name: "taken", site: installed(), events: take(), want: []string{"critical: took " + rotator}},
		{name: "denied", site: installed(), events: take(denied), want: []string{"medium: tried to take " + rotator}},
		{name: "another role", site: installed(), events: []trail.Event{ev(0, alice, "AssumeRole", "", of("sts.amazonaws.com"), set("roleArn", mailer))}},
		{name: "by Lambda", site: installed(), events: take(service)},
	})
}

func TestAdminRead(t *testing.T) {
	t.Parallel()
	check(t, adminRead(), []ruleCase{
		{name: "stranger", events: []trail.Event{ev(0, alice, "GetSecretValue", "admin/mail")}, want: []string{"critical: admin/mail is for the rotation only"}},
		{name: "denied", events: []trail.Event{ev(0, alice, "GetSecretValue", "admin/mail", denied)}, want: []string{"high: admin/mail is for the rotation only"}},
		{name: "rotator", events: []trail.Event{ev(0, rotator, "GetSecretValue", "admin/mail")}},
		{name: "described", events: []trail.Event{ev(0, alice, "DescribeSecret", "admin/mail")}},
		{name: "another secret", events: []trail.Event{ev(0, alice, "GetSecretValue", "prod/mail")}},
	})
}

func TestFunctionChanged(t *testing.T) {
	t.Parallel()
	call := func(who, name, function string, changes ...func(*trail.Event)) []trail.Event {
		return []trail.Event{ev(0, who, name, "", append(changes, of("lambda.amazonaws.com"), set("functionName", function))...)}
	}
	code := []string{"critical: UpdateFunctionCode on keyturn-rotate-mail by a caller that is no deployer"}
	check(t, functionChanged(), []ruleCase{
		{name: "code", site: installed(), events: call(alice, "UpdateFunctionCode20150331v2", "keyturn-rotate-mail"), want: code},
		{name: "code by ARN", site: installed(), events: call(alice, "UpdateFunctionCode20150331v2", "arn:aws:lambda:eu-west-1:123456789012:function:keyturn-rotate-mail:live"), want: code},
		{name: "permission", site: installed(), events: call(alice, "AddPermission20150331v2", "keyturn-rotate-mail"), want: []string{"critical: AddPermission on keyturn-rotate-mail by a caller that is no deployer"}},
		{name: "denied", site: installed(), events: call(alice, "UpdateFunctionConfiguration20150331v2", "keyturn-rotate-mail", denied), want: []string{"high: UpdateFunctionConfiguration on keyturn-rotate-mail by a caller that is no deployer"}},
		{name: "by the deployer", site: installed(), events: call(mailer, "UpdateFunctionCode20150331v2", "keyturn-rotate-mail")},
		{name: "by the function itself", site: installed(), events: call(rotator, "UpdateFunctionCode20150331v2", "keyturn-rotate-mail"), want: code},
		{name: "another function", site: installed(), events: call(alice, "UpdateFunctionCode20150331v2", "other")},
		{name: "role passed", site: installed(), events: call(alice, "CreateFunction20150331", "other", set("role", rotator)), want: []string{"critical: " + rotator + " was passed in CreateFunction"}},
		{name: "another role passed", site: installed(), events: call(alice, "CreateFunction20150331", "other", set("role", mailer))},
		{name: "read", site: installed(), events: call(alice, "GetFunction20150331v2", "keyturn-rotate-mail", func(e *trail.Event) { e.ReadOnly = true })},
	})
}

func TestOutsideRotation(t *testing.T) {
	t.Parallel()
	started := func(e *trail.Event) {
		e.Type, e.Identity = trail.TypeService, trail.Identity{InvokedBy: trail.SecretsManager, AccountID: account}
		e.Request, e.Additional = nil, []byte(`{"SecretId":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/mail-AbCdEf"}`)
	}
	use := func(at int) trail.Event { return ev(at, rotator, "GetSecretValue", "prod/mail") }
	outside := []string{"high: used, and no rotation of the secret began in 24h before"}
	check(t, outsideRotation(), []ruleCase{
		{name: "without", events: []trail.Event{use(0), use(60)}, want: outside},
		{name: "asked for", events: []trail.Event{use(60), ev(0, alice, "RotateSecret", "prod/mail")}},
		{name: "scheduled", events: []trail.Event{use(60), ev(0, "", "RotationStarted", "", started)}},
		{name: "the day after", events: []trail.Event{use(25 * 3600), ev(0, alice, "RotateSecret", "prod/mail")}, want: outside},
		{name: "a rotation after it", events: []trail.Event{use(0), ev(3600, alice, "RotateSecret", "prod/mail")}, want: outside},
		{name: "that ended", events: []trail.Event{use(0), ev(600, "", "RotationSucceeded", "prod/mail", service)}},
		{name: "that ended hours after", events: []trail.Event{use(0), ev(3*3600, "", "RotationSucceeded", "prod/mail", service)}, want: outside},
		{name: "another secret", events: []trail.Event{use(60), ev(0, alice, "RotateSecret", "prod/pay")}, want: outside},
		{name: "by a consumer", events: []trail.Event{ev(0, mailer, "GetSecretValue", "prod/mail")}},
	})
}

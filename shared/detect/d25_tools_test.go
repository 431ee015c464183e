package detect

import (
	"testing"

	"github.com/keyturn/keyturn/shared/trail"
)

func TestAttackTool(t *testing.T) {
	t.Parallel()
	call := func(seconds int, name, secret, agent string) trail.Event {
		return ev(seconds, alice, name, secret, func(e *trail.Event) { e.UserAgent = agent })
	}
	check(t, attackTool(), []ruleCase{
		{name: "a tool, often", events: many(9, func(i int) trail.Event { return call(i, "GetSecretValue", "prod/mail", "stratus-red-team_0a1b") }), want: []string{`medium: user agent "stratus-red-team_0a1b"`}},
		{name: "two tools", events: []trail.Event{call(0, "ListSecrets", "", "TruffleHog"), call(1, "ListSecrets", "", "Pacu/1")}, want: []string{`medium: user agent "Pacu/1"`, `medium: user agent "TruffleHog"`}},
		{name: "a system", events: []trail.Event{call(0, "ListSecrets", "", "Boto3/1.26 md/Botocore#1.29 ua/2.0 os/linux#6.1.0-kali5-amd64")}, want: []string{`medium: user agent "Boto3/1.26 md/Botocore#1.29 ua/2.0 os/linux#6.1.0-kali5-amd64"`}},
		{name: "a word with its letters", events: []trail.Event{call(0, "ListSecrets", "", "alkaline/1 sparrot/2")}},
		{name: "an SDK", events: []trail.Event{call(0, "GetSecretValue", "prod/mail", "aws-sdk-go-v2/1.30")}},
		{name: "none", events: []trail.Event{call(0, "GetSecretValue", "prod/mail", "")}},
		{name: "not ours", events: []trail.Event{call(0, "GetSecretValue", "other", "trufflehog")}},
	})
}

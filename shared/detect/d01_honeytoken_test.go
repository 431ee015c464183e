package detect

import (
	"testing"

	"github.com/keyturn/keyturn/shared/trail"
)

func TestHoneytoken(t *testing.T) {
	t.Parallel()
	touched := func(call string) []string {
		return []string{"critical: " + call + " on prod/decoy, which nobody reads in peace"}
	}
	kms := func(e *trail.Event) {
		e.Source = trail.KMS
		set("encryptionContext", map[string]string{"SecretARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/decoy-AbCdEf"})(e)
	}
	check(t, honeytoken(), []ruleCase{
		{name: "read", events: []trail.Event{ev(0, mailer, "GetSecretValue", "prod/decoy")}, want: touched("GetSecretValue")},
		{name: "by ARN", events: []trail.Event{ev(0, mailer, "DescribeSecret", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/decoy-AbCdEf")}, want: touched("DescribeSecret")},
		{name: "denied", events: []trail.Event{ev(0, mailer, "GetSecretValue", "prod/decoy", denied)}, want: touched("GetSecretValue")},
		{name: "decrypted", events: []trail.Event{ev(0, mailer, "Decrypt", "", kms)}, want: touched("Decrypt")},
		{name: "in a batch", events: []trail.Event{ev(0, mailer, "BatchGetSecretValue", "", set("secretIdList", []string{"prod/mail", "prod/decoy"}))}, want: touched("BatchGetSecretValue")},
		{name: "by its rotator", events: []trail.Event{ev(0, rotator, "GetSecretValue", "prod/decoy")}},
		{name: "another secret", events: []trail.Event{ev(0, mailer, "GetSecretValue", "prod/mail")}},
		{name: "of another account", events: []trail.Event{ev(0, mailer, "GetSecretValue", "arn:aws:secretsmanager:eu-west-1:999999999999:secret:prod/decoy-AbCdEf")}},
	})
}

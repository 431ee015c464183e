package detect

import (
	"slices"
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
	kept := ours()
	kept.Roles, kept.Deployers, kept.Operators = append(kept.Roles, rotator+"now"), []string{alice}, []string{mailer}
	check(t, honeytoken(), []ruleCase{
		{name: "read", events: []trail.Event{ev(0, mailer, "GetSecretValue", "prod/decoy")}, want: touched("GetSecretValue")},
		{name: "by ARN", events: []trail.Event{ev(0, mailer, "DescribeSecret", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/decoy-AbCdEf")}, want: touched("DescribeSecret")},
		{name: "denied", events: []trail.Event{ev(0, mailer, "GetSecretValue", "prod/decoy", denied)}, want: touched("GetSecretValue")},
		{name: "decrypted", events: []trail.Event{ev(0, mailer, "Decrypt", "", kms)}, want: touched("Decrypt")},
		{name: "in a batch", events: []trail.Event{ev(0, mailer, "BatchGetSecretValue", "", set("secretIdList", []string{"prod/mail", "prod/decoy"}))}, want: touched("BatchGetSecretValue")},
		{
			name: "in a batch, with its records", events: []trail.Event{
				ev(0, mailer, "BatchGetSecretValue", "", set("secretIdList", []string{"prod/mail", "prod/decoy"})), ev(0, mailer, "GetSecretValue", "prod/mail"), ev(0, mailer, "GetSecretValue", "prod/decoy"),
			},
			want: slices.Concat(touched("BatchGetSecretValue"), touched("GetSecretValue"), []string{"critical: prod/mail was read by who got a honey token within 24h"}),
		},
		{name: "with others", events: []trail.Event{
			ev(0, mailer, "GetSecretValue", "prod/mail"), ev(20*3600, mailer, "GetSecretValue", "prod/decoy"), ev(40*3600, mailer, "GetSecretValue", "prod/pay"),
			ev(50*3600, mailer, "GetSecretValue", "late"), ev(0, mailer, "GetSecretValue", "admin/mail", denied), ev(0, alice, "GetSecretValue", "admin/mail"),
		}, want: append(touched("GetSecretValue"), "critical: prod/mail was read by who got a honey token within 24h", "critical: prod/pay was read by who got a honey token within 24h")},
		{name: "described, with others", events: []trail.Event{ev(0, mailer, "GetSecretValue", "prod/mail"), ev(60, mailer, "DescribeSecret", "prod/decoy")}, want: touched("DescribeSecret")},
		{name: "denied, with others", events: []trail.Event{ev(0, mailer, "GetSecretValue", "prod/mail"), ev(60, mailer, "GetSecretValue", "prod/decoy", denied)}, want: touched("GetSecretValue")},
		{name: "by its rotator", events: []trail.Event{ev(0, rotator, "GetSecretValue", "prod/decoy")}},
		{name: "looked at by our functions", site: kept, events: []trail.Event{ev(0, rotator+"now", "DescribeSecret", "prod/decoy"), ev(1, rotator+"now", "RotateSecret", "prod/decoy")}},
		{name: "read by our functions", site: kept, events: []trail.Event{ev(0, rotator+"now", "GetSecretValue", "prod/decoy")}, want: touched("GetSecretValue")},
		{name: "deployed", site: kept, events: []trail.Event{ev(0, alice, "CreateSecret", "", set("name", "prod/decoy")), ev(1, alice, "PutResourcePolicy", "prod/decoy")}},
		{name: "encrypted for a deployer", site: kept, events: []trail.Event{ev(0, alice, "GenerateDataKey", "", kms)}},
		{name: "read by a deployer", site: kept, events: []trail.Event{ev(0, alice, "BatchGetSecretValue", "", set("secretIdList", []string{"prod/decoy"}))}, want: touched("BatchGetSecretValue")},
		{name: "decrypted by a deployer", site: kept, events: []trail.Event{ev(0, alice, "Decrypt", "", kms)}, want: touched("Decrypt")},
		{name: "an operator's status", site: kept, events: []trail.Event{ev(0, mailer, "DescribeSecret", "prod/decoy")}},
		{name: "created by another", events: []trail.Event{ev(0, alice, "CreateSecret", "", set("name", "prod/decoy"))}, want: touched("CreateSecret")},
		{name: "another secret", events: []trail.Event{ev(0, mailer, "GetSecretValue", "prod/mail")}},
		{name: "of another account", events: []trail.Event{ev(0, mailer, "GetSecretValue", "arn:aws:secretsmanager:eu-west-1:999999999999:secret:prod/decoy-AbCdEf")}},
	})
}

package iam_test

import (
	"testing"

	"github.com/keyturn/keyturn/shared/iam"
)

// A * that ends a part of a resource's ARN runs on beyond the colon; every other
// wildcard stays in its part.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func TestResourcesRunOn(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]iam.Effect{
		"arn:aws:secretsmanager:*:secret:prod/*":                 iam.Allowed,
		"arn:aws:secretsmanager:eu-*:secret:prod/mail-AbCdEf":    iam.Allowed,
		"arn:aws:secretsmanager:*:*:secret:prod/*":               iam.Allowed,
		"arn:aws:secretsmanager:*:*:*:*":                         iam.Allowed,
		"arn:aws:secretsmanager:*:secret:shop/*":                 iam.Denied,
		"arn:aws:secretsmanager:eu-*1:secret:prod/*":             iam.Denied, // not at the part's end
		"arn:aws:secretsmanager:eu-west-1?111122223333:secret:*": iam.Denied,
		"arn:aws:s3:*:secret:prod/*":                             iam.Denied,
	} {
		d, err := iam.Evaluate(iam.Request{Principal: iam.NewUser(user), Action: "secretsmanager:GetSecretValue", Resource: secretARN},
			iam.Policies{Identity: []iam.Policy{policy(t, "p", `{"Effect":"Allow","Action":"*","Resource":"`+pattern+`"}`)}})
		if err == nil && d.Effect != want {
			t.Errorf("%s: %s, want %s", pattern, d.Effect, want)
		}
		if err != nil && want == iam.Allowed {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

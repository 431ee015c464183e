package detect

import (
	"testing"

	"github.com/keyturn/keyturn/shared/trail"
)

func TestTampering(t *testing.T) {
	t.Parallel()
	site := ours()
	site.Deployers = []string{mailer}
	site.Functions = []string{"keyturn-rotate-mail"}
	site.Resources = []string{"keyturn-trail", "keyturn-ledger-1"}
	site.Keys = []string{"alias/keyturn-ledger", "1234-abcd"}
	call := func(who, source, name string, changes ...func(*trail.Event)) []trail.Event {
		changes = append(changes, func(e *trail.Event) { e.Source = source + ".amazonaws.com" })
		return []trail.Event{ev(0, who, name, "", changes...)}
	}
	function := "arn:aws:lambda:eu-west-1:123456789012:function:keyturn-rotate-mail"
	selectors := func(management bool, kind string) func(*trail.Event) {
		return set("eventSelectors", []any{map[string]any{"includeManagementEvents": management, "readWriteType": kind}})
	}
	hidden := []string{"critical: PutEventSelectors on a trail, which records no reads of secrets then"}
	cases := []ruleCase{
		{name: "a trail stopped", events: call(alice, "cloudtrail", "StopLogging"), want: []string{"critical: StopLogging on a trail"}},
		{name: "by a deployer, too", events: call(mailer, "cloudtrail", "DeleteTrail"), want: []string{"critical: DeleteTrail on a trail"}},
		{name: "denied", events: call(alice, "cloudtrail", "StopLogging", denied), want: []string{"high: StopLogging on a trail, denied"}},
		{name: "no such trail", events: call(alice, "cloudtrail", "StopLogging", fails("TrailNotFoundException"))},
		{name: "started", events: call(alice, "cloudtrail", "StartLogging")},
		{name: "no management events", events: call(alice, "cloudtrail", "PutEventSelectors", selectors(false, "All")), want: hidden},
		{name: "no reads", events: call(mailer, "cloudtrail", "PutEventSelectors", selectors(true, "WriteOnly")), want: hidden},
		{name: "all events", events: call(alice, "cloudtrail", "PutEventSelectors", selectors(true, "All"))},
		{name: "advanced, data only", events: call(alice, "cloudtrail", "PutEventSelectors", set("advancedEventSelectors", `[{"field":"eventCategory","equals":["Data"]}]`)), want: hidden},
		{name: "our function without concurrency", events: call(alice, "lambda", "PutFunctionConcurrency20171031", set("functionName", function)), want: []string{`critical: PutFunctionConcurrency on "keyturn-rotate-mail"`}},
		{name: "by the deployer", events: call(mailer, "lambda", "PutFunctionConcurrency20171031", set("functionName", function))},
		{name: "another function", events: call(alice, "lambda", "PutFunctionConcurrency20171031", set("functionName", "theirs"))},
		{name: "our function's code, which is R-04's", events: call(alice, "lambda", "UpdateFunctionCode20150331v2", set("functionName", function))},
		{name: "our rule", events: call(alice, "events", "DisableRule", set("name", "keyturn-trail")), want: []string{`critical: DisableRule on "keyturn-trail"`}},
		{name: "another rule", events: call(alice, "events", "DisableRule", set("name", "not-keyturn-trail"))},
		{name: "our bucket", events: call(alice, "s3", "PutBucketLifecycle", set("bucketName", "keyturn-ledger-1")), want: []string{`critical: PutBucketLifecycle on "keyturn-ledger-1"`}},
		{name: "our queue", events: call(alice, "sqs", "SetQueueAttributes", set("queueUrl", "https://sqs.eu-west-1.amazonaws.com/123456789012/keyturn-trail")), want: []string{`critical: SetQueueAttributes on "keyturn-trail"`}},
		{name: "our topic", events: call(alice, "sns", "Unsubscribe", set("subscriptionArn", "arn:aws:sns:eu-west-1:123456789012:keyturn-trail:0a")), want: []string{`critical: Unsubscribe on "keyturn-trail"`}},
		{name: "our key, by a deployer", events: call(mailer, "kms", "ScheduleKeyDeletion", set("keyId", "arn:aws:kms:eu-west-1:123456789012:key/1234-abcd")), want: []string{`critical: ScheduleKeyDeletion on "1234-abcd"`}},
		{name: "another key", events: call(alice, "kms", "ScheduleKeyDeletion", set("keyId", "5"))},
		{name: "any key, where none is known", site: (&Site{}).Prepare(nil), events: call(alice, "kms", "ScheduleKeyDeletion", set("keyId", "5")), want: []string{"critical: ScheduleKeyDeletion on a KMS key"}},
		{name: "our role's policy", events: call(alice, "iam", "PutRolePolicy", set("roleName", "keyturn-rotate-mail")), want: []string{`critical: PutRolePolicy on "keyturn-rotate-mail"`}},
		{name: "our role's trust", events: call(alice, "iam", "UpdateAssumeRolePolicy", set("roleName", "keyturn-rotate-mail")), want: []string{`critical: UpdateAssumeRolePolicy on "keyturn-rotate-mail"`}},
		{name: "another role's policy", events: call(alice, "iam", "PutRolePolicy", set("roleName", "mailer"))},
	}
	for i := range cases {
		if cases[i].site == nil {
			cases[i].site = site
		}
	}
	check(t, tampering(), cases)
}

//go:build !race

package cdk

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/test/cloud/rules"
)

// trailPatterns are the deployed rules' patterns, by what the rule is about.
func trailPatterns(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, r := range synthesized(t).of("AWS::Events::Rule") {
		if of, ok := strings.CutPrefix(r.Properties["Name"].(string), "keyturn-trail-"); ok {
			all[of] = written(r.Properties["EventPattern"])
		}
	}
	return all
}

// enveloped is a record as EventBridge passes it on.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
func enveloped(t *testing.T, record map[string]any) []byte {
	t.Helper()
	kind := "AWS API Call via CloudTrail"
	if record["eventType"] == "AwsServiceEvent" {
		kind = "AWS Service Event via CloudTrail"
	}
	source, _ := record["eventSource"].(string)
	b, err := json.Marshal(map[string]any{
		"source": "aws." + strings.TrimSuffix(source, ".amazonaws.com"), "detail-type": kind, "account": record["recipientAccountId"], "detail": record,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// takenBy are the rules that take an event.
func takenBy(t *testing.T, patterns map[string]string, event []byte) (all []string) {
	t.Helper()
	for of, text := range patterns {
		taken, err := rules.Matches(text, event)
		if err != nil {
			t.Fatalf("%s: %v", of, err)
		}
		if taken {
			all = append(all, of)
		}
	}
	slices.Sort(all)
	return all
}

// call is a record of a call, as far as rules look at it. These are synthetic, by
// CloudTrail's documentation and by records of others.
type call struct {
	service, name string
	reads         bool
	parameters    string // JSON; "": null
	failed        string // errorCode
	account       string // of the caller; "": ours
}

func (c call) record() map[string]any {
	account := orIf(c.account, "111122223333")
	r := map[string]any{
		"eventSource": c.service + ".amazonaws.com", "eventName": c.name, "eventType": "AwsApiCall", "readOnly": c.reads, "managementEvent": true,
		"recipientAccountId": "111122223333", "userIdentity": map[string]any{"type": "AssumedRole", "accountId": account}, "requestParameters": nil,
	}
	if c.parameters != "" {
		r["requestParameters"] = json.RawMessage(c.parameters)
	}
	if c.failed != "" {
		r["errorCode"] = c.failed
	}
	return r
}

// named are calls with one parameter that names something.
func named(service, parameter, value string, names ...string) (all []call) {
	for _, n := range names {
		all = append(all, call{service: service, name: n, parameters: fmt.Sprintf(`{%q:%q}`, parameter, value)})
	}
	return all
}

// TestPatterns_see wants each call that a detection looks at to pass a rule: those
// of Secrets Manager all, of the others those of D-22, D-26 and R-04 about what is
// ours.
func TestPatterns_see(t *testing.T) {
	const function, arn = "keyturn-rotate-sendgrid-main", "arn:aws:lambda:eu-west-1:111122223333:function:keyturn-audit"
	secretContext := `{"encryptionContext":{"SecretARN":"arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/mailer-AbCdEf","SecretVersionId":"1"}}`
	mappings := []call{{service: "lambda", name: "UpdateEventSourceMapping20150331", parameters: `{"uUID":"1"}`}, {service: "lambda", name: "DeleteEventSourceMapping20150331", parameters: `{"uUID":"1"}`}}
	for rule, calls := range map[string][]call{
		"secrets": {
			{service: "secretsmanager", name: "GetSecretValue", reads: true, parameters: `{"secretId":"x"}`},
			{service: "secretsmanager", name: "GetSecretValue", reads: true, failed: "AccessDenied"},
			{service: "secretsmanager", name: "BatchGetSecretValue", reads: true, parameters: `{"filters":[]}`},
			{service: "secretsmanager", name: "ListSecrets", reads: true},
			{service: "secretsmanager", name: "PutResourcePolicy", parameters: `{"secretId":"x"}`},
			{service: "secretsmanager", name: "DeleteSecret", parameters: `{"secretId":"x"}`},
			{service: "secretsmanager", name: "UpdateSecretVersionStage", parameters: `{"secretId":"x"}`},
			{service: "secretsmanager", name: "CancelRotateSecret", parameters: `{"secretId":"x"}`},
			{service: "secretsmanager", name: "GetSecretValue", reads: true, account: "999988887777"},
		},
		"keys": slices.Concat(
			named("kms", "keyId", "1234", "DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "DeleteImportedKeyMaterial", "RevokeGrant", "CreateGrant"),
			named("kms", "aliasName", "alias/keyturn-ledger", "DeleteAlias", "UpdateAlias"),
			[]call{
				{service: "kms", name: "Decrypt", reads: true, parameters: secretContext, failed: "AccessDenied"},
				{service: "kms", name: "Decrypt", reads: true, parameters: secretContext, account: "999988887777"},
			},
		),
		"parts": slices.Concat(mappings,
			named("cloudtrail", "name", "main", "StopLogging", "DeleteTrail", "UpdateTrail"), named("cloudtrail", "trailName", "main", "PutEventSelectors"),
			named("lambda", "functionName", function, "UpdateFunctionCode20150331v2", "UpdateFunctionConfiguration20150331v2", "AddPermission20150331v2", "RemovePermission20150331v2",
				"CreateFunctionUrlConfig", "PutFunctionEventInvokeConfig", "UpdateAlias20150331", "DeleteFunction20150331", "PutFunctionConcurrency20171031"),
			named("lambda", "functionName", arn, "UpdateFunctionCode20150331v2"), named("lambda", "layerName", "keyturn-config-audit", "PublishLayerVersion20181031"),
			named("lambda", "role", "arn:aws:iam::111122223333:role/keyturn/keyturn-rotate-sendgrid-main", "CreateFunction20150331"),
			named("iam", "roleName", "keyturn-audit", "PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "DetachRolePolicy", "UpdateAssumeRolePolicy", "PutRolePermissionsBoundary",
				"DeleteRolePermissionsBoundary", "DeleteRole"),
		),
		"stores": slices.Concat(
			named("events", "name", "keyturn-trail-secrets", "DisableRule", "DeleteRule", "PutRule"), named("events", "rule", "keyturn-trail-secrets", "RemoveTargets", "PutTargets"),
			named("sqs", "queueUrl", "https://sqs.eu-west-1.amazonaws.com/111122223333/keyturn-trail", "DeleteQueue", "SetQueueAttributes", "PurgeQueue", "AddPermission", "RemovePermission"),
			named("sns", "topicArn", "arn:aws:sns:eu-west-1:111122223333:keyturn-notifications", "DeleteTopic", "SetTopicAttributes", "AddPermission", "RemovePermission"),
			named("sns", "subscriptionArn", "arn:aws:sns:eu-west-1:111122223333:keyturn-notifications:1", "Unsubscribe", "SetSubscriptionAttributes"),
			named("s3", "bucketName", "keyturn-ledger-111122223333-eu-west-1", "DeleteBucket", "PutBucketPolicy", "DeleteBucketPolicy", "PutBucketLifecycle", "PutBucketVersioning",
				"PutBucketObjectLockConfiguration", "PutBucketPublicAccessBlock", "DeleteBucketPublicAccessBlock", "PutBucketEncryption", "DeleteBucketEncryption"),
			named("dynamodb", "tableName", "keyturn-watch", "DeleteTable", "UpdateTable", "UpdateTimeToLive", "UpdateContinuousBackups"),
			named("dynamodb", "resourceArn", "arn:aws:dynamodb:eu-west-1:111122223333:table/keyturn", "PutResourcePolicy", "DeleteResourcePolicy"),
			[]call{{service: "scheduler", name: "DeleteSchedule", parameters: `{"name":"sweep-main","groupName":"keyturn"}`}, {service: "scheduler", name: "UpdateSchedule", parameters: `{"name":"x","groupName":"keyturn"}`}},
			named("scheduler", "name", "keyturn", "DeleteScheduleGroup"),
		),
	} {
		for _, c := range calls {
			if got := takenBy(t, trailPatterns(t), enveloped(t, c.record())); !slices.Equal(got, []string{rule}) {
				t.Errorf("%s %s %s is taken by %v, want %s", c.service, c.name, c.parameters, got, rule)
			}
		}
	}
	failed := enveloped(t, map[string]any{"eventSource": "secretsmanager.amazonaws.com", "eventName": "RotationFailed", "eventType": "AwsServiceEvent"})
	if got := takenBy(t, trailPatterns(t), failed); !slices.Equal(got, []string{"secrets"}) {
		t.Errorf("a failed rotation is taken by %v", got)
	}
	label := []byte(`{"source":"aws.secretsmanager","detail-type":"Secret Label Updated","detail":{"labelUpdated":"AWSCURRENT"}}`)
	if got := takenBy(t, trailPatterns(t), label); !slices.Equal(got, []string{"labels"}) {
		t.Errorf("a label that moved is taken by %v", got)
	}
}

// TestPatterns_leave wants what is not about us, and what anybody could have made up,
// to be left.
func TestPatterns_leave(t *testing.T) {
	patterns := trailPatterns(t)
	for _, c := range slices.Concat(
		named("lambda", "functionName", "theirs", "UpdateFunctionCode20150331v2"), named("iam", "roleName", "theirs", "PutRolePolicy"), named("s3", "bucketName", "theirs", "DeleteBucket"),
		named("lambda", "functionName", "arn:aws:lambda:eu-west-1:111122223333:function:not-keyturn", "UpdateFunctionCode20150331v2"),
		named("sqs", "queueUrl", "https://sqs.eu-west-1.amazonaws.com/111122223333/theirs", "PurgeQueue"), named("dynamodb", "tableName", "theirs", "DeleteTable"),
		named("kms", "keyId", "1234", "Encrypt", "GenerateDataKey", "Decrypt"), named("ec2", "instanceId", "i-1", "TerminateInstances"), named("cloudtrail", "name", "main", "StartLogging"),
		[]call{
			{service: "kms", name: "Decrypt", reads: true, parameters: `{"encryptionContext":{"SecretARN":"arn"}}`}, // every read has one
			{service: "lambda", name: "GetFunction20150331v2", reads: true, parameters: `{"functionName":"keyturn-audit"}`},
			{service: "sts", name: "AssumeRole", parameters: `{"roleArn":"arn:aws:iam::111122223333:role/keyturn-audit"}`},
			{service: "dynamodb", name: "PutItem", parameters: `{"tableName":"theirs"}`},
			{service: "s3", name: "CreateBucket"},
		},
	) {
		if got := takenBy(t, patterns, enveloped(t, c.record())); got != nil {
			t.Errorf("%s %s %s is taken by %v", c.service, c.name, c.parameters, got)
		}
	}
	forged := []byte(`{"source":"secretsmanager","detail-type":"AWS API Call via CloudTrail","detail":{"eventSource":"secretsmanager.amazonaws.com","eventName":"GetSecretValue"}}`)
	if got := takenBy(t, patterns, forged); got != nil {
		t.Errorf("an event of PutEvents is taken by %v", got)
	}
}

// TestPatterns_fit: EventBridge takes 2,048 characters, with a name as long as the
// bucket of the ledger lets it be.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
func TestPatterns_fit(t *testing.T) {
	p := place{name: strings.Repeat("n", 63-len("-ledger-111122223333-ap-southeast-1")), account: "111122223333", region: "ap-southeast-1"}
	for _, r := range trailRules(p) {
		if text := written(r.pattern); len(text) > 2048 {
			t.Errorf("%s has %d characters", r.of, len(text))
		}
	}
}

// TestPatterns_records tries the patterns on real records that others have published:
// all of Secrets Manager pass, and nothing else that is not about us.
func TestPatterns_records(t *testing.T) {
	dir := orIf(os.Getenv("KEYTURN_REFERENCE"), filepath.Join("..", "..", "..", "shared"))
	files, err := filepath.Glob(filepath.Join(dir, "cloudtrail", "stratus", "*.json"))
	if err != nil || len(files) == 0 {
		t.Log("the reference folder is not there: patterns are not tried on real records")
		return
	}
	patterns, seen, taken := trailPatterns(t), 0, 0
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var records []map[string]any
		if err := json.Unmarshal(raw, &records); err != nil {
			t.Logf("%s is no list of records", filepath.Base(path))
			continue
		}
		for _, r := range records {
			seen++
			got := takenBy(t, patterns, enveloped(t, r))
			switch r["eventSource"] {
			case "secretsmanager.amazonaws.com":
				taken++
				if !slices.Equal(got, []string{"secrets"}) {
					t.Errorf("%v is taken by %v", r["eventName"], got)
				}
			case "cloudtrail.amazonaws.com", "kms.amazonaws.com", "lambda.amazonaws.com":
			default:
				if got != nil {
					t.Errorf("%v %v is taken by %v", r["eventSource"], r["eventName"], got)
				}
			}
		}
	}
	if seen == 0 || taken == 0 {
		t.Errorf("%d records, %d of Secrets Manager", seen, taken)
	}
	t.Logf("%d records, %d of Secrets Manager", seen, taken)
}

package region_test

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	trailsdk "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	lambdasdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	snssdk "github.com/aws/aws-sdk-go-v2/service/sns"
	sqssdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/cloudtrail"
	"github.com/keyturn/keyturn/test/cloud/region"
)

// recorded makes one call of each kind, and returns what CloudTrail has, by service and
// name, as JSON reads it.
func recorded(t *testing.T) map[string]map[string]any {
	t.Helper()
	r := region.New(region.Options{Cloud: cloud.Options{Recorded: cloud.AllServices()}})
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx, cfg := t.Context(), r.Cloud.Config()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	name := aws.String("fff")
	code := program(t)
	functions := lambdasdk.NewFromConfig(cfg)
	must(functions.CreateFunction(ctx, &lambdasdk.CreateFunctionInput{
		FunctionName: name, Role: aws.String("arn:aws:iam::123456789012:role/f"), Runtime: lambdatypes.RuntimeProvidedal2023, Handler: aws.String("bootstrap"),
		Code:        &lambdatypes.FunctionCode{ZipFile: code},
		Environment: &lambdatypes.Environment{Variables: map[string]string{"HIDDEN": "a value"}}, Tags: map[string]string{"StratusRedTeam": "true"},
	}))
	must(functions.UpdateFunctionCode(ctx, &lambdasdk.UpdateFunctionCodeInput{FunctionName: name, ZipFile: code}))
	must(functions.UpdateFunctionConfiguration(ctx, &lambdasdk.UpdateFunctionConfigurationInput{FunctionName: name, Layers: []string{"arn:aws:lambda:us-east-1:1:layer:x:1"}, Environment: &lambdatypes.Environment{}}))
	must(functions.AddPermission(ctx, &lambdasdk.AddPermissionInput{FunctionName: name, StatementId: aws.String("backdoor"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("*")}))
	must(functions.RemovePermission(ctx, &lambdasdk.RemovePermissionInput{FunctionName: name, StatementId: aws.String("backdoor")}))
	must(functions.GetFunction(ctx, &lambdasdk.GetFunctionInput{FunctionName: name}))
	must(functions.DeleteFunction(ctx, &lambdasdk.DeleteFunctionInput{FunctionName: name}))
	buckets := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	bucket := aws.String("bucket")
	must(buckets.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}))
	must(buckets.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String(`{"Version":"2012-10-17","Statement":[]}`)}))
	must(buckets.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: bucket}))
	must(buckets.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: bucket}))
	must(buckets.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: bucket}))
	must(buckets.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("k"), Body: strings.NewReader("x")})) // is in no record
	secrets := sm.NewFromConfig(cfg)
	must(secrets.CreateSecret(ctx, &sm.CreateSecretInput{Name: name, SecretString: aws.String("a value")}))
	must(secrets.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: name}))
	keys := kms.NewFromConfig(cfg)
	key, err := keys.CreateKey(ctx, &kms.CreateKeyInput{KeySpec: types.KeySpecEccNistEdwards25519, KeyUsage: types.KeyUsageTypeSignVerify})
	must(key, err)
	must(keys.Sign(ctx, &kms.SignInput{KeyId: key.KeyMetadata.KeyId, Message: []byte("a value"), SigningAlgorithm: types.SigningAlgorithmSpecEd25519Sha512}))
	must(keys.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: key.KeyMetadata.KeyId, PendingWindowInDays: aws.Int32(7)}))
	topics := snssdk.NewFromConfig(cfg)
	topic, err := topics.CreateTopic(ctx, &snssdk.CreateTopicInput{Name: aws.String("t")})
	must(topic, err)
	must(topics.Subscribe(ctx, &snssdk.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: aws.String("arn:aws:sqs:us-east-1:123456789012:q")}))
	queues := sqssdk.NewFromConfig(cfg)
	queue, err := queues.CreateQueue(ctx, &sqssdk.CreateQueueInput{QueueName: aws.String("q")})
	must(queue, err)
	must(queues.SetQueueAttributes(ctx, &sqssdk.SetQueueAttributesInput{QueueUrl: queue.QueueUrl, Attributes: map[string]string{"Policy": "{}"}}))
	must(queues.SendMessage(ctx, &sqssdk.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: aws.String("a value")})) // is in no record
	tables := dynamodb.NewFromConfig(cfg)
	must(tables.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: name, BillingMode: ddb.BillingModePayPerRequest, KeySchema: []ddb.KeySchemaElement{{AttributeName: name, KeyType: ddb.KeyTypeHash}},
		AttributeDefinitions: []ddb.AttributeDefinition{{AttributeName: name, AttributeType: ddb.ScalarAttributeTypeS}},
	}))
	must(tables.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: name}))
	must(tables.PutItem(ctx, &dynamodb.PutItemInput{TableName: name, Item: map[string]ddb.AttributeValue{"fff": &ddb.AttributeValueMemberS{Value: "a value"}}})) // is in no record
	must(trailsdk.NewFromConfig(cfg).LookupEvents(ctx, &trailsdk.LookupEventsInput{MaxResults: aws.Int32(25)}))
	r.CloudTrail.SetTrails(cloudtrail.Trail{Name: "main"})
	must(trailsdk.NewFromConfig(cfg).StopLogging(ctx, &trailsdk.StopLoggingInput{Name: aws.String("main")}))
	events := eventbridge.NewFromConfig(cfg)
	must(events.PutRule(ctx, &eventbridge.PutRuleInput{Name: name, EventPattern: aws.String(`{"source":["x"]}`)}))
	must(events.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: name, Targets: []ebtypes.Target{{Id: aws.String("q"), Arn: aws.String("arn:aws:sqs:us-east-1:123456789012:q")}}}))
	schedules := scheduler.NewFromConfig(cfg)
	must(schedules.CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{Name: name, ClientToken: aws.String("t")}))
	must(schedules.ListSchedules(ctx, &scheduler.ListSchedulesInput{GroupName: name}))
	must(iam.NewFromConfig(cfg).GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{}))
	refuse := r.Cloud.Inject(cloud.Fault{Operation: "ListFunctions", Error: cloud.Denied("arn:aws:iam::123456789012:user/u", "lambda:ListFunctions", "*")})
	if _, err = functions.ListFunctions(ctx, &lambdasdk.ListFunctionsInput{}); err == nil || !strings.Contains(err.Error(), "AccessDeniedException") {
		t.Errorf("denied: %v", err)
	}
	refuse()
	out := map[string]map[string]any{}
	for _, record := range r.Cloud.Trail() {
		raw, err := json.Marshal(record)
		if err != nil || bytes.Contains(raw, []byte("a value")) {
			t.Fatalf("%v, %s", err, raw)
		}
		var v map[string]any
		must(v, json.Unmarshal(raw, &v))
		service, _, _ := strings.Cut(record.EventSource, ".")
		out[service+" "+record.EventName] = v
	}
	return out
}

func program(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create("bootstrap")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Write([]byte("#!/bin/sh\n")); err != nil {
		t.Fatal(err)
	}
	if err = z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func members(v any) []string {
	m, _ := v.(map[string]any)
	return slices.Sorted(maps.Keys(m))
}

// What management events are there, and what each says of its request.
func TestRecords(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for name, r := range recorded(t) {
		got[name] = strings.Join(members(r["requestParameters"]), " ")
	}
	want := map[string]string{
		"cloudtrail StopLogging":                       "name",
		"events PutRule":                               "eventPattern name",
		"events PutTargets":                            "rule targets",
		"scheduler CreateScheduleGroup":                "clientToken name",
		"scheduler ListSchedules":                      "scheduleGroup",
		"iam GetAccountAuthorizationDetails":           "",
		"lambda CreateFunction20150331":                "code environment functionName handler role runtime tags",
		"lambda DeleteFunction20150331":                "functionName",
		"lambda GetFunction20150331v2":                 "functionName",
		"lambda ListFunctions20150331":                 "",
		"lambda AddPermission20150331v2":               "action functionName principal statementId",
		"lambda RemovePermission20150331v2":            "functionName statementId",
		"lambda UpdateFunctionCode20150331v2":          "dryRun fullyQualifiedArn functionName publish",
		"lambda UpdateFunctionConfiguration20150331v2": "environment functionName layers",
		"s3 CreateBucket":                              "Host bucketName",
		"s3 PutBucketPolicy":                           "Host bucketName bucketPolicy policy",
		"s3 GetBucketPolicy":                           "Host bucketName policy",
		"s3 GetBucketVersioning":                       "Host bucketName versioning",
		"s3 DeleteBucketPolicy":                        "Host bucketName policy",
		"secretsmanager CreateSecret":                  "clientRequestToken name",
		"secretsmanager GetSecretValue":                "secretId",
		"kms GenerateDataKey":                          "encryptionContext keyId keySpec",
		"kms Decrypt":                                  "encryptionAlgorithm encryptionContext",
		"kms CreateKey":                                "keySpec keyUsage",
		"kms Sign":                                     "keyId signingAlgorithm",
		"kms ScheduleKeyDeletion":                      "keyId pendingWindowInDays",
		"sns CreateTopic":                              "name",
		"sns Subscribe":                                "endpoint protocol topicArn",
		"sqs CreateQueue":                              "queueName",
		"sqs SetQueueAttributes":                       "attributes queueUrl",
		"dynamodb CreateTable":                         "attributeDefinitions billingMode keySchema tableName",
		"dynamodb DescribeTable":                       "tableName",
		"cloudtrail LookupEvents":                      "maxResults",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// A denial has a code of CloudTrail's own, says what was refused, and has no parameters.
func TestRecords_denied(t *testing.T) {
	t.Parallel()
	r := recorded(t)["lambda ListFunctions20150331"]
	if r["errorCode"] != "AccessDenied" || r["requestParameters"] != nil || r["responseElements"] != nil ||
		r["errorMessage"] != "User: arn:aws:iam::123456789012:user/u is not authorized to perform: lambda:ListFunctions on resource: * because no identity-based policy allows the lambda:ListFunctions action" {
		t.Errorf("denied: %v", r)
	}
	data, err := os.ReadFile(filepath.Join(captures(t), "panther", "aws_cloudtrail_useraccesskeyauth.00.negative.json"))
	var file struct {
		Event struct{ ErrorCode, ErrorMessage string }
	}
	if err != nil || json.Unmarshal(data, &file) != nil {
		t.Fatal(err)
	}
	if m := cloud.Denied("arn:aws:iam::187901811700:user/exposed.user", "lambda:ListFunctions", "*").Message; file.Event.ErrorCode != r["errorCode"] || m != file.Event.ErrorMessage {
		t.Errorf("a real denial is %+v, ours %s", file.Event, m)
	}
}

// The records are shaped as real ones of the same calls, where those are at hand.
func TestRecords_real(t *testing.T) {
	t.Parallel()
	found := captured(t)
	same := 0
	for name, got := range recorded(t) {
		want, ok := found[name]
		if !ok {
			continue
		}
		same++
		for _, member := range []string{"", "requestParameters", "additionalEventData", "userIdentity", "tlsDetails"} {
			w, g := members(want), members(got)
			if member != "" {
				w, g = members(want[member]), members(got[member])
			}
			if member == "tlsDetails" && w == nil { // of the console
				continue
			}
			if diff := gocmp.Diff(essential(w), essential(g)); diff != "" {
				t.Errorf("%s: members of %q (-real +ours):\n%s", name, member, diff)
			}
		}
		for _, member := range []string{"eventSource", "eventName", "readOnly", "eventType", "managementEvent", "eventCategory", "errorCode"} {
			if want[member] != nil && want[member] != got[member] {
				t.Errorf("%s: %s is %v, in a real record %v", name, member, got[member], want[member])
			}
		}
		if (want["responseElements"] == nil) != (got["responseElements"] == nil) {
			t.Errorf("%s: responseElements are %v, in a real record %v", name, got["responseElements"], want["responseElements"])
		}
		for _, m := range members(got["responseElements"]) {
			if !slices.Contains(members(want["responseElements"]), m) && m != "lastUpdateStatus" && m != "layers" {
				t.Errorf("%s: a real record's responseElements have no %s", name, m)
			}
		}
	}
	if same < 14 {
		t.Errorf("%d records were compared", same)
	}
}

// essential takes out what depends on the request or the way there.
func essential(all []string) []string {
	chance := []string{
		"vpcEndpointId", "vpcEndpointAccountId", "sessionContext", "sessionCredentialFromConsole", "apiVersion", "tlsDetails", // of the connection
		"tags", "description", "timeout", "memorySize", "publish", "packageType", "code", "x-amz-acl", "maxResults", "lookupAttributes", "s3Bucket", "s3Key", // of the request
		"versionId", "versionStage", "clientRequestToken", "forceOverwriteReplicaSecret",
	}
	return slices.DeleteFunc(slices.Clone(all), func(m string) bool { return slices.Contains(chance, m) })
}

// captures is the folder of real records. The test ends where there is none.
func captures(t *testing.T) string {
	t.Helper()
	root := filepath.Join(cmp.Or(os.Getenv("KEYTURN_REFERENCE"), filepath.Join("..", "..", "..", "..", "shared")), "cloudtrail")
	if _, err := os.Stat(root); err != nil {
		t.Skip("not compared with real records: the captures are not there, set KEYTURN_REFERENCE")
	}
	return root
}

// captured are real records, by service and name.
func captured(t *testing.T) map[string]map[string]any {
	t.Helper()
	root, out := captures(t), map[string]map[string]any{}
	for _, folder := range []string{"invictus", "stratus"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".json") {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			var file struct{ Records []map[string]any }
			if data[0] == '[' {
				err = json.Unmarshal(data, &file.Records)
			} else {
				err = json.Unmarshal(data, &file)
			}
			for _, r := range file.Records {
				service, _, _ := strings.Cut(r["eventSource"].(string), ".")
				invoked := r["userIdentity"].(map[string]any)["invokedBy"]
				if r["errorCode"] != nil || invoked != nil && invoked != "secretsmanager.amazonaws.com" {
					continue
				}
				out[service+" "+r["eventName"].(string)] = r
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Package rights records what the functions ask of AWS, in the words of IAM, and
// compares it with the policies of their roles.
package rights

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/s3"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Call is one right that a call to AWS takes. A call may take more than one.
type Call struct {
	Function string // its name
	Action   string // of IAM, such as scheduler:CreateSchedule
	Resource string // ARN
	To       string // iam:PassedToService
	Alias    string // kms:RequestAlias
	Once     bool   // s3:if-none-match
}

// Recorder keeps the calls of functions in one process. It is safe for concurrent use.
type Recorder struct {
	region *region.Region

	mu    sync.Mutex
	calls map[Call]int
	odd   []string
}

// Record puts a Recorder before every service that functions may call.
func Record(r *region.Region) *Recorder {
	rec := &Recorder{region: r, calls: map[Call]int{}}
	for name, s := range map[string]wire.Service{
		"secretsmanager": r.Cloud.SecretsManager(), "dynamodb": r.DynamoDB, "sqs": r.SQS, "sns": r.SNS, "scheduler": r.Scheduler,
		"lambda": r.Lambda, "sts": r.STS, "cloudtrail": r.CloudTrail, "s3": r.S3, "kms": r.KMS, "iam": r.IAM, "organizations": r.Organizations,
	} {
		r.Cloud.Register(name, spy{s, rec})
	}
	return rec
}

// Calls are the rights that were needed, and how often; odd are calls of which
// this package does not know which right they need.
func (r *Recorder) Calls() (calls map[Call]int, odd []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls, r.odd
}

// spy is a service whose calls are recorded.
type spy struct {
	wire.Service
	to *Recorder
}

// Serve implements [wire.Service].
func (s spy) Serve(ctx context.Context, c *wire.Call) (*wire.Reply, error) {
	if strings.HasPrefix(c.AccessKey, "keyturn-") { // the stack names the functions' credentials after them
		s.to.add(c)
	}
	return s.Service.Serve(ctx, c)
}

func (r *Recorder) add(c *wire.Call) {
	needed, ok := r.needed(c)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !ok {
		r.odd = append(r.odd, fmt.Sprintf("%s calls %s of %s", c.AccessKey, c.Operation, c.Service))
		return
	}
	for _, n := range needed {
		n.Function = c.AccessKey
		r.calls[n]++
	}
}

// needed are the rights that a call takes.
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
func (r *Recorder) needed(c *wire.Call) ([]Call, bool) {
	var in struct {
		SecretID  string `json:"SecretId"`
		Name      string
		TableName string
		QueueURL  string `json:"QueueUrl"`
		TopicARN  string `json:"TopicArn"`
		GroupName string
		KeyID     string `json:"KeyId"`

		RequestItems map[string]json.RawMessage
		Target       struct {
			RoleARN string `json:"RoleArn"`
		}
	}
	if json.Unmarshal(c.Body, &in) != nil {
		form, err := url.ParseQuery(string(c.Body))
		if err != nil && c.Service == "sns" {
			return nil, false
		}
		in.TopicARN = form.Get("TopicArn")
	}
	switch c.Service + ":" + c.Operation {
	case "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:ListSecretVersionIds", "secretsmanager:PutSecretValue",
		"secretsmanager:UpdateSecretVersionStage", "secretsmanager:RotateSecret":
		return r.onSecret(c.Operation, in.SecretID)
	case "secretsmanager:GetResourcePolicy":
		return r.onSecret(c.Operation, in.SecretID)
	case "s3:GetObject", "s3:PutObject", "s3:HeadObject", "s3:ListObjectsV2", "s3:ListObjects", "s3:HeadBucket":
		return onObject(c), true
	case "kms:GetPublicKey", "kms:Sign", "kms:DescribeKey", "kms:GetKeyPolicy":
		return onKey(c.Operation, in.KeyID), in.KeyID != ""
	case "iam:GetAccountAuthorizationDetails", "organizations:DescribeOrganization", "organizations:DescribePolicy", "organizations:ListParents",
		"organizations:ListPoliciesForTarget", "cloudtrail:LookupEvents", "cloudtrail:ListPublicKeys":
		return one(c.Service+":"+c.Operation, "*"), true
	case "dynamodb:BatchGetItem":
		var all []Call
		for table := range in.RequestItems {
			all = append(all, Call{Action: "dynamodb:BatchGetItem", Resource: here("dynamodb", "table/"+table)})
		}
		return all, len(all) > 0
	case "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:UpdateItem", "dynamodb:Query":
		return one(c.Service+":"+c.Operation, here("dynamodb", "table/"+in.TableName)), in.TableName != ""
	case "sqs:SendMessage":
		return one("sqs:SendMessage", here("sqs", in.QueueURL[strings.LastIndexByte(in.QueueURL, '/')+1:])), in.QueueURL != ""
	case "sns:Publish":
		return one("sns:Publish", in.TopicARN), in.TopicARN != ""
	case "scheduler:CreateSchedule":
		name, group := last(c.HTTP), in.GroupName
		if group == "" {
			group = "default"
		}
		return []Call{
			{Action: "scheduler:CreateSchedule", Resource: here("scheduler", "schedule/"+group+"/"+name)},
			{Action: "iam:PassRole", Resource: in.Target.RoleARN, To: "scheduler.amazonaws.com"},
		}, name != "" && in.Target.RoleARN != ""
	case "lambda:Invoke":
		name, err := url.PathUnescape(strings.TrimSuffix(c.HTTP.URL.EscapedPath(), "/invocations"))
		if err != nil {
			return nil, false
		}
		name = name[strings.LastIndexByte(name, '/')+1:]
		if !strings.HasPrefix(name, "arn:") {
			name = lambda.ARN(name)
		}
		if q := c.HTTP.URL.Query().Get("Qualifier"); q != "" {
			name += ":" + q
		}
		return one("lambda:InvokeFunction", name), true
	}
	return nil, false
}

// onObject: S3 says that there is no such object only to whom may list.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
func onObject(c *wire.Call) []Call {
	bucket, key, object := strings.Cut(s3.Name(c.HTTP), "/")
	bucket = "arn:aws:s3:::" + bucket
	if !object {
		return one("s3:ListBucket", bucket)
	}
	if c.Operation != "PutObject" {
		return []Call{{Action: "s3:GetObject", Resource: bucket + "/" + key}, {Action: "s3:ListBucket", Resource: bucket}}
	}
	needed := []Call{{Action: "s3:PutObject", Resource: bucket + "/" + key, Once: c.HTTP.Header.Get("If-None-Match") != ""}}
	if c.HTTP.Header.Get("X-Amz-Object-Lock-Mode") != "" {
		needed = append(needed, Call{Action: "s3:PutObjectRetention", Resource: bucket + "/" + key})
	}
	return needed
}

// onKey: who names a key by its alias has no other right to it.
func onKey(operation, id string) []Call {
	c := Call{Action: "kms:" + operation, Resource: here("kms", "key/x")}
	if strings.HasPrefix(id, "alias/") {
		c.Alias = id
	}
	return []Call{c}
}

// onSecret: whoever rotates must also be allowed to invoke the secret's function.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
func (r *Recorder) onSecret(operation, id string) ([]Call, bool) {
	secrets := r.region.Cloud.SecretsManager()
	arn := secrets.ARNOf(id)
	if arn == "" { // a secret that is not there: IAM is asked all the same
		arn = here("secretsmanager", "secret:"+secrets.NameOf(id)+"-??????")
	}
	needed := one("secretsmanager:"+operation, arn)
	if operation == "RotateSecret" {
		needed = append(needed, Call{Action: "lambda:InvokeFunction", Resource: lambda.ARN(rotator)})
	}
	return needed, id != ""
}

func one(action, resource string) []Call { return []Call{{Action: action, Resource: resource}} }

func last(r *http.Request) string { return r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:] }

func here(service, resource string) string {
	return "arn:aws:" + service + ":" + wire.Region + ":" + wire.Account + ":" + resource
}

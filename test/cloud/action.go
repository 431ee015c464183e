package cloud

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// AllServices returns the services whose calls CloudTrail can record, for
// [Options].Recorded. Of these it records management events: no items, messages,
// objects or invocations.
func AllServices() []string {
	return []string{
		"cloudtrail", "dynamodb", "events", "iam", "kms", "lambda", "organizations",
		"s3", "scheduler", "secretsmanager", "sns", "sqs", "ssm", "sts",
	}
}

// action is what a record says of a call.
type action struct {
	name       string
	readOnly   bool
	parameters map[string]any
	response   map[string]any // of a success that was no read
	resources  []any
	additional map[string]any
	agent      string // "": the request's
	host       string // "": the service's
	version    string // of the API
}

// action describes a call; false: CloudTrail does not record such.
func (c *Cloud) action(call *wire.Call, reply *wire.Reply, success bool) (action, bool) {
	if !management(call.Service, call.Operation) {
		return action{}, false
	}
	a := action{name: call.Operation, readOnly: readOnly(call.Operation), parameters: parameters(call.Body)}
	var body []byte
	if success && reply != nil {
		body = reply.Body
		a.response = parameters(body)
	}
	switch call.Service {
	case "secretsmanager":
		a.response = nil
		if arn := c.secrets.ARNOf(subject(a.parameters)); arn != "" {
			a.response = map[string]any{"arn": arn}
		}
		return a, true
	case "lambda":
		return lambdaAction(call, a), true
	case "s3":
		return s3Action(call), true
	case "kms":
		return kmsAction(call, body, a), true
	case "dynamodb":
		return dynamoAction(a), true
	case "sns", "sts", "iam":
		return queryAction(call, body, a), true
	case "ssm":
		delete(a.parameters, "value")
	case "scheduler":
		if parts := strings.Split(strings.Trim(call.HTTP.URL.Path, "/"), "/"); len(parts) == 2 {
			a.parameters = with(a.parameters, "name", parts[1])
		}
		for name, values := range call.HTTP.URL.Query() {
			a.parameters = with(a.parameters, lowerFirst(name), values[0])
		}
	}
	return a, true
}

// management reports whether CloudTrail records the call without being asked to.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html
func management(service, operation string) bool {
	switch service {
	case "dynamodb":
		return strings.HasSuffix(operation, "Table") || operation == "ListTables" || strings.HasSuffix(operation, "TimeToLive")
	case "lambda":
		return operation != "Invoke"
	case "s3":
		_, bucket := bucketCalls()[operation]
		return bucket
	case "sns":
		return !strings.HasPrefix(operation, "Publish")
	case "sqs":
		return slices.Contains([]string{"CreateQueue", "DeleteQueue", "PurgeQueue", "SetQueueAttributes"}, operation)
	}
	return true
}

func readOnly(operation string) bool {
	return slices.ContainsFunc([]string{"Get", "List", "Describe", "BatchGet", "Validate", "Lookup"}, func(verb string) bool {
		return strings.HasPrefix(operation, verb)
	})
}

// denied reports whether IAM refused the call: CloudTrail then has a code of its own,
// and the request was never read.
func denied(service string, failure *wire.Error) bool {
	return service != "s3" && strings.Contains(failure.Message, " is not authorized to perform: ") && strings.Contains(failure.Message, " on resource: ")
}

// Denied is IAM's refusal, to be injected as a fault: of an action, such as
// "secretsmanager:GetSecretValue", on a resource, by who (ARNs).
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func Denied(who, action, resource string) *wire.Error {
	return &wire.Error{
		Code:    "AccessDeniedException",
		Message: "User: " + who + " is not authorized to perform: " + action + " on resource: " + resource + " because no identity-based policy allows the " + action + " action",
	}
}

// hidden are members that no record shows.
func hidden() []string {
	return []string{
		"SecretString", "SecretBinary", "RotationToken", "ZipFile", "Message", "Signature", "Plaintext", "CiphertextBlob", "PublicKey",
	}
}

// parameters are a JSON request or answer as CloudTrail shows it: names begin in lower
// case, and no values are in it.
func parameters(body []byte) map[string]any {
	var in map[string]any
	if json.Unmarshal(body, &in) != nil || len(in) == 0 {
		return nil
	}
	lowered, _ := lower(in).(map[string]any)
	return lowered
}

func lower(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, member := range v {
			if slices.Contains(hidden(), key) {
				continue
			}
			if _, object := member.(map[string]any); !object || !keyed(key) {
				member = lower(member)
			}
			out[lowerFirst(key)] = member
		}
		return out
	case []any:
		for i := range v {
			v[i] = lower(v[i])
		}
	}
	return v
}

// keyed reports whether the names in an object are the caller's words.
func keyed(name string) bool {
	return slices.Contains([]string{"Attributes", "EncryptionContext", "Tags", "tags"}, name)
}

func lowerFirst(s string) string {
	r := []rune(s)
	if len(r) > 0 {
		r[0] = unicode.ToLower(r[0])
	}
	return string(r)
}

func with(m map[string]any, name string, value any) map[string]any {
	if m == nil {
		m = map[string]any{}
	}
	m[name] = value
	return m
}

func resource(kind, arn string) []any {
	return []any{map[string]any{"accountId": wire.Account, "type": kind, "ARN": arn}}
}

// queryAction is of a service with the query protocol.
func queryAction(call *wire.Call, body []byte, a action) action {
	a.parameters, a.response = nil, nil
	in, err := url.ParseQuery(string(call.Body))
	if err != nil {
		in = nil
	}
	attributes := map[string]any{}
	for name := range in {
		switch key, value := in.Get(name), in.Get(strings.TrimSuffix(name, ".key")+".value"); {
		case name == "Action" || name == "Version" || strings.HasSuffix(name, ".value"):
		case strings.HasPrefix(name, "Attributes.entry.") && strings.HasSuffix(name, ".key"):
			attributes[key] = value
		case !strings.Contains(name, "."):
			a.parameters = with(a.parameters, lowerFirst(name), key)
		}
	}
	if len(attributes) > 0 {
		a.parameters = with(a.parameters, "attributes", attributes)
	}
	if call.Service == "sts" || call.Service == "iam" {
		a.readOnly = a.readOnly || call.Service == "sts"
		return a
	}
	for _, name := range []string{"TopicArn", "SubscriptionArn"} {
		if _, rest, found := strings.Cut(string(body), "<"+name+">"); found && !a.readOnly {
			arn, _, _ := strings.Cut(rest, "<")
			a.response = with(a.response, lowerFirst(name), arn)
		}
	}
	return a
}

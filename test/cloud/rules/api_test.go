package rules_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/rules"
	"github.com/keyturn/keyturn/test/cloud/sqs"
)

// api calls EventBridge as its JSON protocol has it, and returns the answer, or the
// error's code and text.
func api(t *testing.T, w *region.Region, operation string, in any) (out map[string]any, failure string) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "AWSEvents."+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIALOCAL/20260101/us-east-1/events/aws4_request, SignedHeaders=host, Signature=0")
	reply, err := w.Cloud.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(reply.Body)
	if err != nil || json.Unmarshal(data, &out) != nil {
		t.Fatalf("%s: %v, %s", operation, err, data)
	}
	if reply.StatusCode != http.StatusOK {
		return nil, fmt.Sprint(out["__type"], ": ", out["message"])
	}
	return out, ""
}

func must(t *testing.T, w *region.Region, operation string, in any) map[string]any {
	t.Helper()
	out, failure := api(t, w, operation, in)
	if failure != "" {
		t.Fatalf("%s: %s", operation, failure)
	}
	return out
}

type object = map[string]any

func open(t *testing.T) *region.Region {
	t.Helper()
	w := region.New(region.Options{})
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, q := range []string{"trail", "dead"} {
		if _, err := w.SQS.Create(q, nil); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

const secrets = `{"source":["aws.secretsmanager"]}`

func TestDescribeRule(t *testing.T) {
	t.Parallel()
	w := open(t)
	const arn = "arn:aws:events:us-east-1:123456789012:rule/keyturn-trail"
	put := must(t, w, "PutRule", object{"Name": "keyturn-trail", "EventPattern": secrets, "State": string(rules.EnabledFull), "Description": "d"})
	if diff := cmp.Diff(object{"RuleArn": arn}, put); diff != "" {
		t.Errorf("put (-want +got):\n%s", diff)
	}
	want := object{
		"Name": "keyturn-trail", "Arn": arn, "State": string(rules.EnabledFull), "EventPattern": secrets, "EventBusName": "default",
		"Description": "d", "CreatedBy": "123456789012",
	}
	if diff := cmp.Diff(want, must(t, w, "DescribeRule", object{"Name": "keyturn-trail", "EventBusName": "default"})); diff != "" {
		t.Errorf("described (-want +got):\n%s", diff)
	}
	state := func() any { return must(t, w, "DescribeRule", object{"Name": "keyturn-trail"})["State"] }
	must(t, w, "DisableRule", object{"Name": "keyturn-trail"})
	if state() != "DISABLED" {
		t.Errorf("disabled, it is %v", state())
	}
	must(t, w, "EnableRule", object{"Name": "keyturn-trail"})
	if state() != "ENABLED" {
		t.Errorf("enabled, it is %v", state())
	}
	must(t, w, "PutRule", object{"Name": "other", "EventPattern": secrets})
	first := must(t, w, "ListRules", object{"Limit": 1})
	second := must(t, w, "ListRules", object{"Limit": 1, "NextToken": first["NextToken"]})
	if len(second["Rules"].([]any)) != 1 || second["NextToken"] != nil {
		t.Errorf("the second page is %v", second)
	}
	if some := must(t, w, "ListRules", object{"NamePrefix": "o"})["Rules"].([]any); len(some) != 1 {
		t.Errorf("with the prefix: %v", some)
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	w := open(t)
	got := make(chan string, 1)
	if err := w.Lambda.Register(lambda.Function{Name: "f", Handler: func(_ context.Context, payload []byte) ([]byte, error) {
		got <- string(payload)
		return nil, nil
	}}); err != nil {
		t.Fatal(err)
	}
	must(t, w, "PutRule", object{"Name": "r", "EventPattern": secrets})
	dead := object{"Arn": sqs.ARN("dead")}
	out := must(t, w, "PutTargets", object{"Rule": "r", "Targets": []object{
		{"Id": "queue", "Arn": sqs.ARN("trail"), "DeadLetterConfig": dead},
		{"Id": "gone", "Arn": sqs.ARN("gone"), "DeadLetterConfig": dead},
		{"Id": "function", "Arn": "arn:aws:lambda:us-east-1:123456789012:function:f"},
	}})
	if out["FailedEntryCount"] != 0.0 {
		t.Errorf("put: %v", out)
	}
	if all := must(t, w, "ListTargetsByRule", object{"Rule": "r"})["Targets"].([]any); len(all) != 3 {
		t.Errorf("targets %v", all)
	}
	emit(t, w, "x", `{"n":1}`)
	if err := w.Cloud.Idle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(w.SQS.Messages("trail")); n != 1 {
		t.Errorf("%d messages came", n)
	}
	if d := w.SQS.Messages("dead"); len(d) != 1 || d[0].Attributes["ERROR_CODE"].StringValue != "NO_RESOURCE" {
		t.Errorf("dead letters %+v", d)
	}
	select {
	case e := <-got:
		if !strings.Contains(e, `"n":1`) {
			t.Errorf("the function got %s", e)
		}
	case <-time.After(time.Minute):
		t.Error("the function got nothing")
	}
	if _, failure := api(t, w, "DeleteRule", object{"Name": "r"}); failure != "ValidationException: Rule can't be deleted since it has targets." {
		t.Errorf("delete: %s", failure)
	}
	must(t, w, "RemoveTargets", object{"Rule": "r", "Ids": []string{"queue", "gone", "function"}})
	emit(t, w, "x", `{"n":2}`)
	if err := w.Cloud.Idle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(w.SQS.Messages("trail")); n != 1 {
		t.Errorf("%d messages, though the target is gone", n)
	}
	must(t, w, "DeleteRule", object{"Name": "r"})
	must(t, w, "DeleteRule", object{"Name": "r"})
}

func TestAPI_refused(t *testing.T) {
	t.Parallel()
	w := open(t)
	must(t, w, "PutRule", object{"Name": "r", "EventPattern": secrets})
	var six []object
	for i := range 6 {
		six = append(six, object{"Id": strconv.Itoa(i), "Arn": sqs.ARN("trail")})
	}
	for want, in := range map[string][2]any{
		"ResourceNotFoundException: Rule x does not exist on EventBus default.":                  {"DescribeRule", object{"Name": "x"}},
		"ResourceNotFoundException: Event bus b does not exist.":                                 {"DescribeRule", object{"Name": "r", "EventBusName": "b"}},
		"LimitExceededException: The requested resource exceeds the maximum number allowed.":     {"PutTargets", object{"Rule": "r", "Targets": six}},
		"InvalidEventPatternException: Event pattern is not valid. Reason: ":                     {"PutRule", object{"Name": "r", "EventPattern": "{"}},
		"ValidationException: Parameter(s) EventPattern or ScheduleExpression must be specified": {"PutRule", object{"Name": "r"}},
		"ValidationException: 1 validation error detected: Value 'ON' at 'state'":                {"PutRule", object{"Name": "r", "EventPattern": secrets, "State": "ON"}},
		"NotImplemented": {"PutRule", object{"Name": "r", "ScheduleExpression": "rate(1 hour)"}},
	} {
		if _, failure := api(t, w, in[0].(string), in[1]); !strings.HasPrefix(failure, want) {
			t.Errorf("%v: %q, want %q", in, failure, want)
		}
	}
}

// What EventBridge loses CloudTrail still has.
func TestPath_lost(t *testing.T) {
	t.Parallel()
	w := open(t)
	must(t, w, "PutRule", object{"Name": "r", "EventPattern": secrets, "State": string(rules.EnabledFull)})
	must(t, w, "PutTargets", object{"Rule": "r", "Targets": []object{{"Id": "q", "Arn": sqs.ARN("trail")}}})
	w.Events.SetPath(rules.Path{Lost: func(event map[string]any) bool {
		return event["detail"].(map[string]any)["eventName"] == "ListSecrets"
	}})
	for _, operation := range []string{"ListSecrets", "GetRandomPassword"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", "secretsmanager."+operation)
		if _, err := w.Cloud.Transport().RoundTrip(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Cloud.Idle(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := w.SQS.Messages("trail")
	if len(m) != 1 || !strings.Contains(m[0].Body, "GetRandomPassword") || len(w.Cloud.Trail()) != 2 {
		t.Errorf("%d messages of %d records", len(m), len(w.Cloud.Trail()))
	}
}

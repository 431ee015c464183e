package cloudtrail_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/cloudtrail"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:s-AbCdEf"

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// trail is five records, an hour apart, and one that is too old.
func trail() []cloud.Record {
	user := map[string]any{"userName": "local", "accessKeyId": "AKIA1"}
	role := map[string]any{"arn": "arn:aws:sts::123456789012:assumed-role/r/session", "accessKeyId": "ASIA1"}
	out := []cloud.Record{
		{EventName: "DeleteSecret", UserIdentity: user},
		{EventName: "CreateSecret", UserIdentity: user, RequestParameters: map[string]any{"name": "s"}, ResponseElements: map[string]any{"arn": arn}},
		{EventName: "GetSecretValue", UserIdentity: role, ReadOnly: true, RequestParameters: map[string]any{"secretId": "s"}},
		{EventName: "RotationStarted", UserIdentity: map[string]any{}, AdditionalEventData: map[string]any{"SecretId": arn}},
		{EventName: "RotationFailed", UserIdentity: map[string]any{}, AdditionalEventData: map[string]any{"SecretId": arn}},
		{EventName: "ListSecrets", UserIdentity: user, ReadOnly: true},
	}
	for i := range out {
		out[i].EventSource, out[i].EventID = "secretsmanager.amazonaws.com", fmt.Sprint("e", i)
		out[i].EventTime = now.Add(time.Duration(i-len(out)) * time.Hour).Format(time.RFC3339)
	}
	out[0].EventTime = now.AddDate(0, 0, -91).Format(time.RFC3339)
	return out
}

type answer struct {
	Events []struct {
		EventID, EventName, ReadOnly, Username, AccessKeyID, CloudTrailEvent string

		EventTime float64
		Resources []struct{ ResourceType, ResourceName string }
	}
	NextToken string
}

func lookup(t *testing.T, in map[string]any) (answer, error) {
	t.Helper()
	s := cloudtrail.New(cloudtrail.Options{Now: func() time.Time { return now }, Trail: trail})
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r := &http.Request{Header: http.Header{"X-Amz-Target": {"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"}}}
	reply, err := s.Serve(t.Context(), &wire.Call{Service: "cloudtrail", Operation: s.Operation(r, body), Body: body, HTTP: r})
	if err != nil {
		return answer{}, err
	}
	var out answer
	if err := json.Unmarshal(reply.Body, &out); err != nil {
		t.Fatal(err)
	}
	return out, nil
}

func by(key, value string) map[string]any {
	return map[string]any{"LookupAttributes": []any{map[string]any{"AttributeKey": key, "AttributeValue": value}}}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		in   map[string]any
		want []string
	}{
		{"all, newest first, of 90 days", nil, []string{"ListSecrets", "RotationFailed", "RotationStarted", "GetSecretValue", "CreateSecret"}},
		{"name", by("EventName", "RotationFailed"), []string{"RotationFailed"}},
		{"id", by("EventId", "e2"), []string{"GetSecretValue"}},
		{"reads", by("ReadOnly", "true"), []string{"ListSecrets", "GetSecretValue"}},
		{"user", by("Username", "local"), []string{"ListSecrets", "CreateSecret"}},
		{"session", by("Username", "session"), []string{"GetSecretValue"}},
		{"key", by("AccessKeyId", "ASIA1"), []string{"GetSecretValue"}},
		{"source", by("EventSource", "sns.amazonaws.com"), nil},
		{"resource by name", by("ResourceName", "s"), []string{"GetSecretValue", "CreateSecret"}},
		{"resource by ARN", by("ResourceName", arn), []string{"RotationFailed", "RotationStarted", "CreateSecret"}},
		{"type", by("ResourceType", "AWS::SecretsManager::Secret"), []string{"RotationFailed", "RotationStarted", "GetSecretValue", "CreateSecret"}},
		{"times", map[string]any{"StartTime": now.Add(-3 * time.Hour).Unix(), "EndTime": now.Add(-2 * time.Hour).Unix()}, []string{"RotationFailed", "RotationStarted"}},
		{"insights", map[string]any{"EventCategory": "insight"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, err := lookup(t, tt.in)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range out.Events {
				got = append(got, e.EventName)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	in := map[string]any{"MaxResults": 2}
	var got []int
	for range 4 {
		out, err := lookup(t, in)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, len(out.Events))
		if in["NextToken"] = out.NextToken; out.NextToken == "" {
			break
		}
	}
	if diff := cmp.Diff([]int{2, 2, 1}, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	first, err := lookup(t, map[string]any{"MaxResults": 1})
	if err != nil {
		t.Fatal(err)
	}
	other := by("ReadOnly", "true")
	other["NextToken"] = first.NextToken
	two := by("ReadOnly", "true")
	two["LookupAttributes"] = append(two["LookupAttributes"].([]any), two["LookupAttributes"].([]any)...)
	for want, in := range map[string]map[string]any{
		"InvalidLookupAttributesException": two,
		"InvalidMaxResultsException":       {"MaxResults": 51},
		"InvalidTimeRangeException":        {"StartTime": 2, "EndTime": 1},
		"InvalidNextTokenException":        other,
		"InvalidEventCategoryException":    {"EventCategory": "data"},
	} {
		if _, err := lookup(t, in); err == nil || wire.AsError(err).Code != want {
			t.Errorf("%v: %v, want %s", in, err, want)
		}
	}
}

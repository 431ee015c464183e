package cloud_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/test/cloud"
)

// What a test adds is on the trail and on the bus as if a call had made it, and who
// observes is told of each record once.
func TestAdd(t *testing.T) {
	t.Parallel()
	c := cloud.New(cloud.Options{})
	t.Cleanup(c.Close)
	var mu sync.Mutex
	var observed, sources []string
	cancel := c.Observe(func(r cloud.Record) { mu.Lock(); defer mu.Unlock(); observed = append(observed, r.EventName) })
	c.Subscribe(func(e cloud.Event) bool {
		mu.Lock()
		defer mu.Unlock()
		sources = append(sources, e.Source+", "+e.DetailType)
		return false
	}, nil)
	c.Add(cloud.Record{EventSource: "iam.amazonaws.com", EventName: "UpdateAssumeRolePolicy", RequestParameters: map[string]any{"roleName": "r"}})
	c.Add(cloud.Record{EventSource: "kms.amazonaws.com", EventName: "RotateKey", EventType: "AwsServiceEvent", UserIdentity: map[string]any{"invokedBy": "kms.amazonaws.com"}})
	cancel()
	c.Add(cloud.Record{EventSource: "iam.amazonaws.com", EventName: "DeleteRole"})
	trail := c.Trail()
	if len(trail) != 3 || trail[0].EventID == trail[1].EventID || trail[0].RequestID == "" || trail[0].UserIdentity["type"] != "IAMUser" || trail[1].UserIdentity["type"] != nil || trail[0].RecipientAccountID == "" {
		t.Errorf("trail %+v", trail)
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(observed, " "); got != "UpdateAssumeRolePolicy RotateKey" {
		t.Errorf("observed %s", got)
	}
	if got := strings.Join(sources, "; "); got != "aws.iam, AWS API Call via CloudTrail; aws.kms, AWS Service Event via CloudTrail; aws.iam, AWS API Call via CloudTrail" {
		t.Errorf("on the bus: %s", got)
	}
}

// A denied read of a secret names it in the message only; a person is a user.
func TestDenied(t *testing.T) {
	t.Parallel()
	const ann = "arn:aws:iam::123456789012:user/staff/ann"
	c := cloud.New(cloud.Options{})
	t.Cleanup(c.Close)
	c.Introduce(func(string) (cloud.Caller, bool) { return cloud.Caller{Role: ann, Address: "198.51.100.9"}, true })
	c.Inject(cloud.Fault{Operation: "GetSecretValue", Error: cloud.Denied(ann, "secretsmanager:GetSecretValue", "prod/key")})
	_, err := sm.NewFromConfig(c.Config()).GetSecretValue(t.Context(), &sm.GetSecretValueInput{SecretId: aws.String("prod/key")})
	if err == nil || !strings.Contains(err.Error(), "AccessDeniedException") {
		t.Errorf("answer: %v", err)
	}
	r := c.Trail()[0]
	if r.ErrorCode != "AccessDenied" || r.RequestParameters != nil || !strings.Contains(r.ErrorMessage, " on resource: prod/key because ") ||
		r.UserIdentity["type"] != "IAMUser" || r.UserIdentity["userName"] != "ann" || r.SourceIPAddress != "198.51.100.9" {
		t.Errorf("record %+v", r)
	}
}

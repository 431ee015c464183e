package rotate

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/keyturn/keyturn/shared/boot"
)

// TestOpen_customResource gives the whole function a request of CloudFormation's
// whose answer may not be sent, and looks that nothing of its address is said.
func TestOpen_customResource(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"KEYTURN_TABLE": "keyturn", "KEYTURN_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:keyturn-notifications",
		"KEYTURN_AUDIT_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/keyturn-audit", "KEYTURN_FINGERPRINT_KEY": "0123456789abcdef",
	}
	var out bytes.Buffer
	b := boot.Prepare(t.Context(), boot.System{
		Getenv: func(k string) string { return env[k] }, Stdout: &out, Now: time.Now, AWS: &aws.Config{Region: "eu-west-1"},
		ReadFile: func(string) ([]byte, error) {
			return []byte(`{"version":1,"vendorAccounts":{"sendgrid-main":{"provider":"sendgrid","admin":"keyturn/admin/sendgrid","hosts":["api.sendgrid.com"]}},
				"keys":{"` + key + `":{"vendorAccount":"sendgrid-main","settings":{"scopes":["mail.send"]},"owner":"mailer@example.com"}}}`), nil
		},
	}, Name, Open, Needs()...)
	event, err := json.Marshal(map[string]any{
		"RequestType": "Delete", "ResponseURL": "https://127.0.0.1/?" + signed, "StackId": "s", "RequestId": "r", "LogicalResourceId": "l",
		"ResourceProperties": map[string]string{"Version": "1", "Secret": key, "Existing": "false"},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Invoke(t.Context(), event)
	if e, ok := errors.AsType[messages.InvokeResponse_Error](err); !ok || e.Type != "AnswerUndelivered" {
		t.Errorf("%v", err)
	}
	if s := out.String(); strings.Contains(s, "127.0.0.1") || strings.Contains(s, "s3cr3t") || !strings.Contains(s, `"step":"first value"`) {
		t.Errorf("it says %s", s)
	}
}

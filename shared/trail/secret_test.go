package trail

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:team/key-AbC123"

// TestSecrets gives each place of the order, and what it hides behind it.
func TestSecrets(t *testing.T) {
	t.Parallel()
	whole := SecretRef{ARN: arn, Name: "team/key", Account: "123456789012", Region: "eu-west-1"}
	with := func(version, stage string) []SecretRef {
		r := whole
		r.Version, r.Stage = version, stage
		return []SecretRef{r}
	}
	byName := []SecretRef{{Name: "team/key", Account: "111122223333", Region: "us-east-1"}}
	for name, c := range map[string]struct {
		in   string
		want []SecretRef
	}{
		"resources before the request": {`"eventName":"GetSecretValue","resources":[{"type":"AWS::SecretsManager::Secret","ARN":"` + arn + `"}],"requestParameters":{"secretId":"x","versionStage":"AWSPENDING"}`, with("", "AWSPENDING")},
		"other resources":              {`"resources":[{"ARN":"arn:aws:kms:eu-west-1:1:key/a"}],"requestParameters":{"secretId":"` + arn + `","versionId":"v"}`, with("v", "")},
		"null resources":               {`"resources":null,"requestParameters":{"secretId":"team/key"}`, byName},
		"partial ARN":                  {`"requestParameters":{"secretId":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:team/key"}`, []SecretRef{{ARN: arn[:len(arn)-7], Name: "team/key", Account: "123456789012", Region: "eu-west-1"}}},
		"batch list":                   {`"requestParameters":{"secretIdList":["` + arn + `","team/key","team/key"]}`, append(with("", ""), byName...)},
		"batch list with commas":       {`"requestParameters":{"secretIdList":"` + arn + `, team/key"}`, append(with("", ""), byName...)},
		"batch filter":                 {`"requestParameters":{"filters":[{"key":"name","values":["a"]}]}`, nil},
		"created":                      {`"eventName":"CreateSecret","requestParameters":{"name":"team/key","clientRequestToken":"t"},"responseElements":{"arn":"` + arn + `"}`, with("t", "")},
		"create denied":                {`"eventName":"CreateSecret","requestParameters":{"name":"team/key"},"errorCode":"AccessDenied"`, byName},
		"old answer":                   {`"responseElements":{"aRN":"` + arn + `","name":"team/key"}`, with("", "")},
		"rotation":                     {`"additionalEventData":{"SecretId":"` + arn + `"},"resources":[]`, with("", "")},
		"version deleted":              {`"additionalEventData":{"ARN":"` + arn + `","Name":"team/key"}`, with("", "")},
		"service details":              {`"serviceEventDetails":{"secretId":"` + arn + `"}`, with("", "")},
		"message only":                 {`"requestParameters":null,"errorCode":"AccessDenied","errorMessage":"User: u is not authorized to perform: secretsmanager:GetSecretValue on resource: ` + arn + ` because no identity-based policy allows the secretsmanager:GetSecretValue action"`, with("", "")},
		"message about all":            {`"errorCode":"AccessDenied","errorMessage":"User: u is not authorized to perform: secretsmanager:ListSecrets on resource: *"`, nil},
		"label moved":                  {`"eventName":"UpdateSecretVersionStage","requestParameters":{"secretId":"` + arn + `","versionStage":"AWSCURRENT","moveToVersionId":"n","removeFromVersionId":"o"}`, with("n", "AWSCURRENT")},
		"another shape":                {`"requestParameters":{"secretId":7},"responseElements":"text"`, nil},
		"a decrypted key":              {`"eventSource":"kms.amazonaws.com","requestParameters":{"encryptionContext":{"SecretARN":"` + arn + `","SecretVersionId":"v"}}`, with("v", "")},
		"another service":              {`"eventSource":"s3.amazonaws.com","requestParameters":{"name":"` + arn + `"}`, nil},
	} {
		e, err := Parse([]byte(`{"eventVersion":"1.11","eventID":"e","eventTime":"2026-04-01T10:00:00Z","recipientAccountId":"111122223333","awsRegion":"us-east-1","eventSource":"secretsmanager.amazonaws.com",` + c.in + `}`))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, e.Secrets()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestSecretRefIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ref  SecretRef
		want bool
	}{
		{ParseSecret(arn), true},
		{ParseSecret(arn[:len(arn)-7]), true},
		{SecretRef{Name: "team/key", Account: "123456789012", Region: "eu-west-1"}, true},
		{SecretRef{Name: "team/key", Account: "123456789012", Region: "us-east-1"}, false},
		{SecretRef{Name: "team/key", Account: "2", Region: "eu-west-1"}, false},
		{ParseSecret(arn[:len(arn)-6] + "zzzzzz"), false},
		{ParseSecret(arn[:len(arn)-9]), false},
		{SecretRef{}, false},
	} {
		if got := c.ref.Is(arn); got != c.want {
			t.Errorf("%+v: got %t", c.ref, got)
		}
	}
}

func TestLabel(t *testing.T) {
	t.Parallel()
	in := `{"version":"0","id":"i","detail-type":"Secret Label Updated","source":"aws.secretsmanager","account":"123456789012","time":"2026-04-01T10:00:00Z","region":"eu-west-1","resources":["` + arn + `"],"detail":{"name":"team/key","labelUpdated":"AWSCURRENT","versionId":"v"}}`
	e, err := Parse([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	want := []SecretRef{{ARN: arn, Name: "team/key", Account: "123456789012", Region: "eu-west-1", Version: "v", Stage: "AWSCURRENT"}}
	if diff := cmp.Diff(want, e.Secrets()); diff != "" {
		t.Error(diff)
	}
	if e.ID != "i" || e.AddressClass() != AddressService || e.Account != "123456789012" || e.Time.IsZero() {
		t.Errorf("got %+v", e)
	}
	var envelope map[string]any
	if err := json.Unmarshal([]byte(in), &envelope); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"id", "time", "detail", "source"} {
		bad := map[string]any{}
		for k, v := range envelope {
			if k != field {
				bad[k] = v
			}
		}
		data, err := json.Marshal(bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(data); err == nil {
			t.Errorf("accepted without %s", field)
		}
	}
}

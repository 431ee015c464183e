package secretsmanager_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/test/cloud/secretsmanager"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// message returns what a refused request is told: its code and its text.
func (b *bench) message(op string, in object) string {
	b.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		b.t.Fatal(err)
	}
	_, err = b.service.Serve(b.t.Context(), &wire.Call{Service: "secretsmanager", Operation: op, Body: body, HTTP: new(http.Request)})
	if err == nil {
		b.t.Fatalf("%s %s was not refused", op, body)
	}
	return err.Error()
}

func TestModel(t *testing.T) {
	t.Parallel()
	const one = "ValidationException: 1 validation error detected: "
	long := strings.Repeat("x", 65537)
	for _, tt := range []struct {
		name, op string
		in       object
		want     string
	}{
		{"missing", "GetSecretValue", object{}, one + "Value null at 'secretId' failed to satisfy constraint: Member must not be null"},
		{"empty", "GetSecretValue", object{"SecretId": ""}, one + "Value '' at 'secretId' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"several", "TagResource", object{}, "ValidationException: 2 validation errors detected: Value null at 'secretId' failed to satisfy constraint: Member must not be null; Value null at 'tags' failed to satisfy constraint: Member must not be null"},
		{"version", "GetSecretValue", object{"SecretId": "s", "VersionId": "short"}, one + "Value 'short' at 'versionId' failed to satisfy constraint: Member must have length greater than or equal to 32"},
		{"number", "GetRandomPassword", object{"PasswordLength": 4097}, one + "Value '4097' at 'passwordLength' failed to satisfy constraint: Member must have value less than or equal to 4096"},
		{"page", "ListSecrets", object{"MaxResults": 0}, one + "Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"enum", "ListSecrets", object{"SortOrder": "up"}, one + "Value 'up' at 'sortOrder' failed to satisfy constraint: Member must satisfy enum value set: [asc, desc]"},
		{"nested", "ListSecrets", object{"Filters": []object{{"Key": "name", "Values": []string{"a"}}, {"Key": "arn", "Values": []string{"a"}}}}, one + "Value 'arn' at 'filters.2.member.key' failed to satisfy constraint: Member must satisfy enum value set: [all, name, tag-key, description, tag-value, primary-region, owning-service]"},
		{"list", "PutSecretValue", object{"SecretId": "s", "SecretString": "v", "VersionStages": []string{}}, one + "Value at 'versionStages' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"in a list", "PutSecretValue", object{"SecretId": "s", "SecretString": "v", "VersionStages": []string{"A", ""}}, one + "Value '[A, ]' at 'versionStages' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 256, Member must have length greater than or equal to 1]"},
		{"pattern", "ReplicateSecretToRegions", object{"SecretId": "s", "AddReplicaRegions": []object{{"Region": "EU"}}}, one + `Value 'EU' at 'addReplicaRegions.1.member.region' failed to satisfy constraint: Member must satisfy regular expression pattern: ^([a-z]+-)+\d+$`},
		{"values are not repeated", "CreateSecret", object{"Name": "n", "SecretString": long}, one + "Value at 'secretString' failed to satisfy constraint: Member must have length less than or equal to 65536"},
		{"an empty value", "PutSecretValue", object{"SecretId": "s", "SecretString": ""}, one + "Value at 'secretString' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"bytes", "CreateSecret", object{"Name": "n", "SecretBinary": base64.StdEncoding.EncodeToString([]byte(long))}, one + "Value at 'secretBinary' failed to satisfy constraint: Member must have length less than or equal to 65536"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := newBench(t, secretsmanager.Options{}).message(tt.op, tt.in); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// The texts that AWS was seen to use.
func TestWords(t *testing.T) {
	t.Parallel()
	b := newBench(t, secretsmanager.Options{Invocable: func(string, string) bool { return true }})
	token := uuid.NewString()
	arn := b.must("CreateSecret", object{"Name": "s", "SecretString": "v", "ClientRequestToken": token})["ARN"].(string)
	b.must("CreateSecret", object{"Name": "r", "SecretString": "v", "AddReplicaRegions": []object{{"Region": "eu-west-1"}, {"Region": "eu-west-2"}}})
	replicated := b.must("DescribeSecret", object{"SecretId": "r"})["ARN"].(string)
	in := func(more ...any) object {
		o := object{"SecretId": "s", "ClientRequestToken": uuid.NewString()}
		for i := 0; i < len(more); i += 2 {
			o[more[i].(string)] = more[i+1]
		}
		return o
	}
	rules := func(r object) object { return in("RotationLambdaARN", "f", "RotationRules", r) }
	for _, tt := range []struct {
		name, op string
		in       object
		want     string
	}{
		{"create again with another value", "CreateSecret", object{"Name": "s", "SecretString": "w", "ClientRequestToken": token}, "ResourceExistsException: You can't use ClientRequestToken " + token + " because that value is already in use for a version of secret " + arn + "."},
		{"both values", "UpdateSecret", in("SecretString", "v", "SecretBinary", "dg=="), "InvalidParameterException: You can't specify both a binary secret value and a string secret value in the same secret."},
		{"replicas", "DeleteSecret", object{"SecretId": "r"}, "InvalidParameterException: You can't delete secret " + replicated + " that still has replica regions [eu-west-1, eu-west-2]."},
		{"a replica at home", "CreateSecret", in("Name", "h", "AddReplicaRegions", []object{{"Region": "us-east-1"}}), "InvalidParameterException: Invalid replica region."},
		{"two schedules", "RotateSecret", rules(object{"AutomaticallyAfterDays": 1, "ScheduleExpression": "rate(1 day)"}), "InvalidParameterException: You cannot specify both rotation frequency and schedule expression together."},
		{"too rarely", "RotateSecret", rules(object{"AutomaticallyAfterDays": 1001}), "InvalidParameterException: RotationRules.AutomaticallyAfterDays must be within 1-1000."},
		{"a policy that is none", "PutResourcePolicy", in("ResourcePolicy", "{"), "MalformedPolicyDocumentException: This policy has invalid syntax."},
		{"no letters left", "GetRandomPassword", object{"ExcludeUppercase": true, "ExcludeLowercase": true, "ExcludeNumbers": true, "ExcludePunctuation": true}, "InvalidParameterException: All characters have been excluded from selection"},
		{"a kind is gone", "GetRandomPassword", object{"ExcludeCharacters": "0123456789"}, "InvalidParameterException: All characters of the desired type have been excluded"},
		{"too short", "GetRandomPassword", object{"PasswordLength": 3}, "InvalidParameterException: Password length is too short based on the required types"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := b.message(tt.op, tt.in); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	b.must("GetRandomPassword", object{"ExcludeCharacters": "0123456789", "RequireEachIncludedType": false})
	if got := b.must("GetRandomPassword", object{"PasswordLength": 5, "IncludeSpace": true})["RandomPassword"].(string); !strings.Contains(got, " ") {
		t.Errorf("the password %q has no space", got)
	}
	only := b.must("ListSecrets", object{"Filters": []object{{"Key": "primary-region", "Values": []string{"us-east"}}}})["SecretList"].([]any)
	if len(only) != 1 {
		t.Errorf("%d secrets have a primary Region, want the one with replicas", len(only))
	}
}

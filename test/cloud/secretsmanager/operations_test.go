package secretsmanager_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud/secretsmanager"
)

// The expectations are those that LocalStack's test_list_secrets_filtering
// asserts of AWS.
func TestListFilters(t *testing.T) {
	t.Parallel()
	b := newBench(t, secretsmanager.Options{})
	for n, description := range map[string]string{
		"testing1/one": "a secret", "/testing2/two": "an secret", "testing3/three": "asecret", "/testing4/four": "thesecret",
	} {
		b.must("CreateSecret", object{"Name": n, "SecretString": "x", "Description": description, "Tags": []object{{"Key": "team", "Value": n}}})
	}
	for _, tt := range []struct {
		name    string
		filters []object
		want    []string
	}{
		{"a name's beginning", filters("name", "/"), []string{"/testing2/two", "/testing4/four"}},
		{"not a name's beginning", filters("name", "!/"), []string{"testing1/one", "testing3/three"}},
		{"a name has no words", filters("name", "testing1 one"), nil},
		{"names mind the case", filters("name", "TESTING"), nil},
		{"words begin so", filters("description", "a"), []string{"testing1/one", "/testing2/two", "testing3/three"}},
		{"no word begins so", filters("description", "!a"), []string{"/testing4/four"}},
		{"all words", filters("description", "a secret"), []string{"testing1/one", "/testing2/two"}},
		{"nothing excluded", filters("description", "!c"), []string{"testing1/one", "/testing2/two", "testing3/three", "/testing4/four"}},
		{"both filters", append(filters("description", "a"), filters("name", "secret")...), nil},
		{"either value", filters("name", "testing1", "testing3"), []string{"testing1/one", "testing3/three"}},
		{"a tag's value", filters("tag-value", "/testing"), []string{"/testing2/two", "/testing4/four"}},
		{"anywhere", filters("all", "THESECRET"), []string{"/testing4/four"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, s := range b.must("ListSecrets", object{"Filters": tt.filters})["SecretList"].([]any) {
				got = append(got, s.(object)["Name"].(string))
			}
			slices.Sort(got)
			slices.Sort(tt.want)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func filters(key string, values ...string) []object {
	return []object{{"Key": key, "Values": values}}
}

func TestPagesAndBatches(t *testing.T) {
	t.Parallel()
	b := newBench(t, secretsmanager.Options{})
	for i := range 25 {
		b.must("CreateSecret", object{"Name": "s" + strconv.Itoa(100+i), "SecretString": strconv.Itoa(i)})
	}
	first := b.must("ListSecrets", object{"MaxResults": 20, "SortBy": "name"})
	second := b.must("ListSecrets", object{"MaxResults": 20, "SortBy": "name", "NextToken": first["NextToken"]})
	if a, z := len(first["SecretList"].([]any)), len(second["SecretList"].([]any)); a != 20 || z != 5 || second["NextToken"] != nil {
		t.Errorf("pages of %d and %d, then %v", a, z, second["NextToken"])
	}
	b.refused("InvalidNextTokenException", "ListSecrets", object{"NextToken": "made up"})
	out := b.must("BatchGetSecretValue", object{"SecretIdList": []string{"s100", "missing"}})
	failure := out["Errors"].([]any)[0].(object)
	if len(out["SecretValues"].([]any)) != 1 || failure["ErrorCode"] != "ResourceNotFoundException" || failure["SecretId"] != "missing" {
		t.Errorf("a batch with one missing: %v", out)
	}
	out = b.must("BatchGetSecretValue", object{"Filters": filters("name", "s")})
	if len(out["SecretValues"].([]any)) != 20 || out["NextToken"] == nil {
		t.Error("a batch is not 20 secrets and a token")
	}
	b.refused("InvalidParameterException", "BatchGetSecretValue", object{})
}

func TestDeletion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, secretsmanager.Options{})
		b.create()
		for _, days := range []int{6, 31} {
			b.refused("InvalidParameterException", "DeleteSecret", on("RecoveryWindowInDays", days))
		}
		b.refused("InvalidParameterException", "DeleteSecret", on("RecoveryWindowInDays", 7, "ForceDeleteWithoutRecovery", true))
		b.must("DeleteSecret", on("RecoveryWindowInDays", 7))
		for _, op := range []string{"GetSecretValue", "PutSecretValue", "RotateSecret", "UpdateSecret"} {
			b.refused("InvalidRequestException", op, on("SecretString", "x"))
		}
		if got := b.must("ListSecrets", object{})["SecretList"].([]any); len(got) != 0 {
			t.Error("a deleted secret is listed")
		}
		b.must("RestoreSecret", on())
		b.must("GetSecretValue", on())
		b.must("DeleteSecret", on("RecoveryWindowInDays", 7))
		b.clock.Advance(6 * 24 * time.Hour)
		synctest.Wait()
		b.must("DescribeSecret", on())
		b.clock.Advance(25 * time.Hour)
		synctest.Wait()
		b.refused("ResourceNotFoundException", "DescribeSecret", on())
		b.must("DeleteSecret", on("ForceDeleteWithoutRecovery", true)) // as if it were there
		b.refused("ResourceNotFoundException", "DeleteSecret", on())
	})
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, secretsmanager.Options{})
		b.create()
		status := func(out object) any { return out["ReplicationStatus"].([]any)[0].(object)["Status"] }
		out := b.must("ReplicateSecretToRegions", on("AddReplicaRegions", []object{{"Region": "eu-west-1"}}))
		if got := status(out); got != "InProgress" {
			t.Errorf("at first: %v", got)
		}
		b.clock.Advance(2 * time.Second)
		synctest.Wait()
		if got := status(b.must("DescribeSecret", on())); got != "InSync" {
			t.Errorf("later: %v", got)
		}
		b.refused("InvalidParameterException", "DeleteSecret", on())
		b.refused("InvalidRequestException", "StopReplicationToReplica", on())
		b.must("RemoveRegionsFromReplication", on("RemoveReplicaRegions", []string{"eu-west-1"}))
		b.must("DeleteSecret", on())
	})
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	b := newBench(t, secretsmanager.Options{})
	b.create()
	policy := func(principal, condition string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":` + principal + `,"Action":"secretsmanager:GetSecretValue","Resource":"*"` + condition + `}}`
	}
	b.refused("MalformedPolicyDocumentException", "PutResourcePolicy", on("ResourcePolicy", "{"))
	b.refused("MalformedPolicyDocumentException", "PutResourcePolicy", on("ResourcePolicy", `{"Statement":[{"Effect":"Maybe"}]}`))
	for _, public := range []string{policy(`"*"`, ""), policy(`{"AWS":["*"]}`, "")} {
		b.refused("PublicPolicyException", "PutResourcePolicy", on("ResourcePolicy", public, "BlockPublicPolicy", true))
		if out := b.must("ValidateResourcePolicy", on("ResourcePolicy", public)); out["PolicyValidationPassed"] != false {
			t.Errorf("a public policy passes: %v", out)
		}
	}
	narrow := policy(`"*"`, `,"Condition":{"StringEquals":{"aws:PrincipalAccount":"123456789012"}}`)
	b.must("PutResourcePolicy", on("ResourcePolicy", narrow, "BlockPublicPolicy", true))
	if got := b.must("GetResourcePolicy", on())["ResourcePolicy"]; got != narrow {
		t.Errorf("the policy came back as %v", got)
	}
	b.must("DeleteResourcePolicy", on())
	if _, there := b.must("GetResourcePolicy", on())["ResourcePolicy"]; there {
		t.Error("the policy is still there")
	}
}

func TestRandomPassword(t *testing.T) {
	t.Parallel()
	b := newBench(t, secretsmanager.Options{})
	generate := func(in object) string { return b.must("GetRandomPassword", in)["RandomPassword"].(string) }
	if got := generate(object{}); len(got) != 32 {
		t.Errorf("the default length is %d", len(got))
	}
	got := generate(object{"PasswordLength": 120, "ExcludeCharacters": "xyzDje@?!."})
	if len(got) != 120 || strings.ContainsAny(got, "xyzDje@?!.") {
		t.Errorf("%d characters, or excluded ones", len(got))
	}
	got = generate(object{"PasswordLength": 200, "ExcludePunctuation": true, "ExcludeUppercase": true, "ExcludeNumbers": true})
	if strings.Trim(got, "abcdefghijklmnopqrstuvwxyz") != "" {
		t.Error("excluded kinds are in it")
	}
	for range 50 {
		if got := generate(object{"PasswordLength": 4}); !strings.ContainsAny(got, "0123456789") {
			t.Fatalf("%d characters without a digit", len(got))
		}
	}
	b.refused("InvalidParameterException", "GetRandomPassword", object{"PasswordLength": 3})
	b.refused("ValidationException", "GetRandomPassword", object{"PasswordLength": 4097})
}

func TestRotationIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, secretsmanager.Options{Invocable: func(f, _ string) bool { return f == "known" }})
	b.create()
	rules := func(r object) object { return on("RotationLambdaARN", "known", "RotationRules", r) }
	for _, r := range []object{
		{},
		{"AutomaticallyAfterDays": 0},
		{"AutomaticallyAfterDays": 1001},
		{"ScheduleExpression": "rate(1 hour)"},
		{"AutomaticallyAfterDays": 1, "ScheduleExpression": "rate(1 day)"},
		{"ScheduleExpression": "rate(4 hours)", "Duration": "6h"},
	} {
		b.refused("InvalidParameterException", "RotateSecret", rules(r))
	}
	b.refused("AccessDeniedException", "RotateSecret", on("RotationLambdaARN", "unknown"))
	b.refused("InvalidRequestException", "RotateSecret", on())
	b.put("half a rotation", "AWSPENDING")
	b.refused("InvalidRequestException", "RotateSecret", rules(object{"AutomaticallyAfterDays": 1}))
	if _, there := b.must("DescribeSecret", on())["RotationEnabled"]; there {
		t.Error("a refused RotateSecret enabled rotation")
	}
}

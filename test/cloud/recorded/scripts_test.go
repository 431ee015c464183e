package recorded_test

import (
	"net/http"

	"github.com/google/uuid"
)

// scripts holds the requests of each recorded test, by the test's name. A
// parametrised test gets what stands in its brackets.
//
// The requests are those of tests/aws/services/secretsmanager in
// localstack/localstack, written anew. Of the recorded tests these are old or
// have no requests left there:
//
//   - test_create_and_update_secret[...-True], [...-False] and [s-4b175f02-True]
//     are earlier names of the test's parameters; the requests are the same.
//   - test_call_lists_secrets_multiple_times and test_create_multi_secrets
//     recorded what the tests with _snapshots and _snapshot record now.
//   - test_first_rotate_secret_with_missing_lambda_arn once described the
//     secret at the end.
//   - test_change_secret_value_after_creation is not in the copy that was
//     read; its requests are inferred from its answers and parameters.
//
// No two of them contradict each other.
func scripts() map[string]func(r *replay, param string) {
	return map[string]func(r *replay, param string){
		"test_can_recreate_delete_secret":                                         recreate,
		"test_exp_raised_on_creation_of_secret_scheduled_for_deletion":            createMarked,
		"test_create_and_update_secret":                                           createAndUpdate,
		"test_call_lists_secrets_multiple_times":                                  listThrice,
		"test_call_lists_secrets_multiple_times_snapshots":                        listThrice,
		"test_create_multi_secrets":                                               createThree,
		"test_create_multi_secrets_snapshot":                                      createThree,
		"test_put_secret_value_with_version_stages":                               putWithStages,
		"test_invalid_secret_name":                                                invalidName,
		"test_update_secret_description":                                          updateDescription,
		"test_update_secret_version_stages_return_type":                           stageReturn,
		"test_update_secret_version_stages_current_previous":                      stagePrevious,
		"test_update_secret_version_stages_current_pending":                       stagePending,
		"test_update_secret_version_stages_current_pending_cycle":                 stageCycle,
		"test_update_secret_version_stages_current_pending_cycle_custom_stages_1": stageCycle1,
		"test_update_secret_version_stages_current_pending_cycle_custom_stages_2": stageCycle2,
		"test_update_secret_version_stages_current_pending_cycle_custom_stages_3": stageCycle3,
		"test_non_versioning_version_stages_replacement":                          replaceStages,
		"test_non_versioning_version_stages_no_replacement":                       replaceSomeStages,
		"test_secret_not_found":                                                   secretNotFound,
		"test_secret_exists_snapshots":                                            secretExists,
		"test_no_client_request_token":                                            noToken,
		"test_create_secret_version_from_empty_secret":                            emptySecret,
		"test_rotate_secret_with_lambda_success":                                  rotateOnce,
		"test_rotate_secret_multiple_times_with_lambda_success":                   rotateTwice,
		"test_rotate_secret_invalid_lambda_arn":                                   rotateInvalid,
		"test_first_rotate_secret_with_missing_lambda_arn":                        rotateMissing,
		"test_resource_policy":                                                    resourcePolicy,
		"test_secret_restore":                                                     secretRestore,
		"test_secret_tags":                                                        secretTags,
		"test_deprecated_secret_version_stage":                                    deprecated,
		"test_get_secret_value_errors":                                            valueErrors,
		"test_secret_version_not_found":                                           versionNotFound,
		"test_get_secret_value":                                                   valueBinary,
		"test_force_delete_deleted_secret":                                        forceDelete,
		"test_tag_untag_resource_on_deleted_secret":                               tagDeleted,
		"test_change_secret_value_after_creation":                                 changeValue,
	}
}

const secretName = "s-1b2c3d4e"

func id() object { return object{"SecretId": secretName} }

func with(pairs ...any) object {
	out := id()
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i].(string)] = pairs[i+1]
	}
	return out
}

func named(pairs ...any) object {
	out := with(pairs...)
	delete(out, "SecretId")
	out["Name"] = secretName
	return out
}

// createAs creates the secret and matches the answer.
func (r *replay) createAs(key string, in object) answer {
	r.t.Helper()
	return r.match(key, r.create(in))
}

func (r *replay) forceDeleteAs(key string) {
	r.t.Helper()
	r.is(key, "DeleteSecret", with("ForceDeleteWithoutRecovery", true))
}

func recreate(r *replay, _ string) {
	r.createAs("create_secret_res_0", named("SecretString", "x"))
	r.is("delete_res_1", "DeleteSecret", with("ForceDeleteWithoutRecovery", true))
	r.createAs("create_secret_res_1", named("SecretString", "x"))
}

func createMarked(r *replay, _ string) {
	r.create(named("SecretString", "x"))
	r.is("delete_res", "DeleteSecret", with("RecoveryWindowInDays", 7))
	r.is("invalid_req_ex", "CreateSecret", named("SecretString", "x"))
}

func listThrice(r *replay, _ string) {
	r.createAs("create_secret_rs_1", named("SecretString", "my_secret", "Description", "testing creation of secrets"))
	for _, n := range []string{"0", "1", "2"} {
		r.is("list_secrets_res_"+n, "ListSecrets", object{})
	}
	r.forceDeleteAs("delete_secret_res_1")
}

func createThree(r *replay, _ string) {
	names := []string{"a1b2c3d4", "b2c3d4e5", "c3d4e5f6"}
	for _, n := range names {
		r.create(object{"Name": n, "SecretString": "my_secret_" + n, "Description": "Testing secrets creation."})
	}
	r.is("list_secrets_res", "ListSecrets", object{})
	for i, n := range names {
		r.is("delete_secret_res"+string(rune('0'+i)), "DeleteSecret", object{"SecretId": n, "ForceDeleteWithoutRecovery": true})
	}
}

func putWithStages(r *replay, _ string) {
	r.createAs("create_secret_rs_0", named("SecretString", "secret_string_v0"))
	r.is("get_secret_value_res_0", "GetSecretValue", id())
	stages := []any{
		[]string{"SAMPLESTAGE1", "SAMPLESTAGE0"}, []string{"SAMPLESTAGE1", "SAMPLESTAGE0"}, []string{"AWSPENDING"}, nil,
	}
	for i, s := range stages {
		n := string(rune('1' + i))
		in := with("SecretString", "secret_string_v"+n, "ClientRequestToken", uuid.NewString())
		if s != nil {
			in["VersionStages"] = s
		}
		r.is("put_secret_value_res_"+n, "PutSecretValue", in)
		r.is("get_secret_value_res_"+n, "GetSecretValue", id())
	}
	r.forceDeleteAs("delete_secret_res_1")
}

func invalidName(r *replay, name string) {
	if name == ` Inv *?!]Name\\-` { // as Python's test id shows it
		name = ` Inv *?!]Name\-`
	}
	in := func(pairs ...any) object {
		out := with(pairs...)
		out["SecretId"] = name
		return out
	}
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`
	r.is("ex_log_1", "CreateSecret", object{"Name": name, "SecretString": "MySecretString"})
	r.is("ex_log_2", "DeleteSecret", in("ForceDeleteWithoutRecovery", true))
	r.is("ex_log_3", "DescribeSecret", in())
	r.is("ex_log_4", "GetSecretValue", in())
	r.is("ex_log_5", "ListSecretVersionIds", in("IncludeDeprecated", true))
	r.is("ex_log_6", "PutSecretValue", in("SecretString", "MySecretString"))
	r.is("ex_log_7", "TagResource", in("Tags", []object{{"Key": "FirstTag", "Value": "SomeValue"}}))
	r.is("ex_log_8", "UntagResource", in("TagKeys", []string{"FirstTag"}))
	r.is("ex_log_9", "UpdateSecret", in("Description", "MyNewDescription"))
	r.is("ex_log_10", "ValidateResourcePolicy", in("ResourcePolicy", policy))
}

func updateDescription(r *replay, _ string) {
	r.createAs("create_secret_rs_0", named("SecretString", "MySecretString"))
	r.is("describe_secret_res_0", "DescribeSecret", id())
	r.is("update_secret_res_0", "UpdateSecret", with("Description", "MyDescription"))
	r.is("describe_secret_res_1", "DescribeSecret", id())
	r.is("update_secret_res_1", "UpdateSecret", with("SecretString", "MyNewSecretString", "Description", "MyNewDescription"))
	r.is("describe_secret_res_2", "DescribeSecret", id())
	r.is("update_secret_res_2", "UpdateSecret", with("SecretString", "MyNewSecretStringMyNewSecretString"))
	r.is("describe_secret_res_3", "DescribeSecret", id())
	r.is("update_secret_res_3", "UpdateSecret", id())
	r.is("describe_secret_res_4", "DescribeSecret", id())
	r.forceDeleteAs("delete_secret_res_0")
}

func secretNotFound(r *replay, _ string) {
	r.is("get_secret_value_not_found_ex", "GetSecretValue", id())
	r.is("list_secret_version_ids_not_found_ex", "ListSecretVersionIds", id())
}

func secretExists(r *replay, _ string) {
	r.create(named("SecretString", "my_secret"))
	r.is("ex_log", "CreateSecret", named("SecretString", "my_secret"))
	r.forceDeleteAs("delete_secret_res")
}

func noToken(r *replay, operation string) {
	in := object{"SecretString": "thisisthesecret", "Description": "My secret string"}
	if operation == "CreateSecret" {
		in["Name"] = secretName
	} else {
		in["SecretId"] = secretName
	}
	a := r.raw(operation, in)
	r.compare("no-client-request-exc", object{"Error": a.body, "Metadata": object{"StatusCode": float64(a.status)}})
}

func secretRestore(r *replay, _ string) {
	r.create(named("SecretString", "my_secret", "Description", "test description"))
	r.is("delete_secret_res", "DeleteSecret", id())
	r.is("restore_secret_res", "RestoreSecret", id())
}

func forceDelete(r *replay, _ string) {
	r.createAs("create_secret_response", named("SecretString", "x"))
	in := object{"SecretId": r.arns[0]}
	r.is("delete_secret_response", "DeleteSecret", in)
	r.is("describe_secret_response", "DescribeSecret", in)
	r.is("force_delete_secret_response", "DeleteSecret", object{"SecretId": r.arns[0], "ForceDeleteWithoutRecovery": true})
	if a := r.raw("DescribeSecret", in); a.status == http.StatusOK {
		r.t.Error("the secret is still there after its forced deletion")
	}
}

func resourcePolicy(r *replay, _ string) {
	r.create(named("SecretString", "my_secret"))
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`
	r.is("put_resource_policy", "PutResourcePolicy", with("ResourcePolicy", policy))
	r.is("get_resource_policy", "GetResourcePolicy", id())
	if a := r.call("DeleteResourcePolicy", id()); a.status != http.StatusOK {
		r.t.Errorf("DeleteResourcePolicy: %d", a.status)
	}
}

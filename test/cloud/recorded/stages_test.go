package recorded_test

import "slices"

// put stores a value with labels, and matches the answer; it returns the
// version's id.
func (r *replay) put(key, value string, labels ...string) string {
	r.t.Helper()
	in := with("SecretString", value)
	if len(labels) > 0 {
		in["VersionStages"] = labels
	}
	return r.is(key, "PutSecretValue", in).str("VersionId")
}

func (r *replay) versionsAs(key string, pairs ...any) {
	r.t.Helper()
	r.is(key, "ListSecretVersionIds", with(pairs...))
}

func (r *replay) valueAs(key string, pairs ...any) {
	r.t.Helper()
	r.is(key, "GetSecretValue", with(pairs...))
}

// move makes a version current.
func (r *replay) move(key, from, to string) {
	r.t.Helper()
	r.is(key, "UpdateSecretVersionStage", with("RemoveFromVersionId", from, "MoveToVersionId", to, "VersionStage", "AWSCURRENT"))
}

func stageReturn(r *replay, _ string) {
	v0 := r.createAs("create_secret_rs_0", named("SecretString", "Something1")).str("VersionId")
	v1 := r.put("put_secret_value_res_0", "Something2", "AWSPENDING")
	r.move("update_secret_version_stage_res_0", v0, v1)
	r.forceDeleteAs("delete_secret_res_0")
}

func stagePrevious(r *replay, _ string) {
	r.createAs("create_secret_rs_0", named("SecretString", "secret_string_v0"))
	r.versionsAs("list_secret_version_ids_res_0")
	r.is("update_secret_res_0", "UpdateSecret", with("SecretString", "secret_string_v1"))
	r.versionsAs("list_secret_version_ids_res_1")
	r.forceDeleteAs("delete_secret_res_0")
}

func stagePending(r *replay, _ string) {
	v0 := r.createAs("create_secret_rs_0", named("SecretString", "Something1")).str("VersionId")
	v1 := r.put("put_secret_value_res_0", "Something2", "AWSPENDING")
	r.versionsAs("list_secret_version_ids_res_0")
	r.move("update_secret_version_stage_res_0", v0, v1)
	r.versionsAs("list_secret_version_ids_res_1")
	r.put("put_secret_value_res_1", "SS3")
	r.versionsAs("list_secret_version_ids_res_2")
	r.forceDeleteAs("delete_secret_res_0")
}

func stageCycle(r *replay, _ string) {
	cycle(r, "put_secret_value_res_2", []string{"AWSPENDING"}, []string{"AWSPENDING"})
}

func stageCycle1(r *replay, _ string) {
	cycle(r, "update_secret_version_stage_res_1", []string{"AWSSOMETHING", "AWSPENDING", "PUT1"}, []string{"AWSPENDING", "PUT2"})
}

// cycle stages two versions and makes each current in turn. The first test
// recorded its second move under another name.
func cycle(r *replay, secondMove string, first, second []string) {
	v0 := r.createAs("create_secret_rs_0", named("SecretString", "S1")).str("VersionId")
	v1 := r.put("put_secret_value_res_0", "S2", first...)
	r.versionsAs("list_secret_version_ids_res_0")
	r.valueAs("get_secret_value_res_0")
	r.move("update_secret_version_stage_res_0", v0, v1)
	r.versionsAs("list_secret_version_ids_res_1")
	r.valueAs("get_secret_value_res_1")
	v2 := r.put("put_secret_value_res_1", "S3", second...)
	r.versionsAs("list_secret_version_ids_res_2")
	r.valueAs("get_secret_value_res_2")
	r.move(secondMove, v1, v2)
	r.versionsAs("list_secret_version_ids_res_3")
	r.valueAs("get_secret_value_res_3")
	r.forceDeleteAs("delete_secret_res_0")
}

func stageCycle2(r *replay, _ string) {
	r.createAs("create_secret_rs_0", named("SecretString", "SS"))
	v0 := r.put("put_secret_value_res_0", "S1", "AWSCURRENT", "PUT0")
	r.versionsAs("list_secret_version_ids_res_0")
	v1 := r.put("put_secret_value_res_1", "S2", "AWSPENDING", "PUT1")
	r.versionsAs("list_secret_version_ids_res_1")
	r.valueAs("get_secret_value_res_0")
	r.move("update_secret_version_stage_res_0", v0, v1)
	r.versionsAs("list_secret_version_ids_res_2")
	r.valueAs("get_secret_value_res_1")
	v2 := r.put("put_secret_value_res_2", "S3", "AWSPENDING", "PUT2")
	r.versionsAs("list_secret_version_ids_res_3")
	r.valueAs("get_secret_value_res_2")
	r.move("update_secret_version_stage_res_1", v1, v2)
	r.versionsAs("list_secret_version_ids_res_4")
	r.valueAs("get_secret_value_res_3")
	r.forceDeleteAs("delete_secret_res_0")
}

func stageCycle3(r *replay, _ string) {
	v1 := r.createAs("create_secret_rs", named("SecretString", "SS")).str("VersionId")
	v2 := r.put("put_secret_value_res_0", "S1", "PENDING")
	r.versionsAs("list_secret_version_ids_rs")
	both := func(suffix string) {
		r.valueAs("get_secret_value_v1_rs"+suffix, "VersionId", v1)
		r.valueAs("get_secret_value_v2_rs"+suffix, "VersionId", v2)
	}
	both("")
	r.move("update_secret_version_stage_res_1", v1, v2)
	both("_1")
	r.is("update_secret_version_stage_res_2", "UpdateSecretVersionStage", with("RemoveFromVersionId", v2, "VersionStage", "PENDING"))
	both("_2")
	r.forceDeleteAs("delete_secret_res_0")
}

func replaceStages(r *replay, _ string) { replace(r, "one", "two", "three", "four") }

func replaceSomeStages(r *replay, _ string) { replace(r, "one", "two", "four") }

func replace(r *replay, second ...string) {
	r.createAs("create_secret_rs_0", named("SecretString", "S0"))
	r.put("put_secret_value_res_0", "S1", "one", "two", "three")
	r.versionsAs("list_secret_version_ids_res_0")
	r.put("put_secret_value_res_1", "S2", second...)
	r.versionsAs("list_secret_version_ids_res_1")
	r.forceDeleteAs("delete_secret_res_0")
}

func deprecated(r *replay, _ string) {
	r.createAs("create_secret", named("SecretString", "original", "Description", "My secret"))
	r.versionsAs("list_secret_version_ids")
	r.put("put_secret_value_1", "update1")
	r.versionsAs("list_secret_version_ids_1")
	r.put("put_secret_value_2", "update2")
	r.versionsAs("list_secret_version_ids_2")
	r.versionsAs("list_secret_version_ids_3", "IncludeDeprecated", true)
	r.put("put_secret_value_3", "update3")
	r.versionsAs("list_secret_version_ids_4")
	r.versionsAs("list_secret_version_ids_5", "IncludeDeprecated", true)
}

// rotated asks for a rotation, waits for it and matches what follows.
func (r *replay) rotated(rotate, describe, versions string, in object) {
	r.t.Helper()
	token := r.is(rotate, "RotateSecret", in).str("VersionId")
	if err := r.cloud.Rotated(r.t.Context(), secretName); err != nil {
		r.t.Fatal(err)
	}
	stages, _ := r.is(describe, "DescribeSecret", id()).body["VersionIdsToStages"].(object)
	if labels, _ := stages[token].([]any); !slices.Contains(labels, any("AWSCURRENT")) {
		r.t.Errorf("the version of the rotation has the labels %v", labels)
	}
	r.versionsAs(versions)
}

func oneDay(pairs ...any) object {
	return with(append(pairs, "RotationRules", object{"AutomaticallyAfterDays": 1})...)
}

func (r *replay) createRotating() {
	r.t.Helper()
	a := r.create(named("SecretString", "my_secret", "Description", "testing rotation of secrets"))
	r.placeholders(a.str("VersionId"))
}

func rotateOnce(r *replay, immediately string) {
	r.createRotating()
	in := oneDay("RotationLambdaARN", lambdaARN)
	if immediately == "True" {
		in["RotateImmediately"] = true
	}
	r.rotated("rotate_secret_immediately", "describe_secret_rotated", "list_secret_versions_rotated_1", in)
}

func rotateTwice(r *replay, _ string) {
	r.createRotating()
	r.rotated("rotate_secret_immediately_1", "describe_secret_rotated_1", "list_secret_versions_rotated_1_1",
		oneDay("RotationLambdaARN", lambdaARN, "RotateImmediately", true))
	if a := r.call("GetSecretValue", id()); a.str("SecretString") == "my_secret" {
		r.t.Error("the value did not change")
	}
	r.rotated("rotate_secret_immediately_2", "describe_secret_rotated_2", "list_secret_versions_rotated_1_2", id())
}

func rotateInvalid(r *replay, _ string) {
	r.createAs("create_secret", named("SecretString", "init"))
	r.is("rotate_secret_invalid_arn_exc", "RotateSecret",
		oneDay("RotationLambdaARN", "arn:aws:lambda:us-east-1:123456789012:function:rotate_secret_invalid_lambda_arn"))
	r.is("describe_secret", "DescribeSecret", id())
}

func rotateMissing(r *replay, _ string) {
	r.createAs("create_secret", named("SecretString", "init"))
	r.is("rotate_secret_no_arn_exc", "RotateSecret", oneDay())
	r.is("describe_secret", "DescribeSecret", id())
}

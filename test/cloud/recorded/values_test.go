package recorded_test

import (
	"encoding/base64"
	"strings"

	"github.com/google/uuid"
)

func createAndUpdate(r *replay, param string) {
	name := strings.TrimSuffix(strings.TrimSuffix(param, "-True"), "-False")
	byName := func(pairs ...any) object {
		out := with(pairs...)
		out["SecretId"] = name
		return out
	}
	arn := r.createAs("create_secret_rs_1", object{
		"Name": name, "SecretString": "my_secret", "Description": "Testing secret creation.",
	}).str("ARN")
	r.is("get_secret_value_rs_1", "GetSecretValue", byName())
	r.is("describe_secret_rs_1", "DescribeSecret", byName())
	r.is("get_secret_value_rs_2", "GetSecretValue", object{"SecretId": arn})
	partial := "get_secret_value_rs_3"
	if strings.HasSuffix(param, "-False") {
		partial = "resource_not_found_dict_1" // the name ends like an ARN
	}
	r.is(partial, "GetSecretValue", object{"SecretId": arn[:len(arn)-7]})
	r.is("put_secret_value_rs_1", "PutSecretValue", byName("SecretString", "new_secret"))
	r.is("get_secret_value_rs_4", "GetSecretValue", byName())
	r.is("update_secret_res_1", "UpdateSecret", object{"SecretId": arn, "SecretString": "test123", "Description": "d1"})
	r.is("delete_secret_res_1", "DeleteSecret", byName("ForceDeleteWithoutRecovery", true))
}

func valueErrors(r *replay, _ string) {
	a := r.create(named("SecretString", "test"))
	r.is("error_get_secret_value_non_existing", "GetSecretValue", object{"SecretId": a.str("ARN"), "VersionStage": "AWSPREVIOUS"})
	r.is("mismatch_version_id_and_stage", "GetSecretValue", with("VersionId", a.str("VersionId"), "VersionStage", "AWSPREVIOUS"))
}

func versionNotFound(r *replay, _ string) {
	r.create(named())
	version := uuid.NewString()
	for key, in := range map[string]object{
		"get_secret_value_no_version_ex":        id(),
		"get_secret_value_version_not_found_ex": with("VersionId", version),
		"get_secret_value_stage_not_found_ex":   with("VersionStage", "AWSPENDING"),
	} {
		a := r.call("GetSecretValue", in)
		text := "An error occurred (" + a.str("__type") + ") when calling the GetSecretValue operation: " + a.str("Message")
		r.compare(key, strings.ReplaceAll(text, version, "<version-id>"))
	}
}

func valueBinary(r *replay, _ string) {
	r.create(named("SecretBinary", base64.StdEncoding.EncodeToString([]byte("footest"))))
	r.is("secret_value_response", "GetSecretValue", object{"SecretId": r.arns[0]})
	r.compare("secret_value_http_response", r.raw("GetSecretValue", id()).body)
}

func changeValue(r *replay, param string) {
	put, update, _ := strings.Cut(param, "-")
	binary := func(text string) string {
		text = strings.NewReplacer(`\x00`, "\x00", `\x01`, "\x01", `\x02`, "\x02", `\xff`, "\xff", `\xfe`, "\xfe", `\xfd`, "\xfd").Replace(text)
		return base64.StdEncoding.EncodeToString([]byte(text))
	}
	r.create(named("SecretBinary", binary("initial")))
	r.is("put_secret_value_secret_response", "GetSecretValue", id())
	r.call("PutSecretValue", with("SecretBinary", binary(put)))
	r.is("put_secret_binary_response_updated", "GetSecretValue", id())
	r.call("UpdateSecret", with("SecretBinary", binary(update)))
	r.is("update_secret_binary_response_updated", "GetSecretValue", id())
}

// emptySecret has placeholders of its own.
func emptySecret(r *replay, _ string) {
	own := func(a answer) object {
		out := r.client(a)
		out["ARN"] = "arn:<partition>:secretsmanager:<region>:111111111111:secret:<secret-version:1>"
		if a.str("ARN") != r.arns[0] || a.str("Name") != r.names[0] {
			r.t.Errorf("the answer is about %s %s", a.str("ARN"), a.str("Name"))
		}
		out["Name"] = "<name:1>"
		if out["VersionId"] != nil {
			out["VersionId"] = "<uuid:1>"
		}
		return out
	}
	r.compare("create-empty-secret", own(r.create(object{"Name": "test-version-a1b2c3d4", "Description": ""})))
	in := object{"SecretId": r.arns[0]}
	r.compare("describe-secret", own(r.call("DescribeSecret", in)))
	r.compare("put-secret-value", own(r.call("PutSecretValue", object{"SecretId": r.arns[0], "SecretString": "example-string-to-protect"})))
}

func tags(names ...string) []object {
	var out []object
	for _, n := range names {
		out = append(out, object{"Key": "tag" + n, "Value": "value" + n})
	}
	return out
}

func secretTags(r *replay, _ string) {
	arn := r.createAs("create_secret", named()).str("ARN")
	on := func(key string, v any) object { return object{"SecretId": arn, key: v} }
	describe := func(key string) { r.is(key, "DescribeSecret", object{"SecretId": arn}) }
	describe("describe_secret")
	r.is("tag_resource_1", "TagResource", on("Tags", tags("1")))
	describe("describe_secret_1")
	r.is("tag_resource_2", "TagResource", on("Tags", tags("2")))
	describe("describe_secret_2")
	r.is("untag_resource_1", "UntagResource", on("TagKeys", []string{"tag1"}))
	describe("describe_secret_3")
	r.is("untag_resource_2", "UntagResource", on("TagKeys", []string{"tag2"}))
	describe("describe_secret_4")
	r.call("TagResource", on("Tags", tags("3", "4")))
	describe("describe_secret_5")
	r.call("UntagResource", on("TagKeys", []string{"tag3", "tag4"}))
	describe("describe_secret_6")
}

func tagDeleted(r *replay, _ string) {
	in := named("SecretString", "test-secret-value", "Tags", []object{{"Key": "initial-tag", "Value": "initial-value"}})
	arn := r.createAs("create_secret", in).str("ARN")
	r.is("delete_secret", "DeleteSecret", object{"SecretId": arn})
	r.is("tag_deleted_secret_error", "TagResource", object{"SecretId": arn, "Tags": []object{{"Key": "new-tag", "Value": "new-value"}}})
	r.is("untag_deleted_secret_error", "UntagResource", object{"SecretId": arn, "TagKeys": []string{"initial-tag"}})
}

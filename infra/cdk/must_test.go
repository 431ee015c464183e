//go:build !race

package cdk

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/catalog"
)

func (r resource) has(t *testing.T, id string, want map[string]any) {
	t.Helper()
	for k, v := range want {
		if got := written(r.Properties[k]); got != written(v) {
			t.Errorf("%s: %s is %s, not %v", id, k, got, v)
		}
	}
}

func TestMust_secrets(t *testing.T) {
	a := synthesized(t)
	secrets := a.of("AWS::SecretsManager::Secret")
	if len(secrets) != 4 { // two keys, the fingerprints' key and the canary; legacy/mailer exists
		t.Errorf("%d secrets", len(secrets))
	}
	for id, r := range secrets {
		want := "RetainExceptOnCreate"
		if r.Properties["Name"] == "keyturn/fingerprint-key" || r.Properties["Name"] == "keyturn/canary" {
			want = "Retain"
		} else if r.Properties["SecretString"] != nil || r.Properties["GenerateSecretString"] != nil {
			t.Errorf("%s begins with a value that is no key", id)
		}
		if r.DeletionPolicy != want || r.Properties["KmsKeyId"] == nil {
			t.Errorf("%s: deletion policy %s, CMK %v", id, r.DeletionPolicy, r.Properties["KmsKeyId"])
		}
		if r.Properties["Name"] == "prod/mailer/sendgrid" {
			tags := written(r.Properties["Tags"])
			for _, tag := range []string{`"keyturn:installation","Value":"keyturn"`, `"keyturn:vendor-account","Value":"sendgrid-main"`, `"keyturn:owner","Value":"mailer@example.com"`, `"keyturn:tier","Value":"1"`, `"team","Value":"mail"`} {
				if !strings.Contains(tags, tag) {
					t.Errorf("%s is not tagged %s", id, tag)
				}
			}
			r.has(t, id, map[string]any{"ReplicaRegions": []any{map[string]any{"KmsKeyId": "alias/keyturn-secrets", "Region": "eu-central-1"}}})
		}
	}
	policies := a.of("AWS::SecretsManager::ResourcePolicy")
	if len(policies) != 2 { // of the key with readers and of the canary
		t.Errorf("%d policies", len(policies))
	}
	for id, r := range policies {
		r.has(t, id, map[string]any{"BlockPublicPolicy": true})
	}
}

func TestMust_schedulesFollowFirstValues(t *testing.T) {
	a := synthesized(t)
	names := map[string]string{}
	for id, r := range a.of("AWS::SecretsManager::RotationSchedule") {
		stack, logical, _ := strings.Cut(id, "/")
		after, ok := r.DependsOn.([]any)
		if !ok || len(after) != 1 || a.resources[stack][after[0].(string)].Type != FirstValueType {
			t.Errorf("%s does not wait for its first value, but for %v", id, r.DependsOn)
			continue
		}
		first := a.resources[stack][after[0].(string)]
		if first.Properties["Secret"] != r.Properties["SecretId"] || first.Properties["ServiceToken"] != r.Properties["RotationLambdaARN"] {
			t.Errorf("%s waits for another key's first value", logical)
		}
		names[r.Properties["SecretId"].(string)] = written(r.Properties["RotationRules"]) + " at once: " + written(r.Properties["RotateImmediatelyOnUpdate"]) + ", exists: " + written(first.Properties["Existing"])
	}
	want := map[string]string{
		"prod/mailer/sendgrid": `{"Duration":"3h","ScheduleExpression":"cron(0 4 ? * MON *)"} at once: false, exists: "false"`,
		"prod/search/openai":   `{"Duration":"3h","ScheduleExpression":"cron(0 7 19 * ? *)"} at once: false, exists: "false"`,
		"legacy/mailer":        `{"Duration":"3h","ScheduleExpression":"cron(0 18 16 * ? *)"} at once: true, exists: "true"`,
	}
	if d := cmp.Diff(want, names); d != "" {
		t.Errorf("schedules (-want +got):\n%s", d)
	}
}

func TestMust_functions(t *testing.T) {
	a := synthesized(t)
	timeouts := map[string]any{}
	for id, r := range a.of("AWS::Lambda::Function") {
		r.has(t, id, map[string]any{"Architectures": []string{"arm64"}, "Runtime": "provided.al2023", "Handler": "bootstrap", "TracingConfig": map[string]any{"Mode": "Active"}})
		logging := r.Properties["LoggingConfig"].(map[string]any)
		if logging["LogFormat"] != "JSON" || logging["LogGroup"] == nil || r.Properties["KmsKeyArn"] == nil {
			t.Errorf("%s: logging %v, CMK %v", id, logging, r.Properties["KmsKeyArn"])
		}
		name := r.Properties["FunctionName"].(string)
		if knows := name != "keyturn-channels"; (r.Properties["Layers"] != nil) != knows { // chat knows no key
			t.Errorf("%s has the layers %v", id, r.Properties["Layers"])
		}
		timeouts[name] = r.Properties["Timeout"]
		if got, want := r.Properties["VpcConfig"] != nil, strings.HasSuffix(name, "-openai-main"); got != want {
			t.Errorf("%s in a VPC: %v", id, got)
		}
		if name == "keyturn-rotate-sendgrid-main" {
			r.has(t, id, map[string]any{"ReservedConcurrentExecutions": 5})
		}
	}
	if d := cmp.Diff(map[string]any{
		"keyturn-rotate-openai-main": 150.0, "keyturn-rotate-sendgrid-main": 150.0, "keyturn-retire-openai-main": 600.0,
		"keyturn-retire-sendgrid-main": 600.0, "keyturn-rotatenow": 60.0, "keyturn-audit": 180.0, "keyturn-review": 900.0,
		"keyturn-channels": 60.0,
	}, timeouts); d != "" {
		t.Errorf("timeouts (-want +got):\n%s", d)
	}
	permissions := 0
	for id, r := range a.of("AWS::Lambda::Permission") {
		if r.Properties["Principal"] == "sns.amazonaws.com" {
			continue // of a subscriber: see TestSubscriptions
		}
		permissions++
		r.has(t, id, map[string]any{"Principal": "secretsmanager.amazonaws.com", "SourceAccount": "111122223333", "Action": "lambda:InvokeFunction"})
	}
	if permissions != 2 {
		t.Errorf("%d permissions of two rotate functions", permissions)
	}
	for id, r := range a.of("AWS::Logs::LogGroup") {
		if r.has(t, id, map[string]any{"RetentionInDays": 90}); r.Properties["KmsKeyId"] == nil {
			t.Errorf("%s is not encrypted", id)
		}
	}
}

func TestMust_roles(t *testing.T) {
	a := synthesized(t)
	roles, names := a.of("AWS::IAM::Role"), map[string]bool{}
	if len(roles) < 6 {
		t.Errorf("%d roles", len(roles))
	}
	for id, r := range roles {
		r.has(t, id, map[string]any{"ManagedPolicyArns": nil, "Path": "/keyturn/", "PermissionsBoundary": "arn:aws:iam::111122223333:policy/boundary"})
		if n := len(written(r.Properties["Policies"])); n > 10240 {
			t.Errorf("%s has policies of %d characters", id, n)
		}
		name, _ := r.Properties["RoleName"].(string)
		if !strings.HasPrefix(name, "corp-keyturn-") || len(name) > 64 {
			t.Errorf("%s has the name %q: other policies name it, with the prefix of the file", id, name)
		}
		names["/keyturn/"+name] = true
	}
	// Whatever names a role of ours names one that is there, by its path and prefix.
	named := 0
	for stack, raw := range a.templates {
		for _, m := range regexp.MustCompile(`:iam::111122223333:role(/[A-Za-z0-9+=,.@_/-]*keyturn[A-Za-z0-9+=,.@_/-]*)`).FindAllSubmatch(raw, -1) {
			if named++; !names[string(m[1])] {
				t.Errorf("%s names the role %s, which nobody makes", stack, m[1])
			}
		}
	}
	if named < len(roles) {
		t.Errorf("only %d ARNs of roles were seen", named)
	}
	if extra := a.of("AWS::IAM::Policy"); len(extra) != 0 {
		t.Errorf("rights that nobody wrote: %v", slices.Collect(maps.Keys(extra)))
	}
}

func TestMust_encryption(t *testing.T) {
	a := synthesized(t)
	for kind, property := range map[string]string{"AWS::SQS::Queue": "KmsMasterKeyId", "AWS::SNS::Topic": "KmsMasterKeyId"} {
		for id, r := range a.of(kind) {
			if r.Properties[property] == nil {
				t.Errorf("%s is not encrypted", id)
			}
		}
	}
	keys := a.of("AWS::KMS::Key")
	if len(keys) != 5 {
		t.Errorf("%d CMKs", len(keys))
	}
	for id, r := range keys {
		policy := written(r.Properties["KeyPolicy"])
		if r.DeletionPolicy != "Retain" || (r.Properties["EnableKeyRotation"] == true) == (r.Properties["KeyUsage"] == "SIGN_VERIFY") || !strings.Contains(policy, "kms:ScheduleKeyDeletion") || !strings.Contains(policy, "role/break-glass") {
			t.Errorf("%s: %s, rotation %v, %s", id, r.DeletionPolicy, r.Properties["EnableKeyRotation"], policy)
		}
	}
	for id, r := range a.of("AWS::DynamoDB::Table") {
		if !strings.Contains(written(r.Properties), `"PointInTimeRecoveryEnabled":true`) || r.DeletionPolicy != "Retain" || !strings.Contains(written(r.Properties), `"SSEType":"KMS"`) {
			t.Errorf("%s: %s", id, written(r.Properties))
		}
	}
}

func TestMust_stacksFindEachOtherByName(t *testing.T) {
	a := synthesized(t)
	for name, raw := range a.templates {
		for _, f := range []string{"Fn::ImportValue", "Fn::GetStackOutput", `"Export"`} {
			if strings.Contains(string(raw), f) {
				t.Errorf("%s has %s: a stack that others import from cannot be changed freely", name, f)
			}
		}
		if d := cmp.Diff(map[string]string{"keyturn:installation": "keyturn", "keyturn:owner": "platform@example.com"}, a.tags[name]); d != "" {
			t.Errorf("%s: tags (-want +got):\n%s", name, d)
		}
	}
	for name, after := range map[string]string{
		"keyturn-platform": "keyturn-retained", "keyturn-vendor-sendgrid-main": "keyturn-platform", "keyturn-keys-07": "keyturn-retained",
		"keyturn-schedules-07": "keyturn-keys-07", "keyturn-schedules-03": "keyturn-vendor-openai-main",
	} {
		if !slices.Contains(a.depends[name], after) {
			t.Errorf("%s is deployed after %v, and not after %s", name, a.depends[name], after)
		}
	}
	if !slices.Contains(a.depends["keyturn-keys-07"], "keyturn-retained-eu-central-1") {
		t.Error("replicas are made before the CMK of their Region")
	}
}

func TestMust_fixedAddresses(t *testing.T) {
	a := synthesized(t)
	const stack = "keyturn-vendor-openai-main"
	for kind, want := range map[string]int{"AWS::EC2::EIP": 2, "AWS::EC2::NatGateway": 2, "AWS::EC2::VPCEndpoint": 6, "AWS::EC2::FlowLog": 1, "AWS::EC2::SecurityGroup": 2} {
		if got := len(a.of(kind)); got != want {
			t.Errorf("%d of %s, not %d", got, kind, want)
		}
	}
	if got := strings.Count(string(a.templates[stack]), `"PublicIp"`); got != 2 {
		t.Errorf("%d addresses are told", got)
	}
	for id, r := range a.of("AWS::EC2::SecurityGroup") {
		if in := written(r.Properties["SecurityGroupIngress"]); in != "null" && (!strings.Contains(id, "Endpoints") || !strings.Contains(in, `"CidrIp":"10.97.0.0/24"`)) {
			t.Errorf("%s lets in %s", id, in)
		}
	}
	private := 0
	for id, r := range a.of("AWS::EC2::VPCEndpoint") {
		if r.Properties["VpcEndpointType"] == "Interface" {
			private++
			r.has(t, id, map[string]any{"PrivateDnsEnabled": true})
			if !strings.Contains(written(r.Properties["PolicyDocument"]), `"aws:PrincipalAccount":"111122223333"`) {
				t.Errorf("%s serves every account", id)
			}
		}
	}
	if private != len(privateServices()) {
		t.Errorf("%d interface endpoints", private)
	}
}

func TestRotateTimeout(t *testing.T) {
	for _, v := range catalog.All() {
		got := rotateTimeout(v.Info)
		if got > maxTimeout || got < v.Settle.Within+rotateMargin && got != maxTimeout || got <= v.Settle.Within {
			t.Errorf("%s settles within %v, and its function ends after %v", v.Name, v.Settle.Within, got)
		}
	}
}

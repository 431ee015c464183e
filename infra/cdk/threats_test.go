//go:build !race

package cdk

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/iam"
)

// TestThreats_fingerprintKey: templates refer to the key of the fingerprints, and
// of the environments that hold it nobody but the deployment has Lambda decrypt
// anything.
func TestThreats_fingerprintKey(t *testing.T) {
	a := synthesized(t)
	functions := a.of("AWS::Lambda::Function")
	if len(functions) == 0 {
		t.Fatal("no functions")
	}
	for id, r := range functions {
		environment := written(r.Properties["Environment"])
		if r.Properties["FunctionName"] == "keyturn-channels" {
			if strings.Contains(environment, "FINGERPRINT") {
				t.Errorf("%s has a secret that it does not need: %s", id, environment)
			}
			continue
		}
		if !strings.Contains(environment, `"KEYTURN_FINGERPRINT_KEY":"{{resolve:secretsmanager:keyturn/fingerprint-key:SecretString}}"`) || r.Properties["KmsKeyArn"] == nil {
			t.Errorf("%s has the environment %s under %v", id, environment, r.Properties["KmsKeyArn"])
		}
	}
	got := map[string]bool{}
	for id, r := range a.of("AWS::KMS::Key") {
		for _, s := range statements(t, r.Properties["KeyPolicy"]) {
			via := s.Condition["StringEquals"]["kms:ViaService"]
			if s.Effect == iam.Allow && slices.ContainsFunc(via, func(service string) bool { return strings.HasPrefix(service, "lambda.") }) {
				who := s.Condition["ArnEquals"]["aws:PrincipalArn"]
				got[strings.Join(who, " ")] = true
				if len(via) != 1 || len(who) != 1 {
					t.Errorf("%s: %s lets in %v through %v", id, s.Sid, who, via)
				}
			}
		}
	}
	want := []string{"arn:aws:iam::111122223333:role/cdk-hnb659fds-cfn-exec-role-111122223333-eu-west-1"}
	if d := cmp.Diff(want, slices.Collect(maps.Keys(got))); d != "" {
		t.Errorf("who may use a CMK through Lambda (-want +got):\n%s", d)
	}
}

// TestThreats_everyone: no statement of ours allows something to everybody
// without saying who is meant, and no function can start itself without end.
func TestThreats_everyone(t *testing.T) {
	a := synthesized(t)
	policies := map[string]string{
		"AWS::KMS::Key": "KeyPolicy", "AWS::SQS::QueuePolicy": "PolicyDocument", "AWS::SNS::TopicPolicy": "PolicyDocument", "AWS::SecretsManager::ResourcePolicy": "ResourcePolicy",
	}
	seen := 0
	for kind, property := range policies {
		for id, r := range a.of(kind) {
			for _, s := range statements(t, r.Properties[property]) {
				seen++
				if s.Effect != iam.Allow || s.Principal == nil || !s.Principal.Everyone {
					continue
				}
				if len(s.Condition["StringEquals"]["kms:CallerAccount"])+len(s.Condition["ArnEquals"]["aws:PrincipalArn"]) == 0 {
					t.Errorf("%s: %s allows %v to everybody", id, s.Sid, s.Action)
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d statements were looked at", seen)
	}
	for id, r := range a.of("AWS::Lambda::Function") {
		r.has(t, id, map[string]any{"RecursiveLoop": "Terminate"})
	}
}

// statements reads a policy of a template. What CloudFormation puts in stays as
// it is written.
func statements(t *testing.T, policy any) []iam.Statement {
	t.Helper()
	var d struct {
		Statement []struct {
			Sid, Effect       string
			Principal, Action any
			Condition         map[string]map[string]any
		}
	}
	if err := json.Unmarshal([]byte(written(policy)), &d); err != nil {
		t.Fatal(err)
	}
	var all []iam.Statement
	for _, s := range d.Statement {
		out := iam.Statement{Sid: s.Sid, Effect: iam.Allow, Action: list(s.Action), Condition: iam.Conditions{}}
		if s.Effect == "Deny" {
			out.Effect = iam.Deny
		}
		if of, ok := s.Principal.(map[string]any); s.Principal == "*" || ok && of["AWS"] == "*" {
			out.Principal = &iam.Principals{Everyone: true}
		}
		for operator, keys := range s.Condition {
			out.Condition[operator] = map[string]iam.Strings{}
			for key, values := range keys {
				out.Condition[operator][key] = list(values)
			}
		}
		all = append(all, out)
	}
	return all
}

func list(v any) (all iam.Strings) {
	if many, ok := v.([]any); ok {
		for _, one := range many {
			all = append(all, written(one))
		}
	} else {
		all = iam.Strings{written(v)}
	}
	for i := range all {
		all[i] = strings.Trim(all[i], `"`)
	}
	return all
}

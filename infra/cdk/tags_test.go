//go:build !race

package cdk

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

// untagged are the types of our resources that take no tags: their pages in the
// template reference have no such property, or, of layers, aliases and
// schedules, CloudFormation has none.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
var untagged = []string{
	"AWS::CDK::Metadata", "AWS::EC2::Route", "AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPCGatewayAttachment", "AWS::EC2::SecurityGroupEgress",
	"AWS::IAM::ManagedPolicy", // IAM has tags for them, CloudFormation has not
	"AWS::KMS::Alias", "AWS::Lambda::Alias", "AWS::Lambda::LayerVersion", "AWS::Lambda::Permission", "AWS::Logs::QueryDefinition",
	"AWS::SNS::Subscription", "AWS::SNS::TopicPolicy", "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::Scheduler::Schedule",
	"AWS::SecretsManager::ResourcePolicy", "AWS::SecretsManager::RotationSchedule", FirstValueType,
}

// tagsOf returns a resource's tags, from a list or from a map.
func tagsOf(r resource) map[string]string {
	out := map[string]string{}
	var list []struct{ Key, Value string }
	if raw := []byte(written(r.Properties["Tags"])); json.Unmarshal(raw, &list) != nil {
		if err := json.Unmarshal(raw, &out); err != nil {
			return nil
		}
	}
	for _, tag := range list {
		out[tag.Key] = tag.Value
	}
	return out
}

// TestTags wants the installation and an owner on each resource that takes tags,
// in the template itself: whoever uses a construct in a stack of their own has
// no tags of ours on the stack.
func TestTags(t *testing.T) {
	a := synthesized(t)
	seen, tagged := map[string]bool{}, 0
	for _, stack := range slices.Sorted(maps.Keys(a.resources)) {
		for id, r := range a.resources[stack] {
			seen[r.Type] = true
			if slices.Contains(untagged, r.Type) {
				if r.Properties["Tags"] != nil {
					t.Errorf("%s takes tags", r.Type)
				}
				continue
			}
			tagged++
			tags := tagsOf(r)
			owner := "platform@example.com"
			if r.Properties["Name"] == "prod/mailer/sendgrid" {
				owner = "mailer@example.com"
			}
			if tags[TagInstallation] != "keyturn" || tags[TagOwner] != owner {
				t.Errorf("%s/%s, %s: tags %v", stack, id, r.Type, tags)
			}
		}
	}
	for _, kind := range untagged {
		if !seen[kind] && kind != "AWS::CDK::Metadata" && kind != "AWS::EC2::SecurityGroupEgress" {
			t.Errorf("there is no %s: leave it out of the list", kind)
		}
	}
	if tagged < 40 {
		t.Errorf("%d resources are tagged", tagged)
	}
}

package cdk

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// newsPattern matches what Secrets Manager says of a secret that we have to look
// at: its value moved, or a rotation failed.
//
// RotationFailed and RotationAbandoned come through CloudTrail, only where a
// trail logs management events, with the secret's ARN as arn or, in older ones,
// aRN: so they are matched by name, and the function finds the secret.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-content-based-filtering.html
func newsPattern() map[string]any {
	return map[string]any{
		"source": []string{"aws.secretsmanager"},
		"$or": []any{
			map[string]any{"detail-type": []string{"Secret Label Updated"}, "detail": map[string]any{"labelUpdated": []string{"AWSCURRENT"}}},
			map[string]any{
				"detail-type": []string{"AWS Service Event via CloudTrail"},
				"detail":      map[string]any{"eventName": []string{"RotationFailed", "RotationAbandoned"}},
			},
		},
	}
}

// ReplicaEventsProps configure [NewReplicaEvents].
type ReplicaEventsProps struct {
	// File is the whole configuration, and Home the Region of the installation.
	File *keysfile.File `field:"required"`
	Home *string        `field:"required"`
}

// NewReplicaEvents adds, in the Region of replicas, a rule that passes their
// events on to the default bus of the home Region, where the rules of the vendor
// accounts match them as any other.
//
// Handling them where they happen would take a queue for each vendor account and
// Region, and functions that read queues of other Regions, which Lambda does not
// do. Nothing depends on these events: the hourly sweep looks at replicas too.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-region.html
func NewReplicaEvents(scope constructs.Construct, id *string, props *ReplicaEventsProps) constructs.Construct {
	need("ReplicaEventsProps", "File", props == nil || props.File == nil)
	need("ReplicaEventsProps", "Home", props.Home == nil)
	this := constructs.NewConstruct(scope, id)
	mark(this, props.File)
	at := placeOf(this, props.File)
	name := at.name + "-events-" + at.region
	home := at
	home.region = *props.Home
	bus := home.arn("events", "event-bus/default")
	role := newRole(this, "Role", roleProps{
		at: at, name: name, settings: props.File.Functions, description: "Passes events of the secrets' replicas on to " + *props.Home,
		trust: iam.Document{Version: iam.Version, Statement: []iam.Statement{{
			Effect: iam.Allow, Principal: &iam.Principals{Service: iam.Strings{"events.amazonaws.com"}}, Action: iam.Strings{"sts:AssumeRole"},
			Condition: iam.Conditions{"StringEquals": {"aws:SourceAccount": {at.account}}, "ArnEquals": {"aws:SourceArn": {at.arn("events", "rule/"+name)}}},
		}}},
		policy: iam.Document{Version: iam.Version, Statement: []iam.Statement{{
			Sid: "PassOn", Effect: iam.Allow, Action: iam.Strings{"events:PutEvents"}, Resource: iam.Strings{bus},
		}}},
	})
	awsevents.NewCfnRule(this, jsii.String("Rule"), &awsevents.CfnRuleProps{
		Name: &name, Description: text("Passes events of the secrets' replicas on to %s", *props.Home), EventPattern: newsPattern(),
		Targets: []any{map[string]any{"id": "Home", "arn": bus, "roleArn": role.AttrArn()}},
	})
	return this
}

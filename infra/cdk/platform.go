package cdk

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// PlatformProps configure a [Platform].
type PlatformProps struct {
	// File is the whole configuration.
	File *keysfile.File `field:"required"`

	// Foundation is what the next five default to, and what the platform waits
	// for.
	Foundation Foundation

	Table          awsdynamodb.ITable // the keys' records
	AuditQueue     awssqs.IQueue
	DataKey        awskms.IKey // of logs and the environment
	TopicsKey      awskms.IKey // of the topics
	FingerprintKey *string     // a dynamic reference, never a value

	// Code is where the function's code comes from; default: dist, built if it is
	// not there.
	Code Code
}

// Platform is what all vendor accounts share: topics, the schedules' group and
// role, and the function that rotates on demand.
type Platform interface {
	constructs.Construct
	Notifications() awssns.Topic // what everybody is told
	Escalation() awssns.Topic    // what nobody acknowledged
	RotateNow() awslambda.IFunction
}

type platform struct {
	constructs.Construct
	at                        place
	notifications, escalation awssns.Topic
	rotateNow                 *function
}

// ToString makes a *platform a construct to the CDK.
func (p *platform) ToString() *string { return text("Platform(%s)", p.at.name) }

func (p *platform) Notifications() awssns.Topic    { return p.notifications }
func (p *platform) Escalation() awssns.Topic       { return p.escalation }
func (p *platform) RotateNow() awslambda.IFunction { return p.rotateNow.imported() }

// NewPlatform adds what all vendor accounts share.
func NewPlatform(scope constructs.Construct, id *string, props *PlatformProps) Platform {
	props = props.filled()
	this := &platform{at: placeOf(scope, props.File)}
	constructs.NewConstruct_Override(this, scope, id)
	mark(this, props.File)
	if props.Foundation != nil {
		this.Node().AddDependency(props.Foundation)
	}
	s := siteOf(this, props.File)
	this.notifications = this.newTopic(s, "Notifications", "notifications", props.TopicsKey)
	this.escalation = this.newTopic(s, "Escalation", "escalation", props.TopicsKey)
	this.newSchedules(s, props)
	this.newRotateNow(s, props)
	return this
}

// filled is the properties with their defaults.
func (p PlatformProps) filled() *PlatformProps {
	const of = "PlatformProps"
	need(of, "File", p.File == nil)
	if f := p.Foundation; f != nil {
		p.Table, p.AuditQueue, p.DataKey = orIf(p.Table, f.Table()), orIf(p.AuditQueue, awssqs.IQueue(f.AuditQueue())), orIf(p.DataKey, f.DataKey())
		p.TopicsKey, p.FingerprintKey = orIf(p.TopicsKey, f.TopicsKey()), orIf(p.FingerprintKey, f.FingerprintKey())
	}
	need(of, "Table", p.Table == nil)
	need(of, "AuditQueue", p.AuditQueue == nil)
	need(of, "DataKey", p.DataKey == nil)
	need(of, "TopicsKey", p.TopicsKey == nil)
	need(of, "FingerprintKey", p.FingerprintKey == nil)
	return &p
}

func (p *platform) newTopic(s site, id, purpose string, key awskms.IKey) awssns.Topic {
	t := awssns.NewTopic(p, &id, &awssns.TopicProps{TopicName: text("%s-%s", p.at.name, purpose), MasterKey: key})
	awssns.NewCfnTopicPolicy(t, jsii.String("Rules"), &awssns.CfnTopicPolicyProps{
		Topics: &[]*string{t.TopicArn()}, PolicyDocument: plain(s.policy(s.Topic(purpose), nil)),
	})
	return t
}

func (p *platform) newSchedules(s site, props *PlatformProps) {
	awsscheduler.NewCfnScheduleGroup(p, jsii.String("Schedules"), &awsscheduler.CfnScheduleGroupProps{
		Name: &p.at.name, Tags: tags(map[string]string{TagInstallation: p.at.name}),
	})
	r := newRole(p, "ScheduleRole", roleProps{
		at: p.at, name: s.ScheduleName(), settings: props.File.Functions, description: "Starts Keyturn's retire functions for EventBridge Scheduler",
		policy: s.policy(s.Schedule()), trust: s.policy(s.ScheduleTrust(), nil),
	})
	suppressRole(r)
}

func (p *platform) newRotateNow(s site, props *PlatformProps) {
	p.rotateNow = newFunction(p, "RotateNow", functionProps{
		at: p.at, name: s.RotateNowName(), kind: "rotatenow", description: "Asks Secrets Manager for a rotation, when a person does",
		code: props.Code, timeout: rotateNowTimeout, dataKey: props.DataKey, settings: props.File.Functions,
		layer: layerOf(p, text("%s-config", p.at.name), props.File.Config("")),
		trust: s.policy(s.LambdaTrust(), nil),
		policy: s.must(s.RotateNow())(map[string]*string{
			"Records": props.Table.TableArn(), "Notifications": p.notifications.TopicArn(), "AuditTrail": props.AuditQueue.QueueArn(),
		}),
		environment: map[string]*string{
			"KEYTURN_CONFIG": jsii.String(configFile), "KEYTURN_FINGERPRINT_KEY": props.FingerprintKey, "KEYTURN_TABLE": props.Table.TableName(),
			"KEYTURN_INSTALLATION": &p.at.name,
			"KEYTURN_TOPIC_ARN":    p.notifications.TopicArn(), "KEYTURN_AUDIT_QUEUE_URL": props.AuditQueue.QueueUrl(),
		},
	})
	// IAM cannot see a payload: a right to an alias is a right to its mode.
	for _, mode := range []string{"rotate", "plan", "control", "emergency"} {
		awslambda.NewCfnAlias(p, text("Alias-%s", mode), &awslambda.CfnAliasProps{
			FunctionName: p.rotateNow.resource.Ref(), FunctionVersion: jsii.String("$LATEST"), Name: &mode,
			Description: text("A right to this alias is a right to mode %s", mode),
		})
	}
}

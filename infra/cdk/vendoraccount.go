package cdk

import (
	"fmt"
	"maps"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider"
)

// VendorAccountProps configure a [VendorAccount].
type VendorAccountProps struct {
	// File is the whole configuration, and Name one of its vendor accounts.
	File *keysfile.File `field:"required"`
	Name *string        `field:"required"`

	// Foundation and Platform are what the next five default to, and what the
	// account waits for.
	Foundation Foundation
	Platform   Platform

	Table          awsdynamodb.ITable // the keys' records
	Notifications  awssns.ITopic
	AuditQueue     awssqs.IQueue
	DataKey        awskms.IKey // encrypts logs, the queue and the environment
	FingerprintKey *string     // at least 16 characters; a dynamic reference, never a value
	// Code is where the functions' code comes from; default: dist, built if it is
	// not there.
	Code Code
	// Network is the VPC in which the functions run; default: as the file says.
	Network *Network
}

// VendorAccount is what touches one account at a vendor: a function that
// rotates and one that retires, with rights to this account's admin credential
// and secrets and to no other.
type VendorAccount interface {
	constructs.Construct
	Name() *string
	Provider() *string
	RotateFunctionArn() *string
	RetireFunctionArn() *string
	// RotateFunction and RetireFunction are for metrics and permissions.
	RotateFunction() awslambda.IFunction
	RetireFunction() awslambda.IFunction
	// LabelQueue has the events that say a secret's labels moved; LabelDeadLetters
	// what could not be handled.
	LabelQueue() awssqs.IQueue
	LabelDeadLetters() awssqs.IQueue

	installation() string
	configuration() *keysfile.File
	ready() []awscdk.CfnResource // what a first value needs
	mayInvoke() awscdk.CfnResource
}

type vendorAccount struct {
	constructs.Construct
	at             place
	name           string
	account        keysfile.VendorAccount
	file           *keysfile.File
	rotate, retire *function
	permission     awslambda.CfnPermission
	queue, dead    awssqs.Queue
}

// ToString makes a *vendorAccount a construct to the CDK.
func (a *vendorAccount) ToString() *string { return text("VendorAccount(%s)", a.name) }

func (a *vendorAccount) Name() *string     { return &a.name }
func (a *vendorAccount) Provider() *string { return &a.account.Provider }
func (a *vendorAccount) RotateFunctionArn() *string {
	return text("%s", a.at.functionARN(a.at.rotate(a.name)))
}

func (a *vendorAccount) RetireFunctionArn() *string {
	return text("%s", a.at.functionARN(a.at.retire(a.name)))
}
func (a *vendorAccount) RotateFunction() awslambda.IFunction { return a.rotate.imported() }
func (a *vendorAccount) RetireFunction() awslambda.IFunction { return a.retire.imported() }
func (a *vendorAccount) LabelQueue() awssqs.IQueue           { return a.queue }
func (a *vendorAccount) LabelDeadLetters() awssqs.IQueue     { return a.dead }
func (a *vendorAccount) installation() string                { return a.at.name }
func (a *vendorAccount) mayInvoke() awscdk.CfnResource       { return a.permission }
func (a *vendorAccount) ready() []awscdk.CfnResource         { return []awscdk.CfnResource{a.rotate.resource} }

func (a *vendorAccount) configuration() *keysfile.File { return a.file }

// NewVendorAccount adds an account's functions, their roles, logs and queue.
func NewVendorAccount(scope constructs.Construct, id *string, props *VendorAccountProps) VendorAccount {
	props = props.filled()
	account, ok := props.File.VendorAccounts[*props.Name]
	vendor, known := catalog.Get(account.Provider)
	if !ok || !known {
		panic(fmt.Sprintf("the configuration has no vendor account %q of a vendor that there is", *props.Name))
	}
	this := &vendorAccount{at: placeOf(scope, props.File), name: *props.Name, account: account, file: props.File}
	constructs.NewConstruct_Override(this, scope, id)
	mark(this, props.File)
	for _, d := range props.waitFor() {
		this.Node().AddDependency(d)
	}
	s := siteOf(this, withNetwork(props, account))
	this.newQueues(s, props.DataKey)
	common := functionProps{
		at: this.at, code: props.Code, dataKey: props.DataKey, settings: props.File.Functions, trust: s.policy(s.LambdaTrust(), nil),
		layer: layerOf(this, text("%s-config-%s", this.at.name, this.name), props.File.Config(this.name)),
		environment: map[string]*string{
			"KEYTURN_CONFIG": jsii.String(configFile), "KEYTURN_FINGERPRINT_KEY": props.FingerprintKey, "KEYTURN_INSTALLATION": &this.at.name,
			"KEYTURN_TABLE": props.Table.TableName(), "KEYTURN_TOPIC_ARN": props.Notifications.TopicArn(),
			"KEYTURN_AUDIT_QUEUE_URL": props.AuditQueue.QueueUrl(),
		},
	}
	egress := common
	egress.name = fmt.Sprintf("%s-egress-%s", this.at.name, this.name)
	common.network = networkOf(props, account).settle(this, egress, portsOf(this.file, this.name))
	resources := map[string]*string{
		"Records": props.Table.TableArn(), "Notifications": props.Notifications.TopicArn(), "AuditTrail": props.AuditQueue.QueueArn(),
	}
	this.rotate = this.newRotate(common, s.must(s.Rotate(this.name))(resources), vendor.Info)
	this.retire = this.newRetire(common, s.must(s.Retire(this.name))(resources), vendor.Info)
	this.startedBy()
	return this
}

// filled is the properties with their defaults.
func (p VendorAccountProps) filled() *VendorAccountProps {
	const of = "VendorAccountProps"
	need(of, "File", p.File == nil)
	need(of, "Name", p.Name == nil)
	if f := p.Foundation; f != nil {
		p.Table, p.AuditQueue = orIf(p.Table, f.Table()), orIf(p.AuditQueue, awssqs.IQueue(f.AuditQueue()))
		p.DataKey, p.FingerprintKey = orIf(p.DataKey, f.DataKey()), orIf(p.FingerprintKey, f.FingerprintKey())
	}
	if f := p.Platform; f != nil {
		p.Notifications = orIf(p.Notifications, awssns.ITopic(f.Notifications()))
	}
	need(of, "Table", p.Table == nil)
	need(of, "Notifications", p.Notifications == nil)
	need(of, "AuditQueue", p.AuditQueue == nil)
	need(of, "DataKey", p.DataKey == nil)
	need(of, "FingerprintKey", p.FingerprintKey == nil)
	return &p
}

// waitFor is what the account needs and names by its name alone, such as the
// group of the schedules.
func (p VendorAccountProps) waitFor() (all []constructs.IDependable) {
	if p.Foundation != nil {
		all = append(all, p.Foundation)
	}
	if p.Platform != nil {
		all = append(all, p.Platform)
	}
	return all
}

// withNetwork returns the configuration with a network for the account if it is
// given one as a construct, so that its roles may use it.
func withNetwork(props *VendorAccountProps, account keysfile.VendorAccount) *keysfile.File {
	if props.Network == nil || account.Network != nil {
		return props.File
	}
	f := *props.File
	account.Network = &keysfile.Network{}
	f.VendorAccounts = maps.Clone(f.VendorAccounts)
	f.VendorAccounts[*props.Name] = account
	return &f
}

func (a *vendorAccount) newRotate(p functionProps, policy iam.Document, vendor provider.Info) *function {
	p.name, p.kind, p.policy = a.at.rotate(a.name), "rotate", policy
	p.timeout, p.concurrency = rotateTimeout(vendor), a.account.Concurrency
	p.description = fmt.Sprintf("Makes and proves new keys in the %s account %s", vendor.Title, a.name)
	return newFunction(a, "Rotate", p)
}

func (a *vendorAccount) newRetire(p functionProps, policy iam.Document, vendor provider.Info) *function {
	p.name, p.kind, p.policy, p.timeout = a.at.retire(a.name), "retire", policy, retireTimeout
	p.description = fmt.Sprintf("Ends replaced keys in the %s account %s", vendor.Title, a.name)
	p.environment = with(p.environment, map[string]*string{
		"KEYTURN_SCHEDULE_GROUP":      &a.at.name,
		"KEYTURN_SCHEDULE_ROLE_ARN":   jsii.String(a.at.scheduleRole()),
		"KEYTURN_RETIRE_FUNCTION_ARN": a.RetireFunctionArn(),
	})
	if e := a.file.Notifications.Escalation; e != nil {
		p.environment["KEYTURN_ESCALATION_TOPIC_ARN"] = text("%s", a.at.arn("sns", a.at.name+"-escalation"))
		p.environment["KEYTURN_ESCALATE_AFTER"] = text("%s", notify.Duration(time.Duration(e.After)))
	}
	return newFunction(a, "Retire", p)
}

// startedBy lets Secrets Manager, label events and the hourly sweep start the
// functions.
func (a *vendorAccount) startedBy() {
	// One permission for all secrets of the account: a function's policy is
	// limited to 20 kB. The functions refuse secrets that are not in their
	// configuration.
	a.permission = awslambda.NewCfnPermission(a, jsii.String("SecretsManager"), &awslambda.CfnPermissionProps{
		Action: jsii.String("lambda:InvokeFunction"), FunctionName: a.rotate.resource.Ref(),
		Principal: jsii.String("secretsmanager.amazonaws.com"), SourceAccount: &a.at.account,
	})
	awslambda.NewCfnEventSourceMapping(a, jsii.String("Labels"), &awslambda.CfnEventSourceMappingProps{
		FunctionName: a.retire.resource.Ref(), EventSourceArn: a.queue.QueueArn(), BatchSize: number(10),
		FunctionResponseTypes: jsii.Strings("ReportBatchItemFailures"), Tags: tags(map[string]string{TagInstallation: a.at.name}),
	})
	awsevents.NewCfnRule(a, jsii.String("LabelUpdated"), &awsevents.CfnRuleProps{
		Name: text("%s", a.at.labels(a.name)), Description: text("Secrets whose labels moved or whose rotation failed, for the vendor account %s", a.name),
		EventPattern: newsPattern(),
		Targets: []any{map[string]any{
			"id": "Queue", "arn": a.queue.QueueArn(),
			"retryPolicy":      map[string]any{"maximumRetryAttempts": 185, "maximumEventAgeInSeconds": 86400},
			"deadLetterConfig": map[string]any{"arn": a.dead.QueueArn()},
		}},
	})
	awsscheduler.NewCfnSchedule(a, jsii.String("Sweep"), &awsscheduler.CfnScheduleProps{
		Name: text("sweep-%s", a.name), GroupName: &a.at.name, Description: text("Looks at every key of the vendor account %s", a.name),
		ScheduleExpression: jsii.String("rate(1 hour)"),
		FlexibleTimeWindow: map[string]any{"mode": "FLEXIBLE", "maximumWindowInMinutes": 15},
		Target: map[string]any{
			"arn": a.RetireFunctionArn(), "roleArn": a.at.scheduleRole(), "input": `{"version":1,"sweep":true}`,
			"retryPolicy": map[string]any{"maximumRetryAttempts": 3, "maximumEventAgeInSeconds": 1800},
		},
	}).AddResourceDependency(a.retire.resource, nil)
}

func (a *vendorAccount) newQueues(s site, key awskms.IKey) {
	name := a.at.labels(a.name)
	policy := s.policy(s.LabelQueue(a.name, name), nil)
	letters := s.policy(s.Queue("labels-"+a.name+"-dlq"), nil)
	for _, st := range policy.Statement {
		if st.Sid == "Events" { // what EventBridge cannot deliver goes to the dead letters
			st.Resource = iam.Strings{a.at.arn("sqs", name+"-dlq")}
			letters.Statement = append(letters.Statement, st)
		}
	}
	a.dead = newQueue(a, "LabelDeadLetters", queueProps{name: name + "-dlq", key: key, policy: letters})
	a.queue = newQueue(a, "LabelQueue", queueProps{
		name: name, key: key, policy: policy, dead: a.dead,
		visible: awscdk.Duration_Seconds(number(6 * int(retireTimeout.Seconds()))), // as Lambda asks for
	})
}

package cdk

import (
	"encoding/json"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/detect/keysite"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// A review of 10,000 keys and 1,000 principals stays within these.
const (
	reviewTimeout  = 15 * time.Minute
	reviewMemoryMB = 2048
)

// ReviewProps configure a [Review].
type ReviewProps struct {
	// File is the whole configuration.
	File *keysfile.File `field:"required"`
	// Platform is what the review waits for: its schedule is in the platform's group.
	Platform Platform `field:"required"`

	Table          awsdynamodb.ITable `field:"required"` // the keys' records
	AuditQueue     awssqs.IQueue      `field:"required"`
	DataKey        awskms.IKey        `field:"required"` // of logs and the environment
	FingerprintKey *string            `field:"required"` // a dynamic reference, never a value

	// Code is where the function's code comes from; default: dist, built if it is
	// not there.
	Code Code
}

// Review is what says every week who can read which key: a function that reads no
// value, and its schedule. Its pages are in the ledger's bucket.
type Review interface {
	constructs.Construct
	Function() awslambda.IFunction
}

type review struct {
	constructs.Construct
	at       place
	function *function
}

// ToString makes a *review a construct to the CDK.
func (r *review) ToString() *string { return text("Review(%s)", r.at.name) }

func (r *review) Function() awslambda.IFunction { return r.function.imported() }

// NewReview adds what reviews. It needs a stack that knows its account and Region,
// as [NewWatch] does.
func NewReview(scope constructs.Construct, id *string, props *ReviewProps) Review {
	props.check()
	this := &review{at: placeOf(scope, props.File)}
	if *awscdk.Token_IsUnresolved(this.at.account) || *awscdk.Token_IsUnresolved(this.at.region) {
		panic("Review needs a stack with an account and a Region")
	}
	constructs.NewConstruct_Override(this, scope, id)
	mark(this, props.File)
	this.Node().AddDependency(props.Platform)
	this.newFunction(siteOf(this, props.File), props)
	awsscheduler.NewCfnSchedule(this, jsii.String("Schedule"), &awsscheduler.CfnScheduleProps{
		Name: text("%s-review", this.at.name), GroupName: &this.at.name, Description: jsii.String("Reviews who can read which key"),
		ScheduleExpression: jsii.String("cron(0 6 ? * MON *)"), FlexibleTimeWindow: map[string]any{"mode": "OFF"},
		Target: map[string]any{
			"arn": this.at.functionARN(this.function.name), "roleArn": this.at.scheduleRole(), "input": `{"task":"review"}`,
			"retryPolicy": map[string]any{"maximumRetryAttempts": 10, "maximumEventAgeInSeconds": 86400},
		},
	}).AddResourceDependency(this.function.resource, nil)
	return this
}

func (p *ReviewProps) check() {
	const of = "ReviewProps"
	need(of, "File", p == nil || p.File == nil)
	need(of, "Platform", p.Platform == nil)
	need(of, "Table", p.Table == nil)
	need(of, "AuditQueue", p.AuditQueue == nil)
	need(of, "DataKey", p.DataKey == nil)
	need(of, "FingerprintKey", p.FingerprintKey == nil)
}

func (r *review) newFunction(s site, props *ReviewProps) {
	known, err := json.Marshal(keysite.Site(props.File, r.at.account, r.at.region))
	if err != nil {
		panic(err)
	}
	f := props.File
	r.function = newFunction(r, "Function", functionProps{
		at: r.at, name: s.ReviewName(), kind: "review", description: "Says who can read which key, and who should not",
		code: props.Code, timeout: reviewTimeout, memory: reviewMemoryMB, dataKey: props.DataKey, settings: f.Functions,
		layer: layerOf(r, text("%s-config-review", r.at.name), f.Config(""), layerFile{siteFile, known}),
		trust: s.policy(s.LambdaTrust(), nil), policy: s.policy(s.Review()),
		environment: map[string]*string{
			"KEYTURN_CONFIG": jsii.String(configFile), "KEYTURN_SITE": jsii.String(siteFile), "KEYTURN_FINGERPRINT_KEY": props.FingerprintKey,
			"KEYTURN_INSTALLATION": &r.at.name, "KEYTURN_ACCOUNT_ID": &r.at.account, "KEYTURN_TABLE": props.Table.TableName(),
			"KEYTURN_WATCH_TABLE": text("%s-watch", r.at.name), "KEYTURN_TOPIC_ARN": props.Platform.Notifications().TopicArn(),
			"KEYTURN_AUDIT_QUEUE_URL": props.AuditQueue.QueueUrl(),
			"KEYTURN_LEDGER_BUCKET":   jsii.String(r.at.ledgerBucket()), "KEYTURN_LEDGER_KEY": jsii.String(s.LedgerAlias()),
			"KEYTURN_LEDGER_ORIGIN": jsii.String(s.LedgerOrigin()),
		},
	})
}

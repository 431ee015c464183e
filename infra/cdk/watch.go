package cdk

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/detect/keysite"
	"github.com/keyturn/keyturn/shared/detect/mmdb"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/notify"
)

// siteFile is where the audit function finds what the detections know.
const siteFile = "/opt/site.json"

// countriesFile is where it finds the operator's database of countries.
const countriesFile = "/opt/countries.mmdb"

// auditTimeout is for a batch: its entries are in the ledger, its findings told.
const auditTimeout = 3 * time.Minute

// auditVisible is how long a message is not given again: six times the timeout, as
// Lambda asks for, and the window.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
func auditVisible() awscdk.Duration { return awscdk.Duration_Minutes(jsii.Number(20)) }

// WatchProps configure a [Watch].
type WatchProps struct {
	// File is the whole configuration.
	File *keysfile.File `field:"required"`
	// Platform is what the watch waits for: its schedules are in the platform's group.
	Platform Platform `field:"required"`

	Table          awsdynamodb.ITable `field:"required"` // the keys' records
	AuditQueue     awssqs.IQueue      `field:"required"`
	DataKey        awskms.IKey        `field:"required"` // of logs, the environment and the queue
	FingerprintKey *string            `field:"required"` // a dynamic reference, never a value

	// Code is where the function's code comes from; default: dist, built if it is
	// not there.
	Code Code
}

// Watch is what looks at every access: the rules that pass CloudTrail's records on,
// their queue, the audit function, and its schedules.
type Watch interface {
	constructs.Construct
	Audit() awslambda.IFunction
	TrailQueue() awssqs.Queue
	TrailDeadLetters() awssqs.Queue
}

type watch struct {
	constructs.Construct
	at          place
	queue, dead awssqs.Queue
	audit       *function
}

// ToString makes a *watch a construct to the CDK.
func (w *watch) ToString() *string { return text("Watch(%s)", w.at.name) }

func (w *watch) Audit() awslambda.IFunction     { return w.audit.imported() }
func (w *watch) TrailQueue() awssqs.Queue       { return w.queue }
func (w *watch) TrailDeadLetters() awssqs.Queue { return w.dead }

// NewWatch adds what looks at every access. It needs a stack that knows its account
// and Region: what the detections know is a file with names in it.
func NewWatch(scope constructs.Construct, id *string, props *WatchProps) Watch {
	props.check()
	this := &watch{at: placeOf(scope, props.File)}
	if *awscdk.Token_IsUnresolved(this.at.account) || *awscdk.Token_IsUnresolved(this.at.region) {
		panic("Watch needs a stack with an account and a Region")
	}
	constructs.NewConstruct_Override(this, scope, id)
	mark(this, props.File)
	this.Node().AddDependency(props.Platform)
	s := siteOf(this, props.File)
	queue := func(id, name string, dead awssqs.Queue) awssqs.Queue {
		return newQueue(this, id, queueProps{
			name: this.at.name + "-" + name, key: props.DataKey, policy: s.policy(s.TrailQueue(name), nil), dead: dead, visible: auditVisible(),
		})
	}
	this.dead = queue("TrailDeadLetters", "trail-dlq", nil)
	this.queue = queue("Trail", "trail", this.dead)
	for _, r := range trailRules(this.at) {
		this.newRule(r)
	}
	this.newAudit(s, props)
	return this
}

func (p *WatchProps) check() {
	const of = "WatchProps"
	need(of, "File", p == nil || p.File == nil)
	need(of, "Platform", p.Platform == nil)
	need(of, "Table", p.Table == nil)
	need(of, "AuditQueue", p.AuditQueue == nil)
	need(of, "DataKey", p.DataKey == nil)
	need(of, "FingerprintKey", p.FingerprintKey == nil)
}

// allManagement is the state in which a rule gets what only reads too: with
// ENABLED nobody's GetSecretValue would ever be seen, and nothing would say so.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
const allManagement = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"

func (w *watch) newRule(r trailRule) {
	awsevents.NewCfnRule(w, text("Rule-%s", r.of), &awsevents.CfnRuleProps{
		Name: text("%s-trail-%s", w.at.name, r.of), Description: &r.says, State: jsii.String(allManagement), EventPattern: r.pattern,
		Targets: []any{map[string]any{
			"id": "Queue", "arn": w.queue.QueueArn(),
			"retryPolicy":      map[string]any{"maximumRetryAttempts": 185, "maximumEventAgeInSeconds": 86400},
			"deadLetterConfig": map[string]any{"arn": w.dead.QueueArn()},
		}},
	})
}

func (w *watch) newAudit(s site, props *WatchProps) {
	known, err := json.Marshal(keysite.Site(props.File, w.at.account, w.at.region))
	if err != nil {
		panic(err)
	}
	f := props.File
	told := comparison(f.Audit, w.at)
	if s.Responds() {
		told["KEYTURN_ROTATENOW_ARN"] = jsii.String(s.EmergencyARN())
	}
	if e := f.Notifications.Escalation; e != nil {
		told["KEYTURN_ESCALATION_TOPIC_ARN"], told["KEYTURN_ESCALATE_AFTER"] = text("%s", w.at.arn("sns", w.at.name+"-escalation")), text("%s", notify.Duration(time.Duration(e.After)))
	}
	files := []layerFile{{siteFile, known}}
	if c := f.Detect.Countries; c != nil {
		data, err := os.ReadFile(c.MMDB)
		if err == nil {
			_, err = mmdb.Open(data)
		}
		if err != nil {
			panic(fmt.Errorf("detect.countries: %w", err))
		}
		files, told["KEYTURN_COUNTRIES"] = append(files, layerFile{countriesFile, data}), jsii.String(countriesFile)
	}
	w.audit = newFunction(w, "Audit", functionProps{
		at: w.at, name: s.AuditName(), kind: "audit", description: "Writes Keyturn's ledger, and says what is odd",
		code: props.Code, timeout: auditTimeout, memory: auditMemoryMB, dataKey: props.DataKey, settings: f.Functions,
		layer: layerOf(w, text("%s-config-audit", w.at.name), f.Config(""), files...),
		trust: s.policy(s.LambdaTrust(), nil), policy: s.policy(s.Audit()),
		environment: with(told, map[string]*string{
			"KEYTURN_CONFIG": jsii.String(configFile), "KEYTURN_SITE": jsii.String(siteFile), "KEYTURN_FINGERPRINT_KEY": props.FingerprintKey,
			"KEYTURN_SITE_KEYS":    text("{{resolve:ssm:%s}}", w.at.keyIDsParameter()),
			"KEYTURN_INSTALLATION": &w.at.name, "KEYTURN_ACCOUNT_ID": &w.at.account, "KEYTURN_TABLE": props.Table.TableName(),
			"KEYTURN_WATCH_TABLE": text("%s-watch", w.at.name), "KEYTURN_TOPIC_ARN": props.Platform.Notifications().TopicArn(),
			"KEYTURN_LEDGER_BUCKET": jsii.String(w.at.ledgerBucket()), "KEYTURN_LEDGER_KEY": jsii.String(s.LedgerAlias()),
			"KEYTURN_LEDGER_ORIGIN": jsii.String(s.LedgerOrigin()), "KEYTURN_LEDGER_LOCK": text("%s", lockOf(f.Audit)),
			"KEYTURN_TRAIL_QUEUE_ARN": w.queue.QueueArn(), "KEYTURN_AUDIT_QUEUE_ARN": props.AuditQueue.QueueArn(),
			"KEYTURN_CANARY_SECRET": jsii.String(s.CanaryName()), "KEYTURN_AUDIT_ROLE_ARN": jsii.String(s.RoleARN(s.AuditName())),
		}),
	})
	// What we did may wait for a minute; what somebody else does should not.
	w.feed("FromTrail", w.queue, 200, 5)
	w.feed("FromAudit", props.AuditQueue, 500, 60)
	w.schedule("canary", "rate(15 minutes)", "Reads the canary, and looks whether its last read came back")
	w.schedule("seal", "rate(1 hour)", "Puts the hour's counts of reads into the ledger")
	w.schedule("reconcile", "rate(1 hour)", "Compares the ledger with what CloudTrail recorded, and adds what it lacks")
}

// comparison is what the function is told of what the ledger is compared with.
func comparison(a keysfile.Audit, at place) map[string]*string {
	env := map[string]*string{}
	if t := a.Trail; t != nil {
		env["KEYTURN_TRAIL_BUCKET"], env["KEYTURN_TRAIL_ACCOUNT"] = &t.Bucket, jsii.String(at.account)
		if t.Account != "" {
			env["KEYTURN_TRAIL_ACCOUNT"] = &t.Account
		}
		if t.Prefix != "" {
			env["KEYTURN_TRAIL_PREFIX"] = &t.Prefix
		}
	}
	if c := a.Checkpoints; c != nil {
		env["KEYTURN_CHECKPOINT_BUCKET"] = &c.Bucket
	}
	return env
}

// lockOf is how the ledger's objects are locked, as the function reads it.
func lockOf(a keysfile.Audit) string {
	mode := a.Mode
	if mode == "" {
		mode = keysfile.Governance
	}
	return strings.ToUpper(mode) + " " + retentionOf(a).String()
}

// retentionOf is how long the ledger's objects are locked, and reviews are kept.
func retentionOf(a keysfile.Audit) time.Duration {
	if a.Retention == 0 {
		return 400 * 24 * time.Hour
	}
	return time.Duration(a.Retention)
}

const auditMemoryMB = 512

// feed has the queue start the function. Two batches at a time are the fewest that
// Lambda does; the ledger's head is compared and swapped, so they do no harm.
func (w *watch) feed(id string, queue awssqs.IQueue, batch, window int) {
	awslambda.NewCfnEventSourceMapping(w, &id, &awslambda.CfnEventSourceMappingProps{
		FunctionName: w.audit.resource.Ref(), EventSourceArn: queue.QueueArn(), BatchSize: number(batch), MaximumBatchingWindowInSeconds: number(window),
		ScalingConfig: map[string]any{"maximumConcurrency": 2}, FunctionResponseTypes: jsii.Strings("ReportBatchItemFailures"),
		Tags: tags(map[string]string{TagInstallation: w.at.name}),
	})
}

func (w *watch) schedule(task, rate, says string) {
	awsscheduler.NewCfnSchedule(w, text("Schedule-%s", task), &awsscheduler.CfnScheduleProps{
		Name: text("%s-%s", w.at.name, task), GroupName: &w.at.name, Description: &says, ScheduleExpression: &rate,
		FlexibleTimeWindow: map[string]any{"mode": "OFF"},
		Target: map[string]any{
			"arn": w.at.functionARN(w.audit.name), "roleArn": w.at.scheduleRole(), "input": fmt.Sprintf(`{"task":%q}`, task),
			"retryPolicy": map[string]any{"maximumRetryAttempts": 3, "maximumEventAgeInSeconds": 900},
		},
	}).AddResourceDependency(w.audit.resource, nil)
}

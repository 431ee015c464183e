package cdk

import (
	"fmt"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/metric"
)

// Runbook says what to do at an alarm, each in a section of its name.
const Runbook = "https://github.com/keyturn/keyturn/blob/main/docs/runbook.md"

// AlarmsProps configure the alarms of an installation or of a vendor account.
type AlarmsProps struct {
	// File is the whole configuration.
	File *keysfile.File `field:"required"`
	// Notifications are told of every alarm, Escalation of critical ones besides.
	Notifications awssns.ITopic `field:"required"`
	Escalation    awssns.ITopic `field:"required"`
}

// NewAlarms adds the alarms of an installation. How many they are does not
// depend on how many keys or vendor accounts there are.
//
// There is no alarm on a metric RotationFailed: AWS has none, and an alarm on it
// would never fire. A rotation that fails is in our own metric.
func NewAlarms(scope constructs.Construct, id *string, props *AlarmsProps) constructs.Construct {
	return newAlarms(scope, id, props, func(at place) []alarm {
		all := append(installationAlarms(at), watchAlarms(at)...)
		if len(props.File.Notifications.Channels()) > 0 {
			all = append(all, chatAlarms(at)...)
		}
		return all
	})
}

// NewAccountAlarms adds the alarms of one vendor account: four, however many keys
// it has.
func NewAccountAlarms(scope constructs.Construct, id *string, account string, props *AlarmsProps) constructs.Construct {
	return newAlarms(scope, id, props, func(at place) []alarm { return accountAlarms(at, account) })
}

func newAlarms(scope constructs.Construct, id *string, props *AlarmsProps, all func(place) []alarm) constructs.Construct {
	need("AlarmsProps", "File", props == nil || props.File == nil)
	need("AlarmsProps", "Notifications", props.Notifications == nil)
	need("AlarmsProps", "Escalation", props.Escalation == nil)
	this := constructs.NewConstruct(scope, id)
	mark(this, props.File)
	for _, a := range all(placeOf(this, props.File)) {
		a.add(this, *props)
	}
	return this
}

// series is a metric that an alarm looks at.
type series struct {
	namespace, name, stat string
	dimension, value      string
}

// alarm is one alarm. It goes off if the figure is on the wrong side of the
// threshold in so many of the last periods.
type alarm struct {
	kind, of   string // kind is its section of the runbook; of a vendor account, or of all
	says       string
	figures    []series
	expression string // of the figures m1, m2, ...; empty: m1
	period     time.Duration
	below      float64 // wrong side of it; 0: it is wrong to be 1 or more
	times, out int
	missing    string // what no data means
	critical   bool
}

// What no data means.
const (
	fine    = "notBreaching"
	wrong   = "breaching"
	asItWas = "ignore"
)

// own is one of our own metrics, of the whole installation.
func (p place) own(name, stat string) []series {
	return []series{{metric.Namespace, name, stat, "installation", p.name}}
}

// lambdaFigures is metrics of a function, each a sum.
func lambdaFigures(name string, metrics ...string) (all []series) {
	for _, m := range metrics {
		all = append(all, series{"AWS/Lambda", m, "Sum", "FunctionName", name})
	}
	return all
}

func queueFigure(queue, metric string) series {
	return series{"AWS/SQS", metric, "Maximum", "QueueName", queue}
}

func installationAlarms(p place) []alarm {
	topics := []series{}
	for _, t := range []string{"notifications", "escalation"} {
		topics = append(topics, series{"AWS/SNS", "NumberOfNotificationsFailed", "Sum", "TopicName", p.name + "-" + t})
	}
	return []alarm{
		{
			kind: "failures", says: "A rotation, a retirement or a request failed",
			figures: p.own("failures", "Sum"), period: 5 * time.Minute, times: 1, out: 1, missing: fine,
		},
		{
			kind: "overdue", says: "A key was not rotated, or an old one not retired, when it was due", critical: true,
			figures: p.own("overdue", "Maximum"), period: time.Hour, times: 1, out: 1, missing: asItWas,
		},
		{
			kind: "held", says: "An old key has waited for a person for a day",
			figures: p.own("held", "Maximum"), period: time.Hour, times: 20, out: 24, missing: asItWas,
		},
		{
			kind: "sweep", says: "No sweep has ended for three hours, so nothing sees what is lost, held or overdue", critical: true,
			figures: p.own("swept", "Sum"), period: time.Hour, below: 1, times: 3, out: 3, missing: wrong,
		},
		{
			kind: "rotatenow", says: "The function that rotates on demand ended in errors, or was throttled",
			figures: lambdaFigures(p.name+"-rotatenow", "Errors", "Throttles"), expression: "SUM(METRICS())", period: 5 * time.Minute, times: 2, out: 12, missing: fine,
		},
		{
			kind: "schedules", says: "EventBridge Scheduler gave up starting a retirement or a sweep",
			figures: []series{{"AWS/Scheduler", "InvocationDroppedCount", "Sum", "ScheduleGroup", p.name}}, period: 5 * time.Minute, times: 1, out: 1, missing: fine,
		},
		{
			kind: "deliveries", says: "A notification could not be delivered to a subscriber", critical: true,
			figures: topics, expression: "SUM(METRICS())", period: 5 * time.Minute, times: 1, out: 1, missing: fine,
		},
		{
			kind: "dead-letters", says: "Notifications, audit entries or records of CloudTrail are dead letters",
			figures: []series{
				queueFigure(p.name+"-undelivered", "ApproximateNumberOfMessagesVisible"), queueFigure(p.name+"-audit-dlq", "ApproximateNumberOfMessagesVisible"),
				queueFigure(p.name+"-trail-dlq", "ApproximateNumberOfMessagesVisible"),
			}, expression: "MAX(METRICS())", period: 5 * time.Minute, times: 1, out: 1, missing: fine,
		},
	}
}

// watchAlarms are those of what watches and reviews.
func watchAlarms(p place) []alarm {
	return []alarm{
		{
			kind: "audit", says: "The audit function ended in errors, or was throttled: the ledger and the detections are behind", critical: true,
			figures: lambdaFigures(p.name+"-audit", "Errors", "Throttles"), expression: "SUM(METRICS())", period: 5 * time.Minute, times: 3, out: 12, missing: fine,
		},
		{
			kind: "trail", says: "What happened waits for half an hour to be looked at",
			figures: []series{
				queueFigure(p.name+"-trail", "ApproximateAgeOfOldestMessage"), queueFigure(p.name+"-audit", "ApproximateAgeOfOldestMessage"),
			}, expression: "MAX(METRICS()) / 1800", period: 5 * time.Minute, times: 1, out: 1, missing: fine,
		},
		{
			kind: "unwatched", says: "The audit function has not run for an hour, although the canary starts it every 15 minutes", critical: true,
			figures: lambdaFigures(p.name+"-audit", "Invocations"), period: time.Hour, below: 1, times: 1, out: 1, missing: wrong,
		},
		{
			kind: "reconcile", says: "The ledger was not compared with CloudTrail for three hours: what it lacks is not seen", critical: true,
			figures: p.own("reconciled", "Sum"), period: time.Hour, below: 1, times: 3, out: 3, missing: wrong,
		},
		{
			// That none was made for a week no alarm can tell: it looks back seven days.
			kind: "review", says: "The weekly review of who can read which key ended in an error, or was throttled",
			figures: lambdaFigures(p.name+"-review", "Errors", "Throttles"), expression: "SUM(METRICS())", period: time.Hour, times: 1, out: 1, missing: fine,
		},
	}
}

// chatAlarms are those of the function that writes to chats: what it gave up is a
// dead letter, which an alarm looks at too.
func chatAlarms(p place) []alarm {
	return []alarm{{
		kind: "chat", says: "The function that writes to chat channels ended in errors, or was throttled",
		figures: lambdaFigures(p.name+"-channels", "Errors", "Throttles"), expression: "SUM(METRICS())", period: 5 * time.Minute, times: 2, out: 12, missing: fine,
	}}
}

func accountAlarms(p place, account string) []alarm {
	rule := series{"AWS/Events", "FailedInvocations", "Sum", "RuleName", p.labels(account)}
	return []alarm{
		{
			// Not at the first error: a pause, which somebody wanted, is one to Lambda.
			kind: "rotate", of: account, says: "The rotate function ended in errors, or was throttled, twice within an hour",
			figures: lambdaFigures(p.rotate(account), "Errors", "Throttles"), expression: "SUM(METRICS())", period: 5 * time.Minute, times: 2, out: 12, missing: fine,
		},
		{
			kind: "retire", of: account, says: "The retire function ended in an error, or was throttled",
			figures: lambdaFigures(p.retire(account), "Errors", "Throttles"), expression: "SUM(METRICS())", period: 5 * time.Minute, times: 1, out: 1, missing: fine,
		},
		{
			kind: "events", of: account, says: "Events of secrets wait for an hour, are dead letters, or were not delivered",
			figures: []series{
				queueFigure(p.labels(account), "ApproximateAgeOfOldestMessage"), queueFigure(p.labels(account)+"-dlq", "ApproximateNumberOfMessagesVisible"), rule,
			},
			// Hours; messages; events.
			expression: "MAX([m1 / 3600, m2, m3])", period: 5 * time.Minute, times: 1, out: 1, missing: fine,
		},
		{
			kind: "silence", of: account, says: "The retire function has not run for three hours, although it sweeps every hour", critical: true,
			figures: lambdaFigures(p.retire(account), "Invocations"), period: time.Hour, below: 1, times: 3, out: 3, missing: wrong,
		},
	}
}

func (a alarm) add(scope constructs.Construct, props AlarmsProps) {
	p := placeOf(scope, props.File)
	name := p.name + "-" + a.kind
	if a.of != "" {
		name += "-" + a.of
	}
	owner := orIf(props.File.Defaults.Owner, "nobody is named")
	actions := &[]any{props.Notifications.TopicArn()}
	c := &awscloudwatch.CfnAlarmProps{
		AlarmName: &name, AlarmDescription: text("%s. Owner: %s. What to do: %s#%s", a.says, owner, Runbook, a.kind),
		Metrics: a.queries(), EvaluationPeriods: number(a.out), DatapointsToAlarm: number(a.times), TreatMissingData: &a.missing,
		ComparisonOperator: jsii.String("GreaterThanOrEqualToThreshold"), Threshold: jsii.Number(1), AlarmActions: actions,
	}
	if a.below > 0 {
		c.ComparisonOperator, c.Threshold = jsii.String("LessThanThreshold"), number(a.below)
	}
	if a.critical {
		c.AlarmActions, c.OkActions = &[]any{props.Notifications.TopicArn(), props.Escalation.TopicArn()}, actions
	}
	awscloudwatch.NewCfnAlarm(scope, text("%s", a.kind), c)
}

// queries are the alarm's figures as CloudWatch takes them, at most ten.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html
func (a alarm) queries() []any {
	var all []any
	for i, s := range a.figures {
		all = append(all, map[string]any{
			"id": fmt.Sprintf("m%d", i+1), "returnData": a.expression == "",
			"metricStat": map[string]any{
				"metric": map[string]any{
					"namespace": s.namespace, "metricName": s.name, "dimensions": []any{map[string]any{"name": s.dimension, "value": s.value}},
				},
				"stat": s.stat, "period": a.period.Seconds(),
			},
		})
	}
	if a.expression != "" {
		all = append(all, map[string]any{"id": "e1", "label": a.says, "expression": a.expression, "returnData": true, "period": a.period.Seconds()})
	}
	return all
}

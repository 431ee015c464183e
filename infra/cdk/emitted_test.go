//go:build !race

package cdk

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/metric"
)

// awsMetrics are the metrics of AWS that alarms may look at, by namespace and
// dimension, each namespace with the page that says so.
var awsMetrics = map[string][]string{
	// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
	"AWS/Lambda FunctionName": {"Errors", "Throttles", "Invocations"},
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
	"AWS/SQS QueueName": {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"},
	// https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
	"AWS/SNS TopicName": {"NumberOfNotificationsFailed"},
	// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
	"AWS/Events RuleName": {"FailedInvocations"},
	// https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
	"AWS/Scheduler ScheduleGroup": {"InvocationDroppedCount"},
}

// ourMetrics is written by our functions: the names of the metrics, by their dimensions.
func ourMetrics(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for line := range strings.Lines(emitted(t)) {
		var doc struct {
			AWS struct {
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name string }
				}
			} `json:"_aws"`
		}
		if err := json.Unmarshal([]byte(line), &doc); err != nil {
			t.Fatal(err)
		}
		for _, d := range doc.AWS.CloudWatchMetrics {
			for _, dims := range d.Dimensions {
				for _, m := range d.Metrics {
					id := d.Namespace + " " + strings.Join(dims, ",")
					out[id] = append(out[id], m.Name)
				}
			}
		}
	}
	return out
}

// TestAlarms_canFire compares what alarms look at with what is really written,
// by our functions and by AWS for resources that are in the templates.
func TestAlarms_canFire(t *testing.T) {
	a := synthesized(t)
	ours := ourMetrics(t)
	for id, r := range a.of("AWS::CloudWatch::Alarm") {
		returned := 0
		all := figures(t, r)
		for _, f := range all {
			if f.ReturnData {
				returned++
			}
			if f.MetricStat == nil {
				if f.Expression == "" {
					t.Errorf("%s: %s is neither a metric nor an expression", id, f.ID)
				}
				continue
			}
			m := f.MetricStat.Metric
			d := m.Dimensions[0]
			names := append(slices.Clone(ours[m.Namespace+" "+d.Name]), awsMetrics[m.Namespace+" "+d.Name]...)
			if len(m.Dimensions) != 1 || !slices.Contains(names, m.MetricName) {
				t.Errorf("%s looks at %s %s of %v, which nobody writes", id, m.Namespace, m.MetricName, m.Dimensions)
			}
			if !a.has(d.Name, d.Value) {
				t.Errorf("%s looks at the %s %s, which is in no template", id, d.Name, d.Value)
			}
		}
		if returned != 1 || len(all) > 10 {
			t.Errorf("%s: %d figures are returned, of %d", id, returned, len(all))
		}
		if n, most := r.Properties["EvaluationPeriods"].(float64)*all[0].MetricStat.Period, 86400.0; n > most {
			t.Errorf("%s looks back %v seconds, and CloudWatch does so for a day", id, n)
		}
	}
}

// has reports whether the templates make what a dimension names.
func (a *assembly) has(dimension, value string) bool {
	of := map[string][2]string{
		"FunctionName": {"AWS::Lambda::Function", "FunctionName"}, "QueueName": {"AWS::SQS::Queue", "QueueName"}, "TopicName": {"AWS::SNS::Topic", "TopicName"},
		"RuleName": {"AWS::Events::Rule", "Name"}, "ScheduleGroup": {"AWS::Scheduler::ScheduleGroup", "Name"}, "installation": {"AWS::DynamoDB::Table", "TableName"},
	}[dimension]
	for _, r := range a.of(of[0]) {
		if r.Properties[of[1]] == value {
			return true
		}
	}
	return false
}

// TestDashboard holds its figures to what is written, as TestAlarms_canFire does.
func TestDashboard(t *testing.T) {
	a := synthesized(t)
	ours := ourMetrics(t)
	boards := a.of("AWS::CloudWatch::Dashboard")
	if len(boards) != 1 {
		t.Fatalf("%d dashboards", len(boards))
	}
	searched := regexp.MustCompile(`^SEARCH\('\{([A-Za-z/]+),([A-Za-z,]+)\} MetricName="([A-Za-z_]+)"`)
	for _, r := range boards {
		var body struct {
			Widgets []struct {
				Properties struct {
					Title, Region string
					Metrics       [][]any
				}
			}
		}
		if err := json.Unmarshal([]byte(r.Properties["DashboardBody"].(string)), &body); err != nil {
			t.Fatal(err)
		}
		if len(body.Widgets) < 9 {
			t.Errorf("%d graphs", len(body.Widgets))
		}
		for _, w := range body.Widgets {
			if w.Properties.Region != "eu-west-1" {
				t.Errorf("%s is of %s", w.Properties.Title, w.Properties.Region)
			}
			for _, m := range w.Properties.Metrics {
				id, name := "", ""
				if e, ok := m[0].(map[string]any); ok {
					if f := searched.FindStringSubmatch(e["expression"].(string)); f != nil {
						id, name = f[1]+" "+f[2], f[3]
					}
				} else {
					id, name = m[0].(string)+" "+m[2].(string), m[1].(string)
				}
				if !slices.Contains(ours[id], name) && !slices.Contains(awsMetrics[id], name) {
					t.Errorf("%s shows %s %s, which nobody writes", w.Properties.Title, id, name)
				}
			}
		}
	}
}

// emitted is what functions write of each task, and of anything else.
func emitted(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	for _, did := range []func(*metric.Meter){
		func(*metric.Meter) {}, func(m *metric.Meter) { m.Swept(metric.Sweep{Done: true}) }, func(m *metric.Meter) { m.Reconciled(true) },
	} {
		_, m := metric.With(t.Context())
		did(m)
		if err := m.Write(&out, metric.Invocation{Time: time.Unix(1, 0), Installation: "keyturn"}); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

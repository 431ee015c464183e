package cdk

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/metric"
)

// DashboardProps configure [NewDashboard].
type DashboardProps struct {
	// File is the whole configuration.
	File *keysfile.File `field:"required"`
}

// NewDashboard adds one dashboard and the saved queries of an installation. Its
// size does not depend on how many keys or vendor accounts there are: it searches
// for them.
func NewDashboard(scope constructs.Construct, id *string, props *DashboardProps) constructs.Construct {
	need("DashboardProps", "File", props == nil || props.File == nil)
	this := constructs.NewConstruct(scope, id)
	mark(this, props.File)
	at := placeOf(this, props.File)
	body, err := json.Marshal(map[string]any{"widgets": at.widgets()})
	if err != nil {
		panic(err)
	}
	awscloudwatch.NewCfnDashboard(this, jsii.String("Dashboard"), &awscloudwatch.CfnDashboardProps{DashboardName: &at.name, DashboardBody: text("%s", body)})
	groups := at.logGroups(props.File)
	for _, q := range queries() {
		query := &awslogs.CfnQueryDefinitionProps{Name: text("%s/%s", at.name, q.name), QueryString: &q.text}
		if len(groups) <= maxLogGroups {
			query.LogGroupNames = anys(groups)
		}
		awslogs.NewCfnQueryDefinition(this, text("Query%s", hash(q.name)), query)
	}
	return this
}

// maxLogGroups is how many a query may name. With more, whoever runs it chooses.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
const maxLogGroups = 50

func (p place) logGroups(file *keysfile.File) []string {
	groups := []string{"/aws/lambda/" + p.name + "-audit", "/aws/lambda/" + p.name + "-rotatenow"}
	for _, account := range slices.Sorted(maps.Keys(file.VendorAccounts)) {
		groups = append(groups, "/aws/lambda/"+p.retire(account), "/aws/lambda/"+p.rotate(account))
	}
	return groups
}

// search is an expression that finds metrics by the words of a name.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html
func search(namespace, dimensions, metric, words, stat string) string {
	return fmt.Sprintf(`SEARCH('{%s,%s} MetricName="%s" %s', '%s')`, namespace, dimensions, metric, words, stat)
}

// words are the parts of a name as CloudWatch's search takes them.
func words(name string) string {
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), " ")
}

// widget is a graph, by the hour.
type widget struct {
	title   string
	metrics []any
}

func (p place) widgets() []any {
	ours, all := "vendor,step,outcome", words(p.name)
	expression := func(label, e string) []any {
		return []any{map[string]any{"expression": e, "label": label, "period": 3600}}
	}
	figure := func(name, stat string) []any {
		return []any{metric.Namespace, name, "installation", p.name, map[string]any{"stat": stat, "label": name}}
	}
	list := []widget{
		{"Rotations by outcome", []any{expression("", search(metric.Namespace, ours, "count", `step="finishSecret"`, "Sum"))}},
		{"Steps by outcome, and failures", []any{
			expression("", search(metric.Namespace, ours, "count", `step=(createSecret OR setSecret OR testSecret OR finishSecret)`, "Sum")),
			figure("failures", "Sum"),
		}},
		{"Held and overdue", []any{figure("held", "Maximum"), figure("overdue", "Maximum")}},
		{"Sweeps that ended", []any{figure("swept", "Sum")}},
		{"Durations, ms", []any{expression("", search(metric.Namespace, ours, "duration_ms", "", "p99"))}},
		{"Requests to vendors", []any{expression("", search(metric.Namespace, ours, "vendor_calls", "", "Sum"))}},
		{"Oldest message, s", []any{expression("", search("AWS/SQS", "QueueName", "ApproximateAgeOfOldestMessage", all+" NOT dlq", "Maximum"))}},
		{"Dead letters", []any{
			expression("", search("AWS/SQS", "QueueName", "ApproximateNumberOfMessagesVisible", all+" (dlq OR undelivered)", "Maximum")),
		}},
		{"Functions: errors and throttles", []any{
			expression("errors ", search("AWS/Lambda", "FunctionName", "Errors", all, "Sum")),
			expression("throttles ", search("AWS/Lambda", "FunctionName", "Throttles", all, "Sum")),
		}},
	}
	var out []any
	const width, height, columns = 8, 6, 3
	for i, w := range list {
		out = append(out, map[string]any{
			"type": "metric", "x": i % columns * width, "y": i / columns * height, "width": width, "height": height,
			"properties": map[string]any{"title": w.title, "region": p.region, "view": "timeSeries", "stacked": false, "period": 3600, "metrics": w.metrics},
		})
	}
	return out
}

// query is a saved query over the functions' logs.
type query struct{ name, text string }

// queries use the fields of the log and of the metrics' lines: see packages boot
// and metric. A test holds them to it.
func queries() []query {
	return []query{
		{"one rotation", `# Put the version's id in the place of VERSION.
fields @timestamp, service, level, msg, step, outcome, secret, error_type, error, request_id
| filter version = "VERSION"
| sort @timestamp asc`},
		{"failures by step", `# Outcomes with a capital letter are errors; a pause is what somebody wanted.
filter ispresent(outcome) and outcome like /^[A-Z]/ and outcome != "Paused"
| stats sum(count) as failures by step, outcome, vendor
| sort failures desc`},
		{"held keys", `filter msg = "keys looked at" and held > 0
| stats latest(@timestamp) as seen, latest(held) as waiting, latest(older_keys) as older by secret, vendor
| sort seen desc`},
		{"throttled", `# By a vendor, or by AWS, which may also have been down.
filter outcome in ["VendorRateLimited", "StoreUnavailable"] or error_type in ["VendorRateLimited", "StoreUnavailable"]
| stats count(*) as times by bin(1h), service, vendor, outcome, error_type
| sort times desc`},
	}
}

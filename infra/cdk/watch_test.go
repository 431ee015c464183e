//go:build !race

package cdk

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/detect/keysite"
	"github.com/keyturn/keyturn/shared/function/audit"
	reviews "github.com/keyturn/keyturn/shared/function/review"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// TestWatch_site holds what the detections know to the names in the templates: a
// part that they do not know could be changed without a word.
func TestWatch_site(t *testing.T) {
	a := synthesized(t)
	file, err := keysfile.LoadFiles(keysfile.Options{Vendors: catalog.All()}, "testdata/keyturn.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := keysite.Site(file, home.Account, home.Region)
	names := func(kinds map[string]string) (all []string) {
		for kind, property := range kinds {
			for id, r := range a.of(kind) {
				if name, ok := r.Properties[property].(string); ok && !strings.HasPrefix(id, "keyturn-eu-central-1") && !strings.HasPrefix(id, "keyturn-retained-eu") {
					all = append(all, name)
				}
			}
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	for what, sides := range map[string][2][]string{
		"functions": {names(map[string]string{"AWS::Lambda::Function": "FunctionName"}), slices.Clone(s.Functions)},
		"aliases":   {names(map[string]string{"AWS::KMS::Alias": "AliasName"}), slices.Clone(s.Keys)},
		"resources": {names(map[string]string{
			"AWS::SQS::Queue": "QueueName", "AWS::SNS::Topic": "TopicName", "AWS::DynamoDB::Table": "TableName", "AWS::S3::Bucket": "BucketName",
			"AWS::Events::Rule": "Name", "AWS::Scheduler::Schedule": "Name",
		}), slices.Clone(s.Resources)},
	} {
		slices.Sort(sides[1])
		if d := cmp.Diff(sides[0], slices.Compact(sides[1])); d != "" {
			t.Errorf("%s (-deployed +known):\n%s", what, d)
		}
	}
	roles := map[string]bool{}
	for _, r := range a.of("AWS::IAM::Role") {
		roles["arn:aws:iam::111122223333:role/keyturn/"+r.Properties["RoleName"].(string)] = true
	}
	for _, r := range s.Roles {
		if !roles[r] {
			t.Errorf("%s is in no template", r)
		}
	}
}

// TestWatch_rules wants each rule to see what only reads, to believe AWS alone, and
// to be one that the queue lets in.
func TestWatch_rules(t *testing.T) {
	a := synthesized(t)
	var got []string
	for id, r := range a.of("AWS::Events::Rule") {
		name := r.Properties["Name"].(string)
		if !strings.HasPrefix(name, "keyturn-trail-") {
			continue
		}
		got = append(got, name)
		r.has(t, id, map[string]any{"State": "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"})
		sources := r.Properties["EventPattern"].(map[string]any)["source"].([]any)
		if len(sources) == 0 || slices.ContainsFunc(sources, func(s any) bool { return !strings.HasPrefix(s.(string), "aws.") }) {
			t.Errorf("%s believes %v", id, sources)
		}
		if to := written(r.Properties["Targets"]); !strings.Contains(to, "TrailDeadLetters") {
			t.Errorf("%s loses what it cannot deliver: %s", id, to)
		}
	}
	slices.Sort(got)
	s, err := access.New(fileOf(0), access.Environment{Account: home.Account, Region: home.Region})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s.TrailRules(), got); d != "" {
		t.Errorf("rules (-let in +deployed):\n%s", d)
	}
}

// TestWatch_function wants the function to have all that it cannot do without, and
// to be started with tasks that it knows.
func TestWatch_function(t *testing.T) {
	a := synthesized(t)
	var environment map[string]any
	for _, r := range a.of("AWS::Lambda::Function") {
		if r.Properties["FunctionName"] == "keyturn-audit" {
			environment = r.Properties["Environment"].(map[string]any)["Variables"].(map[string]any)
		}
	}
	for _, v := range append(audit.Needs(), boot.LedgerLock, boot.SiteKeys) {
		if environment[string(v)] == nil {
			t.Errorf("%s is not set", v)
		}
	}
	for v, want := range map[boot.Variable]any{
		boot.TrailBucket: "trails-444455556666", boot.TrailPrefix: "organization", boot.TrailAccount: "444455556666", boot.CheckpointBucket: "witness-444455556666",
		boot.RotateNowARN: "arn:aws:lambda:eu-west-1:111122223333:function:keyturn-rotatenow:emergency",
		boot.Countries:    "/opt/countries.mmdb",
	} {
		if got := environment[string(v)]; got != want {
			t.Errorf("%s is %v, want %v", v, got, want)
		}
	}
	if got := environment["KEYTURN_LEDGER_LOCK"]; got != "GOVERNANCE 9600h0m0s" {
		t.Errorf("locked %v", got)
	}
	tasks := map[string]string{}
	for _, r := range a.of("AWS::Scheduler::Schedule") {
		to := r.Properties["Target"].(map[string]any)
		if strings.HasSuffix(written(to["Arn"]), `:keyturn-audit"`) {
			tasks[to["Input"].(string)] = r.Properties["ScheduleExpression"].(string)
		}
	}
	want := map[string]string{`{"task":"` + audit.TaskCanary + `"}`: "rate(15 minutes)", `{"task":"` + audit.TaskSeal + `"}`: "rate(1 hour)", `{"task":"reconcile"}`: "rate(1 hour)"}
	if d := cmp.Diff(want, tasks); d != "" {
		t.Errorf("tasks (-want +got):\n%s", d)
	}
	for id, r := range a.of("AWS::Lambda::EventSourceMapping") {
		if strings.Contains(id, "Watch") {
			r.has(t, id, map[string]any{"FunctionResponseTypes": []string{"ReportBatchItemFailures"}, "ScalingConfig": map[string]any{"MaximumConcurrency": 2}})
		}
	}
}

// TestLedger_bucket wants objects to be lockable, and nothing locked that does not
// say so itself: what may pass must be able to.
func TestLedger_bucket(t *testing.T) {
	a := synthesized(t)
	all := a.of("AWS::S3::Bucket")
	if len(all) != 1 {
		t.Fatalf("%v", slices.Collect(maps.Keys(all)))
	}
	for id, r := range all {
		r.has(t, id, map[string]any{
			"BucketName": "keyturn-ledger-111122223333-eu-west-1", "ObjectLockEnabled": true, "ObjectLockConfiguration": nil,
			"VersioningConfiguration": map[string]any{"Status": "Enabled"},
		})
		if r.DeletionPolicy != "Retain" || !strings.Contains(written(r.Properties["LifecycleConfiguration"]), `"ExpirationInDays":7,"Id":"passing"`) {
			t.Errorf("%s: %s, %s", id, r.DeletionPolicy, written(r.Properties["LifecycleConfiguration"]))
		}
	}
}

// TestReview wants the review to have all that it cannot do without, to be asked
// once a week for what it knows, and to have room.
func TestReview(t *testing.T) {
	a := synthesized(t)
	found := 0
	for id, r := range a.of("AWS::Lambda::Function") {
		if r.Properties["FunctionName"] != "keyturn-review" {
			continue
		}
		found++
		r.has(t, id, map[string]any{"Timeout": 900, "MemorySize": 2048, "ReservedConcurrentExecutions": nil})
		environment := r.Properties["Environment"].(map[string]any)["Variables"].(map[string]any)
		for _, v := range reviews.Needs() {
			if environment[string(v)] == nil {
				t.Errorf("%s is not set", v)
			}
		}
	}
	for id, r := range a.of("AWS::Scheduler::Schedule") {
		if to := r.Properties["Target"].(map[string]any); strings.HasSuffix(written(to["Arn"]), `:keyturn-review"`) {
			found++
			r.has(t, id, map[string]any{"Name": "keyturn-review", "ScheduleExpression": "cron(0 6 ? * MON *)"})
			if to["Input"] != `{"task":"`+reviews.Task+`"}` {
				t.Errorf("asked for %v", to["Input"])
			}
		}
	}
	if found != 2 {
		t.Errorf("%d of a function and a schedule", found)
	}
	if reviews.Prefix != access.ReviewPrefix {
		t.Errorf("the pages are at %s, and may be written at %s", reviews.Prefix, access.ReviewPrefix)
	}
}

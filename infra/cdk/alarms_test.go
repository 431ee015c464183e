//go:build !race

package cdk

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// figure is a metric of an alarm, as its template has it.
type figure struct {
	ID         string `json:"Id"`
	Expression string
	ReturnData bool
	MetricStat *struct {
		Period float64
		Stat   string
		Metric struct {
			Namespace, MetricName string
			Dimensions            []struct{ Name, Value string }
		}
	}
}

func figures(t *testing.T, r resource) (all []figure) {
	t.Helper()
	if err := json.Unmarshal([]byte(written(r.Properties["Metrics"])), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestAlarms_bounded counts alarms and what is billed for them: each metric that
// an alarm looks at.
func TestAlarms_bounded(t *testing.T) {
	count := func(a *assembly) (alarms, metrics map[string]int) {
		alarms, metrics = map[string]int{}, map[string]int{}
		for id, r := range a.of("AWS::CloudWatch::Alarm") {
			stack, _, _ := strings.Cut(id, "/")
			alarms[stack]++
			for _, f := range figures(t, r) {
				if f.MetricStat != nil {
					metrics[stack]++
				}
			}
		}
		return alarms, metrics
	}
	small := synthesized(t)
	alarms, metrics := count(small)
	if d := cmp.Diff(map[string]int{"keyturn-watch": 14, "keyturn-vendor-openai-main": 4, "keyturn-vendor-sendgrid-main": 4}, alarms); d != "" {
		t.Errorf("alarms (-want +got):\n%s", d)
	}
	// As package cost bills them.
	if d := cmp.Diff(map[string]int{"keyturn-watch": 22, "keyturn-vendor-openai-main": 8, "keyturn-vendor-sendgrid-main": 8}, metrics); d != "" {
		t.Errorf("metrics of alarms (-want +got):\n%s", d)
	}
	many := fileOf(30)
	many.Notifications.Subscriptions = []keysfile.Subscription{{Slack: &keysfile.Slack{Workspace: "T1", Channel: "C1"}}} // as in the example
	big, err := synth(StacksProps{File: many, Environment: home, Code: stub{}}, false)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := count(big); !cmp.Equal(got, alarms) {
		t.Errorf("with more keys there are other alarms: %v", got)
	}
}

// TestAlarms_sayWhatToDo wants an owner and a section of the runbook for each,
// and no section without an alarm.
func TestAlarms_sayWhatToDo(t *testing.T) {
	a := synthesized(t)
	raw, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^## `([a-z-]+)`").FindAllSubmatch(raw, -1) {
		sections[string(m[1])] = false
	}
	for id, r := range a.of("AWS::CloudWatch::Alarm") {
		text := r.Properties["AlarmDescription"].(string)
		_, anchor, _ := strings.Cut(text, Runbook+"#")
		if _, ok := sections[anchor]; !ok {
			t.Errorf("%s leads to %q, which is no section of the runbook", id, anchor)
		}
		sections[anchor] = true
		if !strings.Contains(text, "Owner: platform@example.com.") || len(text) > 1024 {
			t.Errorf("%s: %q", id, text)
		}
		to := written(r.Properties["AlarmActions"])
		critical := slices.Contains([]string{"overdue", "sweep", "deliveries", "silence", "audit", "unwatched", "reconcile"}, anchor)
		if !strings.Contains(to, "keyturn-notifications") || strings.Contains(to, "keyturn-escalation") != critical {
			t.Errorf("%s tells %s", id, to)
		}
	}
	for s, used := range sections {
		if !used {
			t.Errorf("no alarm leads to the section %s", s)
		}
	}
}

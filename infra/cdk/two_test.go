//go:build !race

package cdk

import (
	"fmt"
	"testing"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// namesOf are the names that an account has once, by the kind of what has them; of
// secrets the file says the names itself.
func namesOf(a *assembly) map[string]string {
	properties := []string{
		"AlarmName", "AliasName", "BucketName", "ConfigurationName", "DashboardName", "FunctionName", "LayerName", "LogGroupName",
		"ManagedPolicyName", "Name", "QueueName", "RoleName", "TableName", "TopicName",
	}
	names := map[string]string{}
	for stack := range a.resources {
		names["stack "+stack] = stack
		for id, r := range a.resources[stack] {
			switch r.Type {
			case "AWS::Lambda::Alias", "AWS::Lambda::Permission": // of a function
				continue
			}
			for _, p := range properties {
				if name, ok := r.Properties[p].(string); ok {
					group, _ := r.Properties["GroupName"].(string) // of schedules
					names[r.Type+" "+group+" "+name] = stack + "/" + id
					break
				}
			}
		}
	}
	return names
}

// TestTwoInstallations: two installations of an account have nothing in common, down
// to what has a name of its own in the whole account.
func TestTwoInstallations(t *testing.T) {
	made := func(name string) map[string]string {
		f := fileOf(3)
		f.Name = name
		for i := range f.Keys {
			f.Keys[i].Name = fmt.Sprintf("%s-key-%d", name, i)
		}
		f.Notifications.Subscriptions = []keysfile.Subscription{{Email: "ops@example.com"}, {Slack: &keysfile.Slack{Workspace: "T1", Channel: "C1"}}}
		a, err := synth(StacksProps{File: f, Environment: home, Code: stub{}}, false)
		if err != nil {
			t.Fatal(err)
		}
		names := namesOf(a)
		if len(names) < 80 {
			t.Fatalf("only %d names of %s were seen", len(names), name)
		}
		return names
	}
	first, second := made("keyturn"), made("other")
	for name, at := range first {
		if again, ok := second[name]; ok {
			t.Errorf("%s and %s have one name: %s", at, again, name)
		}
	}
}

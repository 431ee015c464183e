//go:build !race

package cdk

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

func TestPeople(t *testing.T) {
	a := synthesized(t)
	got := map[string]string{}
	for id, r := range a.of("AWS::IAM::ManagedPolicy") {
		got[r.Properties["ManagedPolicyName"].(string)] = written(r.Properties["Roles"]) + written(r.Properties["Users"])
		for _, action := range []string{"secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue", "kms:Decrypt"} {
			for _, s := range statements(t, r.Properties["PolicyDocument"]) {
				if s.Effect == iam.Allow && slices.Contains(s.Action, action) {
					t.Errorf("%s allows %s", id, action)
				}
			}
		}
	}
	if d := cmp.Diff(map[string]string{
		"keyturn-viewer": "nullnull", "keyturn-operator": `["oncall"]null`, "keyturn-responder": "nullnull", "keyturn-approver": "nullnull",
		"keyturn-auditor": `null["ana"]`, "keyturn-admin": "nullnull",
	}, got); d != "" {
		t.Errorf("managed policies, with their roles and users (-want +got):\n%s", d)
	}
	template := string(a.templates["keyturn-platform"])
	for _, want := range []string{
		"AWSReservedSSO_Keyturn_0123456789abcdef", "arn:aws:iam::999988887777:role/audit", `"Value": "keyturn-auditor"`,
	} {
		if !strings.Contains(template, want) {
			t.Errorf("no output says %s", want)
		}
	}
}

func TestSubscriptions(t *testing.T) {
	a := synthesized(t)
	got := map[string]string{}
	for id, r := range a.of("AWS::SNS::Subscription") {
		got[r.Properties["Endpoint"].(string)] = written(r.Properties["Protocol"]) + " " + written(r.Properties["FilterPolicy"]) + " raw: " + written(r.Properties["RawMessageDelivery"])
		if !strings.Contains(written(r.Properties["RedrivePolicy"]), "SubscriptionsUndelivered") {
			t.Errorf("%s has no queue for what is not taken", id)
		}
		escalation := strings.Contains(written(r.Properties["TopicArn"]), "PlatformEscalation")
		if want := r.Properties["Endpoint"] == "head@example.com"; escalation != want {
			t.Errorf("%s is of the escalation: %v", id, escalation)
		}
	}
	if d := cmp.Diff(map[string]string{
		"ops@example.com":                                      `"email" null raw: null`,
		"https://alerts.example.com/keyturn":                   `"https" {"severity":["critical",{"exists":false}]} raw: null`,
		"arn:aws:sqs:eu-west-1:111122223333:news":              `"sqs" {"owner":["mailer@example.com"],"vendor":["sendgrid"]} raw: true`,
		"arn:aws:lambda:eu-west-1:111122223333:function:pager": `"lambda" {"key":["prod/mailer/sendgrid"],"severity":["critical"]} raw: null`,
		"head@example.com":                                     `"email" null raw: null`,
		"arn:aws:lambda:eu-west-1:111122223333:function:keyturn-channels:" + (keysfile.Slack{Workspace: "T0123ABCD", Channel: "C0123ABCD"}).Alias(): `"lambda" null raw: null`,
	}, got); d != "" {
		t.Errorf("subscriptions (-want +got):\n%s", d)
	}
	for id, r := range a.of("AWS::Chatbot::SlackChannelConfiguration") {
		r.has(t, id, map[string]any{"SlackWorkspaceId": "T0123ABCD", "SlackChannelId": "C0123ABCD", "GuardrailPolicies": []string{"arn:aws:iam::aws:policy/AWSDenyAll"}})
	}
	if got := len(a.of("AWS::Chatbot::SlackChannelConfiguration")); got != 1 {
		t.Errorf("%d channels", got)
	}
	if template := string(a.templates["keyturn-platform"]); !strings.Contains(template, `\"Resource\":\"arn:aws:sqs:eu-west-1:111122223333:news\",\"Sid\":\"Keyturn\"}`) {
		t.Error("no output says what the subscribed queue's policy needs")
	}
	for id, r := range a.of("AWS::SQS::QueuePolicy") {
		if strings.Contains(written(r.Properties), ":news") {
			t.Errorf("%s overwrites the policy of somebody's queue", id)
		}
	}
	found := false
	for id, r := range a.of("AWS::Lambda::Permission") {
		if r.Properties["Principal"] == "sns.amazonaws.com" {
			found = true
			if !strings.Contains(written(r.Properties["SourceArn"]), "PlatformNotifications") {
				t.Errorf("%s lets in %s", id, written(r.Properties["SourceArn"]))
			}
		}
	}
	if !found {
		t.Error("the topic may not start the subscribed function")
	}
}

// TestChannels: a channel hears of a topic of its own, which the chat function alone
// writes, and its filters are those of the subscription of its alias. A channel of
// both topics is connected once.
func TestChannels(t *testing.T) {
	both, owners := keysfile.Slack{Workspace: "T1", Channel: "C1"}, keysfile.Slack{Workspace: "T1", Channel: "C2"}
	f := fileOf(1)
	f.Notifications = keysfile.Notifications{
		Subscriptions: []keysfile.Subscription{
			{Slack: &both}, {Slack: &owners, Owners: []string{"mailer@example.com"}, Keys: []string{"a", "b"}, Vendors: []string{"sendgrid"}, Severities: []string{"critical"}},
		},
		Escalation: &keysfile.Escalation{Subscriptions: []keysfile.Subscription{{Slack: &both, Severities: []string{"critical"}}}},
	}
	a, err := synth(StacksProps{File: f, Environment: home, Code: stub{}}, false)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range a.of("AWS::SNS::Subscription") {
		topic := "notifications"
		if strings.Contains(written(r.Properties["TopicArn"]), "Escalation") {
			topic = "escalation"
		}
		endpoint := r.Properties["Endpoint"].(string)
		got[topic+" "+endpoint[strings.LastIndex(endpoint, ":")+1:]] = written(r.Properties["Protocol"]) + " " + written(r.Properties["FilterPolicy"])
	}
	if d := cmp.Diff(map[string]string{
		"notifications " + both.Alias():   `"lambda" null`,
		"notifications " + owners.Alias(): `"lambda" {"key":["a","b"],"owner":["mailer@example.com"],"severity":["critical"],"vendor":["sendgrid"]}`,
		"escalation " + both.Alias():      `"lambda" {"severity":["critical",{"exists":false}]}`,
	}, got); d != "" {
		t.Errorf("subscriptions (-want +got):\n%s", d)
	}
	if n := len(a.of("AWS::Chatbot::SlackChannelConfiguration")); n != 2 {
		t.Errorf("%d channels are connected, of 2", n)
	}
	aliases, topics := map[string]bool{}, map[string]bool{}
	for _, r := range a.of("AWS::Lambda::Alias") {
		aliases[r.Properties["Name"].(string)] = true
	}
	for _, r := range a.of("AWS::SNS::Topic") {
		topics[r.Properties["TopicName"].(string)] = r.Properties["KmsMasterKeyId"] != nil
	}
	for _, c := range []keysfile.Slack{both, owners} {
		if !aliases[c.Alias()] || !topics["keyturn-channels-"+c.Alias()] {
			t.Errorf("the channel %s has no alias, or no topic with a CMK", c.Channel)
		}
	}
	for id, r := range a.of("AWS::Chatbot::SlackChannelConfiguration") {
		if at := written(r.Properties["SnsTopicArns"]); strings.Contains(at, "PlatformNotifications") || strings.Contains(at, "PlatformEscalation") {
			t.Errorf("%s hears of %s, which it does not understand", id, at)
		}
	}
	for id, r := range a.of("AWS::Lambda::Function") {
		if r.Properties["FunctionName"] == "keyturn-channels" && (!strings.Contains(written(r.Properties["DeadLetterConfig"]), "Undelivered") || strings.Contains(written(r.Properties["Environment"]), "FINGERPRINT")) {
			t.Errorf("%s drops what it cannot pass on, or has a secret: %s", id, written(r.Properties))
		}
	}
}

// TestSubscriptions_refused are configurations that SNS would refuse, or take in
// another sense.
func TestSubscriptions_refused(t *testing.T) {
	for _, tt := range []struct {
		name string
		list []keysfile.Subscription
		want string
	}{
		{"an endpoint twice", []keysfile.Subscription{{Email: "a@example.com", Owners: []string{"a"}}, {Email: "b@example.com"}, {Email: "a@example.com"}}, "notifications.subscriptions[0] and [2] are of one email"},
		{"a channel twice", []keysfile.Subscription{{Slack: &keysfile.Slack{Workspace: "T1", Channel: "C1"}, Severities: []string{"critical"}}, {Slack: &keysfile.Slack{Workspace: "T1", Channel: "C1"}}}, "notifications.subscriptions[0] and [1] are of one slack"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := fileOf(1)
			f.Notifications.Subscriptions = tt.list
			if _, err := synth(StacksProps{File: f, Environment: home, Code: stub{}}, false); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, not %q", err, tt.want)
			}
		})
	}
}

func TestHearsAlarms(t *testing.T) {
	for _, tt := range []struct {
		name string
		sub  keysfile.Subscription
		want bool
	}{
		{"everything", keysfile.Subscription{}, true},
		{"critical", keysfile.Subscription{Severities: []string{"critical"}}, true},
		{"warnings", keysfile.Subscription{Severities: []string{"warning"}}, true},
		{"info alone", keysfile.Subscription{Severities: []string{"info"}}, false},
		{"of an owner", keysfile.Subscription{Owners: []string{"a"}}, false},
		{"critical of a vendor", keysfile.Subscription{Vendors: []string{"a"}, Severities: []string{"critical"}}, false},
	} {
		if got := hearsAlarms(tt.sub); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
		// The filter lets a message without attributes through exactly then.
		f, open := filter(tt.sub), true
		for _, values := range f {
			open = open && strings.Contains(written(values), `"exists":false`)
		}
		if open != tt.want {
			t.Errorf("%s: the filter %s lets alarms through: %v", tt.name, written(f), open)
		}
	}
}

// TestEnvironment wants what the functions read to be what the templates make.
func TestEnvironment(t *testing.T) {
	a := synthesized(t)
	for id, r := range a.of("AWS::Lambda::Function") {
		v := r.Properties["Environment"].(map[string]any)["Variables"].(map[string]any)
		if v["KEYTURN_INSTALLATION"] != "keyturn" {
			t.Errorf("%s is of the installation %v", id, v["KEYTURN_INSTALLATION"])
		}
		var topic, after any
		if name := r.Properties["FunctionName"].(string); strings.HasPrefix(name, "keyturn-retire-") || name == "keyturn-audit" {
			topic, after = "arn:aws:sns:eu-west-1:111122223333:keyturn-escalation", "4h"
		}
		if v["KEYTURN_ESCALATION_TOPIC_ARN"] != topic || v["KEYTURN_ESCALATE_AFTER"] != after {
			t.Errorf("%s escalates to %v after %v", id, v["KEYTURN_ESCALATION_TOPIC_ARN"], v["KEYTURN_ESCALATE_AFTER"])
		}
	}
	for id, r := range a.of("AWS::IAM::Role") {
		name, _ := r.Properties["RoleName"].(string)
		if got, want := strings.Contains(written(r.Properties["Policies"]), "keyturn-escalation"), strings.HasPrefix(name, "corp-keyturn-retire-") || name == "corp-keyturn-audit"; got != want {
			t.Errorf("%s may escalate: %v", id, got)
		}
	}
}

// TestEvents wants failed rotations and moved labels of every Region to come to
// the queue of each vendor account.
func TestEvents(t *testing.T) {
	a := synthesized(t)
	got := map[string]string{}
	for id, r := range a.of("AWS::Events::Rule") {
		stack, _, _ := strings.Cut(id, "/")
		if r.Properties["State"] != nil { // for the ledger: see TestWatch_rules
			continue
		}
		pattern := written(r.Properties["EventPattern"])
		for _, want := range []string{`"RotationFailed","RotationAbandoned"`, `"AWS Service Event via CloudTrail"`, `"Secret Label Updated"`, `"$or":[`, `"source":["aws.secretsmanager"]`} {
			if !strings.Contains(pattern, want) {
				t.Errorf("%s does not match %s", id, want)
			}
		}
		// In the older events the ARN has another name, and others have none.
		if strings.Contains(strings.ToLower(pattern), `"arn"`) {
			t.Errorf("%s matches by the ARN", id)
		}
		to := written(r.Properties["Targets"])
		switch {
		case strings.Contains(to, "AccountLabelQueue"):
			got[stack] = "queue"
		case strings.Contains(to, `"arn:aws:events:eu-west-1:111122223333:event-bus/default"`) && strings.Contains(to, "EventsRole"):
			got[stack] = "home"
		}
	}
	if d := cmp.Diff(map[string]string{"keyturn-vendor-openai-main": "queue", "keyturn-vendor-sendgrid-main": "queue", "keyturn-eu-central-1-watch": "home"}, got); d != "" {
		t.Errorf("where events go (-want +got):\n%s", d)
	}
}

package cdk

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awschatbot"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/notify"
)

// SubscriptionsProps configure [Subscriptions].
type SubscriptionsProps struct {
	// File is the whole configuration.
	File *keysfile.File `field:"required"`
	// The topics that the file's subscriptions are of.
	Notifications awssns.ITopic `field:"required"`
	Escalation    awssns.ITopic `field:"required"`
	// DataKey encrypts the queue of what could not be delivered. Its policy has to
	// let Amazon SNS use it; the topics' own CMK is another.
	DataKey awskms.IKey `field:"required"`
}

// Subscriptions are who is told what, as the file says.
type Subscriptions interface {
	constructs.Construct
	// Undelivered has the messages that a subscriber did not take.
	Undelivered() awssqs.Queue
}

type subscriptions struct {
	constructs.Construct
	at          place
	file        *keysfile.File
	undelivered awssqs.Queue
	chat        *string // ARN of the role of chat; nil: none yet
	told        int     // who hears of alarms
}

// ToString makes a *subscriptions a construct to the CDK.
func (s *subscriptions) ToString() *string { return text("Subscriptions(%s)", s.at.name) }

func (s *subscriptions) Undelivered() awssqs.Queue { return s.undelivered }

// NewSubscriptions adds the file's subscriptions.
//
// SNS keeps one subscription for each endpoint of a topic, so one that is there
// twice is a panic. Chat takes whole topics: filters on it are a panic too.
// Functions of other accounts must let the topic in themselves, and so must
// every queue: see [access.Subscribed]. An output says what its policy needs.
func NewSubscriptions(scope constructs.Construct, id *string, props *SubscriptionsProps) Subscriptions {
	const of = "SubscriptionsProps"
	need(of, "File", props == nil || props.File == nil)
	need(of, "Notifications", props.Notifications == nil)
	need(of, "Escalation", props.Escalation == nil)
	need(of, "DataKey", props.DataKey == nil)
	this := &subscriptions{at: placeOf(scope, props.File), file: props.File}
	constructs.NewConstruct_Override(this, scope, id)
	mark(this, props.File)
	s := siteOf(this, props.File)
	this.undelivered = newQueue(this, "Undelivered", queueProps{
		name: this.at.name + "-undelivered", key: props.DataKey, policy: s.policy(s.Undelivered(), nil),
	})
	suppress(this.undelivered.Node().DefaultChild(), "AwsSolutions-SQS3", "It is the dead-letter queue of the subscriptions, which cdk-nag does not see.")
	n := props.File.Notifications
	this.all("notifications.subscriptions", "Notification", props.Notifications, n.Subscriptions)
	if n.Escalation != nil {
		this.all("notifications.escalation.subscriptions", "Escalation", props.Escalation, n.Escalation.Subscriptions)
	}
	if this.told == 0 {
		awscdk.Annotations_Of(this).AddWarningV2(jsii.String("keyturn:nobody-hears-alarms"), jsii.String(
			"Nobody hears of alarms, which are about no key: add a subscription of notifications without vendors, keys and owners"))
	}
	return this
}

func (s *subscriptions) all(path, prefix string, topic awssns.ITopic, list []keysfile.Subscription) {
	seen := map[string]int{}
	for i, sub := range list {
		protocol, endpoint := endpointOf(sub)
		if first, ok := seen[protocol+endpoint]; ok {
			panic(fmt.Sprintf("%s[%d] and [%d] are of one %s: SNS keeps one for each endpoint; put their filters together", path, first, i, protocol))
		}
		seen[protocol+endpoint] = i
		id := prefix + hash(protocol+" "+endpoint)
		if hearsAlarms(sub) && prefix == "Notification" {
			s.told++
		}
		if sub.Slack != nil {
			if filter(sub) != nil {
				panic(fmt.Sprintf("%s[%d]: chat takes all of a topic: leave its filters out", path, i))
			}
			s.slack(id, prefix, topic, *sub.Slack)
			continue
		}
		s.subscribe(id, topic, sub, protocol, endpoint)
	}
}

func (s *subscriptions) subscribe(id string, topic awssns.ITopic, sub keysfile.Subscription, protocol, endpoint string) {
	props := &awssns.CfnSubscriptionProps{
		TopicArn: topic.TopicArn(), Protocol: &protocol, Endpoint: &endpoint,
		RedrivePolicy: map[string]any{"deadLetterTargetArn": s.undelivered.QueueArn()},
	}
	if f := filter(sub); f != nil {
		props.FilterPolicy, props.FilterPolicyScope = f, jsii.String("MessageAttributes")
	}
	if protocol == "sqs" {
		// The message as it is. Over HTTPS the envelope stays: its signature is how a
		// receiver knows that it is from AWS.
		props.RawMessageDelivery = true
		awscdk.NewCfnOutput(s, text("%sPolicy", id), &awscdk.CfnOutputProps{
			Value:       awscdk.Stack_Of(s).ToJsonString(plain(access.Subscribed(endpoint, *topic.TopicArn())), nil),
			Description: text("%.1000s", "What the policy of this queue needs, or it gets nothing: "+endpoint),
		})
	}
	made := awssns.NewCfnSubscription(s, &id, props)
	if parts := strings.Split(endpoint, ":"); protocol == "lambda" && parts[4] == s.at.account {
		made.AddResourceDependency(awslambda.NewCfnPermission(s, text("%sPermission", id), &awslambda.CfnPermissionProps{
			Action: jsii.String("lambda:InvokeFunction"), FunctionName: &endpoint, Principal: jsii.String("sns.amazonaws.com"), SourceArn: topic.TopicArn(),
		}), nil)
	}
}

// slack connects a channel. What people can do from it is nothing: the role only
// draws alarms, and the guardrail denies the rest, where the default of the
// service would be administrator rights.
//
// Chat shows alarms as they are. Of other messages it shows only those in the
// form of custom notifications, which package notify/sns does not write: until it
// does, people in a channel hear of alarms alone.
// https://docs.aws.amazon.com/chatbot/latest/APIReference/API_SlackChannelConfiguration.html
// https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
func (s *subscriptions) slack(id, prefix string, topic awssns.ITopic, c keysfile.Slack) {
	if s.chat == nil {
		r := newRole(s, "ChatRole", roleProps{
			at: s.at, name: s.at.name + "-chat", settings: s.file.Functions, description: "Draws alarms of Keyturn in chat channels",
			trust: iam.Document{Version: iam.Version, Statement: []iam.Statement{{
				Effect: iam.Allow, Principal: &iam.Principals{Service: iam.Strings{"chatbot.amazonaws.com"}}, Action: iam.Strings{"sts:AssumeRole"},
				Condition: iam.Conditions{"StringEquals": {"aws:SourceAccount": {s.at.account}}},
			}}},
			policy: iam.Document{Version: iam.Version, Statement: []iam.Statement{{
				Sid: "Draw", Effect: iam.Allow, Action: iam.Strings{"cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "cloudwatch:GetMetricWidgetImage"}, Resource: iam.Strings{"*"},
			}}},
		})
		suppress(r, nagWildcard, "Figures of alarms: these actions know no resources.", `^Resource::\*$`)
		s.chat = r.AttrArn()
	}
	awschatbot.NewCfnSlackChannelConfiguration(s, &id, &awschatbot.CfnSlackChannelConfigurationProps{
		ConfigurationName: text("%s-%s-%s", s.at.name, strings.ToLower(prefix), c.Channel),
		IamRoleArn:        s.chat, SlackWorkspaceId: &c.Workspace, SlackChannelId: &c.Channel, SnsTopicArns: &[]any{topic.TopicArn()},
		GuardrailPolicies: jsii.Strings(fmt.Sprintf("arn:%s:iam::aws:policy/AWSDenyAll", s.at.partition)), LoggingLevel: jsii.String("ERROR"),
	})
}

// endpointOf returns SNS's protocol of a subscription, and its endpoint.
func endpointOf(s keysfile.Subscription) (protocol, endpoint string) {
	switch {
	case s.Email != "":
		return "email", s.Email
	case s.SQS != "":
		return "sqs", s.SQS
	case s.Lambda != "":
		return "lambda", s.Lambda
	case s.HTTPS != "":
		return "https", s.HTTPS
	case s.Slack != nil:
		return "slack", s.Slack.Workspace + "/" + s.Slack.Channel
	}
	panic("a subscription without an endpoint")
}

// hearsAlarms says whether a subscription gets alarms. They have none of the
// attributes of our messages: a filter by severity lets them through, if it
// wants warnings or worse, one by key, vendor or owner does not.
func hearsAlarms(sub keysfile.Subscription) bool {
	about := len(sub.Vendors) + len(sub.Keys) + len(sub.Owners)
	return about == 0 && (len(sub.Severities) == 0 || slices.Contains(sub.Severities, string(notify.Warning)) || slices.Contains(sub.Severities, string(notify.Critical)))
}

// filter is a subscription's filter policy, on the attributes of package
// notify/sns; nil: everything.
// https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
func filter(sub keysfile.Subscription) map[string]any {
	out := map[string]any{}
	for attribute, values := range map[string][]string{"vendor": sub.Vendors, "key": sub.Keys, "owner": sub.Owners, "severity": sub.Severities} {
		if len(values) > 0 {
			out[attribute] = *anys(values)
		}
	}
	if len(out) == 0 {
		return nil
	}
	if len(sub.Severities) > 0 && hearsAlarms(sub) {
		out["severity"] = append(*anys(sub.Severities), map[string]any{"exists": false})
	}
	return out
}

func hash(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])[:12]
}

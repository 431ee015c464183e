package cdk

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/infra/access"
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
	// TopicsKey encrypts the topics of chat channels; needed if there are any.
	TopicsKey awskms.IKey
	// Code is where the code of the chat function comes from; default: dist, built if
	// it is not there.
	Code Code
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
	props       *SubscriptionsProps
	undelivered awssqs.Queue
	chats       *chats // nil: no channel yet
	told        int    // who hears of alarms
}

// ToString makes a *subscriptions a construct to the CDK.
func (s *subscriptions) ToString() *string { return text("Subscriptions(%s)", s.at.name) }

func (s *subscriptions) Undelivered() awssqs.Queue { return s.undelivered }

// NewSubscriptions adds the file's subscriptions.
//
// SNS keeps one subscription for each endpoint of a topic, so one that is there
// twice is a panic. Functions of other accounts must let the topic in themselves, and so must
// every queue: see [access.Subscribed]. An output says what its policy needs.
func NewSubscriptions(scope constructs.Construct, id *string, props *SubscriptionsProps) Subscriptions {
	const of = "SubscriptionsProps"
	need(of, "File", props == nil || props.File == nil)
	need(of, "Notifications", props.Notifications == nil)
	need(of, "Escalation", props.Escalation == nil)
	need(of, "DataKey", props.DataKey == nil)
	this := &subscriptions{at: placeOf(scope, props.File), file: props.File, props: props}
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
			protocol, endpoint = "lambda", s.channel(id, strings.ToLower(prefix), *sub.Slack)
			id += "Chat"
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
	if sub.Slack != nil {
		made.AddResourceDependency(s.chats.aliases[*sub.Slack], nil)
	}
	if parts := strings.Split(endpoint, ":"); protocol == "lambda" && parts[4] == s.at.account {
		permission := awslambda.NewCfnPermission(s, text("%sPermission", id), &awslambda.CfnPermissionProps{
			Action: jsii.String("lambda:InvokeFunction"), FunctionName: &endpoint, Principal: jsii.String("sns.amazonaws.com"), SourceArn: topic.TopicArn(),
		})
		if sub.Slack != nil {
			permission.AddResourceDependency(s.chats.aliases[*sub.Slack], nil)
		}
		made.AddResourceDependency(permission, nil)
	}
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

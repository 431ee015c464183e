package access

import (
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
)

// LabelQueue is the policy of a vendor account's queue of label events: only
// our rule of this name may send to it.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-resource-based.html
func (s *Site) LabelQueue(account, rule string) iam.Document {
	queue := s.here("sqs", s.name+"-labels-"+account)
	d := s.queue(queue)
	d.Statement = append(d.Statement, iam.Statement{
		Sid: "Events", Effect: iam.Allow, Principal: &iam.Principals{Service: iam.Strings{"events.amazonaws.com"}},
		Action: iam.Strings{"sqs:SendMessage"}, Resource: iam.Strings{queue},
		Condition: iam.Conditions{
			"StringEquals": {"aws:SourceAccount": {s.env.Account}},
			"ArnEquals":    {"aws:SourceArn": {s.here("events", "rule/"+rule)}},
		},
	})
	return d
}

// Queue is the policy of our other queues, by their name behind the
// installation's, such as "audit": TLS only.
func (s *Site) Queue(name string) iam.Document { return s.queue(s.here("sqs", s.name+"-"+name)) }

func (s *Site) queue(arn string) iam.Document {
	return document(onlyTLS("sqs:*", arn))
}

// Undelivered is the policy of the queue of what subscribers did not take: our
// topics may send to it.
// https://docs.aws.amazon.com/sns/latest/dg/sns-configure-dead-letter-queue.html
func (s *Site) Undelivered() iam.Document {
	queue := s.here("sqs", s.name+"-undelivered")
	d := s.queue(queue)
	d.Statement = append(d.Statement, iam.Statement{
		Sid: "Topics", Effect: iam.Allow, Principal: &iam.Principals{Service: iam.Strings{"sns.amazonaws.com"}},
		Action: iam.Strings{"sqs:SendMessage"}, Resource: iam.Strings{queue}, Condition: iam.Conditions{"ArnEquals": {"aws:SourceArn": s.topics()}},
	})
	return d
}

func (s *Site) topic(name string) string { return s.here("sns", s.name+"-"+name) }

func (s *Site) topics() iam.Strings {
	return iam.Strings{s.topic("escalation"), s.topic("notifications")}
}

// Topic is the policy of one of our topics, "notifications" or "escalation":
// TLS only; our account's functions and its alarms publish.
// https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
func (s *Site) Topic(name string) iam.Document {
	topic := s.here("sns", s.name+"-"+name)
	// SNS has no action that "sns:*" of a topic's policy may name: it lists them.
	tls := onlyTLS("sns:Publish", topic)
	return document(tls, iam.Statement{
		Sid: "Services", Effect: iam.Allow, Principal: &iam.Principals{Service: iam.Strings{"cloudwatch.amazonaws.com"}},
		Action: iam.Strings{"sns:Publish"}, Resource: iam.Strings{topic},
		Condition: iam.Conditions{"StringEquals": {"aws:SourceAccount": {s.env.Account}}},
	})
}

func onlyTLS(actions, arn string) iam.Statement {
	return iam.Statement{
		Sid: "OnlyTLS", Effect: iam.Deny, Principal: everyone(), Action: iam.Strings{actions}, Resource: iam.Strings{arn},
		Condition: iam.Conditions{"Bool": {"aws:SecureTransport": {"false"}}},
	}
}

// Subscribed is what the policy of somebody's queue needs, so that a topic can
// deliver to it. Both are ARNs. A queue has one policy, which CloudFormation
// would overwrite: so its owner adds this.
// https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html
func Subscribed(queue, topic string) iam.Document {
	return document(iam.Statement{
		Sid: "Keyturn", Effect: iam.Allow, Principal: &iam.Principals{Service: iam.Strings{"sns.amazonaws.com"}},
		Action: iam.Strings{"sqs:SendMessage"}, Resource: iam.Strings{queue}, Condition: iam.Conditions{"ArnEquals": {"aws:SourceArn": {topic}}},
	})
}

// ownQueues are the subscribed queues of the account.
func (s *Site) ownQueues() iam.Strings {
	var queues []string
	for _, sub := range s.subscriptions() {
		if sub.SQS != "" && strings.Split(sub.SQS, ":")[4] == s.env.Account {
			queues = append(queues, sub.SQS)
		}
	}
	return sorted(queues)
}

package access

import (
	"slices"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// ChatName is the name of the function that writes to channels of chats, and of its
// role. (NAME-chat is the role of the channels themselves, which has no rights.)
func (s *Site) ChatName() string { return s.name + "-channels" }

// chats are the topics of the channels.
func (s *Site) chats() iam.Strings {
	var all []string
	for _, c := range s.file.Notifications.Channels() {
		all = append(all, s.here("sns", s.ChannelTopic(c)))
	}
	return sorted(all)
}

// ChannelTopic is the name of a channel's topic.
func (s *Site) ChannelTopic(c keysfile.Slack) string { return s.ChatName() + "-" + c.Alias() }

// Chat is the identity policy of the chat function: to publish to the channels'
// topics, and to keep what it could not: its dead-letter
// queue, which Lambda fills by its role. It reads nothing at all. There is a channel.
func (s *Site) Chat() (iam.Document, error) {
	d := document(
		allow("Channels", iam.Strings{"sns:Publish"}, s.chats(), nil),
		allow("Undelivered", iam.Strings{"sqs:SendMessage"}, iam.Strings{s.here("sqs", s.name+"-undelivered")}, nil),
	)
	d.Statement = append(d.Statement, s.runs(s.ChatName(), "")...)
	return s.fitsRole(s.ChatName(), "", d)
}

// ChatTopic is the policy of a channel's topic: what people read there is written by
// the chat function alone.
func (s *Site) ChatTopic(c keysfile.Slack) iam.Document {
	topic := s.here("sns", s.ChannelTopic(c))
	return document(onlyTLS("sns:Publish", topic), iam.Statement{
		Sid: "OnlyTheChatFunction", Effect: iam.Deny, Principal: everyone(), Action: iam.Strings{"sns:Publish"}, Resource: iam.Strings{topic},
		Condition: iam.Conditions{"ArnNotEquals": {"aws:PrincipalArn": {s.RoleARN(s.ChatName())}}},
	})
}

// chatDuties are the calls of package function/chat, and what it must not be able
// to: read a secret or a record, tell others, start a function.
func (s *Site) chatDuties() []duty {
	duties := slices.Concat(
		calls(s.topic("channels-other"), nil, false, "sns", "Publish"),
		calls(s.topic("notifications"), nil, false, "sns", "Publish"), calls(s.topic("escalation"), nil, false, "sns", "Publish"),
		calls(s.here("sqs", s.name+"-audit"), nil, false, "sqs", "SendMessage"),
		calls(s.here("dynamodb", "table/"+s.name), nil, false, "dynamodb", "GetItem", "PutItem", "Query"),
		calls(s.here("secretsmanager", "secret:proof-AbCdEf"), map[string]string{"aws:ResourceTag/" + TagInstallation: s.name}, false, "secretsmanager", "GetSecretValue", "DescribeSecret"),
		calls(s.function(s.name+"-rotatenow"), nil, false, "lambda", "InvokeFunction"),
		calls(s.here("logs", "log-group:/aws/lambda/"+s.ChatName()+":log-stream:x"), nil, true, "logs", "CreateLogStream", "PutLogEvents"),
		calls("*", nil, s.file.Functions.Tracing, "xray", "PutTelemetryRecords", "PutTraceSegments"),
	)
	for _, topic := range s.chats() {
		duties = append(duties, calls(topic, nil, true, "sns", "Publish")...)
		duties = append(duties, calls(topic, nil, false, "sns", "Subscribe", "SetTopicAttributes")...)
		duties = append(duties, calls(s.here("sqs", s.name+"-undelivered"), nil, true, "sqs", "SendMessage")...)
		duties = append(duties, calls(s.here("sqs", s.name+"-undelivered"), nil, false, "sqs", "ReceiveMessage", "PurgeQueue")...)
	}
	return duties
}

// chatDocuments are the chat function's, where there is a channel.
func (s *Site) chatDocuments(d *documents, put putting) {
	if len(s.chats()) > 0 {
		put(d.roles, "chat", s.Chat)
	}
	for _, c := range s.file.Notifications.Channels() {
		d.queues["chat-"+c.Alias()] = s.ChatTopic(c)
	}
}

// proveChat shows what the chat function may, and that nobody else writes into a
// channel.
func (s *Site) proveChat(d *documents, p *Proof) error {
	if len(s.chats()) == 0 {
		return nil
	}
	who := iam.NewSession(s.RoleARN(s.ChatName()), "run")
	if err := s.fulfill(d, p, "chat function", who, d.identity("chat"), nil, s.chatDuties()); err != nil {
		return err
	}
	for _, c := range s.file.Notifications.Channels() {
		name := "chat-" + c.Alias()
		if d.only != "" && d.only != "queue "+name {
			continue
		}
		topic := s.here("sns", s.ChannelTopic(c))
		if err := s.receive(p, "the topic of a channel", d.queues[name], []sent{
			{who: who, action: "sns:Publish", resource: topic, identity: d.identity("chat"), want: true},
			{who: who, action: "sns:Publish", resource: topic, identity: d.identity("chat"), context: map[string]string{"aws:SecureTransport": "false"}},
			{who: s.ours(), action: "sns:Publish", resource: topic, identity: []iam.Policy{everything()}},
			{who: iam.NewSession(s.arn("iam", "", "role/"+s.name+"-proof-administrator"), "run"), action: "sns:Publish", resource: topic, identity: []iam.Policy{everything()}},
			{who: iam.NewService("cloudwatch.amazonaws.com"), action: "sns:Publish", resource: topic},
			{who: iam.NewRoot(s.env.Partition, elsewhere), action: "sns:Publish", resource: topic},
		}); err != nil {
			return err
		}
	}
	return nil
}

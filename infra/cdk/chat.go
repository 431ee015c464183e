package cdk

import (
	"fmt"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2/awschatbot"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

const chatTimeout = time.Minute

// chats are the channels of chats. A channel shows alarms and custom notifications
// alone, takes whole topics, and cannot filter: so each has a topic of its own, which
// a function writes. The function has an alias for each channel, since a topic has
// one subscription for each endpoint, and filters belong to subscriptions.
// https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
type chats struct {
	role     *string // ARN of the channels' role
	function *function
	aliases  map[keysfile.Slack]awslambda.CfnAlias
}

// channel connects a channel, and returns the endpoint that it hears by. What people
// can do from it is nothing: its role has no rights, and the guardrail denies all,
// where the default of the service would be administrator rights.
// https://docs.aws.amazon.com/chatbot/latest/APIReference/API_SlackChannelConfiguration.html
func (s *subscriptions) channel(id, prefix string, c keysfile.Slack) (endpoint string) {
	policies := siteOf(s, s.file)
	if s.chats == nil {
		s.chats = s.newChats(policies)
	}
	name := c.Alias()
	endpoint = s.at.functionARN(policies.ChatName()) + ":" + name
	if s.chats.aliases[c] != nil {
		return endpoint // it hears of the other topic already
	}
	t := awssns.NewTopic(s, text("%sTopic", id), &awssns.TopicProps{TopicName: jsii.String(policies.ChannelTopic(c)), MasterKey: s.props.TopicsKey})
	rules := awssns.NewCfnTopicPolicy(t, jsii.String("Rules"), &awssns.CfnTopicPolicyProps{
		Topics: &[]*string{t.TopicArn()}, PolicyDocument: plain(policies.policy(policies.ChatTopic(c), nil)),
	})
	alias := awslambda.NewCfnAlias(s, text("%sAlias", id), &awslambda.CfnAliasProps{
		FunctionName: s.chats.function.resource.Ref(), FunctionVersion: jsii.String("$LATEST"), Name: &name,
		Description: text("Writes to the channel %s of %s", c.Channel, c.Workspace),
	})
	alias.AddResourceDependency(rules, nil)
	s.chats.aliases[c] = alias
	awschatbot.NewCfnSlackChannelConfiguration(s, &id, &awschatbot.CfnSlackChannelConfigurationProps{
		ConfigurationName: text("%s-%s-%s", s.at.name, prefix, c.Channel),
		IamRoleArn:        s.chats.role, SlackWorkspaceId: &c.Workspace, SlackChannelId: &c.Channel, SnsTopicArns: &[]any{t.TopicArn()},
		GuardrailPolicies: jsii.Strings(fmt.Sprintf("arn:%s:iam::aws:policy/AWSDenyAll", s.at.partition)), LoggingLevel: jsii.String("ERROR"),
	})
	return endpoint
}

func (s *subscriptions) newChats(policies site) *chats {
	need("SubscriptionsProps", "TopicsKey", s.props.TopicsKey == nil)
	role := newRole(s, "ChatRole", roleProps{
		at: s.at, name: s.at.name + "-chat", settings: s.file.Functions, description: "Of Keyturn's chat channels, from which nobody can do anything",
		trust: iam.Document{Version: iam.Version, Statement: []iam.Statement{{
			Effect: iam.Allow, Principal: &iam.Principals{Service: iam.Strings{"chatbot.amazonaws.com"}}, Action: iam.Strings{"sts:AssumeRole"},
			Condition: iam.Conditions{"StringEquals": {"aws:SourceAccount": {s.at.account}}},
		}}},
	})
	f := newFunction(s, "Channels", functionProps{
		at: s.at, name: policies.ChatName(), kind: "chat", description: "Writes what chat channels show",
		code: s.props.Code, timeout: chatTimeout, dataKey: s.props.DataKey, settings: s.file.Functions, dead: s.undelivered,
		trust: policies.policy(policies.LambdaTrust(), nil), policy: policies.policy(policies.Chat()),
		environment: map[string]*string{"KEYTURN_INSTALLATION": &s.at.name},
	})
	return &chats{role: role.AttrArn(), function: f, aliases: map[keysfile.Slack]awslambda.CfnAlias{}}
}

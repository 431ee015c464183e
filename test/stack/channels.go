package stack

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/keyturn/keyturn/shared/function/chat"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	topics "github.com/keyturn/keyturn/test/cloud/sns"
)

// Channels is the function that writes to chat channels.
const Channels = "keyturn-channels"

// Channel is the ARN of a channel's topic.
func Channel(alias string) string { return topics.ARN(Channels + "-" + alias) }

// channels makes the chat function, and for each channel a topic, and a subscription
// of its alias to the notifications.
func (s *Stack) channels(ctx context.Context) error {
	if len(s.opt.Channels) == 0 {
		return nil
	}
	if err := s.function(ctx, Channels, chat.Name, "", chat.Open, chat.Needs()); err != nil {
		return err
	}
	api := sns.NewFromConfig(s.Region.Cloud.Config())
	for _, alias := range slices.Sorted(maps.Keys(s.opt.Channels)) {
		if _, err := api.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String(Channels + "-" + alias)}); err != nil {
			return fmt.Errorf("make a channel's topic: %w", err)
		}
		in := &sns.SubscribeInput{TopicArn: aws.String(topics.ARN(Topic)), Protocol: aws.String("lambda"), Endpoint: aws.String(lambda.ARN(Channels) + ":" + alias)}
		if policy := s.opt.Channels[alias]; policy != "" {
			in.Attributes = map[string]string{"FilterPolicy": policy}
		}
		if _, err := api.Subscribe(ctx, in); err != nil {
			return fmt.Errorf("subscribe a channel: %w", err)
		}
	}
	return nil
}

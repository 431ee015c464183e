package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/keyturn/keyturn/test/cloud/cloudtrail"
)

// cmdAccount bootstraps the account with a version, and gives it a trail.
func (w *world) cmdAccount(ctx context.Context, args []string) error {
	w.region.CloudTrail.SetTrails(cloudtrail.Trail{Name: "all", MultiRegion: true})
	_, err := ssm.NewFromConfig(w.cloud().Config()).PutParameter(ctx, &ssm.PutParameterInput{
		Name: aws.String("/cdk-bootstrap/hnb659fds/version"), Value: &args[0], Type: types.ParameterTypeString, Overwrite: aws.Bool(true),
	})
	return err
}

// cmdTopic makes the notifications' topic, and subscriptions to it.
func (w *world) cmdTopic(ctx context.Context, args []string) error {
	c := sns.NewFromConfig(w.cloud().Config())
	made, err := c.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("keyturn-notifications")})
	for _, arg := range args {
		if err != nil {
			return err
		}
		endpoint, filter, _ := strings.Cut(arg, "=")
		in := &sns.SubscribeInput{TopicArn: made.TopicArn, Protocol: aws.String("email"), Endpoint: &endpoint}
		if strings.HasPrefix(endpoint, "http:") {
			in.Protocol, in.Endpoint = aws.String("http"), &arg
		} else if filter != "" {
			in.Attributes = map[string]string{"FilterPolicy": filter}
		}
		_, err = c.Subscribe(ctx, in)
	}
	return err
}

// cmdMailed wants the last mail to an address to have a text in it.
func (w *world) cmdMailed(_ context.Context, args []string) error {
	mail := w.region.SNS.Mailbox(args[0])
	if len(mail) == 0 || !strings.Contains(fmt.Sprintf("%+v", mail[len(mail)-1]), args[1]) {
		return fmt.Errorf("%s has got %+v", args[0], mail)
	}
	return nil
}

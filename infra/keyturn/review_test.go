package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/keyturn/keyturn/shared/audit"
)

// cmdQueue makes a queue, or says whether the only message in it is a sign-off with
// these details, sent by who AWS says:
//
//	queue make NAME
//	queue signed NAME DETAIL=VALUE...
func (w *world) cmdQueue(ctx context.Context, args []string) error {
	if args[0] == "make" {
		_, err := w.region.SQS.Create(args[1], nil)
		return err
	}
	client := sqs.NewFromConfig(w.region.Cloud.Config())
	queue, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &args[1]})
	if err != nil {
		return err
	}
	out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: queue.QueueUrl, MaxNumberOfMessages: 10, MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameSenderId},
	})
	if err != nil || len(out.Messages) != 1 {
		return fmt.Errorf("%d messages, %w", len(out.Messages), err)
	}
	var r audit.Record
	if err := json.Unmarshal([]byte(*out.Messages[0].Body), &r); err != nil {
		return err
	}
	if r.Act != audit.SignOff || r.ID == "" || r.Time.IsZero() || out.Messages[0].Attributes["SenderId"] == "" || !strings.HasPrefix(r.Detail["by"], "arn:aws:") {
		return fmt.Errorf("sent was %+v", r)
	}
	for _, want := range args[2:] {
		if name, value, _ := strings.Cut(want, "="); r.Detail[name] != strings.ReplaceAll(value, `\n`, "\n") {
			return fmt.Errorf("%s is %q", name, r.Detail[name])
		}
	}
	return nil
}

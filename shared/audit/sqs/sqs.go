// Package sqs sends audit records to the audit queue. A record is accepted when
// SQS has answered 200 with the right checksum.
package sqs

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/awserror"
)

// API is what a Queue needs of the SDK's client, which checks the MD5 of what
// SQS says it received.
type API interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// Queue is the audit queue. It implements [audit.Sink] and is safe for
// concurrent use.
type Queue struct {
	api API
	url string
}

// New returns the queue at queueURL.
func New(client API, queueURL string) *Queue { return &Queue{client, queueURL} }

// Open is [New] with a client for cfg.
func Open(cfg aws.Config, queueURL string) *Queue { return New(sqs.NewFromConfig(cfg), queueURL) }

// Error says that a record may not have been accepted. It holds AWS's code, "" if
// there was no answer, and not AWS's text, which may repeat what it was sent.
type Error struct{ Code string }

func (e *Error) Error() string {
	if e.Code == "" {
		return "SendMessage to the audit queue: no answer"
	}
	return "SendMessage to the audit queue: not accepted (" + e.Code + ")"
}

// Record implements [audit.Sink]. The message's body is the record as JSON; its
// attributes act, phase and secret are for those who filter. A queue delivers
// at least once: readers go by ID and phase.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
func (q *Queue) Record(ctx context.Context, r audit.Record) error {
	body, err := json.Marshal(r) //nolint:gosec // Secret is its name
	if err != nil {
		return &Error{Code: "NotJSON"} // a year beyond 9999 and the like
	}
	attributes := map[string]types.MessageAttributeValue{}
	for name, v := range map[string]string{"act": string(r.Act), "phase": string(r.Phase), "secret": r.Secret} {
		if v != "" { // SQS refuses an empty one
			attributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(v)}
		}
	}
	out, err := q.api.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: &q.url, MessageBody: aws.String(xml(body)), MessageAttributes: attributes,
	})
	if err != nil || aws.ToString(out.MessageId) == "" {
		return &Error{Code: awserror.Code(err)}
	}
	return nil
}

// xml escapes the two characters that JSON takes as they are and SQS does not.
func xml(body []byte) string {
	return strings.NewReplacer("\uFFFE", `\ufffe`, "\uFFFF", `\uffff`).Replace(string(body))
}

package sqs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

type receiveMessageInput struct {
	QueueUrl                    string   //nolint:revive // the wire's name
	AttributeNames              []string // the older name of the next
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
}

type receivedMessage struct {
	MessageID              string `json:"MessageId"`
	ReceiptHandle          string
	MD5OfBody              string
	Body                   string
	Attributes             map[string]string    `json:",omitempty"`
	MessageAttributes      map[string]Attribute `json:",omitempty"`
	MD5OfMessageAttributes string               `json:",omitempty"`
}

type receiveMessageOutput struct {
	Messages []receivedMessage `json:",omitempty"`
}

func (s *Service) receiveMessage(ctx context.Context, _ *wire.Call, in *receiveMessageInput) (*receiveMessageOutput, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	count, visibility, wait := 1, -1, q.settings.number("ReceiveMessageWaitTimeSeconds")
	q.mu.Unlock()
	for _, p := range []struct {
		name     string
		in       *int
		to       *int
		min, max int
	}{
		{"MaxNumberOfMessages", in.MaxNumberOfMessages, &count, 1, 10},
		{"VisibilityTimeout", in.VisibilityTimeout, &visibility, 0, 43200},
		{"WaitTimeSeconds", in.WaitTimeSeconds, &wait, 0, 20},
	} {
		if p.in == nil {
			continue
		}
		if *p.in < p.min || *p.in > p.max {
			return nil, invalid(fmt.Sprintf("Value %d for parameter %s is invalid. Reason: Must be between %d and %d, if provided.", *p.in, p.name, p.min, p.max))
		}
		*p.to = *p.in
	}
	got, err := s.receive(ctx, q, count, time.Duration(visibility)*time.Second, time.Duration(wait)*time.Second)
	if err != nil {
		return nil, err
	}
	out := &receiveMessageOutput{}
	for _, m := range got {
		attributes := pick(m.Attributes, in.MessageAttributeNames)
		out.Messages = append(out.Messages, receivedMessage{
			MessageID: m.ID, ReceiptHandle: receipt(&m), MD5OfBody: bodyMD5(m.Body), Body: m.Body,
			Attributes:        pick(system(&m), slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames)),
			MessageAttributes: attributes, MD5OfMessageAttributes: attributesMD5(attributes),
		})
	}
	return out, nil
}

func system(m *message) map[string]string {
	out := map[string]string{
		"ApproximateReceiveCount":          strconv.Itoa(m.Receives),
		"SentTimestamp":                    strconv.FormatInt(m.Sent.UnixMilli(), 10),
		"SenderId":                         m.sender,
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.firstReceived.UnixMilli(), 10),
	}
	if m.Source != "" {
		out["DeadLetterQueueSourceArn"] = m.Source
	}
	return out
}

// pick keeps what names ask for: a name, "All", ".*" or "prefix.*".
func pick[V any](all map[string]V, names []string) map[string]V {
	out := maps.Clone(all)
	maps.DeleteFunc(out, func(name string, _ V) bool {
		return !slices.ContainsFunc(names, func(want string) bool {
			prefix, wild := strings.CutSuffix(want, ".*")
			return want == name || want == "All" || wild && strings.HasPrefix(name, prefix)
		})
	})
	return out
}

type deleteMessageInput struct {
	QueueUrl      string //nolint:revive // the wire's name
	ID            string `json:"Id"` // of a batch's entry
	ReceiptHandle string
}

func (s *Service) deleteMessage(_ context.Context, _ *wire.Call, in *deleteMessageInput) (*empty, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return &empty{}, q.remove(in.ReceiptHandle)
}

type deleteMessageBatchInput struct {
	QueueUrl string //nolint:revive // the wire's name
	Entries  []deleteMessageInput
}

type deleteMessageBatchOutput struct {
	Successful []entryID `json:",omitempty"`
	Failed     []failure `json:",omitempty"`
}

type entryID struct {
	ID string `json:"Id"`
}

func (s *Service) deleteMessageBatch(_ context.Context, _ *wire.Call, in *deleteMessageBatchInput) (*deleteMessageBatchOutput, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range in.Entries {
		ids = append(ids, e.ID)
	}
	if err := checkBatch(ids); err != nil {
		return nil, err
	}
	out := &deleteMessageBatchOutput{}
	for _, e := range in.Entries {
		if err := q.remove(e.ReceiptHandle); err != nil {
			out.Failed = append(out.Failed, failed(e.ID, err))
		} else {
			out.Successful = append(out.Successful, entryID{e.ID})
		}
	}
	return out, nil
}

type changeMessageVisibilityInput struct {
	QueueUrl          string //nolint:revive // the wire's name
	ReceiptHandle     string
	VisibilityTimeout int
}

func (s *Service) changeMessageVisibility(_ context.Context, _ *wire.Call, in *changeMessageVisibilityInput) (*empty, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if in.VisibilityTimeout < 0 || in.VisibilityTimeout > 43200 {
		return nil, invalid(fmt.Sprintf("Value %d for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200.", in.VisibilityTimeout))
	}
	return &empty{}, q.hide(in.ReceiptHandle, time.Duration(in.VisibilityTimeout)*time.Second)
}

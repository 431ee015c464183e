package sqs

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

var batchIDForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

type sendMessageInput struct {
	QueueUrl          string //nolint:revive // the wire's name
	ID                string `json:"Id"` // of a batch's entry
	MessageBody       string
	MessageAttributes map[string]Attribute
	DelaySeconds      *int
}

type sendMessageOutput struct {
	ID                     string `json:"Id,omitempty"`
	MessageID              string `json:"MessageId"`
	MD5OfMessageBody       string
	MD5OfMessageAttributes string `json:",omitempty"`
}

func (s *Service) sendMessage(_ context.Context, c *wire.Call, in *sendMessageInput) (*sendMessageOutput, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	m, err := q.send(in, c.AccessKey)
	if err != nil {
		return nil, err
	}
	return sent(in, m), nil
}

func sent(in *sendMessageInput, m Message) *sendMessageOutput {
	return &sendMessageOutput{
		ID: in.ID, MessageID: m.ID,
		MD5OfMessageBody: bodyMD5(in.MessageBody), MD5OfMessageAttributes: attributesMD5(in.MessageAttributes),
	}
}

// Send puts a message on the queue of that name, URL or ARN, as SendMessage
// does, on behalf of sender: a service or an access key.
func (s *Service) Send(queue, sender, body string, attributes map[string]Attribute) (Message, error) {
	q, err := s.find(queue)
	if err != nil {
		return Message{}, err
	}
	return q.send(&sendMessageInput{MessageBody: body, MessageAttributes: attributes}, sender)
}

func (q *queue) send(in *sendMessageInput, sender string) (Message, error) {
	q.mu.Lock()
	limit, delay := q.settings.number("MaximumMessageSize"), q.settings.seconds("DelaySeconds")
	q.mu.Unlock()
	switch {
	case in.MessageBody == "":
		return Message{}, missing("MessageBody")
	case size(in.MessageBody, in.MessageAttributes) > limit:
		return Message{}, invalid(fmt.Sprintf("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", limit))
	case len(in.MessageAttributes) > 10:
		return Message{}, invalid(fmt.Sprintf("Number of message attributes [%d] exceeds the allowed maximum [10].", len(in.MessageAttributes)))
	}
	for name, a := range in.MessageAttributes {
		if !slices.Contains([]string{"String", "Number", "Binary"}, strings.SplitN(a.DataType, ".", 2)[0]) {
			return Message{}, invalid("The type of message (user) attribute '" + name + "' is invalid. You must use only the following supported type prefixes: Binary, Number, String.")
		}
		if a.StringValue == "" && len(a.BinaryValue) == 0 {
			return Message{}, invalid("The message (user) attribute '" + name + "' must contain a non-empty message (user) attribute value.")
		}
	}
	if in.DelaySeconds != nil {
		if *in.DelaySeconds < 0 || *in.DelaySeconds > 900 {
			return Message{}, invalid(fmt.Sprintf("Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", *in.DelaySeconds))
		}
		delay = time.Duration(*in.DelaySeconds) * time.Second
	}
	now := q.clock.Now()
	m := &message{
		Message: Message{ID: uuid.NewString(), Body: in.MessageBody, Attributes: maps.Clone(in.MessageAttributes), Sent: now},
		sender:  sender, visible: now.Add(delay),
	}
	answer := m.Message
	q.put(m)
	return answer, nil
}

type failure struct {
	ID          string `json:"Id"`
	SenderFault bool
	Code        string
	Message     string
}

type sendMessageBatchInput struct {
	QueueUrl string //nolint:revive // the wire's name
	Entries  []*sendMessageInput
}

type sendMessageBatchOutput struct {
	Successful []*sendMessageOutput `json:",omitempty"`
	Failed     []failure            `json:",omitempty"`
}

func (s *Service) sendMessageBatch(_ context.Context, c *wire.Call, in *sendMessageBatchInput) (*sendMessageBatchOutput, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	var ids []string
	total := 0
	for _, e := range in.Entries {
		ids = append(ids, e.ID)
		total += size(e.MessageBody, e.MessageAttributes)
	}
	if err := checkBatch(ids); err != nil {
		return nil, err
	}
	if total > 1<<20 {
		return nil, &wire.Error{Code: "BatchRequestTooLong", Message: fmt.Sprintf("Batch requests cannot be longer than 1048576 bytes. You have sent %d bytes.", total)}
	}
	out := &sendMessageBatchOutput{}
	for _, e := range in.Entries {
		if m, err := q.send(e, c.AccessKey); err != nil {
			out.Failed = append(out.Failed, failed(e.ID, err))
		} else {
			out.Successful = append(out.Successful, sent(e, m))
		}
	}
	return out, nil
}

func failed(id string, err error) failure {
	e := wire.AsError(err)
	return failure{ID: id, SenderFault: e.Status < 500, Code: e.Code, Message: e.Message}
}

func checkBatch(ids []string) error {
	valid := batchIDForm
	seen := map[string]bool{}
	switch {
	case len(ids) == 0:
		return &wire.Error{Code: "EmptyBatchRequest", Message: "There should be at least one SendMessageBatchRequestEntry in the request."}
	case len(ids) > 10:
		return &wire.Error{Code: "TooManyEntriesInBatchRequest", Message: fmt.Sprintf("Maximum number of entries per request are 10. You have sent %d.", len(ids))}
	}
	for _, id := range ids {
		if !valid.MatchString(id) {
			return &wire.Error{Code: "InvalidBatchEntryId", Message: "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."}
		}
		if seen[id] {
			return &wire.Error{Code: "BatchEntryIdsNotDistinct", Message: "Id " + id + " repeated."}
		}
		seen[id] = true
	}
	return nil
}

// Messages returns every message that was ever put on the queue of that name,
// URL or ARN, oldest first, whatever became of it. It is empty for an unknown
// queue.
func (s *Service) Messages(queue string) []Message {
	q, err := s.find(queue)
	if err != nil {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []Message
	for _, m := range q.sent {
		out = append(out, m.Message)
	}
	return out
}

// Package sqs is the local AWS's Simple Queue Service: standard queues with
// visibility timeouts, delays, long polls and dead-letter queues on the movable
// clock, and event source mappings that invoke functions.
//
// Operations: CreateQueue, GetQueueUrl, ListQueues, GetQueueAttributes,
// SetQueueAttributes, PurgeQueue, DeleteQueue, SendMessage, SendMessageBatch,
// ReceiveMessage, DeleteMessage, DeleteMessageBatch, ChangeMessageVisibility.
// Anything else answers NotImplemented.
//
// Assumed, not recorded: messages are delivered in the order in which they
// became visible, each once per visibility timeout; PurgeQueue and DeleteQueue
// take effect at once; every receipt handle of a message deletes it; one worker of a
// mapping collects at a time. FIFO queues, encryption and queue policies are
// not modeled: FIFO is refused, the attributes are kept and have no effect.
package sqs

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Service is SQS. Use [New]; a Service is safe for concurrent use.
//
// API: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
type Service struct {
	clock    *clock.Clock
	handlers map[string]wire.Handler

	mu     sync.Mutex
	queues map[string]*queue
}

// New returns a Service without queues, on clk.
func New(clk *clock.Clock) *Service {
	s := &Service{clock: clk, queues: map[string]*queue{}}
	s.handlers = map[string]wire.Handler{
		"CreateQueue":             wire.Typed(s.createQueue),
		"GetQueueUrl":             wire.Typed(s.getQueueURL),
		"ListQueues":              wire.Typed(s.listQueues),
		"GetQueueAttributes":      wire.Typed(s.getQueueAttributes),
		"SetQueueAttributes":      wire.Typed(s.setQueueAttributes),
		"PurgeQueue":              wire.Typed(s.purgeQueue),
		"DeleteQueue":             wire.Typed(s.deleteQueue),
		"SendMessage":             wire.Typed(s.sendMessage),
		"SendMessageBatch":        wire.Typed(s.sendMessageBatch),
		"ReceiveMessage":          wire.Typed(s.receiveMessage),
		"DeleteMessage":           wire.Typed(s.deleteMessage),
		"DeleteMessageBatch":      wire.Typed(s.deleteMessageBatch),
		"ChangeMessageVisibility": wire.Typed(s.changeMessageVisibility),
	}
	return s
}

// Operation implements [wire.Service].
func (*Service) Operation(r *http.Request, _ []byte) string { return wire.Target(r, "AmazonSQS") }

// Serve implements [wire.Service].
func (s *Service) Serve(ctx context.Context, c *wire.Call) (*wire.Reply, error) {
	h, ok := s.handlers[c.Operation]
	if !ok {
		return nil, wire.NotImplemented(c)
	}
	return h(ctx, c)
}

// Fail implements [wire.Service]. SQS also names the code of its former query
// protocol, which the SDKs put in place of the new one.
func (*Service) Fail(_ *wire.Call, err *wire.Error) *wire.Reply {
	reply := wire.FailJSON(err)
	code, fault := err.Code, "Sender"
	switch code {
	case "QueueDoesNotExist":
		code = "AWS.SimpleQueueService.NonExistentQueue"
	case "QueueNameExists":
		code = "QueueAlreadyExists"
	case "EmptyBatchRequest", "TooManyEntriesInBatchRequest", "BatchEntryIdsNotDistinct", "BatchRequestTooLong", "MessageNotInflight":
		code = "AWS.SimpleQueueService." + code
	}
	if reply.Status >= http.StatusInternalServerError {
		fault = "Receiver"
	}
	reply.Header.Set("X-Amzn-Query-Error", code+";"+fault)
	return reply
}

// ARN returns the ARN of the queue of that name.
func ARN(name string) string { return "arn:aws:sqs:" + wire.Region + ":" + wire.Account + ":" + name }

// find returns the queue that ref, a name, URL or ARN, means.
func (s *Service) find(ref string) (*queue, error) {
	name := ref[max(strings.LastIndexByte(ref, '/'), strings.LastIndexByte(ref, ':'))+1:]
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[name]
	if q == nil {
		return nil, &wire.Error{Code: "QueueDoesNotExist", Message: "The specified queue does not exist."}
	}
	return q, nil
}

// empty is the answer of operations that answer nothing.
type empty struct{}

func missing(parameter string) error {
	return &wire.Error{Code: "MissingParameter", Message: "The request must contain the parameter " + parameter + "."}
}

func invalid(message string) error {
	return &wire.Error{Code: "InvalidParameterValue", Message: message}
}

package sqs

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Invoker runs a function, as lambda's Service does. functionError is "" if the
// function succeeded; err says that it did not run.
type Invoker interface {
	Invoke(ctx context.Context, function string, payload []byte) (result []byte, functionError string, err error)
}

// workers is how many batches of a mapping run at once.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
const workers = 5

// mapping is an event source mapping. Its workers live only while the queue
// has messages.
type mapping struct {
	service  *Service
	queue    *queue
	function string
	batch    int
	invoker  Invoker
	ctx      context.Context //nolint:containedctx // the mapping's life, not a call's

	mu    sync.Mutex
	busy  int
	again bool // something came since the last worker looked
}

// Map invokes function with batches of up to batchSize messages of queue (a
// name or ARN) until ctx is done. What the function handled is deleted. After a
// failure the messages stay hidden for the queue's visibility timeout and are
// then received again or dead-lettered. The function may answer
// {"batchItemFailures": [{"itemIdentifier": ID}]}; an answer that names an unknown
// message, or no message, or is no such object fails the whole batch; null, {} and an
// empty or missing list are a success.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func (s *Service) Map(ctx context.Context, queue, function string, batchSize int, inv Invoker) error {
	q, err := s.find(queue)
	if err != nil {
		return fmt.Errorf("map %s to %s: %w", queue, function, err)
	}
	if batchSize < 1 || batchSize > 10000 {
		return fmt.Errorf("map %s to %s: batch size %d is not between 1 and 10000", queue, function, batchSize)
	}
	m := &mapping{service: s, queue: q, function: function, batch: batchSize, invoker: inv, ctx: ctx}
	q.mu.Lock()
	q.mappings = append(q.mappings, m)
	q.mu.Unlock()
	m.kick()
	return nil
}

// kick starts a worker if there is room for one; otherwise a busy one looks again.
func (m *mapping) kick() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil {
		return
	}
	m.again = true
	if m.busy < workers {
		m.busy++
		go m.work()
	}
}

func (m *mapping) work() {
	for {
		m.mu.Lock()
		m.again = false
		m.mu.Unlock()
		got, _ := m.service.receive(m.ctx, m.queue, m.batch, -1, 0) // it does not wait, so it does not fail
		if len(got) > 0 {
			m.handle(got)
		}
		m.mu.Lock()
		if m.ctx.Err() != nil || len(got) == 0 && !m.again {
			m.busy--
			m.mu.Unlock()
			return
		}
		m.mu.Unlock()
	}
}

// handle invokes the function once and deletes what it handled.
func (m *mapping) handle(batch []message) {
	payload, err := event(m.queue.name, batch)
	if err != nil {
		return
	}
	result, functionError, err := m.invoker.Invoke(m.ctx, m.function, payload)
	if err != nil || functionError != "" {
		return
	}
	failed, ok := failures(result, batch)
	if !ok {
		return
	}
	for _, b := range batch {
		if !slices.Contains(failed, b.ID) {
			_ = m.queue.remove(receipt(&b)) // the receipt is ours
		}
	}
}

// failures reads the function's partial batch response. ok is false if the
// whole batch counts as failed.
func failures(result []byte, batch []message) (ids []string, ok bool) {
	var answer struct {
		Failures []struct {
			ID *string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if len(result) > 0 && json.Unmarshal(result, &answer) != nil {
		return nil, false
	}
	for _, f := range answer.Failures {
		if f.ID == nil || !slices.ContainsFunc(batch, func(m message) bool { return m.ID == *f.ID }) {
			return nil, false
		}
		ids = append(ids, *f.ID)
	}
	return ids, true
}

// record is one message as a function sees it.
//
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
type record struct {
	MessageID              string                     `json:"messageId"`
	ReceiptHandle          string                     `json:"receiptHandle"`
	Body                   string                     `json:"body"`
	Attributes             map[string]string          `json:"attributes"`
	MessageAttributes      map[string]recordAttribute `json:"messageAttributes"`
	MD5OfBody              string                     `json:"md5OfBody"`
	MD5OfMessageAttributes string                     `json:"md5OfMessageAttributes,omitempty"`
	EventSource            string                     `json:"eventSource"`
	EventSourceARN         string                     `json:"eventSourceARN"`
	Region                 string                     `json:"awsRegion"`
}

type recordAttribute struct {
	StringValue string   `json:"stringValue,omitempty"`
	BinaryValue []byte   `json:"binaryValue,omitempty"`
	StringList  []string `json:"stringListValues"`
	BinaryList  [][]byte `json:"binaryListValues"`
	DataType    string   `json:"dataType"`
}

func event(queue string, batch []message) ([]byte, error) {
	var e struct{ Records []record }
	for _, m := range batch {
		attributes := map[string]recordAttribute{}
		for name, a := range m.Attributes {
			attributes[name] = recordAttribute{a.StringValue, a.BinaryValue, []string{}, [][]byte{}, a.DataType}
		}
		e.Records = append(e.Records, record{
			MessageID: m.ID, ReceiptHandle: receipt(&m), Body: m.Body, Attributes: system(&m),
			MessageAttributes: attributes, MD5OfBody: bodyMD5(m.Body), MD5OfMessageAttributes: attributesMD5(m.Attributes),
			EventSource: "aws:sqs", EventSourceARN: ARN(queue), Region: wire.Region,
		})
	}
	return json.Marshal(e)
}

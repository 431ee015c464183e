package sqs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Invoker runs a function, as lambda's Service does. functionError is "" if the
// function succeeded; err says that it did not run.
type Invoker interface {
	Invoke(ctx context.Context, function string, payload []byte) (result []byte, functionError string, err error)
}

// workers is how many batches of a mapping run at once where it does not say.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
const workers = 5

// maxPayload is how large an event is at most.
//
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxPayload = 6 << 20

// Mapping is how an event source mapping makes batches.
//
// https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
type Mapping struct {
	BatchSize int // 1 to 10,000; more than 10 need a Window
	// Window is how long a batch waits for more, from its first message on: up to 5
	// minutes in whole seconds. Zero: a batch is what is there.
	Window time.Duration
	// Concurrency is how many batches run at once: 2 to 1000, as with ScalingConfig.
	// Zero: 5.
	Concurrency int
	// Whole is a mapping without ReportBatchItemFailures: what a function answers
	// does not matter.
	Whole bool
}

func (m Mapping) check() error {
	switch {
	case m.BatchSize < 1 || m.BatchSize > 10000:
		return fmt.Errorf("batch size %d is not between 1 and 10000", m.BatchSize)
	case m.Window < 0 || m.Window > 5*time.Minute || m.Window%time.Second != 0:
		return fmt.Errorf("window %v is not between 0 and 300 whole seconds", m.Window)
	case m.BatchSize > 10 && m.Window == 0:
		return fmt.Errorf("batch size %d needs a window of a second at least", m.BatchSize)
	case m.Concurrency != 0 && (m.Concurrency < 2 || m.Concurrency > 1000):
		return fmt.Errorf("concurrency %d is not between 2 and 1000", m.Concurrency)
	}
	return nil
}

// mapping is an event source mapping. Its workers live only while the queue
// has messages.
type mapping struct {
	Mapping

	service  *Service
	queue    *queue
	function string
	invoker  Invoker
	ctx      context.Context //nolint:containedctx // the mapping's life, not a call's

	mu        sync.Mutex
	busy      int
	again     bool // something came since the last worker looked
	gathering bool // with a Window: a worker collects, and gets what comes
}

// Map is [Service.MapAs] with batches of what is there, of any size and as many as 5
// at once, and batch item failures.
func (s *Service) Map(ctx context.Context, queue, function string, batchSize int, inv Invoker) error {
	if batchSize < 1 || batchSize > 10000 {
		return fmt.Errorf("map %s to %s: batch size %d is not between 1 and 10000", queue, function, batchSize)
	}
	return s.mapAs(ctx, queue, function, Mapping{BatchSize: batchSize}, inv)
}

// MapAs invokes function with batches of messages of queue (a name or ARN) until ctx
// is done. What the function handled is deleted. After a failure the messages stay
// hidden for the queue's visibility timeout, which began when they were collected, and
// are then received again or dead-lettered. The function may answer
// {"batchItemFailures": [{"itemIdentifier": ID}]}; an answer that names an unknown
// message, or no message, or is no such object fails the whole batch; null, {} and an
// empty or missing list are a success.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func (s *Service) MapAs(ctx context.Context, queue, function string, m Mapping, inv Invoker) error {
	if err := m.check(); err != nil {
		return fmt.Errorf("map %s to %s: %w", queue, function, err)
	}
	return s.mapAs(ctx, queue, function, m, inv)
}

func (s *Service) mapAs(ctx context.Context, queue, function string, as Mapping, inv Invoker) error {
	q, err := s.find(queue)
	if err != nil {
		return fmt.Errorf("map %s to %s: %w", queue, function, err)
	}
	as.Concurrency = cmp.Or(as.Concurrency, workers)
	m := &mapping{Mapping: as, service: s, queue: q, function: function, invoker: inv, ctx: ctx}
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
	if m.busy < m.Concurrency && !m.gathering {
		m.busy++
		m.gathering = m.Window > 0
		go m.work()
	}
}

func (m *mapping) work() {
	gatherer := m.Window > 0
	for {
		m.mu.Lock()
		m.again = false
		m.mu.Unlock()
		got := m.collect()
		if len(got) > 0 {
			if gatherer {
				gatherer = false
				m.mu.Lock()
				m.gathering = false
				m.mu.Unlock()
				m.kick() // another collects meanwhile
			}
			m.handle(got)
		}
		m.mu.Lock()
		if m.ctx.Err() != nil || len(got) == 0 && !m.again || m.gathering && !gatherer {
			m.busy--
			m.gathering = m.gathering && !gatherer
			m.mu.Unlock()
			return
		}
		gatherer = m.Window > 0
		m.gathering = gatherer
		m.mu.Unlock()
	}
}

// collect receives a batch, and waits for more of it while the window is open.
func (m *mapping) collect() []message {
	got, _ := m.service.receive(m.ctx, m.queue, m.BatchSize, -1, 0) // it does not wait, so it does not fail
	closes := m.queue.clock.Now().Add(m.Window)
	for len(got) > 0 && len(got) < m.BatchSize {
		wait := closes.Sub(m.queue.clock.Now())
		if wait <= 0 {
			break
		}
		more, err := m.service.receive(m.ctx, m.queue, m.BatchSize-len(got), -1, wait)
		if err != nil {
			break
		}
		got = append(got, more...)
	}
	return got
}

// handle invokes the function, once or as often as the batch is too large for an
// event, and deletes what it handled.
func (m *mapping) handle(batch []message) {
	payload, err := event(m.queue.name, batch)
	if err != nil {
		return
	}
	if half := len(batch) / 2; len(payload) > maxPayload && half > 0 {
		m.handle(batch[:half])
		m.handle(batch[half:])
		return
	}
	result, functionError, err := m.invoker.Invoke(m.ctx, m.function, payload)
	if err != nil || functionError != "" {
		return
	}
	var failed []string
	if !m.Whole {
		var ok bool
		if failed, ok = failures(result, batch); !ok {
			return
		}
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

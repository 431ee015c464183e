// Package dynamodb is the local AWS's DynamoDB: tables with real expressions,
// transactions, pages and a time to live on the movable clock.
//
// Operations: CreateTable, DescribeTable, DeleteTable, ListTables,
// UpdateTimeToLive, DescribeTimeToLive, PutItem, GetItem, UpdateItem,
// DeleteItem, Query, Scan, BatchGetItem, BatchWriteItem, TransactWriteItems.
// Anything else answers NotImplemented, and so do the parameters that
// expressions replaced.
//
// Assumed, not recorded: a table is ACTIVE as soon as it was created; an expired
// item stays readable for [Options].ExpiryLag; a read that is not consistent
// sees the last write unless [Options].StaleFor or [wire.Stale] says otherwise. Capacity is
// unlimited and not reported. Scan's order is fixed and says nothing.
package dynamodb

import (
	"context"
	"encoding/json"
	"errors"
	"hash/crc32"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/dynamodb/attr"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Options are a Service's deviations from the obvious.
type Options struct {
	ExpiryLag time.Duration // how long after its time to live an item goes; AWS says within a few days
	StaleFor  time.Duration // how long after a write reads that are not consistent may miss it
}

// Service is DynamoDB. Use [New]; a Service is safe for concurrent use.
//
// API: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/
type Service struct {
	clock    *clock.Clock
	options  Options
	handlers map[string]wire.Handler

	mu           sync.Mutex
	tables       map[string]*table
	transactions map[string]transaction // by ClientRequestToken
}

// New returns a Service without tables, on clk.
func New(clk *clock.Clock, o Options) *Service {
	s := &Service{clock: clk, options: o, tables: map[string]*table{}, transactions: map[string]transaction{}}
	s.handlers = map[string]wire.Handler{
		"CreateTable":        locked(s, s.createTable),
		"DescribeTable":      locked(s, s.describeTable),
		"DeleteTable":        locked(s, s.deleteTable),
		"ListTables":         locked(s, s.listTables),
		"UpdateTimeToLive":   locked(s, s.updateTimeToLive),
		"DescribeTimeToLive": locked(s, s.describeTimeToLive),
		"PutItem":            locked(s, s.putItem),
		"GetItem":            locked(s, s.getItem),
		"UpdateItem":         locked(s, s.updateItem),
		"DeleteItem":         locked(s, s.deleteItem),
		"Query":              locked(s, s.query),
		"Scan":               locked(s, s.scan),
		"BatchGetItem":       locked(s, s.batchGetItem),
		"BatchWriteItem":     locked(s, s.batchWriteItem),
		"TransactWriteItems": locked(s, s.transactWriteItems),
	}
	return s
}

// instant is the time of a call, and how far back its reads may look that are
// not consistent.
type instant struct {
	time.Time

	staleFor time.Duration
}

// locked makes a handler of f that runs under the Service's lock: each call is
// atomic.
func locked[In, Out any](s *Service, f func(now instant, in *In) (*Out, error)) wire.Handler {
	return func(ctx context.Context, c *wire.Call) (*wire.Reply, error) {
		in := new(In)
		if err := decode(c, in); err != nil {
			return nil, err
		}
		now := instant{c.Now, s.options.StaleFor}
		if wire.Stale(ctx) {
			now.staleFor = math.MaxInt64
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		out, err := f(now, in)
		if err != nil {
			return nil, err
		}
		return wire.JSON(out)
	}
}

// decode tells a value that DynamoDB refuses from a body that is not JSON.
func decode(c *wire.Call, in any) error {
	if err := json.Unmarshal(c.Body, in); errors.Is(err, attr.ErrInvalid) {
		return validation(strings.TrimPrefix(err.Error(), attr.ErrInvalid.Error()+": "))
	}
	return c.Decode(in)
}

// Operation implements [wire.Service].
func (*Service) Operation(r *http.Request, _ []byte) string {
	return wire.Target(r, "DynamoDB_20120810")
}

// Serve implements [wire.Service].
func (s *Service) Serve(ctx context.Context, c *wire.Call) (*wire.Reply, error) {
	h, ok := s.handlers[c.Operation]
	if !ok || legacy(c.Body) {
		return nil, wire.NotImplemented(c)
	}
	reply, err := h(ctx, c)
	if e, ok := errors.AsType[*detailedError](err); ok {
		reply, err = e.reply(s.Fail(c, e.err))
	}
	if err != nil {
		return nil, err
	}
	return summed(reply), nil
}

// Fail implements [wire.Service].
func (*Service) Fail(_ *wire.Call, err *wire.Error) *wire.Reply { return summed(wire.FailJSON(err)) }

// summed adds the checksum that DynamoDB sends with every answer. Go's SDK
// takes an answer without one for a broken one, and says so in the log.
func summed(r *wire.Reply) *wire.Reply {
	r.Header.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(r.Body)), 10))
	return r
}

// legacy reports whether body has a parameter of the time before expressions.
func legacy(body []byte) bool {
	var in map[string]json.RawMessage
	if json.Unmarshal(body, &in) != nil {
		return false
	}
	return slices.ContainsFunc([]string{
		"Expected", "ConditionalOperator", "AttributeUpdates", "AttributesToGet", "KeyConditions", "QueryFilter", "ScanFilter", "TotalSegments",
	}, func(name string) bool { return in[name] != nil })
}

// detailedError is an error with more than a code and a message.
type detailedError struct {
	err     *wire.Error
	item    attr.Item
	reasons []reason
}

func (e *detailedError) Error() string { return e.err.Error() }

func (e *detailedError) Unwrap() error { return e.err }

// reply adds the details to the answer.
func (e *detailedError) reply(r *wire.Reply) (*wire.Reply, error) {
	b, err := json.Marshal(struct {
		Type    string    `json:"__type"`
		Message string    `json:"message"`
		Item    attr.Item `json:"Item,omitempty"`
		Reasons []reason  `json:"CancellationReasons,omitempty"`
	}{"com.amazonaws.dynamodb.v20120810#" + e.err.Code, e.err.Message, e.item, e.reasons})
	r.Body = b
	return r, err
}

func validation(message string) error {
	return &wire.Error{Code: "ValidationException", Message: message}
}

// page is how much a Query or Scan reads at most, in bytes.
const page = 1 << 20

// maxItem is the largest item, in bytes.
const maxItem = 400 << 10

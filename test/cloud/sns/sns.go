// Package sns is the local AWS's Simple Notification Service: standard topics
// that keep all that was published to them, and deliver it.
//
// Operations: CreateTopic, ListTopics, Subscribe, ConfirmSubscription,
// Unsubscribe, ListSubscriptionsByTopic, SetSubscriptionAttributes,
// GetSubscriptionAttributes, Publish, PublishBatch. Anything else answers
// NotImplemented.
//
// Protocols: http and https (loopback only, to be confirmed first), sqs,
// lambda, email and email-json (into a mailbox that can be read).
//
// Assumed, not recorded: a mail address is confirmed at once; HTTP is tried
// again three times, 20 s apart on the movable clock, then given up; signatures
// in envelopes are placeholders that verify with nothing. FIFO topics, topic
// attributes, encryption, redrive policies and filters on the message body are
// not modeled: they are refused.
package sns

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/sqs"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Invoker starts a function with an event and returns, as lambda's Service does.
type Invoker interface {
	InvokeAsync(ctx context.Context, function string, payload []byte) error
}

// Options configure a Service. Only Clock is needed.
type Options struct {
	Clock     *clock.Clock
	Endpoint  func() string // the local AWS's URL, for links in envelopes; nil: http://127.0.0.1
	Queues    *sqs.Service  // nil: nothing can subscribe with sqs
	Functions Invoker       // nil: nothing can subscribe with lambda
	Client    *http.Client  // nil: one that follows no redirects and waits 15 s
}

// Service is SNS. Use [New], and Close it; a Service is safe for concurrent use.
//
// API: https://docs.aws.amazon.com/sns/latest/api/
type Service struct {
	options  Options
	handlers map[string]handler
	life     context.Context //nolint:containedctx // ends deliveries with the Service
	stop     context.CancelFunc

	mu     sync.Mutex
	topics map[string]*topic // by ARN
	mail   map[string][]Mail // by address
}

// handler carries out one operation. It returns a struct whose XMLName is
// <Operation>Result, or nil for an operation without a result.
type handler func(ctx context.Context, now time.Time, in form) (any, error)

// topic is one topic.
type topic struct {
	arn           string
	inbox         []Message
	subscriptions []*subscription
}

// New returns a Service without topics.
func New(o Options) *Service {
	if o.Endpoint == nil {
		o.Endpoint = func() string { return "http://127.0.0.1" }
	}
	if o.Client == nil {
		o.Client = &http.Client{
			Timeout:       15 * time.Second,
			Transport:     &http.Transport{Proxy: nil},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	s := &Service{options: o, topics: map[string]*topic{}, mail: map[string][]Mail{}}
	s.life, s.stop = context.WithCancel(context.Background())
	s.handlers = map[string]handler{
		"CreateTopic":               s.createTopic,
		"ListTopics":                s.listTopics,
		"Subscribe":                 s.subscribe,
		"ConfirmSubscription":       s.confirmSubscription,
		"Unsubscribe":               s.unsubscribe,
		"ListSubscriptionsByTopic":  s.listSubscriptionsByTopic,
		"SetSubscriptionAttributes": s.setSubscriptionAttributes,
		"GetSubscriptionAttributes": s.getSubscriptionAttributes,
		"Publish":                   s.publish,
		"PublishBatch":              s.publishBatch,
	}
	return s
}

// Close ends deliveries.
func (s *Service) Close() { s.stop() }

// form is a request of the query protocol.
type form struct{ url.Values }

func parse(r *http.Request, body []byte) form {
	values, err := url.ParseQuery(string(body))
	if err != nil || !values.Has("Action") {
		values = r.URL.Query()
	}
	return form{values}
}

// Operation implements [wire.Service].
func (*Service) Operation(r *http.Request, body []byte) string { return parse(r, body).Get("Action") }

// Serve implements [wire.Service].
func (s *Service) Serve(ctx context.Context, c *wire.Call) (*wire.Reply, error) {
	h, ok := s.handlers[c.Operation]
	if !ok {
		return nil, wire.NotImplemented(c)
	}
	result, err := h(ctx, c.Now, parse(c.HTTP, c.Body))
	if err != nil {
		return nil, err
	}
	return wire.Query(c, "http://sns.amazonaws.com/doc/2010-03-31/", result)
}

// Fail implements [wire.Service].
func (*Service) Fail(c *wire.Call, err *wire.Error) *wire.Reply { return wire.FailQuery(c, err) }

// ARN returns the ARN of the topic of that name.
func ARN(name string) string { return "arn:aws:sns:" + wire.Region + ":" + wire.Account + ":" + name }

// find returns the topic that ref, a name or an ARN, means. s.mu is held.
func (s *Service) find(ref string) (*topic, error) {
	if !strings.HasPrefix(ref, "arn:") {
		ref = ARN(ref)
	}
	t := s.topics[ref]
	if t == nil {
		return nil, &wire.Error{Code: "NotFound", Message: "Topic does not exist", Status: http.StatusNotFound}
	}
	return t, nil
}

func invalid(message string) error {
	return &wire.Error{Code: "InvalidParameter", Message: "Invalid parameter: " + message}
}

// loopback reports whether a URL's host is this machine.
func loopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

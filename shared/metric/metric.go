// Package metric writes one line per invocation in CloudWatch's embedded metric
// format: CloudWatch makes metrics of it, and the line stays in the log.
//
// There are two sets of dimensions, and no other: every combination of values is
// a metric that is paid for, and a thousand keys would cost more than the
// product. What is known per key is a field of the line.
//
// Vendor, step and outcome are for graphs. The outcome of a failure is its error
// type; "Paused" and "Frozen" are none: somebody wanted them. Lambda must still
// answer Secrets Manager with an error, so AWS's own figures (Lambda's Errors,
// the event RotationFailed) count them.
//
// An alarm cannot search for metrics, so it needs one whose name and dimensions
// are known before it exists. These have the installation alone: five metrics, or
// 1.50 dollars a month at the first tier's price, however many keys there are:
//
//	failures  1 for an invocation that failed, else 0; not for one that somebody
//	          wanted refused, or whose refusal is the answer to a person's request
//	swept     1 for a sweep that got to its end, else 0. One function sweeps one
//	          vendor account, so an hour's sum is the number of these
//	overdue   secrets that a finished sweep found late
//	held      keys that it found waiting for a person
//	reconciled  1 for a comparison of the ledger with CloudTrail that got to its
//	            end, else 0
//
// overdue and held are one figure per vendor account and sweep: their maximum
// over an hour is the worst account's, their sum the installation's.
// https://aws.amazon.com/cloudwatch/pricing/
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
package metric

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
)

// Namespace is the metrics' namespace.
const Namespace = "Keyturn"

// Labels say what an invocation was about. Vendor, Step and Outcome are
// dimensions, so only few values are allowed: names from the catalog, of steps,
// and of outcomes or error types.
type Labels struct {
	Vendor, Step, Outcome string // "": "none"
	Secret                string // name; a field, not a dimension
}

// Meter collects what one invocation does. It is safe for concurrent use.
type Meter struct {
	mu     sync.Mutex
	labels Labels
	vendor int // requests to vendors
	asked  bool
	sweep  *Sweep
	ended  *bool // whether a comparison got to its end; nil: there was none
}

// Sweep is what a sweep of one function's secrets found.
type Sweep struct {
	Done    bool // it got to its end; otherwise Late and Held are not told
	Secrets int  // looked at
	Late    int  // secrets with something late
	Held    int  // keys that wait for a person
}

type meterKey struct{}

// With returns a context that carries a new Meter.
func With(ctx context.Context) (context.Context, *Meter) {
	m := &Meter{}
	return context.WithValue(ctx, meterKey{}, m), m
}

// From returns the Meter of ctx, or one that nobody reads.
func From(ctx context.Context) *Meter {
	if m, ok := ctx.Value(meterKey{}).(*Meter); ok {
		return m
	}
	return &Meter{}
}

// Label sets those labels that l has, and keeps the others.
func (m *Meter) Label(l Labels) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range [...]struct {
		to   *string
		from string
	}{{&m.labels.Vendor, l.Vendor}, {&m.labels.Step, l.Step}, {&m.labels.Outcome, l.Outcome}, {&m.labels.Secret, l.Secret}} {
		if f.from != "" {
			*f.to = f.from
		}
	}
}

// Labels returns what has been set.
func (m *Meter) Labels() Labels {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.labels
}

// Asked says that a person waits for the invocation's answer.
func (m *Meter) Asked() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = true
}

// WasAsked reports whether [Meter.Asked] was called.
func (m *Meter) WasAsked() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked
}

// Swept says that the invocation was a sweep.
func (m *Meter) Swept(s Sweep) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep = &s
}

// Reconciled says that the invocation compared the ledger with CloudTrail, and
// whether it got to its end.
func (m *Meter) Reconciled(ended bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = &ended
}

// Transport counts the requests that go through base on the Meter of their
// context.
func Transport(base http.RoundTripper) http.RoundTripper { return counter{base} }

type counter struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (c counter) RoundTrip(r *http.Request) (*http.Response, error) {
	From(r.Context()).called()
	return c.base.RoundTrip(r)
}

// Dialer counts the connections that dial makes as [Transport] counts requests.
func Dialer(dial provider.Dialer) provider.Dialer {
	return func(ctx context.Context, network, address string) (provider.Conn, error) {
		From(ctx).called()
		return dial(ctx, network, address)
	}
}

func (m *Meter) called() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.vendor++
}

// Invocation is what the Meter cannot know.
type Invocation struct {
	Time      time.Time // when it ended
	Duration  time.Duration
	AWSCalls  int
	Function  string
	RequestID string

	Installation string // a dimension; "": "none"
	Failed       bool   // and nobody wanted it refused
}

type definition struct{ Name, Unit string }

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type metadata struct {
	Timestamp         int64
	CloudWatchMetrics []directive
}

type document struct {
	AWS         metadata `json:"_aws"`
	Vendor      string   `json:"vendor"`
	Step        string   `json:"step"`
	Outcome     string   `json:"outcome"`
	Duration    float64  `json:"duration_ms"`
	AWSCalls    int      `json:"aws_calls"`
	VendorCalls int      `json:"vendor_calls"`
	Count       int      `json:"count"`
	Secret      string   `json:"secret,omitempty"`
	Function    string   `json:"service,omitempty"`
	RequestID   string   `json:"request_id,omitempty"`

	Installation string `json:"installation"`
	Failures     int    `json:"failures"`
	Swept        *int   `json:"swept,omitempty"`
	Secrets      *int   `json:"secrets,omitempty"`
	Overdue      *int   `json:"overdue,omitempty"`
	Held         *int   `json:"held,omitempty"`
	Reconciled   *int   `json:"reconciled,omitempty"`
}

// Write writes the line of one invocation in a single write, so that it does
// not mix with the log's.
func (m *Meter) Write(w io.Writer, i Invocation) error {
	m.mu.Lock()
	l, vendor, sweep, ended := m.labels, m.vendor, m.sweep, m.ended
	m.mu.Unlock()
	d := document{
		AWS: metadata{
			Timestamp: i.Time.UnixMilli(),
			CloudWatchMetrics: []directive{{
				Namespace:  Namespace,
				Dimensions: [][]string{{"vendor", "step", "outcome"}},
				Metrics: []definition{
					{"duration_ms", "Milliseconds"}, {"aws_calls", "Count"}, {"vendor_calls", "Count"}, {"count", "Count"},
				},
			}},
		},
		Vendor: value(l.Vendor), Step: value(l.Step), Outcome: value(l.Outcome),
		Duration: float64(i.Duration.Microseconds()) / 1000, AWSCalls: i.AWSCalls, VendorCalls: vendor, Count: 1,
		Secret: l.Secret, Function: i.Function, RequestID: i.RequestID, Installation: value(i.Installation),
	}
	d.AWS.CloudWatchMetrics = append(d.AWS.CloudWatchMetrics, directive{
		Namespace: Namespace, Dimensions: [][]string{{"installation"}}, Metrics: append(d.alarming(i.Failed, sweep), d.compared(ended)...),
	})
	b, err := json.Marshal(d) //nolint:gosec // Secret is its name
	if err != nil {
		return fmt.Errorf("encode the metrics: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// alarming sets what alarms use, and returns its definitions.
func (d *document) alarming(failed bool, s *Sweep) []definition {
	out := []definition{{"failures", "Count"}}
	if failed {
		d.Failures = 1
	}
	if s == nil {
		return out
	}
	d.Swept, d.Secrets = new(0), &s.Secrets
	out = append(out, definition{"swept", "Count"})
	if s.Done {
		*d.Swept, d.Overdue, d.Held = 1, &s.Late, &s.Held
		out = append(out, definition{"overdue", "Count"}, definition{"held", "Count"})
	}
	return out
}

// compared sets the metric of a comparison with CloudTrail.
func (d *document) compared(ended *bool) []definition {
	if ended == nil {
		return nil
	}
	d.Reconciled = new(0)
	if *ended {
		*d.Reconciled = 1
	}
	return []definition{{"reconciled", "Count"}}
}

// value fits a dimension's value: not empty, at most 1,024 characters of ASCII.
func value(s string) string {
	if s == "" {
		return "none"
	}
	out := []byte(s[:min(len(s), 1024)])
	for i, c := range out {
		if c < ' ' || c > '~' {
			out[i] = '?'
		}
	}
	return string(out)
}

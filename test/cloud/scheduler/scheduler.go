// Package scheduler is a local EventBridge Scheduler: schedule groups, and
// schedules that call a Lambda function when a movable clock reaches their
// time.
//
// Operations: CreateSchedule, GetSchedule, UpdateSchedule, DeleteSchedule,
// ListSchedules, CreateScheduleGroup, GetScheduleGroup, DeleteScheduleGroup,
// ListScheduleGroups. Expressions: at() and rate(). Targets: Lambda functions,
// which need not exist yet. cron(), other targets and other operations answer
// NotImplemented; a malformed cron() is not told from a good one.
//
// The texts "Invalid Schedule Expression" and "does not exist", which
// expressions are refused, that a past at() is accepted, and the defaults that
// GetSchedule shows are as AWS answered LocalStack's tests in 2025. That a
// rate without StartDate fires at once, and when a schedule deletes itself, is
// documented.
//
// Assumed, neither recorded nor documented: a past at() fires at once; a rate
// that is late by several periods, because the clock was moved, fires once and
// goes on from then; an update starts a rate anew; retries wait one minute,
// then two, four and eight; every error of an invocation is retried, also that
// there is no such function; a schedule that deletes itself does so when its
// last event was delivered or given up; a deletion does not stop retries;
// groups are deleted at once; a client token is remembered for ever, and with
// another request it is a conflict; a target without Input gets {} (AWS sends a
// notification that it does not describe). Schedules fire to the second, at the
// start of a flexible window. A dead letter has the payload and some of AWS's
// attributes, and is lost if its queue is not there. Tags, roles and keys are taken and have no effect.
// Context attributes such as <aws.scheduler.execution-id> are not replaced.
package scheduler

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/sqs"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Invoker starts a function with an event and returns, as lambda's Service
// does. What happens in the function is not the Scheduler's business: Lambda
// retries asynchronous invocations itself.
type Invoker interface {
	InvokeAsync(ctx context.Context, function string, payload []byte) error
}

// Options configure a Service. Clock and Functions are needed.
type Options struct {
	Clock     *clock.Clock
	Functions Invoker
	Queues    *sqs.Service // for dead letters; nil: they are lost
}

// Service is EventBridge Scheduler. Use [New], and Close it; a Service is safe
// for concurrent use.
//
// API: https://docs.aws.amazon.com/scheduler/latest/APIReference/
type Service struct {
	options  Options
	handlers map[string]wire.Handler
	life     context.Context //nolint:containedctx // ends invocations with the Service
	stop     context.CancelFunc
	running  sync.WaitGroup // invocations

	mu        sync.Mutex
	closed    bool
	groups    map[string]*group
	schedules map[key]*schedule
	tokens    map[string]remembered
}

// key names a schedule.
type key struct{ group, name string }

// New returns a Service with the default group and no schedules.
func New(o Options) *Service {
	now := o.Clock.Now()
	s := &Service{
		options: o, groups: map[string]*group{defaultGroup: {name: defaultGroup, created: now}},
		schedules: map[key]*schedule{}, tokens: map[string]remembered{},
	}
	s.life, s.stop = context.WithCancel(context.Background())
	s.handlers = map[string]wire.Handler{
		"CreateSchedule":      wire.Typed(s.createSchedule),
		"GetSchedule":         wire.Typed(s.getSchedule),
		"UpdateSchedule":      wire.Typed(s.updateSchedule),
		"DeleteSchedule":      wire.Typed(s.deleteSchedule),
		"ListSchedules":       wire.Typed(s.listSchedules),
		"CreateScheduleGroup": wire.Typed(s.createGroup),
		"GetScheduleGroup":    wire.Typed(s.getGroup),
		"DeleteScheduleGroup": wire.Typed(s.deleteGroup),
		"ListScheduleGroups":  wire.Typed(s.listGroups),
	}
	return s
}

// Close cancels all schedules and retries, and waits for invocations under way.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	for _, x := range s.schedules {
		x.disarm()
	}
	s.mu.Unlock()
	s.stop()
	s.running.Wait()
}

// route returns a request's operation and the name in its path.
func route(r *http.Request) (operation, name string) {
	path, escaped, named := strings.Cut(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	name, err := url.PathUnescape(escaped)
	if err != nil || strings.Contains(escaped, "/") {
		return "", ""
	}
	operations := map[string]string{
		"POST schedules/": "CreateSchedule", "GET schedules/": "GetSchedule", "PUT schedules/": "UpdateSchedule",
		"DELETE schedules/": "DeleteSchedule", "GET schedules": "ListSchedules",
		"POST schedule-groups/": "CreateScheduleGroup", "GET schedule-groups/": "GetScheduleGroup",
		"DELETE schedule-groups/": "DeleteScheduleGroup", "GET schedule-groups": "ListScheduleGroups",
	}
	if named {
		path += "/"
	}
	return operations[r.Method+" "+path], name
}

// Operation implements [wire.Service].
func (*Service) Operation(r *http.Request, _ []byte) string {
	operation, _ := route(r)
	return operation
}

// Serve implements [wire.Service].
func (s *Service) Serve(ctx context.Context, c *wire.Call) (*wire.Reply, error) {
	h, ok := s.handlers[c.Operation]
	if !ok {
		return nil, wire.NotImplemented(c)
	}
	return h(ctx, c)
}

// Fail implements [wire.Service].
func (*Service) Fail(_ *wire.Call, err *wire.Error) *wire.Reply { return wire.FailJSON(err) }

// remembered is what a client token stands for.
type remembered struct{ request, arn string }

// once does a request unless one with its token was done before; then the
// answer is the same. It holds s.mu.
func (s *Service) once(c *wire.Call, token string, do func() (arn string, err error)) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	request := c.Operation + " " + c.HTTP.URL.RequestURI() + " " + string(c.Body)
	if r, ok := s.tokens[token]; ok && token != "" {
		if r.request != request {
			return "", conflict("The client token was used with another request.")
		}
		return r.arn, nil
	}
	arn, err := do()
	if err == nil && token != "" {
		s.tokens[token] = remembered{request, arn}
	}
	return arn, err
}

func conflict(message string) error {
	return &wire.Error{Code: "ConflictException", Message: message, Status: http.StatusConflict}
}

func invalid(message string) error {
	return &wire.Error{Code: "ValidationException", Message: message}
}

func notFound(message string) error {
	return &wire.Error{Code: "ResourceNotFoundException", Message: message, Status: http.StatusNotFound}
}

// Pending is a schedule that will fire.
type Pending struct {
	Group, Name string
	At          time.Time // of the next event
}

// Pending returns the schedules that will fire, the next first. Those that
// wait for a retry only are not among them.
func (s *Service) Pending() []Pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Pending
	for k, x := range s.schedules {
		if !x.due.IsZero() {
			out = append(out, Pending{k.group, k.name, x.due})
		}
	}
	slices.SortFunc(out, func(a, b Pending) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Group, b.Group), strings.Compare(a.Name, b.Name))
	})
	return out
}

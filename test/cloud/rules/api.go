package rules

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/sqs"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Functions are those that rules start, as lambda's Service is.
type Functions interface {
	InvokeAsync(ctx context.Context, function string, payload []byte) error
}

// Options configure a [Service]. All are required.
type Options struct {
	Cloud     *cloud.Cloud
	Queues    *sqs.Service
	Functions Functions
}

// Service is a [wire.Service]. Use [New]; a Service is safe for concurrent use.
//
// API: https://docs.aws.amazon.com/eventbridge/latest/APIReference/
type Service struct {
	options  Options
	handlers map[string]wire.Handler

	mu    sync.Mutex
	rules map[string]*rule
	path  Path
}

// rule is one of the default bus.
type rule struct {
	state       State
	text        string // of the pattern
	accepts     pattern
	description string
	role        string
	targets     map[string]target // by Id
}

// New returns an EventBridge without rules.
func New(o Options) *Service {
	s := &Service{options: o, rules: map[string]*rule{}}
	s.handlers = map[string]wire.Handler{
		"PutRule": wire.Typed(s.putRule), "DescribeRule": wire.Typed(s.describeRule), "ListRules": wire.Typed(s.listRules),
		"EnableRule": wire.Typed(s.enableRule), "DisableRule": wire.Typed(s.disableRule), "DeleteRule": wire.Typed(s.deleteRule),
		"PutTargets": wire.Typed(s.putTargets), "ListTargetsByRule": wire.Typed(s.listTargets), "RemoveTargets": wire.Typed(s.removeTargets),
	}
	o.Cloud.Subscribe(nil, s.event)
	return s
}

// SetPath says what happens to events on their way from now on, for all rules that
// were made by calls.
func (s *Service) SetPath(p Path) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.path = p
}

// Operation implements [wire.Service].
func (*Service) Operation(r *http.Request, _ []byte) string { return wire.Target(r, "AWSEvents") }

// Serve implements [wire.Service].
func (s *Service) Serve(ctx context.Context, c *wire.Call) (*wire.Reply, error) {
	h, ok := s.handlers[c.Operation]
	if !ok {
		return nil, wire.NotImplemented(c)
	}
	var in struct {
		EventBusName string
		Rule, Name   string
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if bus := in.EventBusName[strings.LastIndexByte(in.EventBusName, '/')+1:]; bus != "" && bus != "default" {
		return nil, missing("Event bus " + bus + " does not exist.")
	}
	if c.Operation != "ListRules" && !regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`).MatchString(in.Rule+in.Name) {
		return nil, invalid("1 validation error detected: a rule's name has 1 to 64 letters, digits, '.', '-' and '_'")
	}
	return h(ctx, c)
}

// Fail implements [wire.Service].
func (*Service) Fail(_ *wire.Call, err *wire.Error) *wire.Reply { return wire.FailJSON(err) }

func missing(message string) error {
	return &wire.Error{Code: "ResourceNotFoundException", Message: message}
}

func invalid(message string) error { return &wire.Error{Code: "ValidationException", Message: message} }

type empty struct{}

type description struct {
	Name, Arn, State, EventPattern, EventBusName string

	Description string `json:",omitempty"`
	RoleArn     string `json:",omitempty"`
	CreatedBy   string `json:",omitempty"`
}

func arn(name string) string {
	return "arn:aws:events:" + wire.Region + ":" + wire.Account + ":rule/" + name
}

func (r *rule) describe(name string) description {
	return description{Name: name, Arn: arn(name), State: string(r.state), EventPattern: r.text, EventBusName: "default", Description: r.description, RoleArn: r.role}
}

type putRuleInput struct{ Name, EventPattern, ScheduleExpression, State, Description, RoleArn string }

type putRuleOutput struct{ RuleArn string }

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
func (s *Service) putRule(_ context.Context, c *wire.Call, in *putRuleInput) (*putRuleOutput, error) {
	state := Enabled
	if in.State != "" {
		state = State(in.State)
	}
	switch {
	case in.ScheduleExpression != "":
		return nil, wire.NotImplemented(c)
	case in.EventPattern == "":
		return nil, invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
	case !state.valid():
		return nil, invalid("1 validation error detected: Value '" + in.State + "' at 'state' failed to satisfy constraint: Member must satisfy enum value set: [ENABLED, DISABLED, ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS]")
	}
	p, err := parse(in.EventPattern)
	if err != nil {
		return nil, &wire.Error{Code: "InvalidEventPatternException", Message: "Event pattern is not valid. Reason: " + err.Error()}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &rule{state: state, text: in.EventPattern, accepts: p, description: in.Description, role: in.RoleArn, targets: map[string]target{}}
	if old := s.rules[in.Name]; old != nil {
		r.targets = old.targets
	}
	s.rules[in.Name] = r
	return &putRuleOutput{arn(in.Name)}, nil
}

type nameInput struct{ Name string }

// find returns a rule; s.mu is held.
func (s *Service) find(name string) (*rule, error) {
	r := s.rules[name]
	if r == nil {
		return nil, missing("Rule " + name + " does not exist on EventBus default.")
	}
	return r, nil
}

func (s *Service) describeRule(_ context.Context, _ *wire.Call, in *nameInput) (*description, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	d := r.describe(in.Name)
	d.CreatedBy = wire.Account
	return &d, nil
}

type listInput struct {
	NamePrefix, Rule, NextToken string

	Limit *int
}

// page cuts a page out of sorted names; a token is the last name before it.
func (in *listInput) page(names []string) (page []string, next string, err error) {
	limit := 100
	if in.Limit != nil {
		limit = *in.Limit
	}
	if limit < 1 || limit > 100 {
		return nil, "", invalid(fmt.Sprintf("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: a page has 1 to 100 entries", limit))
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n <= in.NextToken })
	if len(names) > limit {
		return names[:limit], names[limit-1], nil
	}
	return names, "", nil
}

type listRulesOutput struct {
	Rules     []description
	NextToken string `json:",omitempty"`
}

func (s *Service) listRules(_ context.Context, _ *wire.Call, in *listInput) (*listRulesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(s.rules)), func(n string) bool { return !strings.HasPrefix(n, in.NamePrefix) })
	names, next, err := in.page(names)
	if err != nil {
		return nil, err
	}
	out := &listRulesOutput{Rules: []description{}, NextToken: next}
	for _, n := range names {
		out.Rules = append(out.Rules, s.rules[n].describe(n))
	}
	return out, nil
}

func (s *Service) enableRule(_ context.Context, _ *wire.Call, in *nameInput) (*empty, error) {
	return s.turn(in.Name, Enabled)
}

func (s *Service) disableRule(_ context.Context, _ *wire.Call, in *nameInput) (*empty, error) {
	return s.turn(in.Name, Disabled)
}

func (s *Service) turn(name string, to State) (*empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(name)
	if err != nil {
		return nil, err
	}
	r.state = to
	return &empty{}, nil
}

func (s *Service) deleteRule(_ context.Context, _ *wire.Call, in *nameInput) (*empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rules[in.Name]; r != nil && len(r.targets) > 0 {
		return nil, invalid("Rule can't be deleted since it has targets.")
	}
	delete(s.rules, in.Name)
	return &empty{}, nil
}

// event brings an event to the targets of each rule that takes it.
func (s *Service) event(ctx context.Context, event []byte) {
	var e map[string]any
	if json.Unmarshal(event, &e) != nil {
		return
	}
	s.mu.Lock()
	path := s.path
	type delivery struct {
		rule string
		target
	}
	var out []delivery
	for _, name := range slices.Sorted(maps.Keys(s.rules)) {
		r := s.rules[name]
		if !r.state.takes(e) || !r.accepts.matches(e) {
			continue
		}
		for _, id := range slices.Sorted(maps.Keys(r.targets)) {
			out = append(out, delivery{name, r.targets[id]})
		}
	}
	s.mu.Unlock()
	for _, d := range out {
		path.bring(s.options.Cloud, e, func() { s.send(ctx, d.rule, d.target, event) })
	}
}

// Package rules is the local AWS's EventBridge: rules bring the events of the default
// bus to queues and functions, late, more than once, in another order or not at all, as
// AWS may. Tests put rules from Go, too.
//
// Operations: PutRule, DescribeRule, ListRules, EnableRule, DisableRule, DeleteRule,
// PutTargets, ListTargetsByRule, RemoveTargets. Anything else answers NotImplemented,
// and so do other buses' rules and schedules. Patterns know exact values, prefix,
// suffix, wildcard (without escapes), equals-ignore-case, anything-but, exists and $or;
// others are refused. Targets are queues and functions; they get the event as it is.
package rules

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/sqs"
)

// State says which events a rule takes.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
type State string

// The states. Enabled leaves out what only reads.
const (
	Disabled    State = "DISABLED"
	Enabled     State = "ENABLED"
	EnabledFull State = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
)

func (s State) valid() bool { return s == Disabled || s == Enabled || s == EnabledFull }

// Rule brings the events that Pattern accepts to Queue, a name or ARN.
type Rule struct {
	State   State
	Pattern string // an event pattern, as JSON
	Queue   string
}

// Path is what happens to events on their way. The zero value brings each once
// and at once. The same seed does the same to the same event.
type Path struct {
	Seed uint64
	// Delay is the longest on the local AWS's clock; each delivery has one of its
	// own, and so events overtake each other.
	Delay time.Duration
	// Duplicates is how many of 100 events come twice.
	Duplicates int
	// Lost chooses events, by their envelope, that never come. CloudTrail has their
	// records all the same. Nil: none. It is called by several goroutines.
	Lost func(event map[string]any) bool
}

// Put makes a rule, until the returned function ends it. What is under way then
// still comes.
func Put(c *cloud.Cloud, queues *sqs.Service, r Rule, p Path) (remove func(), err error) {
	accepted, err := parse(r.Pattern)
	if err != nil {
		return nil, err
	}
	if !r.State.valid() {
		return nil, fmt.Errorf("state %q: no such state", r.State)
	}
	return c.Subscribe(nil, func(_ context.Context, event []byte) {
		var e map[string]any
		if json.Unmarshal(event, &e) != nil || !r.State.takes(e) || !accepted.matches(e) {
			return
		}
		p.bring(c, e, func() { _, _ = queues.Send(r.Queue, sender, string(event), nil) })
	}), nil
}

// sender is who a queue sees.
const sender = "events.amazonaws.com"

// bring calls send for an event as often and as late as the path has it.
func (p Path) bring(c *cloud.Cloud, event map[string]any, send func()) {
	if p.Lost != nil && p.Lost(event) {
		return
	}
	random := p.random(event)
	for range 1 + p.twice(random) {
		if p.Delay <= 0 {
			send()
			continue
		}
		c.Clock().After(time.Duration(random.Int64N(int64(p.Delay))+1), send)
	}
}

func (p Path) random(event map[string]any) *rand.Rand {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, event["id"])
	return rand.New(rand.NewPCG(p.Seed, h.Sum64()))
}

func (p Path) twice(random *rand.Rand) int {
	if random.IntN(100) < p.Duplicates {
		return 1
	}
	return 0
}

// takes reports whether a rule in this state sees the event at all.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail-management.html
func (s State) takes(event map[string]any) bool {
	detail, _ := event["detail"].(map[string]any)
	call := event["detail-type"] == "AWS API Call via CloudTrail"
	return s == EnabledFull || s == Enabled && (!call || detail["readOnly"] != true)
}

// Package rules lets rules of EventBridge bring the local AWS's events to queues,
// late, more than once and in another order, as AWS may.
//
// There is no API: tests put rules from Go. Patterns know exact values, prefix,
// anything-but of values, and exists; others are refused.
package rules

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
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
}

// Put makes a rule, until the returned function ends it. What is under way then
// still comes.
func Put(c *cloud.Cloud, queues *sqs.Service, r Rule, p Path) (remove func(), err error) {
	var pattern map[string]any
	if err := json.Unmarshal([]byte(r.Pattern), &pattern); err != nil || len(pattern) == 0 {
		return nil, errors.New("pattern: not an object of JSON with members")
	}
	if err := check(pattern); err != nil {
		return nil, err
	}
	switch r.State {
	case Disabled, Enabled, EnabledFull:
	default:
		return nil, fmt.Errorf("state %q: no such state", r.State)
	}
	return c.Subscribe(nil, func(_ context.Context, event []byte) {
		var e map[string]any
		if json.Unmarshal(event, &e) != nil || !r.State.takes(e) || !matches(pattern, e) {
			return
		}
		random := p.random(e)
		for range 1 + p.twice(random) {
			send := func() { _, _ = queues.Send(r.Queue, "events.amazonaws.com", string(event), nil) }
			if p.Delay <= 0 {
				send()
				continue
			}
			c.Clock().After(time.Duration(random.Int64N(int64(p.Delay))+1), send)
		}
	}), nil
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
func (s State) takes(event map[string]any) bool {
	detail, _ := event["detail"].(map[string]any)
	call := event["detail-type"] == "AWS API Call via CloudTrail"
	return s == EnabledFull || s == Enabled && (!call || detail["readOnly"] != true)
}

// check refuses what matches does not know.
func check(pattern map[string]any) error {
	for name, p := range pattern {
		switch p := p.(type) {
		case map[string]any:
			if err := check(p); err != nil {
				return err
			}
		case []any:
			for _, v := range p {
				if filter, ok := v.(map[string]any); ok && !known(filter) {
					return fmt.Errorf("pattern of %s: only prefix, anything-but and exists are known here", name)
				}
			}
		default:
			return fmt.Errorf("pattern of %s: neither an object nor a list", name)
		}
	}
	return nil
}

func known(filter map[string]any) bool {
	_, exists := filter["exists"].(bool)
	_, prefix := filter["prefix"].(string)
	_, object := filter["anything-but"].(map[string]any)
	_, but := filter["anything-but"]
	return len(filter) == 1 && (exists || prefix || but && !object)
}

// matches applies a pattern to an object that is there or not.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
func matches(pattern, event map[string]any) bool {
	for name, p := range pattern {
		value, there := event[name]
		switch p := p.(type) {
		case map[string]any:
			inner, _ := value.(map[string]any)
			if !matches(p, inner) {
				return false
			}
		case []any:
			if !oneOf(p, value, there) {
				return false
			}
		}
	}
	return true
}

func oneOf(accepted []any, value any, there bool) bool {
	values, list := value.([]any)
	if !list {
		values = []any{value}
	}
	for _, a := range accepted {
		filter, ok := a.(map[string]any)
		if want, exists := filter["exists"].(bool); ok && exists {
			if want == there {
				return true
			}
			continue
		}
		for _, v := range values {
			if there && accepts(a, filter, v) {
				return true
			}
		}
	}
	return false
}

func accepts(a any, filter map[string]any, v any) bool {
	if filter == nil {
		return equal(a, v)
	}
	if prefix, ok := filter["prefix"].(string); ok {
		text, is := v.(string)
		return is && strings.HasPrefix(text, prefix)
	}
	not, list := filter["anything-but"].([]any)
	if !list {
		not = []any{filter["anything-but"]}
	}
	for _, n := range not {
		if equal(n, v) {
			return false
		}
	}
	return true
}

func equal(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/keyturn/keyturn/shared/trail"
	"github.com/keyturn/keyturn/shared/trail/lookup"
)

// history is an event history: events by their second, oldest first. Synthetic: it
// answers as the API's documentation says.
type history struct {
	events []types.Event
	calls  []time.Time
	fail   error
	forget bool // tokens of another call's end are refused, once in a while
}

func (h *history) add(id, source string, readOnly bool, at time.Time) {
	h.events = append(h.events, types.Event{
		EventId: &id, EventTime: &at, EventSource: aws.String(source + ".amazonaws.com"), ReadOnly: aws.String(strconv.FormatBool(readOnly)),
		CloudTrailEvent: aws.String(fmt.Sprintf(`{"eventVersion":"1.11","eventID":%q,"eventTime":%q,"eventSource":"%s.amazonaws.com","eventName":"X"}`, id, at.Format(time.RFC3339), source)),
	})
}

func (h *history) LookupEvents(_ context.Context, in *cloudtrail.LookupEventsInput, _ ...func(*cloudtrail.Options)) (*cloudtrail.LookupEventsOutput, error) {
	h.calls = append(h.calls, time.Now())
	if h.fail != nil {
		return nil, h.fail
	}
	var fit []types.Event
	a := in.LookupAttributes[0]
	for _, e := range slices.Backward(h.events) {
		value := *e.EventSource
		if a.AttributeKey == types.LookupAttributeKeyReadOnly {
			value = *e.ReadOnly
		}
		if value == *a.AttributeValue && !e.EventTime.Before(*in.StartTime) && !e.EventTime.After(*in.EndTime) {
			fit = append(fit, e)
		}
	}
	from := 0
	if in.NextToken != nil {
		if h.forget && len(h.calls)%7 == 0 {
			return nil, &types.InvalidNextTokenException{}
		}
		if _, err := fmt.Sscanf(*in.NextToken, "%d", &from); err != nil {
			return nil, err
		}
	}
	out := &cloudtrail.LookupEventsOutput{Events: fit[from:min(len(fit), from+50)]}
	if from+50 < len(fit) {
		out.NextToken = aws.String(strconv.Itoa(from + 50))
	}
	return out, nil
}

var errEnough = errors.New("enough")

// walk goes on for most steps, and returns the events that came.
func (h *history) walk(t *testing.T, at trail.Position, most int, seen map[string]int) (trail.Position, []string) {
	t.Helper()
	var problems []string
	err := (&lookup.Source{CloudTrail: h}).Walk(t.Context(), at, time.Now(), func(s trail.Step) error {
		if most == 0 {
			return errEnough
		}
		most--
		at = s.Next
		if s.Problem != "" {
			problems = append(problems, s.Problem)
		}
		f, err := trail.ReadFile(strings.NewReader(string(s.Data)))
		if err != nil || f.Refused > 0 {
			t.Errorf("%s: %v, %d refused", s.Name, err, f.Refused)
		}
		for _, e := range f.Events {
			seen[e.ID]++
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	return at, problems
}

// busy is four hours with more events in one second than a page has.
func busy(start time.Time) *history {
	h := &history{}
	for i := range 400 {
		at := start.Add(time.Duration(i) * 36 * time.Second)
		h.add(fmt.Sprintf("read-%d", i), "secretsmanager", true, at)
		if i == 200 {
			for j := range 120 {
				h.add(fmt.Sprintf("burst-%d", j), "secretsmanager", true, at)
			}
		}
		if i%10 == 0 {
			h.add(fmt.Sprintf("write-%d", i), "lambda", false, at)
			h.add(fmt.Sprintf("other-%d", i), "ec2", true, at)
		}
	}
	return h
}

// All that is asked for comes, at the pace that is allowed, however often it is cut.
func TestSource(t *testing.T) {
	t.Parallel()
	for _, most := range []int{-1, 1, 3, 4} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			h := busy(start)
			h.forget = most == 4
			time.Sleep(5 * time.Hour)
			at, seen := trail.Position{Through: start}, map[string]int{}
			for range 100 {
				at, _ = h.walk(t, at, most, seen)
			}
			for id, n := range seen {
				if n > 1 && !h.forget {
					t.Errorf("%d at a time: %s came %d times", most, id, n)
				}
			}
			if len(seen) != 400+120+40 {
				t.Errorf("%d at a time: %d events, want 560", most, len(seen))
			}
			if seen["other-10"] > 0 {
				t.Error("a read of another service came")
			}
			if age := time.Since(at.Through); age < lookup.Settled || age > lookup.Settled+time.Minute {
				t.Errorf("%d at a time: through %v ago", most, age)
			}
			for i := 1; i < len(h.calls) && most < 0; i++ {
				if h.calls[i].Sub(h.calls[i-1]) < lookup.Pace {
					t.Fatalf("call %d came %v after the one before", i, h.calls[i].Sub(h.calls[i-1]))
				}
			}
		})
	}
}

// What is older than the history is a problem, told once.
func TestSource_tooOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		h := &history{}
		time.Sleep(lookup.History + 24*time.Hour)
		h.add("new", "secretsmanager", false, time.Now().Add(-time.Hour))
		seen := map[string]int{}
		at, problems := h.walk(t, trail.Position{Through: start}, -1, seen)
		if len(problems) != 1 || !strings.Contains(problems[0], "cannot be looked up any more") || seen["new"] == 0 {
			t.Errorf("%q, %v", problems, seen)
		}
		if _, problems = h.walk(t, at, -1, seen); len(problems) != 0 {
			t.Errorf("again %q", problems)
		}
	})
}

// A refusal is an error, and a wait ends with its context.
func TestSource_errors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		time.Sleep(2 * time.Hour)
		h := &history{fail: errors.New("a text that AWS chose")}
		s := &lookup.Source{CloudTrail: h}
		f := func(trail.Step) error { return nil }
		if err := s.Walk(t.Context(), trail.Position{Through: start}, time.Now(), f); err == nil || err.Error() != "LookupEvents: no answer" {
			t.Errorf("%v", err)
		}
		h.fail = nil
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := s.Walk(ctx, trail.Position{Through: start}, time.Now(), f); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

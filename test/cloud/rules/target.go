package rules

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/test/cloud/sqs"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// target is one of a rule's.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
type target struct {
	ID          string       `json:"Id"`
	Arn         string       `json:"Arn"`
	RoleArn     string       `json:"RoleArn,omitempty"`
	Input       string       `json:"Input,omitempty"`
	RetryPolicy *retryPolicy `json:"RetryPolicy,omitempty"`
	DeadLetter  *deadLetter  `json:"DeadLetterConfig,omitempty"`
}

type retryPolicy struct {
	MaximumRetryAttempts     *int `json:",omitempty"`
	MaximumEventAgeInSeconds *int `json:",omitempty"`
}

type deadLetter struct{ Arn string }

// limit is how many targets a rule has.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
const limit = 5

type putTargetsInput struct {
	Rule    string
	Targets []target
}

type failedEntry struct {
	TargetID     string `json:"TargetId"`
	ErrorCode    string
	ErrorMessage string
}

type targetsOutput struct {
	FailedEntryCount int
	FailedEntries    []failedEntry
}

func (s *Service) putTargets(_ context.Context, c *wire.Call, in *putTargetsInput) (*targetsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.Rule)
	if err != nil {
		return nil, err
	}
	next := maps.Clone(r.targets)
	for _, t := range in.Targets {
		switch {
		case t.ID == "" || t.Arn == "":
			return nil, invalid("1 validation error detected: a target has an id and an ARN")
		case !strings.HasPrefix(t.Arn, "arn:aws:sqs:") && !strings.HasPrefix(t.Arn, "arn:aws:lambda:") || t.Input != "":
			return nil, wire.NotImplemented(c)
		}
		next[t.ID] = t
	}
	if len(next) > limit {
		return nil, &wire.Error{Code: "LimitExceededException", Message: "The requested resource exceeds the maximum number allowed."}
	}
	r.targets = next
	return &targetsOutput{FailedEntries: []failedEntry{}}, nil
}

type listTargetsOutput struct {
	Targets   []target
	NextToken string `json:",omitempty"`
}

func (s *Service) listTargets(_ context.Context, _ *wire.Call, in *listInput) (*listTargetsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.Rule)
	if err != nil {
		return nil, err
	}
	ids, next, err := in.page(slices.Sorted(maps.Keys(r.targets)))
	if err != nil {
		return nil, err
	}
	out := &listTargetsOutput{Targets: []target{}, NextToken: next}
	for _, id := range ids {
		out.Targets = append(out.Targets, r.targets[id])
	}
	return out, nil
}

type removeTargetsInput struct {
	Rule string
	IDs  []string `json:"Ids"`
}

func (s *Service) removeTargets(_ context.Context, _ *wire.Call, in *removeTargetsInput) (*targetsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.Rule)
	if err != nil {
		return nil, err
	}
	r.targets = maps.Clone(r.targets)
	for _, id := range in.IDs {
		delete(r.targets, id)
	}
	return &targetsOutput{FailedEntries: []failedEntry{}}, nil
}

// send gives an event to a target; what a target that is not there would have got goes
// to the dead letters.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
func (s *Service) send(ctx context.Context, rule string, t target, event []byte) {
	var err error
	if strings.HasPrefix(t.Arn, "arn:aws:lambda:") {
		err = s.options.Functions.InvokeAsync(ctx, t.Arn, event)
	} else {
		_, err = s.options.Queues.Send(t.Arn, sender, string(event), nil)
	}
	if err == nil || t.DeadLetter == nil {
		return
	}
	text := func(v string) sqs.Attribute { return sqs.Attribute{DataType: "String", StringValue: v} }
	_, _ = s.options.Queues.Send(t.DeadLetter.Arn, sender, string(event), map[string]sqs.Attribute{ // lost, as in AWS
		"RULE_ARN": text(arn(rule)), "TARGET_ARN": text(t.Arn), "ERROR_CODE": text("NO_RESOURCE"), "ERROR_MESSAGE": text(wire.AsError(err).Message),
	})
}

// Package scheduler makes one-time schedules with Amazon EventBridge Scheduler.
package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/schedule"
)

// Client is what a Scheduler needs of the SDK's client.
type Client interface {
	CreateSchedule(context.Context, *scheduler.CreateScheduleInput, ...func(*scheduler.Options)) (*scheduler.CreateScheduleOutput, error)
}

// Target is what schedules start, and as whom.
type Target struct {
	Function string // ARN
	Role     string // ARN of the role that may invoke it
	Group    string // of schedules; "": the account's default group
}

// Scheduler makes schedules. It is safe for concurrent use.
type Scheduler struct {
	client Client
	target Target
}

// New returns a Scheduler for one target.
func New(client Client, t Target) *Scheduler { return &Scheduler{client, t} }

// Schedule makes s, which deletes itself when it has run. A schedule of that
// name which exists is the same one.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
func (s *Scheduler) Schedule(ctx context.Context, o schedule.Once) error {
	in := &scheduler.CreateScheduleInput{
		Name:                       &o.Name,
		ScheduleExpression:         aws.String("at(" + ceil(o.At).Format("2006-01-02T15:04:05") + ")"),
		ScheduleExpressionTimezone: aws.String("UTC"),
		FlexibleTimeWindow:         &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		ActionAfterCompletion:      types.ActionAfterCompletionDelete,
		Target:                     &types.Target{Arn: &s.target.Function, RoleArn: &s.target.Role, Input: aws.String(string(o.Payload))},
	}
	if s.target.Group != "" {
		in.GroupName = &s.target.Group
	}
	_, err := s.client.CreateSchedule(ctx, in)
	if _, exists := errors.AsType[*types.ConflictException](err); exists || err == nil {
		return nil
	}
	return fmt.Errorf("make schedule %q: %w", o.Name, awserror.Safe("CreateSchedule", err))
}

// ceil rounds up to a whole second: at() knows no fractions, and a run that
// comes too early finds nothing due.
func ceil(t time.Time) time.Time {
	t = t.UTC()
	if c := t.Truncate(time.Second); !c.Equal(t) {
		return c.Add(time.Second)
	}
	return t
}

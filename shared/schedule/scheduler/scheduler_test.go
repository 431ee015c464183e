package scheduler_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keyturn/keyturn/shared/schedule"
	"github.com/keyturn/keyturn/shared/schedule/scheduler"
)

// fake keeps schedules by name and refuses a second one of a name.
type fake struct {
	made map[string]*sdk.CreateScheduleInput
	fail error
}

func (f *fake) CreateSchedule(_ context.Context, in *sdk.CreateScheduleInput, _ ...func(*sdk.Options)) (*sdk.CreateScheduleOutput, error) {
	if f.fail != nil {
		return nil, f.fail
	}
	if f.made[*in.Name] != nil {
		return nil, &types.ConflictException{}
	}
	f.made[*in.Name] = in
	return &sdk.CreateScheduleOutput{}, nil
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	c := &fake{made: map[string]*sdk.CreateScheduleInput{}}
	s := scheduler.New(c, scheduler.Target{Function: "arn:f", Role: "arn:r", Group: "g"})
	zone := time.FixedZone("", 2*60*60)
	o := schedule.Once{Name: "n", At: time.Date(2026, 11, 23, 13, 59, 59, 1, zone), Payload: []byte(`{"version":1}`)}
	for range 2 { // the second time it is there already, which is as good
		if err := s.Schedule(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	want := &sdk.CreateScheduleInput{
		Name: aws.String("n"), GroupName: aws.String("g"),
		ScheduleExpression: aws.String("at(2026-11-23T12:00:00)"), ScheduleExpressionTimezone: aws.String("UTC"),
		FlexibleTimeWindow:    &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		ActionAfterCompletion: types.ActionAfterCompletionDelete,
		Target:                &types.Target{Arn: aws.String("arn:f"), RoleArn: aws.String("arn:r"), Input: aws.String(`{"version":1}`)},
	}
	opts := cmpopts.IgnoreUnexported(sdk.CreateScheduleInput{}, types.FlexibleTimeWindow{}, types.Target{})
	if d := cmp.Diff(want, c.made["n"], opts); d != "" {
		t.Errorf("CreateSchedule (-want +got):\n%s", d)
	}
}

func TestSchedule_wholeSecondsStay(t *testing.T) {
	t.Parallel()
	c := &fake{made: map[string]*sdk.CreateScheduleInput{}}
	s := scheduler.New(c, scheduler.Target{})
	if err := s.Schedule(t.Context(), schedule.Once{Name: "n", At: time.Date(2026, 11, 23, 12, 0, 7, 0, time.UTC)}); err != nil {
		t.Fatal(err)
	}
	in := c.made["n"]
	if *in.ScheduleExpression != "at(2026-11-23T12:00:07)" || in.GroupName != nil {
		t.Errorf("expression %s, group %v", *in.ScheduleExpression, in.GroupName)
	}
}

func TestSchedule_fails(t *testing.T) {
	t.Parallel()
	c := &fake{fail: errors.New("throttled")}
	if err := scheduler.New(c, scheduler.Target{}).Schedule(t.Context(), schedule.Once{}); err == nil || strings.Contains(err.Error(), "throttled") {
		t.Errorf("Schedule = %v, want an error without the SDK's text", err)
	}
}

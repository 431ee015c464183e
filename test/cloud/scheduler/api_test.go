package scheduler_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	sdk "github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const future = "at(2999-12-31T23:59:59)"

// What is not given is as AWS answered LocalStack's tests.
func TestGetSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		in := input("a", "rate(2 minute)", `{"key": "value"}`)
		in.State = types.ScheduleStateDisabled
		out, err := w.CreateSchedule(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := w.GetSchedule(t.Context(), &sdk.GetScheduleInput{Name: new("a")})
		if err != nil {
			t.Fatal(err)
		}
		want := &sdk.GetScheduleOutput{
			ActionAfterCompletion: types.ActionAfterCompletionNone, Arn: out.ScheduleArn, CreationDate: &w.began, LastModificationDate: &w.began,
			FlexibleTimeWindow: in.FlexibleTimeWindow, GroupName: new("default"), Name: new("a"), ScheduleExpression: new("rate(2 minute)"),
			ScheduleExpressionTimezone: new("UTC"), State: types.ScheduleStateDisabled,
			Target: &types.Target{
				Arn: new(function), RoleArn: new(role), Input: new(`{"key": "value"}`),
				RetryPolicy: &types.RetryPolicy{MaximumEventAgeInSeconds: new(int32(86400)), MaximumRetryAttempts: new(int32(185))},
			},
		}
		ignore := cmpopts.IgnoreUnexported(sdk.GetScheduleOutput{}, types.FlexibleTimeWindow{}, types.Target{}, types.RetryPolicy{})
		if diff := cmp.Diff(want, got, ignore, cmpopts.IgnoreTypes(middleware.Metadata{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// The expressions are those that AWS refused in LocalStack's tests, and what is
// not documented as one.
func TestExpressions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, expression := range []string{
		"rate(10 seconds)", "rate(10 years)", "rate()", "rate(10)", "rate(10 minutess)", "rate(foo minutes)", "rate(-10 minutes)",
		"rate( 10 minutes )", " rate(10 minutes)", "at(2021-12-31T23:59:59Z)", "at(2021-12-31)",
		"rate(0 minutes)", "at(2999-13-01T00:00:00)", "at(2999-02-29T00:00:00)", "at(2999-01-01T0:00:00)", "at(2999-01-01T00:00:00.5)", "cron", "daily",
	} {
		_, err := w.CreateSchedule(t.Context(), input("a", expression, "{}"))
		e, ok := errors.AsType[*types.ValidationException](err)
		if !ok || e.ErrorMessage() != "Invalid Schedule Expression "+expression+"." {
			t.Errorf("%q: %v", expression, err)
		}
	}
	_, err := w.CreateSchedule(t.Context(), input("a", "cron(0 4 * * ? *)", "{}"))
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "NotImplemented" {
		t.Errorf("cron: %v", err)
	}
}

func TestRefusedSchedules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		name   string
		change func(*sdk.CreateScheduleInput)
		code   string
	}{
		{"long name", func(in *sdk.CreateScheduleInput) { in.Name = new(strings.Repeat("x", 65)) }, "ValidationException"},
		{"name", func(in *sdk.CreateScheduleInput) { in.Name = new("a b") }, "ValidationException"},
		{"group name", func(in *sdk.CreateScheduleInput) { in.GroupName = new("a b") }, "ValidationException"},
		{"unknown group", func(in *sdk.CreateScheduleInput) { in.GroupName = new("g") }, "ResourceNotFoundException"},
		{"time zone", func(in *sdk.CreateScheduleInput) { in.ScheduleExpressionTimezone = new("Mars/Olympus") }, "ValidationException"},
		{"this machine's zone", func(in *sdk.CreateScheduleInput) { in.ScheduleExpressionTimezone = new("Local") }, "ValidationException"},
		{"state", func(in *sdk.CreateScheduleInput) { in.State = "ON" }, "ValidationException"},
		{"action", func(in *sdk.CreateScheduleInput) { in.ActionAfterCompletion = "KEEP" }, "ValidationException"},
		{"window without minutes", func(in *sdk.CreateScheduleInput) { in.FlexibleTimeWindow.Mode = "FLEXIBLE" }, "ValidationException"},
		{"role", func(in *sdk.CreateScheduleInput) { in.Target.RoleArn = new("role") }, "ValidationException"},
		{"ARN", func(in *sdk.CreateScheduleInput) { in.Target.Arn = new("retire") }, "ValidationException"},
		{"other target", func(in *sdk.CreateScheduleInput) { in.Target.Arn = new("arn:aws:sqs:us-east-1:123456789012:q") }, "NotImplemented"},
		{"input", func(in *sdk.CreateScheduleInput) { in.Target.Input = new("{") }, "ValidationException"},
		{"retries", func(in *sdk.CreateScheduleInput) {
			in.Target.RetryPolicy = &types.RetryPolicy{MaximumRetryAttempts: new(int32(186))}
		}, "ValidationException"},
		{"age", func(in *sdk.CreateScheduleInput) {
			in.Target.RetryPolicy = &types.RetryPolicy{MaximumEventAgeInSeconds: new(int32(59))}
		}, "ValidationException"},
		{"dead letters", func(in *sdk.CreateScheduleInput) {
			in.Target.DeadLetterConfig = &types.DeadLetterConfig{Arn: new("queue")}
		}, "ValidationException"},
		{"dates", func(in *sdk.CreateScheduleInput) {
			in.ScheduleExpression, in.StartDate, in.EndDate = new("rate(1 day)"), &w.began, &w.began
		}, "ValidationException"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := input("a", future, "{}")
			tt.change(in)
			_, err := w.CreateSchedule(t.Context(), in)
			if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != tt.code {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	no := input("no", future, "{}")
	for name, call := range map[string]func() error{
		"GetSchedule":    func() error { _, err := w.GetSchedule(ctx, &sdk.GetScheduleInput{Name: no.Name}); return err },
		"DeleteSchedule": func() error { _, err := w.DeleteSchedule(ctx, &sdk.DeleteScheduleInput{Name: no.Name}); return err },
		"UpdateSchedule": func() error {
			_, err := w.UpdateSchedule(ctx, &sdk.UpdateScheduleInput{Name: no.Name, ScheduleExpression: no.ScheduleExpression, FlexibleTimeWindow: no.FlexibleTimeWindow, Target: no.Target})
			return err
		},
		"ListSchedules":    func() error { _, err := w.ListSchedules(ctx, &sdk.ListSchedulesInput{GroupName: no.Name}); return err },
		"GetScheduleGroup": func() error { _, err := w.GetScheduleGroup(ctx, &sdk.GetScheduleGroupInput{Name: no.Name}); return err },
		"DeleteScheduleGroup": func() error {
			_, err := w.DeleteScheduleGroup(ctx, &sdk.DeleteScheduleGroupInput{Name: no.Name})
			return err
		},
	} {
		err := call()
		e, ok := errors.AsType[*types.ResourceNotFoundException](err)
		if !ok || !strings.HasSuffix(e.ErrorMessage(), " no does not exist.") {
			t.Errorf("%s: %v", name, err)
		}
		if r, ok := errors.AsType[*smithyhttp.ResponseError](err); !ok || r.HTTPStatusCode() != http.StatusNotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := w.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: no.Name})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "NotImplemented" {
		t.Errorf("not modeled: %v", err)
	}
}

func TestClientToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := input("a", future, "{}")
	in.ClientToken = new("token")
	w.create(t, in)
	w.create(t, in)
	changed := input("a", future, `"other"`)
	for name, token := range map[string]*string{"same token, other request": new("token"), "other token": new("other"), "no token": nil} {
		changed.ClientToken = token
		_, err := w.CreateSchedule(t.Context(), changed)
		if _, ok := errors.AsType[*types.ConflictException](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2 {
		if _, err := w.DeleteSchedule(t.Context(), &sdk.DeleteScheduleInput{Name: new("a"), ClientToken: new("gone")}); err != nil {
			t.Error(err)
		}
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	out, err := w.CreateScheduleGroup(ctx, &sdk.CreateScheduleGroupInput{Name: new("g")})
	if err != nil || *out.ScheduleGroupArn != "arn:aws:scheduler:us-east-1:123456789012:schedule-group/g" {
		t.Fatal(out, err)
	}
	_, err = w.CreateScheduleGroup(ctx, &sdk.CreateScheduleGroupInput{Name: new("g")})
	if _, ok := errors.AsType[*types.ConflictException](err); !ok {
		t.Errorf("same name: %v", err)
	}
	if got, err := w.GetScheduleGroup(ctx, &sdk.GetScheduleGroupInput{Name: new("g")}); err != nil || got.State != types.ScheduleGroupStateActive || *got.Arn != *out.ScheduleGroupArn {
		t.Errorf("got %+v, %v", got, err)
	}
	w.create(t, input("a", future, "{}"))
	in := input("a", future, "{}") // the same name in another group
	in.GroupName = new("g")
	w.create(t, in)
	if l, err := w.ListScheduleGroups(ctx, &sdk.ListScheduleGroupsInput{}); err != nil || len(l.ScheduleGroups) != 2 {
		t.Errorf("got %+v, %v", l, err)
	}
	if _, err := w.DeleteScheduleGroup(ctx, &sdk.DeleteScheduleGroupInput{Name: new("g")}); err != nil {
		t.Fatal(err)
	}
	if l, err := w.ListSchedules(ctx, &sdk.ListSchedulesInput{}); err != nil || len(l.Schedules) != 1 || *l.Schedules[0].GroupName != "default" {
		t.Errorf("got %+v, %v", l, err)
	}
	_, err = w.DeleteScheduleGroup(ctx, &sdk.DeleteScheduleGroupInput{Name: new("default")})
	if _, ok := errors.AsType[*types.ValidationException](err); !ok {
		t.Errorf("default: %v", err)
	}
}

func TestListSchedules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 5 {
		in := input(fmt.Sprintf("k-%d", i), future, "{}")
		if i == 4 {
			in.State = types.ScheduleStateDisabled
		}
		w.create(t, in)
	}
	w.create(t, input("other", future, "{}"))
	for _, tt := range []struct {
		name string
		in   sdk.ListSchedulesInput
		want []string
	}{
		{"all", sdk.ListSchedulesInput{}, []string{"k-0", "k-1", "k-2", "k-3", "k-4", "other"}},
		{"pages", sdk.ListSchedulesInput{MaxResults: new(int32(2)), NamePrefix: new("k-")}, []string{"k-0", "k-1", "k-2", "k-3", "k-4"}},
		{"state", sdk.ListSchedulesInput{State: types.ScheduleStateDisabled}, []string{"k-4"}},
		{"none", sdk.ListSchedulesInput{NamePrefix: new("x")}, nil},
	} {
		var got []string
		for p := sdk.NewListSchedulesPaginator(w.Client, &tt.in); p.HasMorePages(); {
			out, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range out.Schedules {
				got = append(got, *s.Name)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

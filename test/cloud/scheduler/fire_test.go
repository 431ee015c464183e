package scheduler_test

import (
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud/scheduler"
	"github.com/keyturn/keyturn/test/cloud/sqs"
)

func TestOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		goes := input("goes", w.at(time.Hour), `{"n":1}`)
		goes.ActionAfterCompletion = types.ActionAfterCompletionDelete
		w.create(t, goes)
		stays := input("stays", w.at(2*time.Hour), "")
		stays.Target.Input = nil
		w.create(t, stays)
		want := []scheduler.Pending{{"default", "goes", w.began.Add(time.Hour)}, {"default", "stays", w.began.Add(2 * time.Hour)}}
		if diff := cmp.Diff(want, w.service.Pending()); diff != "" {
			t.Errorf("pending (-want +got):\n%s", diff)
		}
		w.clock.Advance(59 * time.Minute)
		w.wantStarted(t)
		if !w.has(t, "goes") {
			t.Error("deleted before its time")
		}
		w.clock.Advance(time.Minute)
		w.wantStarted(t, `60 {"n":1}`)
		if w.has(t, "goes") {
			t.Error("did not delete itself")
		}
		w.clock.Advance(24 * time.Hour)
		w.wantStarted(t, "1500 {}")
		if !w.has(t, "stays") {
			t.Error("deleted itself without being told to")
		}
		if p := w.service.Pending(); len(p) != 0 {
			t.Errorf("pending %v", p)
		}
	})
}

func TestOnceInThePast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create(t, input("late", w.at(-time.Hour), `"late"`))
		w.wantStarted(t, `0 "late"`)
	})
}

func TestTimeZone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		in := input("india", "at(2000-01-01T06:30:00)", `"india"`)
		in.ScheduleExpressionTimezone = new("Asia/Kolkata") // UTC+05:30
		w.create(t, in)
		w.clock.Advance(time.Hour - time.Second)
		w.wantStarted(t)
		w.clock.Advance(time.Second)
		w.wantStarted(t, `60 "india"`)
	})
}

func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create(t, input("sweep", "rate(10 minutes)", `"x"`))
		w.wantStarted(t, `0 "x"`)
		w.clock.Advance(10 * time.Minute)
		w.wantStarted(t, `10 "x"`)
		w.clock.Advance(35 * time.Minute) // over three periods: once, and on from here
		w.wantStarted(t, `45 "x"`)
		w.clock.Advance(9 * time.Minute)
		w.wantStarted(t)
		w.clock.Advance(time.Minute)
		w.wantStarted(t, `55 "x"`)
	})
}

func TestRateBetweenDates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		in := input("between", "rate(1 hour)", `"x"`)
		in.StartDate, in.EndDate = new(w.began.Add(-90*time.Minute)), new(w.began.Add(2*time.Hour))
		in.ActionAfterCompletion = types.ActionAfterCompletionDelete
		w.create(t, in)
		w.clock.Advance(30 * time.Minute)
		w.wantStarted(t, `30 "x"`)
		if !w.has(t, "between") {
			t.Error("deleted before its last event")
		}
		w.clock.Advance(time.Hour)
		w.wantStarted(t, `90 "x"`)
		if w.has(t, "between") {
			t.Error("did not delete itself after its last event")
		}
		w.clock.Advance(24 * time.Hour)
		w.wantStarted(t)
	})
}

func TestUpdateAndDelete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		in := input("a", w.at(time.Hour), `"old"`)
		in.State, in.Description = types.ScheduleStateDisabled, new("to be forgotten")
		w.create(t, in)
		w.clock.Advance(2 * time.Hour)
		w.wantStarted(t)
		update := func(expression string) {
			t.Helper()
			next := input("a", expression, `"new"`)
			if _, err := w.UpdateSchedule(t.Context(), &sdk.UpdateScheduleInput{
				Name: next.Name, ScheduleExpression: &expression, FlexibleTimeWindow: next.FlexibleTimeWindow, Target: next.Target,
			}); err != nil {
				t.Fatal(err)
			}
		}
		update(w.at(3 * time.Hour))
		update(w.at(4 * time.Hour))
		w.clock.Advance(2 * time.Hour)
		w.wantStarted(t, `240 "new"`)
		got, err := w.GetSchedule(t.Context(), &sdk.GetScheduleInput{Name: new("a")})
		if err != nil {
			t.Fatal(err)
		}
		if got.State != types.ScheduleStateEnabled || got.Description != nil || !got.CreationDate.Equal(w.began) || !got.LastModificationDate.Equal(w.began.Add(2*time.Hour)) {
			t.Errorf("got %+v", got)
		}
		update(w.at(5 * time.Hour))
		if _, err := w.DeleteSchedule(t.Context(), &sdk.DeleteScheduleInput{Name: new("a")}); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(24 * time.Hour)
		w.wantStarted(t)
	})
}

func TestRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.refuse = 5
		in := input("a", w.at(0), `"x"`)
		in.ActionAfterCompletion = types.ActionAfterCompletionDelete
		w.create(t, in)
		for minute := range 30 {
			synctest.Wait()
			if there, want := w.has(t, "a"), minute < 23; there != want {
				t.Errorf("after %d minutes: there %t", minute, there)
			}
			w.clock.Advance(time.Minute)
		}
		w.wantStarted(t, "0 refused", "1 refused", "3 refused", "7 refused", "15 refused", `23 "x"`)
	})
}

func TestDeadLetter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		policy    types.RetryPolicy
		started   []string
		condition string
		retries   string
	}{
		{"no retries", types.RetryPolicy{MaximumRetryAttempts: new(int32(0))}, []string{"0 refused"}, "MaximumRetryAttempts", "0"},
		{"retries", types.RetryPolicy{MaximumRetryAttempts: new(int32(2))}, []string{"0 refused", "1 refused", "3 refused"}, "MaximumRetryAttempts", "2"},
		{"age", types.RetryPolicy{MaximumEventAgeInSeconds: new(int32(60))}, []string{"0 refused", "1 refused"}, "MaximumEventAgeInSeconds", "1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				if _, err := w.queues.Create("dead", nil); err != nil {
					t.Fatal(err)
				}
				w.refuse = 1000
				in := input("a", w.at(0), `"x"`)
				in.ActionAfterCompletion = types.ActionAfterCompletionDelete
				in.Target.RetryPolicy, in.Target.DeadLetterConfig = &tt.policy, &types.DeadLetterConfig{Arn: new(sqs.ARN("dead"))}
				w.create(t, in)
				for range 20 {
					synctest.Wait()
					w.clock.Advance(time.Minute)
				}
				w.wantStarted(t, tt.started...)
				dead := w.queues.Messages("dead")
				if len(dead) != 1 || dead[0].Body != `"x"` {
					t.Fatalf("dead letters %+v", dead)
				}
				got := map[string]string{}
				for name, a := range dead[0].Attributes {
					got[name] = a.StringValue
				}
				want := map[string]string{
					"ERROR_CODE": "TooManyRequestsException", "ERROR_MESSAGE": "Rate Exceeded.", "EXHAUSTED_RETRY_CONDITION": tt.condition,
					"RETRY_ATTEMPTS": tt.retries, "TARGET_ARN": function, "SCHEDULE_ARN": "arn:aws:scheduler:us-east-1:123456789012:schedule/default/a",
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("attributes (-want +got):\n%s", diff)
				}
				if w.has(t, "a") {
					t.Error("still there")
				}
			})
		})
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create(t, input("a", w.at(time.Hour), `"a"`))
		w.refuse = 1
		w.create(t, input("b", w.at(0), `"b"`))
		w.wantStarted(t, "0 refused")
		w.service.Close()
		w.create(t, input("c", w.at(time.Hour), `"c"`))
		w.clock.Advance(24 * time.Hour)
		w.wantStarted(t)
	})
}

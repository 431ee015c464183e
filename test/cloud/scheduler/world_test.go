package scheduler_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/scheduler"
	"github.com/keyturn/keyturn/test/cloud/sqs"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

const (
	function = "arn:aws:lambda:us-east-1:123456789012:function:retire"
	role     = "arn:aws:iam::123456789012:role/scheduler"
)

// world has a Scheduler whose functions are written down when they start.
// Inside a bubble it begins at 2000-01-01T00:00:00Z.
type world struct {
	*sdk.Client

	clock   *clock.Clock
	service *scheduler.Service
	queues  *sqs.Service
	began   time.Time

	mu      sync.Mutex
	refuse  int      // how many more invocations fail
	started []string // "<minutes since the beginning> <payload>"
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clk := clock.New()
	w := &world{clock: clk, queues: sqs.New(clk), began: clk.Now()}
	w.service = scheduler.New(scheduler.Options{Clock: clk, Functions: w, Queues: w.queues})
	w.Client = sdk.NewFromConfig(wiretest.Config("scheduler", w.service, clk))
	t.Cleanup(func() {
		w.service.Close()
		clk.Stop()
	})
	return w
}

// InvokeAsync implements scheduler.Invoker.
func (w *world) InvokeAsync(_ context.Context, name string, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	what := string(payload)
	if name != function {
		what = name + " " + what
	}
	var err error
	if w.refuse > 0 {
		w.refuse--
		what = "refused"
		err = &wire.Error{Code: "TooManyRequestsException", Message: "Rate Exceeded."}
	}
	w.started = append(w.started, fmt.Sprintf("%v %s", w.clock.Now().Sub(w.began).Minutes(), what))
	return err
}

// wantStarted compares what was started since the last time it was asked.
func (w *world) wantStarted(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if diff := cmp.Diff(want, w.started); diff != "" {
		t.Errorf("started (-want +got):\n%s", diff)
	}
	w.started = nil
}

// at is the expression for d after the beginning.
func (w *world) at(d time.Duration) string {
	return "at(" + w.began.Add(d).Format("2006-01-02T15:04:05") + ")"
}

func input(name, expression, payload string) *sdk.CreateScheduleInput {
	return &sdk.CreateScheduleInput{
		Name: &name, ScheduleExpression: &expression,
		FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		Target:             &types.Target{Arn: new(function), RoleArn: new(role), Input: &payload},
	}
}

func (w *world) create(t *testing.T, in *sdk.CreateScheduleInput) {
	t.Helper()
	if _, err := w.CreateSchedule(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

// has reports whether there is a schedule of that name in the default group.
func (w *world) has(t *testing.T, name string) bool {
	t.Helper()
	out, err := w.ListSchedules(t.Context(), &sdk.ListSchedulesInput{GroupName: new("default"), NamePrefix: &name})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Schedules) == 1
}

package cloud_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"
)

const day = 24 * time.Hour

// advance moves the clock and waits until nothing happens any more.
func (w *world) advance(t *testing.T, d time.Duration) {
	t.Helper()
	w.Clock().Advance(d)
	synctest.Wait()
	if err := w.Idle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) describe(t *testing.T) *sm.DescribeSecretOutput {
	t.Helper()
	out, err := w.sm.DescribeSecret(t.Context(), &sm.DescribeSecretInput{SecretId: aws.String(name)})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func everyTenDays(in *sm.RotateSecretInput) {
	in.RotationRules = &types.RotationRulesType{ScheduleExpression: aws.String("rate(10 days)"), Duration: aws.String("3h")}
}

func TestNextRotationDate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // the bubble begins at 2000-01-01 00:00 UTC
		w := newWorld(t)
		w.rotate(t, everyTenDays)
		d := w.describe(t)
		want := time.Date(2000, 1, 11, 3, 0, 0, 0, time.UTC)
		if got := aws.ToTime(d.NextRotationDate); !got.Equal(want) {
			t.Errorf("the next rotation is by %s, want %s", got, want)
		}
		if got := aws.ToInt64(d.RotationRules.AutomaticallyAfterDays); got != 10 {
			t.Errorf("every %d days, want 10", got)
		}
		w.rotate(t, func(in *sm.RotateSecretInput) {
			in.RotationRules = &types.RotationRulesType{ScheduleExpression: aws.String("rate(10 hours)")}
		})
		if got := aws.ToInt64(w.describe(t).RotationRules.AutomaticallyAfterDays); got != 1 {
			t.Errorf("every %d days, want 1 for 10 hours", got)
		}
		w.rotate(t, everyTenDays)
		w.advance(t, 5*day)
		if err := w.put(t.Context(), "by hand"); err != nil {
			t.Fatal(err)
		}
		if got := aws.ToTime(w.describe(t).NextRotationDate); !got.Equal(want.Add(5 * day)) {
			t.Errorf("a new version by hand counts: next by %s, want %s", got, want.Add(5*day))
		}
	})
}

func TestScheduleComesAgainAndAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rotate(t, everyTenDays)
		for range 3 {
			w.advance(t, 11*day)
		}
		if got := len(w.steps); got != 16 {
			t.Errorf("%d steps, want 16: four rotations", got)
		}
	})
}

func TestFailedRotationIsAttemptedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		broken := true
		w.fail = func(step string, _ int) error {
			if broken && step == "testSecret" {
				return errors.New("an outage")
			}
			return nil
		}
		token := aws.ToString(w.rotate(t, everyTenDays).VersionId)
		if got := len(w.steps); got != 15 {
			t.Errorf("%d steps, want 15: five attempts of three", got)
		}
		broken = false
		w.advance(t, 21*day)
		if diff := cmp.Diff([]string{"AWSCURRENT"}, w.stages(t)[token]); diff != "" {
			t.Errorf("the version that was left pending (-want +got):\n%s", diff)
		}
	})
}

func TestCancelRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var canceled *sm.CancelRotateSecretOutput
		w.fail = func(step string, _ int) (err error) {
			if step == "setSecret" {
				canceled, err = w.sm.CancelRotateSecret(t.Context(), &sm.CancelRotateSecretInput{SecretId: aws.String(name)})
			}
			return err
		}
		token := aws.ToString(w.rotate(t, everyTenDays).VersionId)
		if got := aws.ToString(canceled.VersionId); got != token {
			t.Errorf("canceled %q, want %q", got, token)
		}
		if diff := cmp.Diff([]string{"createSecret", "setSecret"}, w.steps); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
		d := w.describe(t)
		if diff := cmp.Diff([]string{"AWSPENDING"}, d.VersionIdsToStages[token]); diff != "" {
			t.Errorf("the label stays (-want +got):\n%s", diff)
		}
		if aws.ToBool(d.RotationEnabled) || d.NextRotationDate != nil {
			t.Error("the schedule is still on")
		}
		w.advance(t, 30*day)
		if got := len(w.steps); got != 2 {
			t.Errorf("%d steps after the cancellation, want 2", got)
		}
	})
}

func TestRotateSecretSentTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		token := "11111111-2222-4333-8444-555555555555"
		for range 2 {
			w.rotate(t, func(in *sm.RotateSecretInput) { in.ClientRequestToken = aws.String(token) })
		}
		if got := len(w.steps); got != 4 {
			t.Errorf("%d steps, want 4: the same token is the same rotation", got)
		}
	})
}

func TestDeletionEndsRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rotate(t, everyTenDays)
		if _, err := w.sm.DeleteSecret(t.Context(), &sm.DeleteSecretInput{SecretId: aws.String(name)}); err != nil {
			t.Fatal(err)
		}
		w.advance(t, 11*day)
		if got := len(w.steps); got != 4 {
			t.Errorf("%d steps, want 4: a deleted secret does not rotate", got)
		}
		if _, err := w.sm.RestoreSecret(t.Context(), &sm.RestoreSecretInput{SecretId: aws.String(name)}); err != nil {
			t.Fatal(err)
		}
		w.advance(t, 11*day)
		if got := len(w.steps); got != 8 {
			t.Errorf("%d steps, want 8: a restored one does", got)
		}
	})
}

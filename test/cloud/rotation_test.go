package cloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud"
)

const (
	function = "arn:aws:lambda:us-east-1:123456789012:function:rotate"
	name     = "prod/mailer"
)

// rotator is a rotation function in process, as AWS's generic template does it.
type rotator struct {
	client *sm.Client
	mu     sync.Mutex
	steps  []string
	tokens map[string]bool // the RotationTokens it was given
	// fail makes a step fail; it is asked before the step does anything.
	fail func(step string, nth int) error
	// pending is what AWSPENDING held in each testSecret.
	pending []string
}

type rotationEvent struct{ Step, SecretID, ClientRequestToken, RotationToken string }

// Invoke implements cloud.Invoker.
func (r *rotator) Invoke(ctx context.Context, _ string, payload []byte) ([]byte, string, error) {
	var e rotationEvent
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, "", err
	}
	e.SecretID = secretID(payload)
	r.mu.Lock()
	r.steps = append(r.steps, e.Step)
	if r.tokens == nil {
		r.tokens = map[string]bool{}
	}
	r.tokens[e.RotationToken] = true
	n := len(r.steps)
	r.mu.Unlock()
	functionError := ""
	if r.fail != nil && r.fail(e.Step, n) != nil || r.step(ctx, e) != nil {
		functionError = "Unhandled"
	}
	return []byte("null"), functionError, nil
}

func secretID(payload []byte) string {
	var e struct {
		SecretID string `json:"SecretId"`
	}
	_ = json.Unmarshal(payload, &e)
	return e.SecretID
}

func (r *rotator) step(ctx context.Context, e rotationEvent) error {
	switch e.Step {
	case "createSecret":
		_, err := r.client.PutSecretValue(ctx, &sm.PutSecretValueInput{
			SecretId: &e.SecretID, ClientRequestToken: &e.ClientRequestToken,
			SecretString: aws.String("value of " + e.ClientRequestToken), VersionStages: []string{"AWSPENDING"},
		})
		return err
	case "testSecret":
		v, err := r.client.GetSecretValue(ctx, &sm.GetSecretValueInput{
			SecretId: &e.SecretID, VersionId: &e.ClientRequestToken, VersionStage: aws.String("AWSPENDING"),
		})
		if err != nil {
			return err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.pending = append(r.pending, aws.ToString(v.SecretString))
	case "finishSecret":
		d, err := r.client.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: &e.SecretID})
		if err != nil {
			return err
		}
		from := versionOf(d.VersionIdsToStages, "AWSCURRENT")
		if from == e.ClientRequestToken {
			return nil
		}
		_, err = r.client.UpdateSecretVersionStage(ctx, &sm.UpdateSecretVersionStageInput{
			SecretId: &e.SecretID, VersionStage: aws.String("AWSCURRENT"),
			MoveToVersionId: &e.ClientRequestToken, RemoveFromVersionId: &from,
		})
		return err
	}
	return nil
}

func versionOf(stages map[string][]string, label string) string {
	for id, labels := range stages {
		if slices.Contains(labels, label) {
			return id
		}
	}
	return ""
}

// world is a local AWS with one secret and one rotation function.
type world struct {
	*cloud.Cloud
	*rotator
	sm *sm.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{rotator: &rotator{}}
	w.Cloud = cloud.New(cloud.Options{Invoker: w.rotator})
	t.Cleanup(w.Close)
	w.sm = sm.NewFromConfig(w.Config())
	w.client = w.sm
	_, err := w.sm.CreateSecret(t.Context(), &sm.CreateSecretInput{Name: aws.String(name), SecretString: aws.String("first")})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) rotate(t *testing.T, change func(*sm.RotateSecretInput)) *sm.RotateSecretOutput {
	t.Helper()
	in := &sm.RotateSecretInput{
		SecretId: aws.String(name), RotationLambdaARN: aws.String(function),
		RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
	}
	if change != nil {
		change(in)
	}
	out, err := w.sm.RotateSecret(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Idle(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) stages(t *testing.T) map[string][]string {
	t.Helper()
	out, err := w.sm.DescribeSecret(t.Context(), &sm.DescribeSecretInput{SecretId: aws.String(name)})
	if err != nil {
		t.Fatal(err)
	}
	return out.VersionIdsToStages
}

func (w *world) events() []string {
	var out []string
	for _, r := range w.Trail() {
		if r.EventType == "AwsServiceEvent" {
			out = append(out, r.EventName)
		}
	}
	return out
}

func TestRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		out := w.rotate(t, nil)
		token := aws.ToString(out.VersionId)
		wantSteps := []string{"createSecret", "setSecret", "testSecret", "finishSecret"}
		if diff := cmp.Diff(wantSteps, w.steps); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
		if len(w.tokens) != 1 || w.tokens[""] {
			t.Errorf("the rotation had %d tokens, or an empty one; want one", len(w.tokens))
		}
		stages := w.stages(t)
		if diff := cmp.Diff([]string{"AWSCURRENT"}, stages[token]); diff != "" {
			t.Errorf("AWSPENDING is the driver's to remove (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"RotationStarted", "RotationSucceeded"}, w.events()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestRotationFailsThenHeals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fail = func(step string, n int) error {
			if step == "testSecret" && n < 6 {
				return errors.New("not yet")
			}
			return nil
		}
		w.rotate(t, nil)
		want := []string{
			"createSecret", "setSecret", "testSecret",
			"createSecret", "setSecret", "testSecret", "finishSecret",
		}
		if diff := cmp.Diff(want, w.steps); diff != "" {
			t.Errorf("the whole rotation is retried (-want +got):\n%s", diff)
		}
	})
}

func TestRotationGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fail = func(step string, _ int) error {
			if step == "createSecret" {
				return errors.New("never")
			}
			return nil
		}
		token := aws.ToString(w.rotate(t, nil).VersionId)
		if diff := cmp.Diff([]string{"AWSPENDING"}, w.stages(t)[token]); diff != "" {
			t.Errorf("AWSPENDING stays (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"RotationStarted", "RotationFailed"}, w.events()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		last := w.Trail()
		message := ""
		for _, r := range last {
			if r.EventName == "RotationFailed" {
				message = r.ErrorMessage
			}
		}
		if want := "Error when executing lambda " + function + " during createSecret step"; message != want {
			t.Errorf("message %q, want %q", message, want)
		}
		_, err := w.sm.RotateSecret(t.Context(), &sm.RotateSecretInput{SecretId: aws.String(name)})
		if _, refused := errors.AsType[*types.InvalidRequestException](err); !refused {
			t.Errorf("a second rotation: %v, want InvalidRequestException", err)
		}
	})
}

func TestRotationAbandoned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fail = func(step string, _ int) error {
			if step == "testSecret" {
				_, err := w.sm.PutSecretValue(t.Context(), &sm.PutSecretValueInput{
					SecretId: aws.String(name), SecretString: aws.String("by hand"),
				})
				return err
			}
			return nil
		}
		token := aws.ToString(w.rotate(t, nil).VersionId)
		if got := w.stages(t)[token]; len(got) != 0 {
			t.Errorf("the abandoned version has labels %v", got)
		}
		if diff := cmp.Diff([]string{"RotationStarted", "RotationAbandoned"}, w.events()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestRotationTestedAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rotate(t, func(in *sm.RotateSecretInput) { in.RotateImmediately = aws.Bool(false) })
		if diff := cmp.Diff([]string{"testSecret"}, w.steps); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"first"}, w.pending); diff != "" {
			t.Errorf("the value that was tested (-want +got):\n%s", diff)
		}
		if got := w.stages(t); len(got) != 1 {
			t.Errorf("the throw-away version is still there: %v", got)
		}
		if diff := cmp.Diff([]string{"TestRotationStarted", "TestRotationSucceeded"}, w.events()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestScheduledRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.rotate(t, func(in *sm.RotateSecretInput) {
			everyTenDays(in)
		})
		before := len(w.steps)
		w.Clock().Advance(9 * 24 * time.Hour)
		synctest.Wait()
		if len(w.steps) != before {
			t.Fatal("it rotated before its window")
		}
		w.Clock().Advance(2 * 24 * time.Hour)
		synctest.Wait()
		if got := len(w.steps) - before; got != 4 {
			t.Errorf("%d steps in the window, want 4", got)
		}
	})
}

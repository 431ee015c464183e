package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"
	lambdasdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/uuid"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/rotatenow"
	planner "github.com/keyturn/keyturn/shared/rotatenow/lambda"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
	"github.com/keyturn/keyturn/test/cloud/lambda"
)

const rotateName = "keyturn-rotate-main"

// register puts Go functions in the places of the real ones.
func (w *world) register() error {
	for name, f := range map[string]func(context.Context, []byte) (any, error){rotateName: w.rotate, "keyturn-rotatenow": w.rotateNow} {
		if err := w.region.Lambda.Register(lambda.Function{Name: name, Aliases: []string{"control", "emergency", "plan", "rotate"}, Timeout: time.Minute, Handler: func(ctx context.Context, payload []byte) ([]byte, error) {
			v, err := f(ctx, payload)
			if e, ok := errors.AsType[*rotation.Error](err); ok {
				return nil, messages.InvokeResponse_Error{Type: e.ErrorType(), Message: e.Error()}
			}
			if err != nil {
				return nil, err
			}
			return json.Marshal(v)
		}}); err != nil {
			return err
		}
	}
	return nil
}

// enable turns a secret's rotation on, every 30 days.
func (w *world) enable(ctx context.Context, name string) error {
	_, err := w.secrets.RotateSecret(ctx, &sm.RotateSecretInput{
		SecretId: &name, RotateImmediately: aws.Bool(false), RotationLambdaARN: aws.String(lambda.ARN(rotateName)),
		RotationRules: &smtypes.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
	})
	if err != nil {
		return err
	}
	return w.region.Cloud.Rotated(ctx, name) // the test that Secrets Manager makes
}

// rotate stands for the rotate function. What it makes up as a key is told by
// the token; whether the key works, by the script's rotation command.
func (w *world) rotate(ctx context.Context, payload []byte) (any, error) {
	q, err := rotation.ParseRequest(payload)
	if err != nil {
		return nil, err
	}
	value := secret.New("MINTED-" + q.Token)
	switch {
	case q.Mode == rotation.ModeInit:
		return nil, w.first(ctx, q.Secret, store.Put{SecretID: q.Secret, Token: q.Token, Value: value, Stages: []string{store.Current}})
	case q.Mode == rotation.ModePlan:
		return w.plan(q.Secret), nil
	case q.Mode == rotation.ModeFree:
		return nil, &rotation.Error{Type: rotation.InProgress, What: "a rotation is in progress, or was until a moment ago"}
	case q.Step == rotation.CreateSecret:
		_, err = w.store.Put(ctx, store.Put{SecretID: q.SecretID, Token: q.Token, Value: value, Stages: []string{store.Pending}, RotationToken: q.RotationToken})
	case q.Step == rotation.TestSecret:
		return nil, w.try(ctx, q)
	case q.Step == rotation.FinishSecret:
		var s store.Secret
		if s, err = w.store.Describe(ctx, q.SecretID); err == nil {
			err = w.store.Promote(ctx, q.SecretID, q.Token, s.VersionAt(store.Current))
		}
	}
	return nil, err
}

func (w *world) first(ctx context.Context, name string, p store.Put) error {
	s, err := w.store.Describe(ctx, name)
	if err != nil {
		return err
	}
	if s.VersionAt(store.Current) != "" {
		return &rotation.Error{Type: rotation.HasCurrent, What: "the secret has a value already"}
	}
	if _, err = w.store.Put(ctx, p); err != nil || w.does() != "late" {
		return err
	}
	return &rotation.Error{Type: "Timeout", What: "the function's time was up before it was done"}
}

func (w *world) try(ctx context.Context, q rotation.Request) error {
	switch w.does() {
	case "works":
		return nil
	case "hangs":
		<-ctx.Done()
		return ctx.Err()
	}
	e := &rotation.Error{Step: q.Step, Type: rotation.KeyRejected, What: "the vendor does not accept the new key"}
	return errors.Join(e, w.table.SetFailure(ctx, keyrecord.Failure{
		Secret: config.Name(q.SecretID), Version: q.Token, Step: string(q.Step), ErrorType: string(e.Type), Text: e.Error(), At: w.now(), Count: 1,
	}))
}

func (w *world) does() string {
	b := <-w.behavior
	w.behavior <- b
	return b
}

func (w *world) plan(name string) rotation.Plan {
	p := rotation.Plan{
		Secret: name, Vendor: "sendgrid", Strategy: "Overlap", Version: "v1", Keys: 99, Limit: 100, Grace: "after a while",
		Steps: []string{"mint a key", "store it"},
	}
	if w.does() == "fails" {
		p.Problems = []rotation.PlanProblem{{Type: rotation.VendorFull, What: "there is no room", Next: []string{"delete keys"}}}
	}
	return p
}

// rotateNow is the real engine of the rotatenow function.
func (w *world) rotateNow(ctx context.Context, payload []byte) (any, error) {
	q, err := rotatenow.Parse(payload)
	if err != nil {
		return nil, err
	}
	c, err := config.Parse([]byte(configuration), catalog.All())
	if err != nil {
		return nil, err
	}
	functions := planner.New(lambdasdk.NewFromConfig(w.region.Cloud.Config()))
	e := rotatenow.Engine{
		Keys: c.Key, Store: w.store, Records: w.table, Audit: accepting{}, Notifier: accepting{},
		Plan: functions.Plan, Free: functions.Free,
		Now: w.now, NewToken: uuid.NewString, Log: slog.New(slog.DiscardHandler),
	}
	return e.Do(ctx, q)
}

// accepting is an audit trail, and a topic, that accept everything.
type accepting struct{}

func (accepting) Record(context.Context, audit.Record) error { return nil }

func (accepting) Notify(context.Context, notify.Message) error { return nil }

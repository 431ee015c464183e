// Package rotatenow is the rotatenow function: a rotation on demand, its plan,
// and pauses. It holds no vendor credential.
package rotatenow

import (
	"context"
	"encoding/json"

	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/uuid"

	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/metric"
	engine "github.com/keyturn/keyturn/shared/rotatenow"
	"github.com/keyturn/keyturn/shared/rotatenow/lambda"
)

// Name is the function's name in logs and metrics.
const Name = "rotatenow"

// Needs returns the variables that the function cannot do without.
func Needs() []boot.Variable {
	return []boot.Variable{boot.TableName, boot.TopicARN, boot.AuditQueueURL}
}

// Open implements [boot.Open].
func Open(_ context.Context, e *boot.Env) (boot.Handler, error) {
	functions := lambda.New(sdk.NewFromConfig(e.AWS))
	n := &engine.Engine{
		Keys: e.Config.Key, Store: e.Store(), Records: e.Records(), Audit: e.Audit(), Notifier: e.Notifier(),
		Plan: functions.Plan, Free: functions.Free,
		Now: e.Clock.Now, NewToken: uuid.NewString, Log: e.Log,
	}
	return func(ctx context.Context, event json.RawMessage) (any, error) {
		m := metric.From(ctx)
		m.Asked()
		q, err := engine.Parse(event)
		if err != nil {
			return nil, err
		}
		if err := q.CheckAlias(boot.FunctionARN(ctx)); err != nil {
			return nil, err
		}
		m.Label(metric.Labels{Step: string(q.Mode)})
		if k, ok := e.Config.Key(q.Secret); ok {
			m.Label(metric.Labels{Vendor: k.Vendor, Secret: k.Secret})
		}
		a, err := n.Do(ctx, q)
		if err != nil {
			return nil, err
		}
		m.Label(metric.Labels{Outcome: a.Status})
		return a, nil
	}, nil
}

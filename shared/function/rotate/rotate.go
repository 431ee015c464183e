// Package rotate is the rotate function: Secrets Manager's four steps, the
// first mint, which CloudFormation may ask for, the plan, adoption, and giving up
// an unfinished rotation for another.
package rotate

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/json"
	"math/rand/v2"

	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/customresource"
	"github.com/keyturn/keyturn/shared/metric"
	"github.com/keyturn/keyturn/shared/rotation"
)

// Name is the function's name in logs and metrics.
const Name = "rotate"

// Needs returns the variables that the function cannot do without.
func Needs() []boot.Variable {
	return []boot.Variable{boot.TableName, boot.TopicARN, boot.AuditQueueURL}
}

// Open implements [boot.Open].
func Open(_ context.Context, e *boot.Env) (boot.Handler, error) {
	engine := &rotation.Engine{
		Keys: e.Config.Key, Store: e.Store(), Records: e.Records(), Vendors: e.Vendors(), Audit: e.Audit(), Notifier: e.Notifier(),
		Now: e.Clock.Now, Random: rand.Uint32, Entropy: cryptorand.Reader, Fingerprint: e.Fingerprint, Log: e.Log,
	}
	first := firstValue{keys: e.Config.Key, init: engine.Init, describe: e.Store().Describe, answers: e.Answers(), wait: customresource.Sleep, log: e.Log}
	return func(ctx context.Context, event json.RawMessage) (any, error) {
		if q, ok := customresource.In(event); ok {
			label(metric.From(ctx), e, q.ResourceProperties.Secret, "first value")
			return done(metric.From(ctx), "answered", first.handle(ctx, q))
		}
		q, err := rotation.ParseRequest(event)
		if err != nil {
			return nil, err
		}
		m := metric.From(ctx)
		switch q.Mode {
		case rotation.ModeInit:
			label(m, e, q.Secret, string(q.Mode))
			m.Asked()
			return done(m, "stored", engine.Init(ctx, q.Secret, q.Token))
		case rotation.ModePlan:
			label(m, e, q.Secret, string(q.Mode))
			m.Asked()
			m.Label(metric.Labels{Outcome: "planned"})
			return engine.Plan(ctx, q.Secret)
		case rotation.ModeAdopt:
			label(m, e, q.Secret, string(q.Mode))
			m.Asked()
			return adopt(ctx, m, engine, e.Config.Keys(), q)
		case rotation.ModeFree:
			label(m, e, q.Secret, string(q.Mode))
			m.Asked()
			m.Label(metric.Labels{Outcome: "freed"})
			return engine.Free(ctx, q.Secret, q.Token)
		}
		label(m, e, q.SecretID, known(q.Step))
		out, err := engine.Rotate(ctx, q.Event)
		return done(m, string(out), err)
	}, nil
}

func adopt(ctx context.Context, m *metric.Meter, engine *rotation.Engine, all []config.Key, q rotation.Request) (any, error) {
	out, err := engine.Adopt(ctx, rotation.Adoption{
		Secret: q.Secret, KeyID: q.KeyID, Observe: q.Observe, Reason: q.Reason, Requester: q.Requester, All: all, Function: boot.FunctionARN(ctx),
	})
	if err != nil {
		return nil, err
	}
	m.Label(metric.Labels{Outcome: out.Status})
	return out, nil
}

func done(m *metric.Meter, outcome string, err error) (any, error) {
	if err == nil {
		m.Label(metric.Labels{Outcome: outcome})
	}
	return nil, err
}

// known returns a step's name, "" for what is none.
func known(s rotation.Step) string {
	switch s {
	case rotation.CreateSecret, rotation.SetSecret, rotation.TestSecret, rotation.FinishSecret:
		return string(s)
	}
	return ""
}

// label names what an invocation is about, from the configuration alone: what
// an event says must not become a dimension.
func label(m *metric.Meter, e *boot.Env, secretID, step string) {
	k, ok := e.Config.Key(secretID)
	if !ok {
		return
	}
	m.Label(metric.Labels{Vendor: k.Vendor, Step: step, Secret: k.Secret})
}

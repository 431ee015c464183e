// Package retire is the retire function: it ends replaced keys, sweeps, and goes
// back to a key if a person asks for it.
package retire

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/metric"
	engine "github.com/keyturn/keyturn/shared/retire"
	schedules "github.com/keyturn/keyturn/shared/schedule/scheduler"
)

// Name is the function's name in logs and metrics.
const Name = "retire"

// maxRotation is the longest that Secrets Manager goes on with one rotation: a
// Lambda function runs for 15 minutes at most, in four steps, and is tried a
// few times.
const maxRotation = 6 * time.Hour

// Needs returns the variables that the function cannot do without.
func Needs() []boot.Variable {
	return []boot.Variable{boot.TableName, boot.TopicARN, boot.AuditQueueURL, boot.ScheduleRoleARN, boot.RetireFunctionARN}
}

// Open implements [boot.Open].
func Open(_ context.Context, e *boot.Env) (boot.Handler, error) {
	others, after := e.Escalation()
	h := &engine.Handler{
		Engine: &engine.Engine{
			Store: e.Store(), Records: e.Records(), Vendors: e.Vendors(), Audit: e.Audit(), Notifier: e.Notifier(),
			Scheduler: schedules.New(scheduler.NewFromConfig(e.AWS), schedules.Target{
				Function: e.Value(boot.RetireFunctionARN), Role: e.Value(boot.ScheduleRoleARN), Group: e.Value(boot.ScheduleGroup),
			}),
			Now: e.Clock.Now, Random: rand.Uint32, MaxRotation: maxRotation, Fingerprint: e.Fingerprint, Log: e.Log,
			Escalation: others, EscalateAfter: after,
		},
		Keys: e.Config.Keys(), Log: e.Log,
	}
	return func(ctx context.Context, event json.RawMessage) (any, error) {
		m := metric.From(ctx)
		m.Label(metric.Labels{Step: Name})
		out, err := h.Handle(ctx, event)
		if out.Asked {
			m.Asked()
		}
		if out.Sweep {
			m.Swept(swept(ctx, out.Reports))
		}
		if errors.Is(err, engine.ErrEvent) {
			return nil, eventError{err}
		}
		for _, r := range out.Reports {
			report(ctx, e.Log, r)
		}
		if len(out.Reports) == 1 {
			m.Label(metric.Labels{Vendor: out.Reports[0].Vendor, Secret: out.Reports[0].Secret})
		}
		if err == nil {
			m.Label(metric.Labels{Outcome: outcome(out)})
		}
		return out, err
	}, nil
}

// swept counts what a sweep found. A secret whose look failed counts as looked
// at: its failure is told.
func swept(ctx context.Context, reports []engine.Report) metric.Sweep {
	s := metric.Sweep{Done: ctx.Err() == nil, Secrets: len(reports)}
	for _, r := range reports {
		s.Held += r.Held()
		if len(r.Late) > 0 {
			s.Late++
		}
	}
	return s
}

// eventError gives an unknown event the type that the other functions give it.
type eventError struct{ error }

// ErrorType is what Lambda reports as errorType.
func (eventError) ErrorType() string { return "BadEvent" }

func outcome(r engine.Response) string {
	switch {
	case r.Answer != nil:
		return string(r.Answer.Status)
	case len(r.Failures) > 0:
		return "partial"
	}
	return "looked"
}

func report(ctx context.Context, log *slog.Logger, r engine.Report) {
	attrs := []slog.Attr{
		slog.String("secret", r.Secret), slog.String("vendor", r.Vendor), slog.String("current_key_id", r.Current),
		slog.Int("older_keys", max(0, len(r.Keys)-1)), slog.Int("held", r.Held()), slog.Int("lost", r.Lost()), slog.Int("late", len(r.Late)),
	}
	if !r.Next.IsZero() {
		attrs = append(attrs, slog.Time("next", r.Next))
	}
	if r.Skipped != "" {
		attrs = append(attrs, slog.String("skipped", r.Skipped))
	}
	for _, k := range r.Keys {
		attrs = append(attrs, slog.Group("key_"+k.ID, slog.String("role", k.Role), slog.String("state", string(k.State)), slog.String("why", k.Why), slog.String("last_error", k.LastErr)))
	}
	log.LogAttrs(ctx, slog.LevelInfo, "keys looked at", attrs...)
}

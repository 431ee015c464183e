package rotatenow

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/rotation"
)

// Alert is an open alert as it is shown.
type Alert struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	Severity string    `json:"severity"`
	Summary  string    `json:"summary"`
	At       time.Time `json:"at"`
	Acked    time.Time `json:"acknowledged"`
	By       string    `json:"by,omitempty"`
	Reason   string    `json:"reason"`
}

// ack says that somebody is at an alert, or at all that are open: nobody else is
// told then. It stays open until its cause ends. One that somebody else has
// acknowledged stays that one's.
func (e *Engine) ack(ctx context.Context, k config.Key, q Request) (status string, done []Alert, err error) {
	book, err := e.Records.Load(ctx, k.Secret)
	if err != nil {
		return "", nil, stored("read the keys' records", err)
	}
	all := book.Open(e.Now())
	if q.Alert != "" {
		all = slices.DeleteFunc(all, func(a keyrecord.Alert) bool { return a.ID != q.Alert })
		if len(all) == 0 {
			return "", nil, fail(rotation.BadEvent, "no alert of this key is open with that id", nil, "the notification has it; of a key: keyturn status "+k.Secret)
		}
	}
	fresh := slices.DeleteFunc(slices.Clone(all), func(a keyrecord.Alert) bool { return !a.Acked.IsZero() })
	switch {
	case len(all) == 0:
		return "none_open", nil, nil
	case len(fresh) == 0:
		return "already_acknowledged", shownAlerts(all), nil
	}
	for i := range fresh {
		fresh[i].Acked, fresh[i].By, fresh[i].Reason = e.Now(), q.Requester, q.Reason
	}
	return "acknowledged", shownAlerts(fresh), e.takeOn(ctx, k, fresh, q)
}

// takeOn stores that somebody is at the alerts, between intent and outcome.
func (e *Engine) takeOn(ctx context.Context, k config.Key, alerts []keyrecord.Alert, q Request) error {
	rec := audit.Record{
		ID: "ack-" + e.NewToken(), Time: e.Now(), Act: audit.Ack, Phase: audit.Intent, Secret: k.Secret, Vendor: k.Vendor,
		Detail: map[string]string{"reason": q.Reason, "requester_says": q.Requester, "alerts": ids(alerts)},
	}
	if err := e.Audit.Record(ctx, rec); err != nil {
		return fail(rotation.AuditUnavailable, "the audit trail did not accept it, so nothing was done", err, "check the audit queue, and try again")
	}
	var wrong error
	for _, a := range alerts {
		_, err := e.Records.PutAlert(ctx, a)
		wrong = errors.Join(wrong, err)
	}
	rec.Time, rec.Phase, rec.Result = e.Now(), audit.Outcome, audit.Done
	if wrong != nil {
		rec.Result, rec.Error = audit.Unknown, wrong.Error()
	}
	if err := e.Audit.Record(ctx, rec); err != nil {
		e.Log.LogAttrs(ctx, slog.LevelError, "an outcome was not recorded", slog.String("secret", k.Secret),
			slog.String("audit_id", rec.ID), slog.String("result", rec.Result), slog.String("error", err.Error()))
	}
	look := "see which are acknowledged: keyturn status " + k.Secret
	switch {
	case errors.Is(wrong, keyrecord.ErrConflict):
		return fail(rotation.InProgress, "an alert has changed at this moment", wrong, look, "then try again, if one is left")
	case wrong != nil:
		return fail(rotation.StoreUnavailable, "whether all of it is stored is not known", wrong, look)
	}
	e.Log.LogAttrs(ctx, slog.LevelInfo, "alerts acknowledged", slog.String("secret", k.Secret), slog.String("vendor", k.Vendor),
		slog.String("alerts", rec.Detail["alerts"]), slog.String("reason", q.Reason))
	return nil
}

func ids(alerts []keyrecord.Alert) string {
	all := make([]string, 0, len(alerts))
	for _, a := range alerts {
		all = append(all, a.ID)
	}
	return strings.Join(all, " ")
}

func shownAlerts(in []keyrecord.Alert) []Alert {
	out := make([]Alert, len(in))
	for i, a := range in {
		out[i] = Alert{ID: a.ID, Kind: a.Kind, Severity: a.Severity, Summary: a.Summary, At: a.At, Acked: a.Acked, By: a.By, Reason: a.Reason}
	}
	return out
}

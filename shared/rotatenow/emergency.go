package rotatenow

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

// unfinished adds to what is said of a rotation in progress how an emergency
// gets past one that was left behind.
func unfinished(k config.Key, s store.Secret, err error) error {
	e, ok := errors.AsType[*rotation.Error](err)
	if !ok || e.Type != rotation.InProgress {
		return err
	}
	e.Next = append(e.Next, "a vendor that rolls keys and refuses the current value: stop, for the unfinished version may hold the only one that works",
		"else, if nothing works on it any more, take the label off it, and ask again; a key that it made is found and ended: "+
			"aws secretsmanager update-secret-version-stage --secret-id "+k.Secret+" --version-stage "+store.Pending+" --remove-from-version-id "+s.VersionAt(store.Pending))
	return e
}

// unrecorded lets an emergency go on without its record in the audit trail. This
// function holds no key to sign with: the rotation records it once more, or
// signs it.
func (e *Engine) unrecorded(ctx context.Context, rec audit.Record, cause error) {
	line, _ := json.Marshal(rec) //nolint:errchkjson,gosec // texts and a time; Secret is its name
	e.Log.LogAttrs(ctx, slog.LevelError, "an emergency goes on without its record in the audit trail", slog.String("error", cause.Error()),
		slog.String("secret", rec.Secret), slog.String("vendor", rec.Vendor), slog.String("version", rec.Version), slog.String("record", string(line)))
}

// announce tells that an emergency rotation has begun. It has, so that nobody
// could be told is logged.
func (e *Engine) announce(ctx context.Context, k config.Key, q Request, token string, recorded bool) {
	m := notify.Message{
		Version: 1, ID: "emergency-" + token, Time: e.Now(), Kind: notify.Emergency, Severity: notify.Critical,
		Secret: k.Secret, Vendor: k.Vendor, Owner: k.Owner,
		Summary: "An emergency rotation of " + k.Secret + " has begun: " + q.Reason + ".",
		Known: []string{
			"It goes through a pause, and does not wait for an older key.",
			"The key that it replaces is ended " + notify.Duration(k.Grace.Min) + " after that, whoever uses it then.",
		},
		Next:   []string{"See that its consumers have read the secret again by then: keyturn status " + k.Secret + "."},
		Detail: map[string]string{"version": token, "reason": q.Reason, "requester_says": q.Requester},
	}
	if !recorded {
		m.Known = append(m.Known, "The audit trail did not take the request. It stands in the function's log.")
		m.Next = append(m.Next, "Look at the audit queue.")
	}
	if err := e.Notifier.Notify(ctx, m); err != nil {
		e.Log.LogAttrs(ctx, slog.LevelError, "the notification was not accepted", slog.String("secret", k.Secret), slog.String("error", err.Error()))
	}
}

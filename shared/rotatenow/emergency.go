package rotatenow

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

// stuck reports whether AWSPENDING is where Secrets Manager begins no rotation.
func stuck(s store.Secret) bool {
	pending := s.VersionAt(store.Pending)
	return pending != "" && pending != s.VersionAt(store.Current)
}

// giveUp has the rotate function take AWSPENDING off a version that was left
// unfinished, if that is safe, and returns the version.
func (e *Engine) giveUp(ctx context.Context, k config.Key, s store.Secret, m Mode, token string) (string, error) {
	freed, err := e.Free(ctx, s.RotationLambda, k.Secret, token)
	if err == nil {
		return freed.Version, nil
	}
	next := []string{"see it: keyturn status " + k.Secret}
	if m == Emergency {
		next = append(next, "a vendor that rolls keys and refuses the current value: stop, for the unfinished version may hold the only one that works",
			"else, if nothing works on it any more, take the label off it, and ask again; a key that it made is found and ended: "+
				"aws secretsmanager update-secret-version-stage --secret-id "+k.Secret+" --version-stage "+store.Pending+" --remove-from-version-id "+s.VersionAt(store.Pending))
	}
	return "", fail(rotation.InProgress, "a rotation is in progress, or one was left unfinished", err, next...)
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
func (e *Engine) announce(ctx context.Context, k config.Key, q Request, a Answer, recorded bool) {
	m := notify.Message{
		Version: 1, ID: "emergency-" + a.Token, Time: e.Now(), Kind: notify.Emergency, Severity: notify.Critical,
		Secret: k.Secret, Vendor: k.Vendor, Owner: k.Owner,
		Summary: "An emergency rotation of " + k.Secret + " has begun: " + q.Reason + ".",
		Known: []string{
			"It goes through a pause, and does not wait for an older key.",
			"The key that it replaces is ended " + notify.Duration(k.Grace.Min) + " after that, whoever uses it then.",
		},
		Next:   []string{"See that its consumers have read the secret again by then: keyturn status " + k.Secret + "."},
		Detail: map[string]string{"version": a.Token, "reason": q.Reason, "requester_says": q.Requester},
	}
	if a.GaveUp != "" {
		m.Known = append(m.Known, "An unfinished rotation was given up for it, version "+a.GaveUp+". A key that it made is found and ended.")
	}
	if !recorded {
		m.Known = append(m.Known, "The audit trail did not take the request. It stands in the function's log.")
		m.Next = append(m.Next, "Look at the audit queue.")
	}
	if err := e.Notifier.Notify(ctx, m); err != nil {
		e.Log.LogAttrs(ctx, slog.LevelError, "the notification was not accepted", slog.String("secret", k.Secret), slog.String("error", err.Error()))
	}
}

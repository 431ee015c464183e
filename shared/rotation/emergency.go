package rotation

import (
	"context"
	"log/slog"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
)

// emergency reports whether a rotation was asked for in an emergency. It goes
// through a pause, does not wait for an older key that is held, leaves the
// replaced value the shortest grace that the configuration calls safe, and goes
// on if the audit trail takes no records.
func emergency(b keyrecord.Book, token string) bool {
	q, ok := b.Request(keyname.Rotation(token))
	return ok && q.Mode == keyrecord.Emergency
}

// inEmergency asks the records. Where they do not tell, there is none.
func (r *run) inEmergency(ctx context.Context) bool {
	if r.urgent == nil {
		book, err := r.Records.Load(ctx, r.key.Secret)
		if err != nil {
			return false
		}
		r.urgent = new(emergency(book, r.token))
	}
	return *r.urgent
}

// asked records once more who asked for an emergency, and why: whoever was asked
// may have gone on without a record, and holds no key to sign one with.
func (r *run) asked(ctx context.Context, b keyrecord.Book) error {
	q, _ := b.Request(keyname.Rotation(r.token))
	if q.Mode != keyrecord.Emergency {
		return nil
	}
	return r.record(ctx, audit.Record{
		ID: "request-" + r.token, Act: audit.Request, Phase: audit.Intent,
		Detail: map[string]string{"mode": q.Mode, "reason": q.Reason, "requester_says": q.Requester},
	})
}

// unrecorded lets an emergency go on without its record in the audit trail: it
// stands in the log, signed, and people are told.
func (r *run) unrecorded(ctx context.Context, rec audit.Record, cause error) bool {
	if !r.inEmergency(ctx) {
		return false
	}
	line, mac := audit.Signed(rec, r.Fingerprint)
	r.Log.LogAttrs(ctx, slog.LevelError, "an emergency goes on without its record in the audit trail", slog.String("error", cause.Error()),
		slog.String("secret", r.key.Secret), slog.String("vendor", r.key.Vendor), slog.String("version", r.token),
		slog.String("record", line), slog.String("hmac_sha256", mac))
	id := "unrecorded-" + r.token
	if first, err := r.Records.First(ctx, r.key.Secret, id, onceFor); err == nil && !first {
		return true
	}
	if err := r.Notifier.Notify(ctx, notify.Message{
		Version: 1, ID: id, Time: r.Now(), Kind: notify.Emergency, Severity: notify.Critical, ErrorType: string(AuditUnavailable), Step: string(r.at),
		Secret: r.key.Secret, Vendor: r.key.Vendor, Owner: r.key.Owner,
		Summary: "The emergency rotation of " + r.key.Secret + " goes on without the audit trail, which takes no records.",
		Known:   []string{"What it does stands in the rotate function's log, signed."},
		Next:    []string{"Look at the audit queue.", "Keep the function's log: it is the only record of these acts."},
		Detail:  map[string]string{"version": r.token},
	}); err != nil {
		r.Log.LogAttrs(ctx, slog.LevelError, "the notification was not accepted", slog.String("error", err.Error()))
		_ = r.Records.Forget(ctx, r.key.Secret, id)
	}
	return true
}

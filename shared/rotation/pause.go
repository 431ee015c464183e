package rotation

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
)

// pauseToldFor is how long it is not told again that a pause refuses rotations,
// or is over: longer than any pause.
const pauseToldFor = keyrecord.MaxPause + onceFor

// PausedBy is the error of a rotation that a pause refuses.
func PausedBy(at Step, p keyrecord.Pause) *Error {
	return &Error{
		Step: at, Type: Paused, Secret: p.Secret, What: fmt.Sprintf("paused until %s%s: %s", stamp(p.Until), by(p), p.Reason), told: pauseID(p),
		Next: []string{
			"nothing, if that is still so: the first rotation after it goes on by itself",
			"or end the pause: keyturn resume " + p.Secret + " --reason WHY",
		},
	}
}

// FrozenBy is the error of a rotation that a freeze in the configuration refuses.
func FrozenBy(at Step, k config.Key, f config.Freeze) *Error {
	return &Error{
		Step: at, Type: Frozen, Secret: k.Secret, What: fmt.Sprintf("frozen until %s by a freeze in the configuration: %s", stamp(f.Until), f.Reason),
		told: "freeze-" + strconv.FormatInt(f.Until.Unix(), 10),
		Next: []string{
			"nothing, if that is still so: the first rotation after it goes on by itself",
			"or change the freeze in the key's configuration, and deploy",
		},
	}
}

func by(p keyrecord.Pause) string {
	s := ""
	if p.By != "" {
		s += ", by " + p.By
	}
	if p.Owner != "" {
		s += ", owner " + p.Owner
	}
	return s
}

// paused refuses a rotation while a pause or a freeze is in force. An emergency
// goes through it, and says so. So does a rotation that has begun to replace the
// key's value: the current one is dead, or will be.
func (r *run) paused(ctx context.Context, book keyrecord.Book) error {
	now := r.Now()
	if p := book.Pause; p.Expired(now) && now.Sub(p.Until) < pauseToldFor {
		r.pauseIsOver(ctx, *p)
	}
	refusal := r.refusal(book)
	if refusal == nil {
		return nil
	}
	if emergency(book, r.token) {
		r.Log.LogAttrs(ctx, slog.LevelWarn, "an emergency rotation goes through a pause", slog.String("secret", r.key.Secret),
			slog.String("vendor", r.key.Vendor), slog.String("version", r.token), slog.String("pause", refusal.What))
		r.note(ctx, audit.Record{
			ID: "through-" + refusal.told + "-" + r.token, Act: audit.Pause, Phase: audit.Fact,
			Detail: map[string]string{"what": "an emergency rotation went through the pause", "pause": refusal.What},
		})
		return nil
	}
	switch begun, err := r.begun(ctx); {
	case err != nil:
		return err
	case !begun:
		return refusal
	}
	r.Log.LogAttrs(ctx, slog.LevelWarn, "a rotation goes on in spite of a pause: the vendor may have replaced the value already",
		slog.String("secret", r.key.Secret), slog.String("vendor", r.key.Vendor), slog.String("version", r.token), slog.String("pause", refusal.What))
	return nil
}

// refusal is the error of a rotation now, nil if nothing stops it.
func (r *run) refusal(book keyrecord.Book) *Error {
	now := r.Now()
	if book.Pause.InForce(now) {
		return PausedBy(r.at, *book.Pause)
	}
	if f, ok := r.key.Frozen(now); ok {
		return FrozenBy(r.at, r.key, f)
	}
	return nil
}

// refusedByPause is [run.failed] for a pause, which somebody wanted: no alarm,
// and told once for each pause, however many rotations it refuses.
func (r *run) refusedByPause(ctx context.Context, e *Error) error {
	r.Log.LogAttrs(ctx, slog.LevelInfo, "rotation refused by a pause", slog.String("error", e.Error()), slog.String("secret", r.key.Secret),
		slog.String("vendor", r.key.Vendor), slog.String("version", r.token))
	// Whoever waits for this rotation looks for its failure.
	if err := r.Records.SetFailure(ctx, keyrecord.Failure{
		Secret: r.key.Secret, Version: r.token, Step: string(r.at), ErrorType: string(e.Type), Text: e.Error(), At: r.Now(),
	}); err != nil {
		r.Log.LogAttrs(ctx, slog.LevelError, "the failure was not recorded", slog.String("error", err.Error()))
	}
	r.tellPause(ctx, notify.Message{
		ID: "refused-" + e.told, Kind: notify.Paused, ErrorType: string(e.Type), Step: string(r.at),
		Summary: "A rotation of " + r.key.Secret + " was refused: it is " + e.What + ".",
		Known: []string{
			"AWSCURRENT has not moved: consumers go on with the key they have.",
			"This is told once for each pause or freeze, however many rotations it refuses.",
		},
		Next: sentences(e.Next),
	})
	return e
}

// pauseIsOver tells once that a pause has ended by itself.
func (r *run) pauseIsOver(ctx context.Context, p keyrecord.Pause) {
	r.tellPause(ctx, notify.Message{
		ID: "over-" + pauseID(p), Kind: notify.Resumed,
		Summary: "The pause of " + r.key.Secret + " ended by itself at " + stamp(p.Until) + ", and its rotations go on.",
	})
}

func (r *run) tellPause(ctx context.Context, m notify.Message) {
	if first, err := r.Records.First(ctx, r.key.Secret, m.ID, pauseToldFor); err == nil && !first {
		return
	}
	m.Version, m.Time, m.Severity = 1, r.Now(), notify.Info
	m.Secret, m.Vendor, m.Owner = r.key.Secret, r.key.Vendor, r.key.Owner
	if err := r.Notifier.Notify(ctx, m); err != nil {
		r.Log.LogAttrs(ctx, slog.LevelError, "the notification was not accepted", slog.String("error", err.Error()))
		_ = r.Records.Forget(ctx, r.key.Secret, m.ID)
	}
}

// pauseID names a pause and how long it was, so that one made longer is news.
func pauseID(p keyrecord.Pause) string {
	return p.ID + "-" + strconv.FormatInt(p.Until.Unix(), 10)
}

package rotatenow

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/rotation"
)

// pause has rotations refused until a time. The schedule goes on, and each
// rotation is refused by createSecret: canceling it would take the function's
// rights away, and somebody would have to remember to put it back.
func (e *Engine) pause(ctx context.Context, k config.Key, q Request) (*Paused, error) {
	now := e.Now()
	until, err := PauseEnd(q.Until, now)
	if err != nil {
		return nil, err
	}
	book, err := e.Records.Load(ctx, k.Secret)
	if err != nil {
		return nil, stored("read the keys' records", err)
	}
	p := keyrecord.Pause{Secret: k.Secret, ID: "pause-" + e.NewToken(), Until: until, Reason: q.Reason, Owner: q.Owner, By: q.Requester, At: now}
	if p.Owner == "" {
		p.Owner = k.Owner
	}
	if old := book.Pause; old != nil {
		if old.InForce(now) && !q.Replace {
			err := rotation.PausedBy(step, *old)
			err.What = "it is " + err.What
			err.Next = []string{"nothing, if that is long enough", "or put another in its place: keyturn pause " + k.Secret + " --replace --until WHEN --reason WHY"}
			return nil, err
		}
		p.Revision = old.Revision
	}
	return shown(p), e.put(ctx, k, p, audit.Record{
		ID: p.ID, Act: audit.Pause, Detail: map[string]string{"until": stamp(until), "reason": p.Reason, "owner": p.Owner, "requester_says": p.By},
	}, notify.Message{
		Kind:    notify.Paused,
		Summary: "The rotations of " + k.Secret + " are paused until " + stamp(until) + ": " + p.Reason + ".",
		Known:   []string{"It ends by itself.", "Replaced keys are retired as before.", "An emergency rotation goes through it."},
		Next:    []string{"To end it before: keyturn resume " + k.Secret + "."},
	})
}

// resume ends a pause that is in force.
func (e *Engine) resume(ctx context.Context, k config.Key, q Request) (status string, old *Paused, err error) {
	now := e.Now()
	book, err := e.Records.Load(ctx, k.Secret)
	if err != nil {
		return "", nil, stored("read the keys' records", err)
	}
	if !book.Pause.InForce(now) {
		return "not_paused", nil, nil
	}
	p := *book.Pause
	p.Ended, p.EndedBy = now, q.Requester
	return "resumed", shown(p), e.put(ctx, k, p, audit.Record{
		ID: "resume-" + e.NewToken(), Act: audit.Resume,
		Detail: map[string]string{"until": stamp(p.Until), "paused_because": p.Reason, "paused_by": p.By, "reason": q.Reason, "requester_says": q.Requester},
	}, notify.Message{
		Kind:    notify.Resumed,
		Summary: "The pause of " + k.Secret + " was ended, and its rotations go on.",
		Next:    []string{"If a rotation was due meanwhile: keyturn rotate-now " + k.Secret + " --reason WHY."},
	})
}

// PauseEnd reads when a pause ends: a time in RFC 3339, or how long it lasts. Its
// error is an *[rotation.Error].
func PauseEnd(until string, now time.Time) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, until)
	if err != nil {
		d, err := time.ParseDuration(until)
		if err != nil {
			return t, fail(rotation.BadEvent, "until is neither a time nor a duration", nil, `write 2026-12-01T00:00:00Z, or how long: "72h"`)
		}
		t = now.Add(d)
	}
	switch {
	case !t.After(now):
		return t, fail(rotation.BadEvent, "until is not in the future", nil, `write 2026-12-01T00:00:00Z, or how long: "72h"`)
	case t.Sub(now) > keyrecord.MaxPause:
		return t, fail(rotation.BadEvent, "a pause lasts 90 days at most, so that none is forgotten", nil,
			"pause it for less, and again when that is over", "a key that is not to be rotated at all does not belong in the configuration")
	}
	return t.UTC().Truncate(time.Second), nil
}

// put stores a pause or its end, between intent and outcome, and tells it.
func (e *Engine) put(ctx context.Context, k config.Key, p keyrecord.Pause, rec audit.Record, m notify.Message) error {
	rec.Time, rec.Phase, rec.Secret, rec.Vendor = e.Now(), audit.Intent, k.Secret, k.Vendor
	if err := e.Audit.Record(ctx, rec); err != nil {
		return fail(rotation.AuditUnavailable, "the audit trail did not accept it, so nothing was done", err, "check the audit queue, and try again")
	}
	_, err := e.Records.PutPause(ctx, p)
	rec.Time, rec.Phase, rec.Result = e.Now(), audit.Outcome, audit.Done
	if err != nil {
		rec.Result, rec.Error = audit.Unknown, err.Error()
		if errors.Is(err, keyrecord.ErrConflict) {
			rec.Result = audit.Failed
		}
	}
	if e2 := e.Audit.Record(ctx, rec); e2 != nil {
		e.Log.LogAttrs(ctx, slog.LevelError, "an outcome was not recorded", slog.String("secret", k.Secret),
			slog.String("audit_id", rec.ID), slog.String("result", rec.Result), slog.String("error", e2.Error()))
	}
	look := "see how it is: keyturn status " + k.Secret
	switch {
	case errors.Is(err, keyrecord.ErrConflict):
		return fail(rotation.InProgress, "somebody else has just paused or resumed it", err, look, "then try again, if it is still needed")
	case err != nil:
		return fail(rotation.StoreUnavailable, "whether it is stored is not known", err, look)
	}
	e.Log.LogAttrs(ctx, slog.LevelInfo, "pause changed", slog.String("act", string(rec.Act)), slog.String("secret", k.Secret),
		slog.String("vendor", k.Vendor), slog.Time("until", p.Until), slog.String("reason", p.Reason))
	m.Version, m.ID, m.Time, m.Severity, m.Detail = 1, rec.ID, e.Now(), notify.Info, rec.Detail
	m.Secret, m.Vendor, m.Owner = k.Secret, k.Vendor, k.Owner
	if err = e.Notifier.Notify(ctx, m); err != nil { // it is done, and status shows it
		e.Log.LogAttrs(ctx, slog.LevelError, "the notification was not accepted", slog.String("secret", k.Secret), slog.String("error", err.Error()))
	}
	return nil
}

func shown(p keyrecord.Pause) *Paused {
	return &Paused{Until: p.Until, Reason: p.Reason, Owner: p.Owner, By: p.By, At: p.At}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
)

// Alerts is what an Escalator needs of the keys' records.
type Alerts interface {
	Load(ctx context.Context, secret string) (keyrecord.Book, error)
	// PutAlert stores over the one with a's Revision only.
	PutAlert(ctx context.Context, a keyrecord.Alert) (keyrecord.Alert, error)
}

// Escalator tells others, once each, of the critical alerts of the installation that
// nobody has acknowledged in time. The sweep does it for those of keys. All fields are
// needed; it is safe for concurrent use.
type Escalator struct {
	Book   Alerts
	Others notify.Notifier // nil: nobody
	After  time.Duration
	Now    func() time.Time
	Log    *slog.Logger
}

// Run looks once. After an error the next look tells what was not told.
func (e *Escalator) Run(ctx context.Context) error {
	if e.Others == nil || e.After <= 0 {
		return nil
	}
	book, err := e.Book.Load(ctx, keyrecord.Installation)
	if err != nil {
		return fmt.Errorf("escalate: %w", err)
	}
	now := e.Now()
	var wrong error
	for _, a := range book.Open(now) {
		if a.Severity != string(notify.Critical) || !a.Acked.IsZero() || !a.Escalated.IsZero() || now.Sub(a.At) < e.After {
			continue
		}
		wrong = errors.Join(wrong, e.one(ctx, a, now))
	}
	if wrong != nil {
		return fmt.Errorf("escalate: %w", wrong)
	}
	return nil
}

// one records that others are told, and tells them. If that fails it takes the record
// back; if that fails too, nobody tells it again, and the log has it.
func (e *Escalator) one(ctx context.Context, a keyrecord.Alert, now time.Time) error {
	a.Escalated = now
	put, err := e.Book.PutAlert(ctx, a)
	if errors.Is(err, keyrecord.ErrConflict) {
		return nil // acknowledged or escalated at this moment
	}
	if err != nil {
		return err
	}
	e.Log.LogAttrs(ctx, slog.LevelWarn, "nobody has acknowledged an alert", slog.String("alert", a.ID), slog.String("kind", a.Kind))
	err = e.Others.Notify(ctx, notify.Message{
		Version: 1, ID: "escalated-" + a.ID, Alert: a.ID, Time: now, Kind: notify.Kind(a.Kind), Severity: notify.Critical,
		Summary: "Nobody has acknowledged this for " + notify.Duration(now.Sub(a.At).Truncate(time.Minute)) + ": " + a.Summary,
		Known:   []string{"It was told at " + a.At.UTC().Format("2006-01-02 15:04:05 UTC") + " with the severity " + a.Severity + ". This is told once."},
		Next:    []string{"Say that you are at it: keyturn ack --installation --id " + a.ID + " --reason TEXT"},
	})
	if err == nil {
		return nil
	}
	put.Escalated = time.Time{}
	_, back := e.Book.PutAlert(context.WithoutCancel(ctx), put)
	return errors.Join(err, back)
}

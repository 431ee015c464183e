package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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

// Escalator tells others of alerts that nobody has acknowledged in time. All fields
// are needed; it is safe for concurrent use.
type Escalator struct {
	Book   Alerts
	Others notify.Notifier // nil: nobody
	After  time.Duration   // 0: nobody is told
	Now    func() time.Time
	Log    *slog.Logger
}

// Run escalates the critical alerts of the installation. The sweep does it for those of
// keys.
func (e *Escalator) Run(ctx context.Context) error {
	if e.Others == nil || e.After <= 0 {
		return nil
	}
	book, err := e.Book.Load(ctx, keyrecord.Installation)
	if err != nil {
		return fmt.Errorf("escalate: %w", err)
	}
	open := slices.DeleteFunc(book.Open(e.Now()), func(a keyrecord.Alert) bool { return a.Severity != string(notify.Critical) })
	_, err = e.Escalate(ctx, open, func(a keyrecord.Alert, m notify.Message) notify.Message {
		m.Next = []string{"Say that you are at it: keyturn ack --installation --id " + a.ID + " --reason TEXT"}
		return m
	})
	return err
}

// Escalate looks at open alerts once, and returns how many it told of, or tried to.
// message completes what others are told; it has the alert, its time and a summary.
//
// They are told before it is recorded: who dies in between tells again, with the
// same ID, and never keeps it to himself. After an error the next look tells what was
// not told.
func (e *Escalator) Escalate(ctx context.Context, open []keyrecord.Alert, message func(keyrecord.Alert, notify.Message) notify.Message) (tried int, err error) {
	if e.Others == nil || e.After <= 0 {
		return 0, nil
	}
	now := e.Now()
	var errs []error
	for _, a := range open {
		if !a.Acked.IsZero() || !a.Escalated.IsZero() || now.Sub(a.At) < e.After {
			continue
		}
		tried++
		errs = append(errs, e.one(ctx, a, now, message))
	}
	if err := errors.Join(errs...); err != nil {
		return tried, fmt.Errorf("escalate: %w", err)
	}
	return tried, nil
}

func (e *Escalator) one(ctx context.Context, a keyrecord.Alert, now time.Time, message func(keyrecord.Alert, notify.Message) notify.Message) error {
	e.Log.LogAttrs(ctx, slog.LevelWarn, "nobody has acknowledged an alert", slog.String("alert", a.ID), slog.String("kind", a.Kind), slog.String("secret", a.Secret))
	if err := e.Others.Notify(ctx, message(a, notify.Message{
		Version: 1, ID: "escalated-" + a.ID, Alert: a.ID, Time: now, Kind: notify.Kind(a.Kind), Severity: notify.Critical,
		Summary: "Nobody has acknowledged this for " + notify.Duration(now.Sub(a.At).Truncate(time.Minute)) + ": " + a.Summary,
		Known:   []string{"It was told at " + a.At.UTC().Format("2006-01-02 15:04:05 UTC") + " with the severity " + a.Severity + ". This is told once."},
	})); err != nil {
		return err
	}
	a.Escalated = now
	if _, err := e.Book.PutAlert(ctx, a); err != nil && !errors.Is(err, keyrecord.ErrConflict) {
		return err // a conflict: it was acknowledged or escalated at this moment
	}
	return nil
}

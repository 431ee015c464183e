// Package alert keeps what asks somebody to act until it is over: in the key's
// book, where it can be acknowledged, and from where the sweep tells others if
// nobody does.
package alert

import (
	"cmp"
	"context"
	"log/slog"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
)

// Book is what a Keeper needs of the keys' records.
type Book interface {
	// OpenAlert stores an alert unless one of this ID is open.
	OpenAlert(ctx context.Context, a keyrecord.Alert) error
}

// Keeper is a [notify.Notifier] that records a message as an open alert before
// it sends it, if it asks somebody to act; others cost no call. What names no secret
// is recorded for the installation. All fields are needed; it is safe for
// concurrent use.
type Keeper struct {
	Notifier notify.Notifier
	Book     Book
	Log      *slog.Logger
}

// Notify implements [notify.Notifier]. An alert that cannot be recorded does not
// keep its message back: it can then not be acknowledged, and says nothing of it.
func (k *Keeper) Notify(ctx context.Context, m notify.Message) error {
	if !m.Asks() {
		m.Alert = ""
		return k.Notifier.Notify(ctx, m)
	}
	if m.Alert == "" {
		m.Alert = m.ID
	}
	a := keyrecord.Alert{
		Secret: cmp.Or(m.Secret, keyrecord.Installation), ID: m.Alert, Kind: string(m.Kind), Severity: string(m.Severity), Summary: m.Summary, About: m.About, At: m.Time,
	}
	switch a.About {
	case "":
		a.About = keyrecord.AboutRotation
	case keyrecord.AboutKey:
		a.KeyID = m.Detail["key_id"]
	}
	if err := k.Book.OpenAlert(ctx, a); err != nil {
		k.Log.LogAttrs(ctx, slog.LevelError, "the alert was not recorded", slog.String("secret", m.Secret), slog.String("alert", m.Alert), slog.String("error", err.Error()))
		m.Alert = ""
	}
	return k.Notifier.Notify(ctx, m)
}

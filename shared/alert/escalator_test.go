package alert_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/alert"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
)

var errDeaf = errors.New("deaf")

// book keeps the alerts of the installation.
type book struct {
	alerts map[string]keyrecord.Alert
	deaf   bool
	told   []notify.Message
}

func (b *book) Load(_ context.Context, secret string) (keyrecord.Book, error) {
	var out keyrecord.Book
	for _, a := range b.alerts {
		if a.Secret == secret {
			out.Alerts = append(out.Alerts, a)
		}
	}
	return out, nil
}

func (b *book) PutAlert(_ context.Context, a keyrecord.Alert) (keyrecord.Alert, error) {
	if b.alerts[a.ID].Revision != a.Revision {
		return a, keyrecord.ErrConflict
	}
	a.Revision++
	b.alerts[a.ID] = a
	return a, nil
}

func (b *book) Notify(_ context.Context, m notify.Message) error {
	if b.deaf {
		return errDeaf
	}
	b.told = append(b.told, m)
	return nil
}

func TestEscalator(t *testing.T) {
	t.Parallel()
	b := &book{alerts: map[string]keyrecord.Alert{}}
	for _, a := range []keyrecord.Alert{
		{ID: "silent", Summary: "The record of reads is silent."},
		{ID: "acked", Acked: at},
		{ID: "told", Escalated: at},
		{ID: "young", At: at.Add(2 * time.Hour)},
		{ID: "old", At: at.Add(-31 * 24 * time.Hour)},
		{ID: "warning", Severity: string(notify.Warning)},
		{ID: "key", Secret: "prod/x"},
	} {
		if a.At.IsZero() {
			a.At = at
		}
		if a.Severity == "" {
			a.Severity = string(notify.Critical)
		}
		if a.Secret == "" {
			a.Secret = keyrecord.Installation
		}
		a.Kind, a.Revision = string(notify.Finding), 1
		b.alerts[a.ID] = a
	}
	e := &alert.Escalator{Book: b, Others: b, After: 4 * time.Hour, Now: func() time.Time { return at.Add(5 * time.Hour) }, Log: slog.New(slog.DiscardHandler)}
	b.deaf = true
	if err := e.Run(t.Context()); !errors.Is(err, errDeaf) {
		t.Errorf("deaf: %v", err)
	}
	b.deaf = false
	for range 2 { // it is told once
		if err := e.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.told) != 1 || b.told[0].ID != "escalated-silent" || b.told[0].Severity != notify.Critical || !strings.Contains(b.told[0].Next[0], "--installation --id silent ") {
		t.Errorf("told %+v", b.told)
	}
}

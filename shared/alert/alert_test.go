package alert_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/alert"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
)

type world struct {
	did  []string
	open []keyrecord.Alert
	sent []notify.Message
	full error
	deaf error
}

func (w *world) OpenAlert(_ context.Context, a keyrecord.Alert) error {
	w.did, w.open = append(w.did, "open"), append(w.open, a)
	return w.full
}

func (w *world) Notify(_ context.Context, m notify.Message) error {
	w.did, w.sent = append(w.did, "send"), append(w.sent, m)
	return w.deaf
}

var at = time.Date(2026, 11, 24, 5, 0, 0, 0, time.UTC)

func message(kind notify.Kind, s notify.Severity, about, id string) notify.Message {
	return notify.Message{
		ID: "m1", Alert: id, About: about, Time: at, Kind: kind, Severity: s, Secret: "prod/x", Summary: "It failed.",
		Next: []string{"Look."}, Detail: map[string]string{"key_id": "k1"},
	}
}

// bare is a message about no secret.
func bare(m notify.Message) notify.Message {
	m.Secret = ""
	return m
}

// What asks somebody to act is recorded before it is sent, by an ID that the
// message says; other news costs no call.
func TestKeeper(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		m    notify.Message
		want *keyrecord.Alert
	}{
		"a failure":  {message(notify.Failed, notify.Warning, "", ""), &keyrecord.Alert{Secret: "prod/x", ID: "m1", Kind: "failed", Severity: "warning", About: keyrecord.AboutRotation}},
		"a held key": {message(notify.Held, notify.Critical, keyrecord.AboutKey, ""), &keyrecord.Alert{Secret: "prod/x", ID: "m1", Kind: "held", Severity: "critical", About: keyrecord.AboutKey, KeyID: "k1"}},
		"each day":   {message(notify.Overdue, notify.Warning, keyrecord.AboutLook, "overdue"), &keyrecord.Alert{Secret: "prod/x", ID: "overdue", Kind: "overdue", Severity: "warning", About: keyrecord.AboutLook}},
		"of no key":  {bare(message(notify.Finding, notify.Critical, keyrecord.AboutFinding, "f1")), &keyrecord.Alert{Secret: keyrecord.Installation, ID: "f1", Kind: "finding", Severity: "critical", About: keyrecord.AboutFinding}},
		"news":       {message(notify.Paused, notify.Info, "", "x"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{}
			k := &alert.Keeper{Notifier: w, Book: w, Log: slog.New(slog.DiscardHandler)}
			if err := k.Notify(t.Context(), tt.m); err != nil {
				t.Fatal(err)
			}
			if tt.want == nil {
				if len(w.open) > 0 || len(w.sent) != 1 || w.sent[0].Alert != "" {
					t.Errorf("did %v, alert %q", w.did, w.sent[0].Alert)
				}
				return
			}
			tt.want.Summary, tt.want.At = "It failed.", at
			if diff := cmp.Diff([]keyrecord.Alert{*tt.want}, w.open); diff != "" || strings.Join(w.did, " ") != "open send" || w.sent[0].Alert != tt.want.ID {
				t.Errorf("did %v, alert %q; %s", w.did, w.sent[0].Alert, diff)
			}
		})
	}
}

// A message is sent although its alert cannot be recorded, and one that is not
// sent is an error.
func TestKeeper_errors(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	w := &world{full: errors.New("no table")}
	k := &alert.Keeper{Notifier: w, Book: w, Log: slog.New(slog.NewJSONHandler(&log, nil))}
	if err := k.Notify(t.Context(), message(notify.Failed, notify.Critical, "", "")); err != nil || len(w.sent) != 1 || w.sent[0].Alert != "" || !strings.Contains(log.String(), "no table") {
		t.Errorf("%v; sent %+v; %s", err, w.sent, log.String())
	}
	w.deaf = errors.New("no topic")
	if err := k.Notify(t.Context(), message(notify.Failed, notify.Critical, "", "")); !errors.Is(err, w.deaf) {
		t.Errorf("%v", err)
	}
}

package retire_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/alert"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/retire"
)

// alerting is an engine that keeps alerts, as the deployed one does.
func (w *world) alerting() *retire.Engine {
	e := w.engine()
	e.Notifier = &alert.Keeper{Notifier: fakeNotifier{w}, Book: fakeRecords{w}, Log: slog.New(slog.DiscardHandler)}
	return e
}

func (w *world) opened(about string) bool {
	for _, a := range w.book.Alerts {
		if a.About == about {
			return true
		}
	}
	return false
}

// An alert closes when its cause has ended, and not before.
func TestAlert_closes(t *testing.T) {
	t.Parallel()
	look := func(t *testing.T, w *world) {
		t.Helper()
		if _, err := w.alerting().Reconcile(t.Context(), key()); err != nil {
			t.Fatal(err)
		}
	}
	check := func(t *testing.T, w *world, about string, want bool) {
		t.Helper()
		if look(t, w); w.opened(about) != want {
			t.Errorf("%s open: %v, want %v; %+v", about, !want, want, w.book.Alerts)
		}
	}
	t.Run("a failed rotation, by the next one", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w, _ := steady(t)
			h := &retire.Handler{Engine: w.alerting(), Keys: []config.Key{key()}, Log: slog.New(slog.DiscardHandler)}
			time.Sleep(time.Minute)
			if _, err := h.Handle(t.Context(), []byte(rotationEvent("RotationFailed", "SecretId", arn, token(2)))); err != nil {
				t.Fatal(err)
			}
			if len(w.news) != 2 || w.news[1].Alert == "" || !strings.Contains(notify.Text(w.news[1]), "keyturn ack "+name+" --id "+w.news[1].Alert+" ") {
				t.Fatalf("told %+v", w.news)
			}
			check(t, w, keyrecord.AboutRotation, true)
			time.Sleep(time.Minute)
			w.rotate(token(3))
			check(t, w, keyrecord.AboutRotation, false)
		})
	})
	t.Run("what is late, when it no longer is", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w, _ := steady(t)
			w.secret.NextRotation = time.Now().Add(-48 * time.Hour)
			for range 3 { // days
				check(t, w, keyrecord.AboutLook, true)
				time.Sleep(25 * time.Hour)
			}
			if len(w.book.Alerts) != 1 {
				t.Errorf("the same news each day are %d alerts", len(w.book.Alerts))
			}
			w.secret.NextRotation = time.Now().Add(time.Hour)
			w.fail["GetAdmin"] = lostStore("GetSecretValue") // nothing is known while nothing can be seen
			if _, err := w.alerting().Reconcile(t.Context(), key()); err == nil || !w.opened(keyrecord.AboutLook) {
				t.Errorf("%v; %+v", err, w.book.Alerts)
			}
			delete(w.fail, "GetAdmin")
			check(t, w, keyrecord.AboutLook, false)
		})
	})
	t.Run("a held key, when it has ended", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w, old := steady(t, func(w *world) { w.usage = false }) // no usage: it is held after max grace
			w.rotate(token(2))
			if !w.live(w.alerting(), key(), 90*time.Hour, func() bool { return w.opened(keyrecord.AboutKey) }) || w.state(old) != keyrecord.Held {
				t.Fatalf("the key is %s; %+v", w.state(old), w.book.Alerts)
			}
			check(t, w, keyrecord.AboutKey, true)
			w.keys[old].revoked = true // by hand
			if !w.live(w.alerting(), key(), 48*time.Hour, func() bool { return !w.opened(keyrecord.AboutKey) }) || w.state(old).Alive() {
				t.Errorf("the key is %s; %+v", w.state(old), w.book.Alerts)
			}
		})
	})
}

// What nobody has acknowledged in time is told to others: by the sweep, once,
// and again only if it did not go out.
func TestAlert_escalates(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		after time.Duration // since it was told; it is escalated after 4 hours
		acked bool
		none  bool // there is no topic
		deaf  bool // the first time
		want  int
	}{
		"too soon":      {after: 3 * time.Hour},
		"nobody is":     {after: 5 * time.Hour, want: 1},
		"acknowledged":  {after: 5 * time.Hour, acked: true},
		"no topic":      {after: 5 * time.Hour, none: true},
		"not accepted":  {after: 5 * time.Hour, deaf: true, want: 1},
		"after a month": {after: keyrecord.AlertFor + time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, _ := steady(t)
				w.news = nil
				a := keyrecord.Alert{Secret: "prod/mailer", ID: "failed-x", Kind: "failed", Severity: "warning", Summary: "It failed.", About: keyrecord.AboutRotation, At: time.Now(), Revision: 1}
				if tt.acked {
					a.Acked = time.Now()
				}
				w.book.Alerts = []keyrecord.Alert{a}
				e := w.engine()
				e.EscalateAfter = 4 * time.Hour
				if !tt.none {
					e.Escalation = fakeNotifier{w}
				}
				time.Sleep(tt.after)
				if _, err := e.Reconcile(t.Context(), key()); err != nil || len(w.news) > 0 {
					t.Errorf("not the sweep: %v, %+v", err, w.news)
				}
				if tt.deaf {
					w.fail["Notify"] = errors.New("no topic")
					if _, err := e.Sweep(t.Context(), []config.Key{key()}); err == nil {
						t.Error("nobody was told, and that is no error")
					}
					delete(w.fail, "Notify")
				}
				for range 2 {
					if _, err := e.Sweep(t.Context(), []config.Key{key()}); err != nil {
						t.Fatal(err)
					}
				}
				if len(w.news) != tt.want {
					t.Fatalf("told %+v", w.news)
				}
				for _, m := range w.news {
					if m.Severity != notify.Critical || m.Alert != "failed-x" || !strings.HasSuffix(m.Summary, " for 5h: It failed.") || m.Owner == "" {
						t.Errorf("%+v", m)
					}
				}
			})
		})
	}
}

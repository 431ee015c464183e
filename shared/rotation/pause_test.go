package rotation_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/rotation"
)

func (w *world) now() time.Time { return w.cloud.Clock().Now() }

func (w *world) pause(d time.Duration) {
	w.records.book.Pause = &keyrecord.Pause{
		Secret: name, ID: "p1", Until: w.now().Add(d), Reason: "a release", Owner: "shop@example.com", By: "arn:aws:iam::1:user/me", At: w.now(),
	}
}

// A pause refuses rotations in createSecret, before anything is made, and says
// until when, why, by whom, and how to go on.
func TestPause(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		old, keys := w.value("AWSCURRENT"), len(w.vendor.live())
		w.pause(48 * time.Hour)
		mark := len(w.audit.records)
		token := w.rotate()
		if got := w.value("AWSCURRENT"); got != old || len(w.vendor.live()) != keys {
			t.Errorf("current %q after %q, %d keys after %d", got, old, len(w.vendor.live()), keys)
		}
		_, err := w.step(rotation.CreateSecret, token)
		e, ok := errors.AsType[*rotation.Error](err)
		if !ok || e.Type != rotation.Paused || len(e.Next) == 0 {
			t.Fatalf("%v, want Paused and what to do", err)
		}
		for _, want := range []string{"paused until 20", "arn:aws:iam::1:user/me", "shop@example.com", "a release"} {
			if !strings.Contains(e.What, want) {
				t.Errorf("%q does not say %q", e.What, want)
			}
		}
		if !strings.Contains(strings.Join(e.Next, " "), "keyturn resume "+name) {
			t.Errorf("next %v", e.Next)
		}
		// Refused many times by now, and told once, as news and not as an alarm.
		if len(w.inbox.messages) != 1 || w.inbox.messages[0].Kind != notify.Paused || w.inbox.messages[0].Severity != notify.Info {
			t.Errorf("messages %+v, want one of severity info", w.inbox.messages)
		}
		if strings.Contains(w.log.String(), `"level":"ERROR"`) {
			t.Errorf("a pause is an error in the log:\n%s", w.log)
		}
		if n := len(w.records.failures); n == 0 || !w.records.failures[n-1].Wanted() {
			t.Errorf("failures %+v: whoever waits for the rotation looks there", w.records.failures)
		}
		if got := w.audit.acts()[mark:]; len(got) != 0 {
			t.Errorf("a refused rotation did %v", got)
		}
		if p, err := w.engine.Plan(t.Context(), name); err != nil || !slices.ContainsFunc(p.Problems, func(p rotation.PlanProblem) bool { return p.Type == rotation.Paused }) {
			t.Errorf("the plan does not list the pause: %+v, %v", p.Problems, err)
		}
		// Made longer, it is news again.
		w.records.book.Pause.Until = w.now().Add(72 * time.Hour)
		if _, err = w.step(rotation.CreateSecret, token); errorTypeOf(err) != "Paused" || len(w.inbox.messages) != 2 {
			t.Errorf("%v, %d messages", err, len(w.inbox.messages))
		}
	})
}

func errorTypeOf(err error) string {
	if err == nil {
		return ""
	}
	return errorType(err)
}

// A pause that is over refuses nothing. That it ended by itself is told once.
func TestPause_over(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ended bool
		ago   time.Duration
		told  int
	}{
		"by itself":    {false, time.Minute, 1},
		"by resume":    {true, time.Minute, 0},
		"long ago":     {false, 100 * 24 * time.Hour, 0},
		"this instant": {false, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				w.first()
				w.enable()
				w.pause(-tt.ago)
				if tt.ended {
					w.records.book.Pause.Ended = w.now()
				}
				old := w.value("AWSCURRENT")
				for range 2 { // the second is skipped: the older key is still alive
					w.rotate()
				}
				if w.value("AWSCURRENT") == old {
					t.Error("a pause that is over refuses a rotation")
				}
				told := 0
				for _, m := range w.inbox.messages {
					if m.Kind == notify.Resumed && m.Severity == notify.Info {
						told++
					}
				}
				if told != tt.told {
					t.Errorf("told %d times, want %d", told, tt.told)
				}
			})
		})
	}
}

// An emergency goes through a pause, loudly.
func TestPause_emergency(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		w.pause(48 * time.Hour)
		old := w.value("AWSCURRENT")
		const token = "22222222-2222-4222-8222-222222222222"
		w.records.book.Requests = []keyrecord.Request{{Secret: name, Rotation: keyname.Rotation(token), Mode: "emergency"}}
		if _, err := w.sm.RotateSecret(t.Context(), &sm.RotateSecretInput{SecretId: aws.String(name), ClientRequestToken: aws.String(token)}); err != nil {
			t.Fatal(err)
		}
		w.idle()
		if w.value("AWSCURRENT") == old {
			t.Error("a pause has stopped an emergency")
		}
		if !strings.Contains(w.log.String(), "an emergency rotation goes through a pause") || !slices.Contains(w.audit.acts(), "pause fact") {
			t.Errorf("it was not said: audit %v\n%s", w.audit.acts(), w.log)
		}
	})
}

// A rotation whose value is stored already is under way, and a pause that comes
// after it does not leave it half done.
func TestPause_underWay(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		old := w.value("AWSCURRENT")
		w.vendor.fail = func(call string) (before, after error) {
			if call == "create" {
				w.pause(time.Hour)
			}
			return nil, nil
		}
		w.rotate()
		if w.value("AWSCURRENT") == old {
			t.Error("the rotation was under way, and did not come to its end")
		}
	})
}

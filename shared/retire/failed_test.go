package retire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/retire"
)

// rotationEvent is Secrets Manager's event of now about a rotation, with the
// secret's ARN in the field where: of additionalEventData, or nowhere for "".
func rotationEvent(event, where, arn, version string) string {
	extra := map[string]string{}
	if where != "" {
		extra[where] = arn
	}
	b, err := json.Marshal(map[string]any{
		"version": "0", "source": "aws.secretsmanager", "detail-type": "AWS Service Event via CloudTrail",
		"detail": map[string]any{
			"eventType": "AwsServiceEvent", "eventName": event, "eventTime": time.Now().UTC().Format(time.RFC3339),
			"errorMessage":        "Error when executing lambda arn:aws:lambda:us-east-1:123456789012:function:x during setSecret step",
			"requestParameters":   nil,
			"additionalEventData": extra, "requestID": "Rotation-" + arn + "-" + version,
		},
	})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// A failed rotation is recorded and told if the rotate function could not, and
// not if that has told it, or refused it for a pause.
func TestRotationFailed(t *testing.T) {
	t.Parallel()
	recorded := func(version, kind string, ago time.Duration) func(*world) {
		return func(w *world) {
			w.book.Failure = &keyrecord.Failure{Secret: name, Version: version, ErrorType: kind, At: w.now().Add(-ago)}
		}
	}
	for _, tt := range []struct {
		name  string
		event string
		book  func(*world)
		told  bool
	}{
		{"the function crashed", rotationEvent("RotationFailed", "SecretId", arn, token(2)), nil, true},
		{"an older record", rotationEvent("RotationFailed", "aRN", arn, token(2)), nil, true},
		{"the ARN in the request alone", rotationEvent("RotationFailed", "", arn, token(2)), nil, true},
		{"no version", rotationEvent("RotationFailed", "SecretId", arn, ""), nil, true},
		{"abandoned", rotationEvent("RotationAbandoned", "SecretId", arn, token(2)), nil, true},
		{"told already", rotationEvent("RotationFailed", "SecretId", arn, token(2)), recorded(token(2), "VendorUnavailable", 9*time.Minute), false},
		{"told already, and no version", rotationEvent("RotationFailed", "SecretId", arn, ""), recorded(token(2), "VendorUnavailable", 9*time.Minute), false},
		{"a pause", rotationEvent("RotationFailed", "SecretId", arn, token(2)), recorded(token(2), "Paused", time.Minute), false},
		{"a freeze", rotationEvent("RotationFailed", "SecretId", arn, token(2)), recorded(token(2), "Frozen", time.Minute), false},
		{"another version's failure", rotationEvent("RotationFailed", "SecretId", arn, token(2)), recorded(token(3), "VendorUnavailable", time.Minute), true},
		{"long ago", rotationEvent("RotationFailed", "SecretId", arn, token(2)), recorded(token(2), "VendorUnavailable", 2*time.Hour), true},
		{"tried again with success", rotationEvent("RotationFailed", "SecretId", arn, token(1)), nil, false},
		{"another secret", rotationEvent("RotationFailed", "SecretId", strings.Replace(arn, "mailer", "other1", 1), token(2)), nil, false},
		{"another service event", rotationEvent("RotationSucceeded", "SecretId", arn, token(2)), nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.rotate(token(1))
			if tt.book != nil {
				tt.book(w)
			}
			h := &retire.Handler{Engine: w.engine(), Keys: []config.Key{key()}, Log: slog.New(slog.DiscardHandler)}
			_, err := h.Handle(t.Context(), json.RawMessage(tt.event))
			if unknown := strings.Contains(tt.event, "RotationSucceeded"); errors.Is(err, retire.ErrEvent) != unknown || err != nil && !unknown {
				t.Fatal(err)
			}
			if _, err = h.Handle(t.Context(), json.RawMessage(batch(t, tt.event, tt.event))); err != nil {
				t.Fatal(err)
			}
			if !tt.told {
				if len(w.news) > 0 {
					t.Errorf("told %+v", w.news)
				}
				return
			}
			if len(w.news) != 1 {
				t.Fatalf("told %d times", len(w.news))
			}
			m, f := w.news[0], w.book.Failure
			if m.Kind != notify.Failed || m.Severity != notify.Critical || m.Owner == "" || !strings.Contains(fmt.Sprint(m.Next), retire.Runbook) ||
				!strings.Contains(fmt.Sprint(m.Known), "AWSCURRENT is on version "+token(1)) {
				t.Errorf("message %+v", m)
			}
			if f == nil || !strings.HasPrefix(f.ErrorType, "Rotation") || f.Step != "setSecret" || f.Wanted() {
				t.Errorf("recorded %+v", f)
			}
		})
	}
}

// An event whose news could not be stored or sent comes again, and is told then.
func TestRotationFailed_notSent(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"Load", "Describe", "First", "PutFailure", "Notify"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.rotate(token(1))
				h := &retire.Handler{Engine: w.engine(), Keys: []config.Key{key()}, Log: slog.New(slog.DiscardHandler)}
				message := json.RawMessage(batch(t, rotationEvent("RotationFailed", "SecretId", arn, token(2))))
				w.fail[op] = errRecords
				if got, err := h.Handle(t.Context(), message); err != nil || len(got.Failures) != 1 || len(w.news) > 0 {
					t.Fatalf("%+v, %v; told %v", got, err, w.news)
				}
				delete(w.fail, op)
				if got, err := h.Handle(t.Context(), message); err != nil || len(got.Failures) > 0 || len(w.news) != 1 {
					t.Errorf("%+v, %v; told %v", got, err, w.news)
				}
			})
		})
	}
}

package status_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/infra/keyturn/internal/status"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
)

// A pause is listed while it is in force, and as expired until a rotation has
// succeeded. What was due in it is not late.
func TestPause(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		until, ended time.Duration // from now; ended 0: it was not
		rotated      time.Duration // ago; 0: before the pause
		stage        status.Stage
		state        string
		late         bool
	}{
		{"in force", day, 0, 0, status.Paused, "in_force", false},
		{"just expired", -time.Minute, 0, 0, status.Idle, "expired", false},
		{"expired for long", -2 * day, 0, 0, status.Idle, "expired", true},
		{"expired, and rotated", -2 * day, 0, day, status.Idle, "", true},
		{"resumed", day, -time.Minute, 0, status.Idle, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := healthy()
			w.secret.NextRotation = now.Add(-3 * day)
			w.book.Failure = &keyrecord.Failure{Version: "another", ErrorType: "Paused", At: now.Add(-time.Hour)}
			p := &keyrecord.Pause{Until: now.Add(tt.until), Reason: "a release", Owner: "shop", By: "me", At: now.Add(-4 * day)}
			if tt.ended != 0 {
				p.Ended = now.Add(tt.ended)
			}
			if tt.rotated != 0 {
				w.secret.LastRotated = now.Add(-tt.rotated)
			}
			w.book.Pause = p
			got := w.read(t)
			state := ""
			if got.Pause != nil {
				state = got.Pause.State
			}
			if got.Stage != tt.stage || state != tt.state || (len(got.Overdue) > 0) != tt.late || got.LastError != nil {
				t.Errorf("stage %s, pause %q, late %v, last error %+v; want %+v", got.Stage, state, got.Overdue, got.LastError, tt)
			}
			if text := status.List([]status.Key{got}, now, console.Palette{}); (state != "") != strings.Contains(text, "by me, owner shop: a release") {
				t.Errorf("list:\n%s", text)
			}
		})
	}
}

// A freeze of the configuration is shown, and what was due in it, or in the day
// before it, is not late until an hour after its end.
func TestFreeze(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		due, from, until time.Duration // from now
		stage            status.Stage
		late             bool
	}{
		"in force":             {-day, -2 * day, day, status.Frozen, false},
		"due just before it":   {-49 * time.Hour, -2 * day, day, status.Frozen, false},
		"due long before it":   {-9 * day, -2 * day, day, status.Frozen, true},
		"over":                 {-2 * day, -3 * day, -time.Minute, status.Idle, false},
		"over, and not caught": {-2 * day, -3 * day, -2 * time.Hour, status.Idle, true},
		"to come":              {20 * day, day, 2 * day, status.Idle, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := healthy()
			w.secret.NextRotation = now.Add(tt.due)
			w.book.Failure = &keyrecord.Failure{Version: "another", ErrorType: "Frozen", At: now.Add(-time.Hour)}
			k := config.Key{Secret: "prod/x", Grace: config.Grace{Max: 3 * day}, Freeze: []config.Freeze{{From: now.Add(tt.from), Until: now.Add(tt.until), Reason: "the big sale"}}}
			got := status.Reader{Secrets: w, Records: w, Now: func() time.Time { return now }}.Read(t.Context(), []config.Key{k})[0]
			if got.Stage != tt.stage || (len(got.Overdue) > 0) != tt.late || got.LastError != nil {
				t.Errorf("stage %s, late %v, last error %+v; want %+v", got.Stage, got.Overdue, got.LastError, tt)
			}
			text := status.List([]status.Key{got}, now, console.Palette{})
			if shown := strings.Contains(text, "frozen by the configuration until 2026-03-02 12:00:00Z (in 24h): the big sale"); shown != (tt.stage == status.Frozen) {
				t.Errorf("list:\n%s", text)
			}
		})
	}
}

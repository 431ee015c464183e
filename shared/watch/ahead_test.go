package watch_test

import (
	"testing"
	"time"
)

// A clock of ours that is behind makes no record one of the future: SQS says when it
// was sent.
func TestHandle_behind(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sent time.Time
		kept int
	}{
		"sent since":   {start.Add(25 * time.Hour), 0},
		"sent before":  {start, 1},
		"nobody knows": {time.Time{}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			m := sqs(trailQ, bridge, record("ahead", 25*3600, "GetSecretValue", "prod/honey", nil))
			m.Sent = tt.sent
			if out, done := w.Handle(t.Context(), batch(m)); len(out) != tt.kept || done.Unreadable != tt.kept || len(w.told) != 1-tt.kept {
				t.Errorf("kept %v, %+v, told %v", out, done, w.told)
			}
		})
	}
}

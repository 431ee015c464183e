package rotation_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

// freeze refuses rotations by the configuration.
func (w *world) freeze(from, until time.Duration) {
	w.key.Freeze = []config.Freeze{{From: w.now().Add(from), Until: w.now().Add(until), Reason: "the big sale"}}
}

// A freeze refuses rotations like a pause: before anything is made, told once,
// no alarm, and until it is over.
func TestFreeze(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		w.freeze(-time.Hour, 48*time.Hour)
		old, keys := w.value(store.Current), len(w.vendor.live())
		token := w.rotate()
		_, err := w.step(rotation.CreateSecret, token)
		if errorTypeOf(err) != "Frozen" || !strings.Contains(err.Error(), "the big sale") || !strings.Contains(nextOf(err), "configuration") {
			t.Errorf("%v; %q", err, nextOf(err))
		}
		if w.value(store.Current) != old || len(w.vendor.live()) != keys || strings.Contains(w.log.String(), `"level":"ERROR"`) {
			t.Errorf("%q", w.steps)
		}
		if len(w.inbox.messages) != 1 || w.inbox.messages[0].Kind != notify.Paused || w.inbox.messages[0].Severity != notify.Info {
			t.Errorf("told %+v", w.inbox.messages)
		}
		if p, err := w.engine.Plan(t.Context(), name); err != nil || !slices.ContainsFunc(p.Problems, func(p rotation.PlanProblem) bool { return p.Type == rotation.Frozen }) {
			t.Errorf("the plan does not list the freeze: %+v, %v", p.Problems, err)
		}
		w.freeze(-49*time.Hour, 0) // over
		if w.again(token); w.value(store.Current) == old {
			t.Errorf("after the freeze: %q", w.steps)
		}
	})
}

// A freeze that has not begun refuses nothing, an emergency goes through one, and
// a rotation that has had the value replaced comes to its end.
func TestFreeze_goesOn(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		w.freeze(time.Hour, 48*time.Hour)
		old := w.value(store.Current)
		if w.rotate(); w.value(store.Current) == old {
			t.Errorf("before the freeze: %q", w.steps)
		}
		w.freeze(-time.Hour, 48*time.Hour)
		old = w.value(store.Current)
		if w.urgent(); w.value(store.Current) == old || !strings.Contains(w.log.String(), "goes through a pause") {
			t.Errorf("an emergency: %q", w.steps)
		}
	})
	fewBubble(t, "grace", func(t *testing.T, w *world, f *few) {
		w.engine.Records = &timed{records: w.records, until: map[string]time.Time{}}
		w.first()
		w.enable()
		killed := false
		f.fail = func(call string) (before, after error) {
			if call == "roll" && !killed {
				killed = true
				w.freeze(-time.Second, 48*time.Hour)
				return nil, errKilled
			}
			return nil, nil
		}
		token := w.rotate()
		time.Sleep(10 * time.Minute)
		if w.again(token); !killed || !slices.Contains(w.stages()[token], store.Current) {
			t.Errorf("a roll: %q", w.steps)
		}
	})
}

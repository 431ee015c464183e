package rotation_test

import (
	"slices"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

// A run that had the value replaced died before it stored the new one, and then
// somebody paused the rotations: the current value is dead, or will be, so the
// rotation is under way and comes to its end.
// Promise: killed-anywhere
func TestPause_afterARoll(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"roll", "grace"} {
		for what, fault := range map[string]error{"killed": errKilled, "answer lost": &provider.Error{Op: "roll"}} {
			t.Run(kind+"/"+what, func(t *testing.T) {
				t.Parallel()
				fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
					w.engine.Records = &timed{records: w.records, until: map[string]time.Time{}}
					w.first()
					w.enable()
					rolls := f.count("roll")
					f.fail = func(call string) (before, after error) {
						if call == "roll" && f.count("roll") == rolls+1 {
							w.pause(48 * time.Hour)
							return nil, fault
						}
						return nil, nil
					}
					token := w.rotate()
					w.again(token)
					cur := w.value(store.Current)
					time.Sleep(24 * time.Hour)
					if !f.accepts(cur) || !slices.Contains(w.stages()[token], store.Current) {
						t.Errorf("current %q accepted %v; steps %q, calls %q", cur, f.accepts(cur), w.steps, f.calls)
					}
				})
			})
		}
	}
}

// A rotation that has replaced nothing is refused, each time, and leaves no mark
// that would let a later try through.
func TestPause_beforeARoll(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"roll", "grace", "set", "fill", "place"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
				w.engine.Records = &timed{records: w.records, until: map[string]time.Time{}}
				w.first()
				w.enable()
				w.pause(48 * time.Hour)
				old, keys := w.value(store.Current), len(f.keys)
				token := w.rotate()
				for range 2 {
					if _, err := w.step(rotation.CreateSecret, token); errorType(err) != string(rotation.Paused) {
						t.Errorf("%v, want Paused", err)
					}
				}
				if w.value(store.Current) != old || len(f.keys) != keys {
					t.Errorf("a paused rotation made something: %q", f.calls)
				}
				time.Sleep(49 * time.Hour)
				if w.again(token); !slices.Contains(w.stages()[token], store.Current) || !f.accepts(w.value(store.Current)) {
					t.Errorf("after the pause: %q", w.steps)
				}
			})
		})
	}
}

// A key was minted and its value lost, and then the rotations are paused: it is
// not minted again, what is there is not touched, and the next try after the
// pause goes on.
// Promise: killed-anywhere
func TestPause_afterALostMint(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		w.vendor.fail = func(call string) (before, after error) {
			if call == "create" && !w.paused() {
				w.pause(48 * time.Hour)
				return nil, errKilled
			}
			return nil, nil
		}
		token := w.rotate()
		w.again(token)
		if n := len(w.vendor.ours()); n != 2 || slices.Contains(w.vendor.calls, "revoke") {
			t.Fatalf("%d keys of ours, calls %q", n, w.vendor.calls)
		}
		time.Sleep(49 * time.Hour)
		if w.again(token); !slices.Contains(w.stages()[token], store.Current) || !w.vendor.accepts(w.value(store.Current)) {
			t.Errorf("after the pause: %q", w.steps)
		}
	})
}

func (w *world) paused() bool { return w.records.book.Pause != nil }

// Whoever pauses while a value of our own choosing is stored, and not yet at the
// vendor, stops nothing half way: what is pending comes to its end.
func TestPause_betweenTheSteps(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"set", "place", "fill", "grace"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
				w.engine.Records = &timed{records: w.records, until: map[string]time.Time{}}
				w.first()
				w.enable()
				f.fail = func(string) (before, after error) {
					if w.value(store.Pending) != "" {
						w.pause(48 * time.Hour)
						return errKilled, nil
					}
					return nil, nil
				}
				token := w.rotate()
				if !w.paused() || w.value(store.Pending) == "" {
					t.Fatalf("steps %q", w.steps)
				}
				f.fail = nil
				w.again(token) // as Secrets Manager does: from the first step on
				if !slices.Contains(w.stages()[token], store.Current) || !f.accepts(w.value(store.Current)) {
					t.Errorf("%q", w.steps)
				}
			})
		})
	}
}

// Somebody makes the grace longer while a rotation is under way that has had the
// value replaced: it comes to its end, or the current value would die.
// Promise: killed-anywhere
func TestRollWithGrace_madeLonger(t *testing.T) {
	t.Parallel()
	fewBubble(t, "grace", func(t *testing.T, w *world, f *few) {
		w.engine.Records = &timed{records: w.records, until: map[string]time.Time{}}
		w.first()
		w.enable()
		w.rotate()
		time.Sleep(2 * time.Hour) // its grace is over
		killed := false
		f.fail = func(call string) (before, after error) {
			if call == "roll" && !killed {
				killed, w.key.Grace.Max = true, 20*time.Hour
				return nil, errKilled
			}
			return nil, nil
		}
		token := w.rotate()
		time.Sleep(10 * time.Minute)
		w.again(token)
		if cur := w.value(store.Current); !killed || !f.accepts(cur) || !slices.Contains(w.stages()[token], store.Current) {
			t.Errorf("%q", w.steps)
		}
		if _, err := w.step(rotation.CreateSecret, w.rotate()); errorType(err) != string(rotation.Held) {
			t.Errorf("the next, inside its grace: %v", err)
		}
	})
}

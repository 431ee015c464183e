package rotation_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
)

// A second rotation inside the grace would leave three live values. It is
// refused with the time at which it becomes possible.
// Promise: two-generations
func TestRollWithGrace_insideTheGrace(t *testing.T) {
	t.Parallel()
	fewBubble(t, "grace", func(t *testing.T, w *world, f *few) {
		w.key.Grace.Max = 5 * time.Hour
		w.first()
		w.enable()
		w.rotate()
		rolls := f.count("roll")
		token := w.rotate()
		_, err := w.step(rotation.CreateSecret, token)
		until := time.Now().Add(5 * time.Hour).UTC().Format("2006-01-02 15:")
		if errorType(err) != string(rotation.Held) || !strings.Contains(err.Error(), until) || f.count("roll") != rolls {
			t.Fatalf("inside the grace: %v", err)
		}
		time.Sleep(5*time.Hour + time.Minute)
		if w.again(token); !slices.Contains(w.stages()[token], "AWSCURRENT") {
			t.Errorf("after the grace: %q", w.steps)
		}
	})
}

// The vendor replaced the value and the answer was lost: people are told when
// the current value ends, and the next try replaces it once more.
// Promise: create-once
func TestRollWithGrace_lost(t *testing.T) {
	t.Parallel()
	fewBubble(t, "grace", func(t *testing.T, w *world, f *few) {
		w.first()
		w.enable()
		lost := false
		f.fail = func(call string) (before, after error) {
			if call == "roll" && !lost {
				lost = true
				return nil, &provider.Error{Op: "roll"}
			}
			return nil, nil
		}
		before := f.count("roll")
		token := w.rotate()
		w.again(token)
		if len(w.inbox.messages) == 0 || w.inbox.messages[0].ErrorType != string(rotation.CurrentEnds) || w.inbox.messages[0].Severity != "critical" {
			t.Errorf("told %+v", w.inbox.messages)
		}
		if n := f.count("roll") - before; n != 2 || !slices.Contains(w.stages()[token], "AWSCURRENT") {
			t.Errorf("%d rolls; %q", n, w.steps)
		}
	})
}

// Two runs at once: one rolls, the other is told to wait.
// Promise: killed-anywhere
func TestRoll_oneAtATime(t *testing.T) {
	t.Parallel()
	for kind, at := range map[string]rotation.Step{"grace": rotation.CreateSecret, "roll": rotation.CreateSecret, "set": rotation.SetSecret} {
		fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
			w.first()
			w.enable()
			var second error
			f.fail = func(call string) (before, after error) {
				if (call == "roll" || call == "set") && second == nil {
					f.mu.Unlock()
					token := w.pendingToken()
					_, second = w.step(at, token)
					f.mu.Lock()
				}
				return nil, nil
			}
			token := w.rotate()
			if errorType(second) != string(rotation.InProgress) || !slices.Contains(w.stages()[token], "AWSCURRENT") || !f.accepts(w.value("AWSCURRENT")) {
				t.Errorf("%s: %v; %q", kind, second, w.steps)
			}
		})
	}
}

func (w *world) pendingToken() string {
	for id, labels := range w.stages() {
		if slices.Contains(labels, "AWSPENDING") {
			return id
		}
	}
	return ""
}

// A value that the vendor made last, and that the token's version cannot hold,
// goes live under a version of its own.
// Promise: in-place
func TestRoll_superseded(t *testing.T) {
	t.Parallel()
	fewBubble(t, "grace", func(t *testing.T, w *world, f *few) {
		w.first()
		w.enable()
		f.fail = func(call string) (before, after error) {
			if call == "roll" { // another run, whose lease is over, stores what it rolled before
				w.putPending(w.pendingToken(), `{"apiKey":"few-1-`+strings.Repeat("1", 24)+`"}`)
			}
			return nil, nil
		}
		token := w.rotate()
		if cur := w.value("AWSCURRENT"); !f.accepts(cur) || slices.Contains(w.stages()[token], "AWSCURRENT") || f.keys[len(f.keys)-1].value != cur {
			t.Errorf("current %q is not what the vendor made last; stages %v; %q", cur, w.stages(), w.steps)
		}
		if !slices.ContainsFunc(w.records.failures, func(x keyrecord.Failure) bool { return x.ErrorType == string(rotation.Superseded) }) {
			t.Errorf("failures %+v", w.records.failures)
		}
	})
}

// Promise: in-place
func TestRollInPlace_downtime(t *testing.T) {
	t.Parallel()
	fewBubble(t, "roll", func(t *testing.T, w *world, f *few) {
		w.first()
		w.enable()
		w.key.AcceptDowntime = false
		before := f.count("roll")
		token := w.rotate()
		if _, err := w.step(rotation.CreateSecret, token); errorType(err) != string(rotation.DowntimeRefused) || f.count("roll") != before {
			t.Errorf("without acceptDowntime: %v", err)
		}
	})
	fewBubble(t, "set", func(t *testing.T, w *world, f *few) {
		w.key.AcceptDowntime = false
		err := w.engine.Init(t.Context(), name, "11111111-1111-4111-8111-111111111111")
		if errorType(err) != string(rotation.DowntimeRefused) || f.count("set") > 0 {
			t.Errorf("a first key that cuts others off: %v", err)
		}
	})
}

// Where the value can be read, a roll whose answer was lost is found again.
func TestRollInPlace_read(t *testing.T) {
	t.Parallel()
	fewBubble(t, "roll", func(t *testing.T, w *world, f *few) {
		w.first()
		w.enable()
		f.read = true
		lost := errors.New("")
		f.fail = func(call string) (before, after error) {
			if call == "roll" && lost != nil {
				lost = nil
				return nil, &provider.Error{Op: "roll"}
			}
			return nil, nil
		}
		before := f.count("roll")
		token := w.rotate()
		w.again(token)
		if n := f.count("roll") - before; n != 1 || !f.accepts(w.value("AWSCURRENT")) || !slices.Contains(w.stages()[token], "AWSCURRENT") {
			t.Errorf("%d rolls; %q", n, w.steps)
		}
	})
}

// A value that is set and whose answer is lost is found by trying it.
func TestRollInPlace_unknown(t *testing.T) {
	t.Parallel()
	fewBubble(t, "set", func(t *testing.T, w *world, f *few) {
		w.first()
		w.enable()
		f.fail = func(call string) (before, after error) {
			if call == "set" {
				return nil, &provider.Error{Op: "set"}
			}
			return nil, nil
		}
		token := w.rotate()
		if !slices.Contains(w.stages()[token], "AWSCURRENT") || !f.accepts(w.value("AWSCURRENT")) {
			t.Errorf("%q", w.steps)
		}
	})
}

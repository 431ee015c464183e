package rotatenow_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/rotatenow"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

var urgent = rotatenow.Request{Version: 1, Mode: rotatenow.Emergency, Secret: name, Reason: "it is on the web", Requester: "me"}

// An emergency is marked before it is asked for, goes through a pause and a deaf
// audit trail, and is told loudly.
// Promise: audited-first
func TestEmergency(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	for what, tt := range map[string]struct {
		do    func(*world)
		known int  // sentences in the message
		log   bool // the request stands in the log
	}{
		"plain": {func(*world) {}, 2, false},
		"paused": {func(w *world) {
			w.pause = &keyrecord.Pause{Secret: name, Until: w.now.Add(time.Hour), Reason: "a release"}
		}, 2, false},
		"the records are deaf to a look": {func(w *world) { w.load = gone }, 2, false},
		"no audit trail":                 {func(w *world) { w.sink = gone }, 3, true},
		"nobody can be told":             {func(w *world) { w.refused = gone }, 2, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			tt.do(w)
			var log bytes.Buffer
			e := w.engine()
			e.Log = slog.New(slog.NewJSONHandler(&log, nil))
			a, err := e.Do(t.Context(), urgent)
			if err != nil || a.Status != "started" || a.Token != token || a.Mode != rotatenow.Emergency {
				t.Fatalf("%+v, %v", a, err)
			}
			if diff := cmp.Diff([]string{"request", "audit", "rotate " + name + " " + token}, w.did); diff != "" {
				t.Errorf("acts (-want +got):\n%s", diff)
			}
			if q := w.request; q.Mode != keyrecord.Emergency || q.Reason != urgent.Reason {
				t.Errorf("request %+v", q)
			}
			if r := w.record; r.Act != audit.Request || r.Phase != audit.Intent || r.Detail["mode"] != "emergency" {
				t.Errorf("audit record %+v", r)
			}
			if len(w.told) != 1 || w.told[0].Kind != notify.Emergency || w.told[0].Severity != notify.Critical || len(w.told[0].Known) != tt.known || !strings.Contains(w.told[0].Summary, urgent.Reason) {
				t.Errorf("told %+v", w.told)
			}
			if got := strings.Contains(log.String(), `"level":"ERROR"`) && strings.Contains(log.String(), "request-"+token); got != tt.log {
				t.Errorf("the request stands in the log: %v\n%s", got, log.String())
			}
		})
	}
}

// What an emergency cannot do without is refused, and how to get past a rotation
// that was left unfinished is said.
func TestEmergency_refused(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		do   func(*world)
		want rotation.Type
		next string
	}{
		"not marked": {func(w *world) { w.put = errors.New("gone") }, rotation.StoreUnavailable, ""},
		"unfinished, and not to be given up": {func(w *world) {
			w.secret.Stages["v2"], w.free = []string{store.Pending}, errors.New("it may be the only value that works")
		}, rotation.InProgress, "--version-stage AWSPENDING --remove-from-version-id v2"},
		"no value": {func(w *world) { w.secret.Stages = nil }, rotation.NoCurrent, ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			tt.do(w)
			_, err := w.engine().Do(t.Context(), urgent)
			e, ok := errors.AsType[*rotation.Error](err)
			if !ok || e.Type != tt.want || !strings.Contains(strings.Join(e.Next, "\n"), tt.next) {
				t.Errorf("%+v, want %s, and %q", e, tt.want, tt.next)
			}
			if len(w.told) > 0 || strings.Contains(strings.Join(w.did, " "), "rotate "+name) {
				t.Errorf("did %q, told %+v", w.did, w.told)
			}
		})
	}
	if _, err := rotatenow.Parse([]byte(`{"version":1,"mode":"emergency","secret":"s"}`)); typeOf(err) != rotation.BadEvent || !strings.Contains(err.Error(), "reason is missing") {
		t.Errorf("without a reason: %v", err)
	}
	if _, err := rotatenow.Parse([]byte(`{"version":1,"mode":"emergency","secret":"s","reason":"it is on the web"}`)); err != nil {
		t.Error(err)
	}
}

// A rotation that was left unfinished is given up for one that is asked for,
// after it is recorded who asks: by the rotate function, if that finds it safe.
func TestGiveUp(t *testing.T) {
	t.Parallel()
	for _, q := range []rotatenow.Request{asked, urgent} {
		w := newWorld()
		w.secret.Stages["v2"] = []string{store.Pending}
		a, err := w.engine().Do(t.Context(), q)
		if err != nil || a.Status != "started" || a.Token != token || a.GaveUp != "v2" {
			t.Errorf("%s: %+v, %v", q.Mode, a, err)
		}
		if diff := cmp.Diff([]string{"request", "audit", "free arn:rotate " + token, "rotate " + name + " " + token}, w.did); diff != "" {
			t.Errorf("%s: acts (-want +got):\n%s", q.Mode, diff)
		}
		if q.Mode == rotatenow.Emergency && (len(w.told) != 1 || !strings.Contains(strings.Join(w.told[0].Known, " "), "given up for it, version v2")) {
			t.Errorf("told %+v", w.told)
		}
		w = newWorld()
		w.secret.Stages["v2"], w.free = []string{store.Pending}, errors.New("it is worked on")
		if a, err = w.engine().Do(t.Context(), q); typeOf(err) != rotation.InProgress || !strings.Contains(err.Error(), "it is worked on") || a.Token != "" || strings.Contains(strings.Join(w.did, " "), "rotate "+name) {
			t.Errorf("%s: %+v, %v; did %q", q.Mode, a, err, w.did)
		}
	}
}

// A freeze in the configuration refuses a rotation that is asked for, and not an
// emergency.
func TestFreeze(t *testing.T) {
	t.Parallel()
	w := newWorld()
	e := w.engine()
	e.Keys = func(id string) (config.Key, bool) {
		return config.Key{Secret: name, Vendor: "acme", Freeze: []config.Freeze{{From: w.now.Add(-time.Hour), Until: w.now.Add(time.Hour), Reason: "the big sale"}}}, id == name
	}
	if _, err := e.Do(t.Context(), asked); typeOf(err) != rotation.Frozen || !strings.Contains(err.Error(), "the big sale") || len(w.did) > 0 {
		t.Errorf("%v; did %q", err, w.did)
	}
	if _, err := e.Do(t.Context(), urgent); err != nil {
		t.Errorf("an emergency: %v", err)
	}
}

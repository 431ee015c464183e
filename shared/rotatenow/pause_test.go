package rotatenow_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/rotatenow"
	"github.com/keyturn/keyturn/shared/rotation"
)

var (
	wanted = rotatenow.Request{Version: 1, Mode: rotatenow.Pause, Secret: name, Reason: "a release", Requester: "me", Until: "72h", Owner: "shop@example.com"}
	over   = rotatenow.Request{Version: 1, Mode: rotatenow.Resume, Secret: name, Reason: "released", Requester: "you"}
)

func typeOf(err error) rotation.Type {
	if e, ok := errors.AsType[*rotation.Error](err); ok {
		return e.Type
	}
	return ""
}

func TestPause(t *testing.T) {
	t.Parallel()
	w := newWorld()
	a, err := w.engine().Do(t.Context(), wanted)
	until := w.now.Add(72 * time.Hour)
	want := rotatenow.Paused{Until: until, Reason: "a release", Owner: "shop@example.com", By: "me", At: w.now}
	if err != nil || a.Status != "paused" || a.Pause == nil || *a.Pause != want {
		t.Fatalf("%+v, %+v, %v", a, a.Pause, err)
	}
	stored := keyrecord.Pause{
		Secret: name, ID: "pause-" + token, Until: until, Reason: "a release", Owner: "shop@example.com", By: "me", At: w.now, Revision: 1,
	}
	if diff := cmp.Diff(&stored, w.pause); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	// Recorded before it is done, and after; Secrets Manager is not asked.
	if diff := cmp.Diff([]string{"audit", "pause"}, w.did); diff != "" {
		t.Errorf("acts (-want +got):\n%s", diff)
	}
	if r := w.record; r.Act != audit.Pause || r.Phase != audit.Intent || r.Detail["reason"] != "a release" || r.Detail["requester_says"] != "me" {
		t.Errorf("intent %+v", r)
	}
	if len(w.outcomes) != 1 || w.outcomes[0].ID != w.record.ID || w.outcomes[0].Result != audit.Done {
		t.Errorf("outcomes %+v", w.outcomes)
	}
	if len(w.told) != 1 || w.told[0].Kind != notify.Paused || w.told[0].Severity != notify.Info {
		t.Errorf("told %+v", w.told)
	}

	// A second one is told about the first, and needs to say that it replaces it.
	if _, err = w.engine().Do(t.Context(), wanted); typeOf(err) != rotation.Paused || !strings.Contains(err.Error(), "a release") {
		t.Errorf("a second pause: %v", err)
	}
	longer := wanted
	longer.Until, longer.Replace, longer.Owner = w.now.Add(80*24*time.Hour).Format(time.RFC3339), true, ""
	if _, err = w.engine().Do(t.Context(), longer); err != nil || !w.pause.Until.Equal(w.now.Add(80*24*time.Hour)) || w.pause.Revision != 2 || w.pause.Owner != "owner@example.com" {
		t.Errorf("%+v, %v", w.pause, err)
	}

	a, err = w.engine().Do(t.Context(), over)
	if err != nil || a.Status != "resumed" || w.pause.InForce(w.now) || w.pause.EndedBy != "you" {
		t.Errorf("%+v, %+v, %v", a, w.pause, err)
	}
	if r := w.record; r.Act != audit.Resume || r.Detail["reason"] != "released" || r.Detail["paused_because"] != "a release" {
		t.Errorf("intent %+v", r)
	}
	if n := len(w.told); n != 3 || w.told[2].Kind != notify.Resumed {
		t.Errorf("told %+v", w.told)
	}
	did := len(w.did)
	if a, err = w.engine().Do(t.Context(), over); err != nil || a.Status != "not_paused" || len(w.did) != did {
		t.Errorf("a second resume: %+v, %v, did %v", a, err, w.did[did:])
	}
	if _, err = w.engine().Do(t.Context(), asked); err != nil {
		t.Errorf("a rotation after it: %v", err)
	}
}

func TestPause_refuses(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	for _, tt := range []struct {
		name string
		do   func(*world, *rotatenow.Request)
		want rotation.Type
		says string
	}{
		{"no such key", func(_ *world, q *rotatenow.Request) { q.Secret = "prod/other" }, rotation.NotOurs, "configuration"},
		{"nonsense", func(_ *world, q *rotatenow.Request) { q.Until = "tomorrow" }, rotation.BadEvent, "neither"},
		{"the past", func(w *world, q *rotatenow.Request) { q.Until = w.now.Format(time.RFC3339) }, rotation.BadEvent, "future"},
		{"no time", func(_ *world, q *rotatenow.Request) { q.Until = "-1h" }, rotation.BadEvent, "future"},
		{"too long", func(_ *world, q *rotatenow.Request) { q.Until = "2160h0m1s" }, rotation.BadEvent, "90 days"},
		{"records not read", func(w *world, _ *rotatenow.Request) { w.load = gone }, rotation.StoreUnavailable, "records"},
		{"not audited", func(w *world, _ *rotatenow.Request) { w.sink = gone }, rotation.AuditUnavailable, "nothing was done"},
		{"not stored", func(w *world, _ *rotatenow.Request) { w.put = gone }, rotation.StoreUnavailable, "not known"},
		{"somebody was faster", func(w *world, _ *rotatenow.Request) {
			w.race = func() { w.pause = &keyrecord.Pause{Revision: 1, Until: w.now.Add(time.Hour), Reason: "theirs"} }
		}, rotation.InProgress, "somebody else"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, q := newWorld(), wanted
			tt.do(w, &q)
			_, err := w.engine().Do(t.Context(), q)
			e, ok := errors.AsType[*rotation.Error](err)
			if !ok || e.Type != tt.want || !strings.Contains(e.What, tt.says) || len(e.Next) == 0 {
				t.Errorf("%v, want %s that says %q, and what to do", err, tt.want, tt.says)
			}
			if slices.Contains(w.did, "pause") || len(w.told) > 0 {
				t.Errorf("did %v, told %v", w.did, w.told)
			}
		})
	}
	w := newWorld()
	q := wanted
	q.Until = "2160h"
	w.refused = gone
	if _, err := w.engine().Do(t.Context(), q); err != nil {
		t.Errorf("90 days, and a notification that is not accepted: %v", err)
	}
}

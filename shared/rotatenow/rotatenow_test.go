package rotatenow_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/rotatenow"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

const (
	name  = "prod/mailer"
	token = "5f0c8a52-1d0b-4c5e-9a57-3b1f6f6f2c11"
)

// world keeps what an engine did, in order, and one secret.
type world struct {
	secret                           store.Secret
	did                              []string
	record                           audit.Record
	request                          keyrecord.Request
	describe, put, sink, rotate, ask error
	free                             error

	now           time.Time
	pause         *keyrecord.Pause
	alerts        []keyrecord.Alert
	race          func() // before a pause is stored
	load, refused error
	outcomes      []audit.Record
	told          []notify.Message
}

func newWorld() *world {
	return &world{now: time.Unix(1e9, 0).UTC(), secret: store.Secret{
		Name: name, RotationEnabled: true, RotationLambda: "arn:rotate", Stages: map[string][]string{"v1": {store.Current}},
	}}
}

func (w *world) engine() *rotatenow.Engine {
	return &rotatenow.Engine{
		Keys: func(id string) (config.Key, bool) {
			return config.Key{Secret: name, Vendor: "acme", Owner: "owner@example.com"}, id == name
		},
		Store: w, Records: w, Audit: sink{w}, Notifier: w,
		Plan: func(_ context.Context, function, secret string) (rotation.Plan, error) {
			w.did = append(w.did, "plan "+function)
			return rotation.Plan{Secret: secret}, w.ask
		},
		Free: func(_ context.Context, function, _, token string) (rotation.Freed, error) {
			w.did = append(w.did, "free "+function+" "+token)
			return rotation.Freed{Version: "v2"}, w.free
		},
		Now: func() time.Time { return w.now }, NewToken: func() string { return token }, Log: slog.New(slog.DiscardHandler),
	}
}

func (w *world) Describe(context.Context, string) (store.Secret, error) { return w.secret, w.describe }

func (w *world) Rotate(_ context.Context, id, token string) (string, error) {
	w.did = append(w.did, "rotate "+id+" "+token)
	return token, w.rotate
}

func (w *world) PutRequest(_ context.Context, q keyrecord.Request) error {
	w.did, w.request = append(w.did, "request"), q
	return w.put
}

func (w *world) Load(context.Context, string) (keyrecord.Book, error) {
	var b keyrecord.Book
	if w.pause != nil {
		b.Pause = new(*w.pause)
	}
	b.Alerts = slices.Clone(w.alerts)
	return b, w.load
}

func (w *world) PutAlert(_ context.Context, a keyrecord.Alert) (keyrecord.Alert, error) {
	if w.race != nil {
		w.race()
	}
	i := slices.IndexFunc(w.alerts, func(o keyrecord.Alert) bool { return o.ID == a.ID })
	switch {
	case w.put != nil:
		return a, w.put
	case w.alerts[i].Revision != a.Revision:
		return a, keyrecord.ErrConflict
	}
	a.Revision++
	w.did, w.alerts[i] = append(w.did, "ack "+a.ID), a
	return a, nil
}

func (w *world) PutPause(_ context.Context, p keyrecord.Pause) (keyrecord.Pause, error) {
	if w.race != nil {
		w.race()
	}
	if w.put != nil {
		return p, w.put
	}
	stored := 0
	if w.pause != nil {
		stored = w.pause.Revision
	}
	if p.Revision != stored {
		return p, keyrecord.ErrConflict
	}
	p.Revision++
	w.did, w.pause = append(w.did, "pause"), &p
	return p, nil
}

func (w *world) Notify(_ context.Context, m notify.Message) error {
	w.told = append(w.told, m)
	return w.refused
}

type sink struct{ w *world }

func (s sink) Record(_ context.Context, r audit.Record) error {
	if r.Phase == audit.Outcome {
		s.w.outcomes = append(s.w.outcomes, r)
		return nil
	}
	s.w.did, s.w.record = append(s.w.did, "audit"), r
	return s.w.sink
}

var asked = rotatenow.Request{Version: 1, Mode: rotatenow.Rotate, Secret: name, Reason: "laptop lost", Requester: "me"}

func TestDo(t *testing.T) {
	t.Parallel()
	w := newWorld()
	a, err := w.engine().Do(t.Context(), asked)
	if err != nil || a.Status != "started" || a.Token != token || a.Secret != name {
		t.Errorf("%+v, %v", a, err)
	}
	// Recorded before it is asked for.
	if diff := cmp.Diff([]string{"request", "audit", "rotate " + name + " " + token}, w.did); diff != "" {
		t.Errorf("acts (-want +got):\n%s", diff)
	}
	want := keyrecord.Request{Secret: name, Rotation: keyname.Rotation(token), Mode: "rotate", Reason: "laptop lost", Requester: "me", At: w.now}
	if diff := cmp.Diff(want, w.request); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if r := w.record; r.Act != audit.Request || r.Phase != audit.Intent || r.Version != token || r.Detail["reason"] != "laptop lost" {
		t.Errorf("audit record %+v", r)
	}
	w = newWorld()
	plan := asked
	plan.Mode = rotatenow.Plan
	if a, err = w.engine().Do(t.Context(), plan); err != nil || a.Status != "planned" || a.Plan == nil || a.Plan.Secret != name {
		t.Errorf("plan: %+v, %v", a, err)
	}
	if diff := cmp.Diff([]string{"plan arn:rotate"}, w.did); diff != "" {
		t.Errorf("a plan did more than ask (-want +got):\n%s", diff)
	}
}

// What stands against a rotation has a type and says what to do, and where it
// was known before, no rotation is asked for.
func TestDo_refuses(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	for _, tt := range []struct {
		name string
		do   func(*world, *rotatenow.Request)
		want rotation.Type
		sent bool // RotateSecret
	}{
		{"not ours", func(_ *world, q *rotatenow.Request) { q.Secret = "prod/other" }, rotation.NotOurs, false},
		{"another name", func(w *world, _ *rotatenow.Request) { w.secret.Name = "prod/other" }, rotation.NotOurs, false},
		{"marked for deletion", func(w *world, _ *rotatenow.Request) { w.secret.Deleted = time.Unix(1, 0) }, rotation.NotOurs, false},
		{"rotation is off", func(w *world, _ *rotatenow.Request) { w.secret.RotationEnabled = false }, rotation.RotationDisabled, false},
		{"no value", func(w *world, _ *rotatenow.Request) { w.secret.Stages = nil }, rotation.NoCurrent, false},
		{"in progress", func(w *world, _ *rotatenow.Request) {
			w.secret.Stages["v2"], w.free = []string{store.Pending}, gone
		}, rotation.InProgress, false},
		{"no such secret", func(w *world, _ *rotatenow.Request) { w.describe = &store.Error{Op: "x", Kind: store.KindNotFound} }, rotation.NotOurs, false},
		{"no right", func(w *world, _ *rotatenow.Request) { w.describe = &store.Error{Op: "x", Kind: store.KindDenied} }, rotation.StoreDenied, false},
		{"records not read", func(w *world, _ *rotatenow.Request) { w.load = gone }, rotation.StoreUnavailable, false},
		{"paused", func(w *world, _ *rotatenow.Request) {
			w.pause = &keyrecord.Pause{Secret: name, Until: w.now.Add(time.Hour), Reason: "a release"}
		}, rotation.Paused, false},
		{"not recorded", func(w *world, _ *rotatenow.Request) { w.put = gone }, rotation.StoreUnavailable, false},
		{"not audited", func(w *world, _ *rotatenow.Request) { w.sink = gone }, rotation.AuditUnavailable, false},
		{"refused by Secrets Manager", func(w *world, _ *rotatenow.Request) { w.rotate = &store.Error{Op: "x", Kind: store.KindInvalid} }, rotation.InProgress, true},
		{"no answer", func(w *world, _ *rotatenow.Request) { w.rotate = &store.Error{Op: "x"} }, rotation.StoreUnavailable, true},
		{"plan without a function", func(w *world, q *rotatenow.Request) { w.secret.RotationLambda, q.Mode = "", rotatenow.Plan }, rotation.RotationDisabled, false},
		{"plan without an answer", func(w *world, q *rotatenow.Request) { w.ask, q.Mode = gone, rotatenow.Plan }, rotation.StoreUnavailable, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, q := newWorld(), asked
			tt.do(w, &q)
			_, err := w.engine().Do(t.Context(), q)
			e, ok := errors.AsType[*rotation.Error](err)
			if !ok || e.Type != tt.want || e.What == "" || len(e.Next) == 0 {
				t.Errorf("%+v, want %s and what to do", err, tt.want)
			}
			sent := false
			for _, d := range w.did {
				sent = sent || strings.HasPrefix(d, "rotate ")
			}
			if sent != tt.sent {
				t.Errorf("did %v, want RotateSecret: %v", w.did, tt.sent)
			}
		})
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	q, err := rotatenow.Parse([]byte(`{"version":1,"mode":"rotate","secret":"prod/mailer","reason":"laptop lost","requester":"me"}`))
	if diff := cmp.Diff(asked, q); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	long := strings.Repeat("é", 500)
	if _, err = rotatenow.Parse([]byte(`{"version":1,"mode":"rotate","secret":"s","reason":"` + long + `"}`)); err != nil {
		t.Errorf("500 characters: %v", err)
	}
	for raw, want := range map[string][]string{
		``:   {"not a JSON object"},
		`[]`: {"not a JSON object"},
		`{"version":1,"mode":"plan","secret":"s","force":true}`: {"not a JSON object"},
		`{}`:                          {"version is not 1", "mode is not", "secret is missing"},
		`{"version":2,"mode":"drop"}`: {"version is not 1", "mode is not", "secret is missing"},
		`{"version":1,"mode":"rotate","secret":"s"}`:                           {"reason is missing"},
		`{"version":1,"mode":"rotate","secret":"s","reason":" "}`:              {"reason is missing"},
		`{"version":1,"mode":"rotate","secret":"s","reason":"` + long + `x"}`:  {"over 500 characters"},
		`{"version":1,"mode":"rotate","secret":"s","reason":"a\nb"}`:           {"control characters"},
		`{"version":1,"mode":"pause","secret":"s"}`:                            {"reason is missing", "until is missing"},
		`{"version":1,"mode":"rotate","secret":"s","reason":"a","until":"1h"}`: {"are for a pause"},
		`{"version":1,"mode":"resume","secret":"s","replace":true}`:            {"are for a pause"},
	} {
		_, err := rotatenow.Parse([]byte(raw))
		e, ok := errors.AsType[*rotation.Error](err)
		if !ok || e.Type != rotation.BadEvent || len(e.Next) == 0 {
			t.Errorf("Parse(%s): %v", raw, err)
			continue
		}
		for _, s := range want {
			if !strings.Contains(e.What, s) {
				t.Errorf("Parse(%s) = %q, want it to say %q", raw, e.What, s)
			}
		}
	}
}

package status_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/infra/keyturn/internal/status"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/store"
)

const (
	day     = 24 * time.Hour
	current = "version-current"
	pending = "version-pending"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is what AWS knows of one key.
type world struct {
	secret  store.Secret
	book    keyrecord.Book
	noBook  error
	refused error
}

func (w world) Describe(context.Context, string) (store.Secret, error) { return w.secret, w.refused }
func (w world) Load(context.Context, string) (keyrecord.Book, error)   { return w.book, w.noBook }
func (w world) read(t *testing.T) status.Key {
	t.Helper()
	k := config.Key{Secret: "prod/x", Vendor: "sendgrid", VendorAccount: "main", Owner: "x@example.com", Grace: config.Grace{Max: 3 * day, Disabled: day}}
	return status.Reader{Secrets: w, Records: w, Now: func() time.Time { return now }}.Read(t.Context(), []config.Key{k})[0]
}

// healthy was rotated ten days ago and will be in twenty.
func healthy() world {
	return world{secret: store.Secret{
		Name: "prod/x", RotationEnabled: true, Stages: map[string][]string{current: {store.Current}},
		Created: now.Add(-400 * day), LastChanged: now.Add(-10 * day), LastRotated: now.Add(-10 * day), NextRotation: now.Add(20 * day),
	}}
}

func TestStage(t *testing.T) {
	t.Parallel()
	stage := func(v, label string) func(*world) { return func(w *world) { w.secret.Stages[v] = []string{label} } }
	changed := func(ago time.Duration) func(*world) { return func(w *world) { w.secret.LastChanged = now.Add(-ago) } }
	for _, tt := range []struct {
		name   string
		change []func(*world)
		want   status.Stage
		since  time.Duration // ago
		next   string
	}{
		{"idle", nil, status.Idle, 0, "rotation"},
		{"AWSPENDING on the current version is no rotation", []func(*world){func(w *world) { w.secret.Stages[current] = []string{store.Current, store.Pending} }}, status.Idle, 0, "rotation"},
		{"rotating", []func(*world){stage(pending, store.Pending), changed(time.Minute)}, status.Rotating, time.Minute, "Secrets Manager goes on"},
		{"stuck", []func(*world){stage(pending, store.Pending), changed(61 * time.Minute)}, status.Stuck, 61 * time.Minute, "keyturn rotate-now prod/x"},
		{"a request tells when it began, whatever was changed since", []func(*world){
			stage(pending, store.Pending), changed(time.Minute),
			func(w *world) {
				w.book.Requests = []keyrecord.Request{{Rotation: keyname.Rotation(pending), At: now.Add(-2 * time.Hour)}}
			},
		}, status.Stuck, 2 * time.Hour, "sweep"},
		{"so does a failure", []func(*world){
			stage(pending, store.Pending), changed(time.Minute),
			func(w *world) { w.book.Failure = &keyrecord.Failure{Version: pending, At: now.Add(-5 * time.Minute)} },
		}, status.Rotating, 5 * time.Minute, "goes on"},
		{"without a value", []func(*world){func(w *world) { w.secret.Stages = nil }}, status.Empty, 0, "keyturn init prod/x"},
		{"rotation is off", []func(*world){func(w *world) { w.secret.RotationEnabled = false }}, status.Off, 0, "turn rotation on"},
		{"deleted", []func(*world){func(w *world) { w.secret.Deleted = now.Add(-day) }}, status.Deleted, day, "restore"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := healthy()
			for _, c := range tt.change {
				c(&w)
			}
			got := w.read(t)
			since := time.Duration(0)
			if !got.Since.IsZero() {
				since = now.Sub(got.Since)
			}
			if got.Stage != tt.want || since != tt.since || !strings.Contains(got.Next.What, tt.next) {
				t.Errorf("stage %s since %s, next %q; want %s since %s, next %q", got.Stage, since, got.Next.What, tt.want, tt.since, tt.next)
			}
		})
	}
}

func TestAge(t *testing.T) {
	t.Parallel()
	w := healthy()
	if got := w.read(t); got.AgeSeconds != int64(10*day/time.Second) {
		t.Errorf("age %d s, want that of the last rotation", got.AgeSeconds)
	}
	w.book.Keys = []keyrecord.Record{{KeyID: "k", Version: current, State: keyrecord.Current, Promoted: now.Add(-3 * day)}}
	if got := w.read(t); !got.Born.Equal(now.Add(-3 * day)) {
		t.Errorf("current since %s, want what the record says", got.Born)
	}
	w = healthy()
	w.secret.LastRotated = time.Time{}
	if got := w.read(t); !got.Born.Equal(w.secret.Created) {
		t.Errorf("current since %s, want the secret's creation", got.Born)
	}
}

func TestOverdue(t *testing.T) {
	t.Parallel()
	replaced := func(ago time.Duration, s keyrecord.State) func(*world) {
		return func(w *world) {
			w.book.Keys = []keyrecord.Record{{KeyID: "old", Version: "v0", State: s, Replaced: now.Add(-ago)}}
		}
	}
	due := func(ago time.Duration) func(*world) { return func(w *world) { w.secret.NextRotation = now.Add(-ago) } }
	for _, tt := range []struct {
		name   string
		change func(*world)
		want   []string
	}{
		{"nothing", func(*world) {}, nil},
		{"a rotation that is due", due(time.Hour), nil},
		{"a rotation an hour late", due(time.Hour + time.Second), []string{"its rotation"}},
		{"not if rotation is off", func(w *world) { due(day)(w); w.secret.RotationEnabled = false }, nil},
		{"not if the secret is deleted", func(w *world) { due(day)(w); w.secret.Deleted = now }, nil},
		{"an older key in its grace", replaced(4*day, keyrecord.Grace), nil},
		{"an older key whose time was up", replaced(4*day+2*time.Hour, keyrecord.Held), []string{"the end of the older key old"}},
		{"not once it is dead", replaced(9*day, keyrecord.Dead), nil},
		{"a rotation without end", func(w *world) {
			w.secret.Stages[pending] = []string{store.Pending}
			w.secret.LastChanged = now.Add(-day)
		}, []string{"the end of a rotation"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := healthy()
			tt.change(&w)
			if diff := cmp.Diff(tt.want, w.read(t).Overdue); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOlder(t *testing.T) {
	t.Parallel()
	w := healthy()
	w.secret.Stages[pending] = []string{store.Pending}
	w.book.Keys = []keyrecord.Record{
		{KeyID: "is current", Version: current, State: keyrecord.Current},
		{KeyID: "not yet marked current", Version: current, State: keyrecord.Grace},
		{KeyID: "pending", Version: pending, State: keyrecord.Lost},
		{KeyID: "dead", Version: "v0", State: keyrecord.Dead},
		{KeyID: "held", Version: "v2", State: keyrecord.Held, Why: "in use", Replaced: now.Add(-day)},
		{KeyID: "grace", Version: "v1", State: keyrecord.Grace, Replaced: now.Add(-2 * day), Next: now.Add(time.Hour)},
		{KeyID: "lost", State: keyrecord.Lost},
	}
	var ids []string
	for _, o := range w.read(t).Older {
		ids = append(ids, o.KeyID)
	}
	if diff := cmp.Diff([]string{"lost", "grace", "held"}, ids); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	older := func(s keyrecord.State, next time.Time) func(*world) {
		return func(w *world) { w.book.Keys = []keyrecord.Record{{KeyID: "old", State: s, Next: next}} }
	}
	for _, tt := range []struct {
		name   string
		change func(*world)
		want   status.Act
	}{
		{"the rotation", func(*world) {}, status.Act{What: "rotation", At: now.Add(20 * day)}},
		{"an older key before it", older(keyrecord.Grace, now.Add(day)), status.Act{What: "look at the older key old again", At: now.Add(day)}},
		{"an older key after it", older(keyrecord.Grace, now.Add(21*day)), status.Act{What: "rotation", At: now.Add(20 * day)}},
		{"a person's decision", older(keyrecord.Held, time.Time{}), status.Act{What: "decide about the older key old, which is held: see why"}},
		{"late", older(keyrecord.Grace, now.Add(-day)), status.Act{What: "look at the older key old again, which is due", At: now.Add(-day)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := healthy()
			tt.change(&w)
			if diff := cmp.Diff(tt.want, w.read(t).Next); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLastError(t *testing.T) {
	t.Parallel()
	w := healthy()
	f := keyrecord.Failure{Version: "other", Step: "createSecret", ErrorType: "VendorFull", Text: "createSecret: full", At: now.Add(-time.Hour), Count: 3}
	w.book.Failure = &f
	if got := w.read(t).LastError; got == nil || got.Type != "VendorFull" || got.Count != 3 {
		t.Errorf("last error %+v", got)
	}
	f.At = now.Add(-11 * day)
	if got := w.read(t).LastError; got != nil {
		t.Errorf("last error %+v, from before the last rotation", got)
	}
	f.At, f.Version = now, current
	if got := w.read(t).LastError; got != nil {
		t.Errorf("last error %+v, of a rotation that ended well", got)
	}
}

// What cannot be read of one key is said, and keeps nobody from the others.
func TestRead_problems(t *testing.T) {
	t.Parallel()
	w := healthy()
	w.noBook = errors.New("no records")
	if got := w.read(t); got.Problem != "no records" || got.Stage != status.Idle || got.AgeSeconds == 0 {
		t.Errorf("without records: %+v", got)
	}
	w.refused = errors.New("denied")
	if got := w.read(t); got.Problem != "describe the secret: denied" || got.Stage != status.Unknown {
		t.Errorf("without anything: %+v", got)
	}
}

// slow takes a second for each key and counts how many it reads at once.
type slow struct {
	world

	mu        sync.Mutex
	now, most int
}

func (s *slow) Describe(context.Context, string) (store.Secret, error) {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	<-time.After(time.Second)
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	return s.secret, nil
}

func TestRead_several(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keys := make([]config.Key, 80)
		for i := range keys {
			keys[i].Secret = strconv.Itoa(i)
		}
		s := &slow{world: healthy()}
		began := time.Now()
		got := status.Reader{Secrets: s, Records: s, Now: time.Now}.Read(t.Context(), keys)
		for i, k := range got {
			if k.Secret != keys[i].Secret {
				t.Fatalf("key %d is %s", i, k.Secret)
			}
		}
		if s.most != 8 || time.Since(began) != 10*time.Second {
			t.Errorf("%d at once, %s; want 8 and 10s", s.most, time.Since(began))
		}
	})
}

func TestText(t *testing.T) {
	t.Parallel()
	w := healthy()
	w.book.Keys = []keyrecord.Record{
		{KeyID: "k1", Version: "v0", State: keyrecord.Held, Why: "used 5 minutes ago", Replaced: now.Add(-day), LastUsed: now.Add(-5 * time.Minute), Next: now.Add(time.Hour)},
		{KeyID: "k0", Version: "v9", State: keyrecord.Grace, Replaced: now.Add(-time.Hour), Attempts: 2, LastErr: "no\x1banswer"},
	}
	w.book.Failure = &keyrecord.Failure{Version: "v1", Step: "testSecret", ErrorType: "KeyRejected", Text: "testSecret: no", At: now.Add(-2 * time.Hour), Count: 2}
	k := w.read(t)
	want := `KEY     VENDOR    AGE  LAST     NEXT    STAGE  OLDER           OWNER
prod/x  sendgrid  10d  10d ago  in 20d  idle   2: held, grace  x@example.com

prod/x: last error: 2h ago: KeyRejected: testSecret: no (2 times)
prod/x: older key k1: held: used 5 minutes ago; replaced 24h ago; used 5m ago; next look in 60m
prod/x: older key k0: grace; replaced 60m ago; failed 2x: no?answer
`
	if diff := cmp.Diff(want, status.List([]status.Key{k}, now, console.Palette{})); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	want = `key            prod/x
vendor         sendgrid (account main)
owner          x@example.com
stage          idle
version        version-current
age            10d
last rotation  2026-02-19 12:00:00Z (10d ago)
next rotation  2026-03-21 12:00:00Z (in 20d)
older key      k1: held: used 5 minutes ago; replaced 24h ago; used 5m ago; next look in 60m
               k0: grace; replaced 60m ago; failed 2x: no?answer
last error     2h ago: KeyRejected: testSecret: no (2 times)
next           look at the older key k1 again, 2026-03-01 13:00:00Z (in 60m)
`
	if diff := cmp.Diff(want, status.Whole(k, now, console.Palette{})); diff != "" {
		t.Errorf("Whole (-want +got):\n%s", diff)
	}
}

// A key that was taken over without its id is reported for ever: while it is
// current, and afterwards as an older one.
func TestCurrentUnknown(t *testing.T) {
	t.Parallel()
	w := healthy()
	w.book.Keys = []keyrecord.Record{{
		KeyID: keyrecord.UnknownID(keyname.Rotation(current)), Origin: keyrecord.Adopted, State: keyrecord.Held, Why: keyrecord.WhyUnknownID, Version: current,
	}}
	for _, version := range []string{current, "another"} {
		w.book.Keys[0].Version = version
		got := w.read(t)
		for _, text := range []string{status.List([]status.Key{got}, now, console.Palette{}), status.Whole(got, now, console.Palette{})} {
			if !strings.Contains(text, keyrecord.WhyUnknownID) {
				t.Errorf("held by %s:\n%s", version, text)
			}
		}
		if (got.CurrentUnknown != "") != (version == current) || (len(got.Older) > 0) == (version == current) || len(got.Overdue) > 0 {
			t.Errorf("held by %s: %+v", version, got)
		}
	}
}

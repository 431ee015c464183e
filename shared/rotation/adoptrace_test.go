package rotation_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

// library are the records of several secrets.
type library struct {
	mu    sync.Mutex
	books map[string]*records
	put   func(keyrecord.Record) // called before each Put; nil: nothing
}

func newLibrary() *library { return &library{books: map[string]*records{}} }

func (l *library) of(secretName string) *records {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.books[secretName] == nil {
		l.books[secretName] = &records{once: map[string]bool{}}
	}
	return l.books[secretName]
}

func (l *library) Load(_ context.Context, s string) (keyrecord.Book, error) {
	r := l.of(s)
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.book
	b.Keys = slices.Clone(b.Keys)
	return b, nil
}

func (l *library) SetFailure(ctx context.Context, f keyrecord.Failure) error {
	return l.of(f.Secret).SetFailure(ctx, f)
}

func (l *library) First(ctx context.Context, s, id string, ttl time.Duration) (bool, error) {
	return l.of(s).First(ctx, s, id, ttl)
}

func (l *library) Forget(ctx context.Context, s, id string) error { return l.of(s).Forget(ctx, s, id) }

func (l *library) Put(ctx context.Context, rec keyrecord.Record) (keyrecord.Record, error) {
	if l.put != nil {
		l.put(rec)
	}
	return l.of(rec.Secret).Put(ctx, rec)
}

const otherName = "prod/shop"

// beside is an engine for another secret of the same vendor account, which holds
// the same value.
func (w *world) beside() (*rotation.Engine, []config.Key) {
	w.t.Helper()
	k := w.key
	k.Secret = otherName
	e := *w.engine
	e.Keys = func(id string) (config.Key, bool) { return k, id == otherName }
	return &e, []config.Key{k, w.key}
}

// Two secrets with one key are taken over at the same instant: one has it, at
// most. Retiring it would end the other's.
// Promise: foreign-untouched
func TestAdopt_twoSecretsAtOnce(t *testing.T) {
	t.Parallel()
	for _, stored := range []bool{true, false} { // false: the other one's value cannot be read
		bubble(t, func(t *testing.T, w *world) {
			w.engine.Vendors = knowing{w.vendor}
			lib := newLibrary()
			w.engine.Records = lib
			w.byHand(handMade)
			w.create(otherName, handMade)
			if !stored {
				w.engine.Store = blind{w.engine.Store}
			}
			other, all := w.beside()
			second := make(chan rotation.Adopted, 1)
			var begun atomic.Bool
			begin := func() {
				if begun.Swap(true) {
					return
				}
				go func() {
					out, err := other.Adopt(t.Context(), rotation.Adoption{Secret: otherName, All: all})
					if err != nil {
						t.Error(err)
					}
					second <- out
				}()
				time.Sleep(time.Second)
			}
			lib.put = func(keyrecord.Record) { begin() } // the first has looked, and stores
			if stored {
				begin()
			}
			mine := w.adopt(rotation.Adoption{All: all})
			theirs := <-second
			claims := len(lib.of(name).book.Keys) + len(lib.of(otherName).book.Keys)
			if most := map[bool]int{true: 0, false: 1}[stored]; claims > most || mine.Status == theirs.Status && !stored {
				t.Errorf("%d secrets claim the key: %s and %s", claims, mine.Status, theirs.Status)
			}
			if !slices.Contains(append(types(mine.Problems), types(theirs.Problems)...), "KeyClaimed") {
				t.Errorf("%+v, %+v", mine.Problems, theirs.Problems)
			}
		})
	}
}

// blind cannot read another secret's value by its label.
type blind struct{ rotation.Store }

func (b blind) Get(ctx context.Context, id, version, stage string) (store.Version, error) {
	if version == "" && id != admin {
		return store.Version{}, &store.Error{Op: "GetSecretValue", Kind: store.KindDenied}
	}
	return b.Store.Get(ctx, id, version, stage)
}

// Another secret of the configuration holds the same key, and nobody has taken
// it over yet: to retire the key would cut its consumers off.
// Promise: foreign-untouched
func TestAdopt_sharedValue(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.engine.Vendors = knowing{w.vendor}
		w.byHand(handMade)
		w.create(otherName, `{"apiKey":"acme-0-aaaaaaaaaaaaaaaaaaaaaaaa"}`)
		_, all := w.beside()
		if out := w.adopt(rotation.Adoption{All: all}); out.Status != rotation.AdoptRefused || len(out.Problems) != 1 || !strings.Contains(out.Problems[0].What, otherName) {
			t.Errorf("%s: %+v", out.Status, out.Problems)
		}
		all[0].VendorAccount = "acme-other" // whose function cannot read it
		if out := w.adopt(rotation.Adoption{All: all}); out.Status != rotation.AdoptDone {
			t.Errorf("%s: %+v", out.Status, out.Problems)
		}
	})
}

// Two people say two ids for one value at the same instant: one of them is
// recorded, for the other is somebody else's key.
// Promise: foreign-untouched
func TestAdopt_twoIDsAtOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		lib := newLibrary()
		w.engine.Records = lib
		w.byHand(handMade)
		w.vendor.keys = append(w.vendor.keys, &vendorKey{Key: provider.Key{ID: "stranger", Name: "of another team"}, value: "acme-8-bbbbbbbbbbbbbbbbbbbbbbbb"})
		second := make(chan rotation.Adopted, 1)
		begun := false
		w.vendor.fail = func(call string) (before, after error) {
			if call == "list" && !begun {
				begun = true
				w.vendor.mu.Unlock()
				go func() { second <- w.adopt(rotation.Adoption{KeyID: "stranger"}) }()
				time.Sleep(time.Second)
				w.vendor.mu.Lock()
			}
			return nil, nil
		}
		mine := w.adopt(rotation.Adoption{KeyID: "hand"})
		theirs := <-second
		if recs := lib.of(name).book.Keys; len(recs) != 1 || mine.Status == theirs.Status {
			t.Errorf("%s, %s; records %+v", mine.Status, theirs.Status, recs)
		}
	})
}

// An adoption that is killed at any of its calls is done, or not done, and the
// next one ends the same as one that was not killed.
// Promise: killed-anywhere
func TestAdopt_killed(t *testing.T) {
	t.Parallel()
	for n := range 20 {
		bubble(t, func(t *testing.T, w *world) {
			lib := newLibrary()
			w.engine.Records = lib
			version := w.byHand(handMade)
			if out := w.adopt(rotation.Adoption{}); out.Status != rotation.AdoptNoID {
				t.Fatalf("%+v", out)
			}
			mark := len(w.audit.records)
			calls := 0
			kill := func() {
				if calls++; calls == n+1 {
					panic(errKilled)
				}
			}
			engine := *w.engine
			w.engine.Records, w.engine.Audit = killing{lib, kill}, killingTrail{w.audit, kill}
			w.vendor.fail = func(string) (before, after error) {
				if calls++; calls == n+1 {
					return errKilled, nil
				}
				return nil, nil
			}
			func() {
				defer func() { _ = recover() }()
				w.adopt(rotation.Adoption{KeyID: "hand"})
			}()
			w.engine, w.vendor.fail = &engine, nil
			time.Sleep(10 * time.Minute)
			_ = lib.Forget(t.Context(), name, "adopt") // as time does
			out := w.adopt(rotation.Adoption{KeyID: "hand"})
			if out.Status != rotation.AdoptDone && out.Status != rotation.AdoptAlready {
				t.Fatalf("killed at call %d: %+v", n+1, out)
			}
			recs := lib.of(name).book.Keys
			i := slices.IndexFunc(recs, func(r keyrecord.Record) bool { return r.KeyID == "hand" })
			if i < 0 || recs[i].Version != version || recs[i].Origin != keyrecord.Adopted {
				t.Errorf("killed at call %d: records %+v", n+1, recs)
			}
			for _, r := range recs {
				if r.IDUnknown() && r.State.Alive() {
					t.Errorf("killed at call %d of %d: that the id is unknown is still recorded", n+1, calls)
				}
			}
			intents := 0
			for _, r := range w.audit.records[mark:] {
				if r.Act == audit.Adopt && r.Phase == audit.Intent {
					intents++
				}
			}
			if intents == 0 {
				t.Errorf("killed at call %d: taken over without an intent", n+1)
			}
		})
	}
}

// killing are records in which a process dies before or after a call.
type killing struct {
	*library

	at func()
}

func (k killing) Load(ctx context.Context, s string) (keyrecord.Book, error) {
	k.at()
	return k.library.Load(ctx, s)
}

func (k killing) Put(ctx context.Context, rec keyrecord.Record) (keyrecord.Record, error) {
	k.at()
	defer k.at()
	return k.library.Put(ctx, rec)
}

type killingTrail struct {
	*trail

	at func()
}

func (k killingTrail) Record(ctx context.Context, r audit.Record) error {
	k.at()
	return k.trail.Record(ctx, r)
}

// A key whose end has begun is not taken over: whoever ends it would be faster.
// One that was ended is not either, though a vendor that keeps it alive says it
// works.
func TestAdopt_ending(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rec  func(now time.Time) keyrecord.Record
		want string
	}{
		"being ended":     {func(now time.Time) keyrecord.Record { return keyrecord.Record{State: keyrecord.Grace, Ending: now} }, "InProgress"},
		"revoked":         {func(now time.Time) keyrecord.Record { return keyrecord.Record{State: keyrecord.Revoked, Revoked: now} }, "KeyEnded"},
		"proven dead":     {func(time.Time) keyrecord.Record { return keyrecord.Record{State: keyrecord.Dead} }, "KeyEnded"},
		"not listed once": {func(time.Time) keyrecord.Record { return keyrecord.Record{State: keyrecord.Gone} }, ""},
		"claim long over": {func(now time.Time) keyrecord.Record {
			return keyrecord.Record{State: keyrecord.Grace, Ending: now.Add(-time.Hour)}
		}, ""},
		"in its grace now": {func(time.Time) keyrecord.Record { return keyrecord.Record{State: keyrecord.Grace} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				w.engine.Vendors = knowing{w.vendor}
				w.byHand(handMade)
				rec := tt.rec(w.now())
				rec.Secret, rec.KeyID, rec.Vendor, rec.Version, rec.Revision = "prod/mailer", "hand", "acme", "an-older-version", 3
				w.records.book.Keys = []keyrecord.Record{rec}
				out := w.adopt(rotation.Adoption{})
				if got := strings.Join(types(out.Problems), " "); got != tt.want || tt.want == "" && out.Status != rotation.AdoptDone {
					t.Errorf("%s: %q, want %q", out.Status, got, tt.want)
				}
			})
		})
	}
}

// A rotation that begins while its key is being taken over, and is over before
// the record is: the key is recorded as the replaced one, so that it is retired,
// and no third one is made beside it.
// Promise: two-generations
func TestAdopt_besideARotation(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.engine.Vendors = knowing{w.vendor}
		lib := newLibrary()
		w.engine.Records = lib
		version := w.byHand(handMade)
		w.enable()
		lib.put = func(keyrecord.Record) {
			lib.put = nil
			w.rotate()
		}
		out := w.adopt(rotation.Adoption{})
		recs := lib.of(name).book.Keys
		if out.Status != rotation.AdoptDone || len(recs) != 1 || recs[0].Version != version || slices.Contains(w.stages()[version], store.Current) {
			t.Fatalf("%s, records %+v, stages %v", out.Status, recs, w.stages())
		}
		token := w.rotate()
		if _, err := w.step(rotation.CreateSecret, token); errorType(err) != string(rotation.Held) || len(w.vendor.creates) != 1 {
			t.Errorf("beside the adopted key: %v", err)
		}
		if slices.Contains(w.vendor.calls, "revoke") || !slices.Contains(w.vendor.live(), "hand") {
			t.Error("a rotation has ended the adopted key")
		}
	})
}

// Two adoptions of one key at once: one record, and no third state.
func TestAdopt_twice(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.engine.Vendors = knowing{w.vendor}
		lib := newLibrary()
		w.engine.Records = lib
		w.byHand(handMade)
		done := make(chan rotation.Adopted)
		for range 2 {
			go func() { done <- w.adopt(rotation.Adoption{}) }()
		}
		got := []string{(<-done).Status, (<-done).Status}
		slices.Sort(got)
		if want := []string{rotation.AdoptDone, rotation.AdoptAlready}; !slices.Equal(got, want) || len(lib.of(name).book.Keys) != 1 || len(w.inbox.messages) != 1 {
			t.Errorf("%q, want %q; %d messages", got, want, len(w.inbox.messages))
		}
	})
}

// The lease of an adoption that was killed is waited for, and ends by itself.
func TestAdopt_afterAKill(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.engine.Vendors = knowing{w.vendor}
		w.engine.Records = &timed{records: w.records, until: map[string]time.Time{}}
		w.byHand(handMade)
		if first, err := w.engine.Records.First(t.Context(), name, "adopt", 30*time.Second); !first || err != nil {
			t.Fatal(first, err)
		}
		if out := w.adopt(rotation.Adoption{}); out.Status != rotation.AdoptDone {
			t.Errorf("%+v", out)
		}
		_, _ = w.engine.Records.First(t.Context(), name, "adopt", 30*time.Second)
		if out := w.adopt(rotation.Adoption{Observe: true}); out.Status != rotation.AdoptObserved {
			t.Errorf("%+v", out)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := w.engine.Adopt(ctx, rotation.Adoption{Secret: name})
		if e, ok := errors.AsType[*rotation.Error](err); !ok || e.Type != rotation.InProgress || len(e.Next) == 0 {
			t.Errorf("%v, want InProgress", err)
		}
	})
}

package rotation_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

// ask records that somebody asked for the rotation with urgentToken.
func (w *world) ask(mode string) {
	w.records.book.Requests = append(w.records.book.Requests, keyrecord.Request{Secret: name, Rotation: keyname.Rotation(urgentToken), Mode: mode, Reason: "the key is on the web"})
}

func (w *world) free() (rotation.Freed, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), deadline)
	defer cancel()
	return w.engine.Free(ctx, name, urgentToken)
}

// begin starts the rotation that was asked for.
func (w *world) begin() {
	w.t.Helper()
	if _, err := w.sm.RotateSecret(w.t.Context(), &sm.RotateSecretInput{SecretId: aws.String(name), ClientRequestToken: aws.String(urgentToken)}); err != nil {
		w.t.Fatal(err)
	}
	w.idle()
}

// An unfinished rotation is given up for one that somebody asked for, where
// nothing can be lost by it, and then that one succeeds. What may hold the only
// value that works is left alone.
func TestFree(t *testing.T) {
	t.Parallel()
	refuse := func(call string) func(*few) { // it fails from here on, and nothing happens
		return func(f *few) {
			f.fail = func(c string) (before, after error) {
				if c == call {
					return &provider.Error{Op: call, Kind: provider.KindAuth, Status: 401}, nil
				}
				return nil, nil
			}
		}
	}
	lost := func(call string) func(*few) { // it takes effect, and then the function dies
		return func(f *few) {
			f.fail = func(c string) (before, after error) {
				if c == call {
					return nil, errKilled
				}
				return nil, nil
			}
		}
	}
	for what, tt := range map[string]struct {
		kind  string
		fault func(*few)
		mode  string
		want  string // the error's text; "": given up
	}{
		"slot, nothing stored":                      {"fill", refuse("slots"), keyrecord.Asked, ""},
		"slot, nothing stored, an emergency":        {"fill", refuse("slots"), keyrecord.Emergency, ""},
		"slot, a value of ours, not placed":         {"place", refuse("place"), keyrecord.Emergency, ""},
		"slot, a value of ours, no emergency":       {"place", refuse("place"), keyrecord.Asked, "stored a new value"},
		"rolled, nothing was done":                  {"roll", refuse("roll"), keyrecord.Asked, ""},
		"rolled, its answer is lost":                {"roll", lost("roll"), keyrecord.Asked, "may have replaced the key's value"},
		"rolled, its answer is lost, an emergency":  {"roll", lost("roll"), keyrecord.Emergency, ""},
		"rolled and stored":                         {"roll", refuse("verify"), keyrecord.Emergency, "the only one which works"},
		"grace, nothing was done":                   {"grace", refuse("roll"), keyrecord.Asked, ""},
		"grace, its answer is lost":                 {"grace", lost("roll"), keyrecord.Asked, "may have replaced the key's value"},
		"grace, its answer is lost, an emergency":   {"grace", lost("roll"), keyrecord.Emergency, ""},
		"grace, rolled and stored":                  {"grace", refuse("verify"), keyrecord.Emergency, "the only one which works"},
		"set, never in place":                       {"set", refuse("set"), keyrecord.Emergency, ""},
		"set, never in place, no emergency":         {"set", refuse("set"), keyrecord.Asked, "stored a new value"},
		"set, its answer is lost":                   {"set", lost("set"), keyrecord.Emergency, "the only one which works"},
		"set, and the vendor takes either value":    {"set", lost("set"), keyrecord.Emergency, "the only one which works"},
		"set, and either value is refused":          {"set", refuse("set"), keyrecord.Emergency, "the only one which works"},
		"set, in place, and nobody can be asked":    {"set", refuse("verify"), keyrecord.Emergency, "the only one which works"},
		"slot, filled and stored, and not accepted": {"fill", refuse("verify"), keyrecord.Emergency, ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			fewBubble(t, tt.kind, func(t *testing.T, w *world, f *few) {
				w.first()
				w.enable()
				tt.fault(f)
				stuck := w.rotate()
				if w.pendingToken() != stuck {
					t.Fatalf("nothing is stuck: %q", w.steps)
				}
				if what != "set, in place, and nobody can be asked" {
					f.fail = nil
				}
				if strings.Contains(what, "takes either value") {
					for _, k := range f.keys {
						k.ends = time.Time{}
					}
				}
				if strings.Contains(what, "either value is refused") {
					f.keys = nil
				}
				f.max++ // room for an emergency beside a key that was made
				time.Sleep(3 * time.Minute)
				w.ask(tt.mode)
				freed, err := w.free()
				if tt.want != "" {
					if errorTypeOf(err) != "InProgress" || !strings.Contains(err.Error(), tt.want) || w.pendingToken() != stuck {
						t.Errorf("%v", err)
					}
					return
				}
				if err != nil || freed.Version != stuck || w.pendingToken() != "" {
					t.Fatalf("%+v, %v", freed, err)
				}
				if again, err := w.free(); err != nil || again.Version != "" {
					t.Errorf("again: %+v, %v", again, err)
				}
				got := slices.DeleteFunc(slices.Clone(w.audit.records), func(r audit.Record) bool { return r.Act != audit.Unstage })
				if len(got) != 2 || got[0].Phase != audit.Intent || got[1].Result != audit.Done || got[0].Version != stuck || got[0].Detail["for"] != urgentToken {
					t.Errorf("audit %+v", got)
				}
				if n := len(w.inbox.messages); n == 0 || w.inbox.messages[n-1].ID != "stuck-"+stuck {
					t.Errorf("told %+v", w.inbox.messages)
				}
				old := w.value(store.Current)
				w.begin()
				if cur := w.value(store.Current); cur == old || !f.accepts(cur) {
					t.Errorf("not rotated: %q", w.steps)
				}
				// Should Secrets Manager try the one that was given up once more:
				if _, err := w.step(rotation.CreateSecret, stuck); errorTypeOf(err) != "NotStaged" {
					t.Errorf("the one that was given up: %v", err)
				}
			})
		})
	}
}

// Nothing is given up that may be worked on, that nobody wants to be, or that is
// not as it looked.
func TestFree_refuses(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		do   func(*world)
		want string
	}{
		"nobody asked": {func(w *world) { w.records.book.Requests = nil }, "BadEvent"},
		"records gone": {func(w *world) { w.records.err = errors.New("gone") }, "StoreUnavailable"},
		"audit deaf": {func(w *world) {
			w.records.book.Requests[0].Mode = keyrecord.Asked
			w.audit.refuse = func(audit.Record) error { return errors.New("gone") }
		}, "AuditUnavailable"},
		"the labels move": {func(w *world) {
			w.engine.Store = &changed{Store: w.engine.Store, from: 2, to: func(s *store.Secret) { s.Stages = map[string][]string{"x": {store.Current}, "y": {store.Pending}} }}
		}, "InProgress"},
		"deleted": {func(w *world) {
			w.engine.Store = &changed{Store: w.engine.Store, to: func(s *store.Secret) { s.Deleted = time.Now() }}
		}, "NotOurs"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				w.first()
				w.enable()
				stuck := w.stuck()
				time.Sleep(3 * time.Minute)
				w.ask(keyrecord.Emergency)
				tt.do(w)
				if _, err := w.free(); errorTypeOf(err) != tt.want || w.pendingToken() != stuck {
					t.Errorf("%v, want %s", err, tt.want)
				}
			})
		})
	}
	bubble(t, func(t *testing.T, w *world) { // an invocation may still be at it, as long as one lasts
		w.first()
		w.enable()
		w.ask(keyrecord.Emergency)
		if freed, err := w.free(); err != nil || freed.Version != "" {
			t.Errorf("nothing stands in the way: %+v, %v", freed, err)
		}
		token := "33333333-3333-4333-8333-333333333333"
		w.putPending(token, `{"apiKey":"acme-0-bbbbbbbbbbbbbbbbbbbbbbbb"}`)
		time.Sleep(deadline)
		if _, err := w.free(); errorTypeOf(err) != "InProgress" || !strings.Contains(err.Error(), "ask again after ") || w.pendingToken() != token {
			t.Errorf("a young one: %v", err)
		}
		time.Sleep(6 * time.Second)
		if freed, err := w.free(); err != nil || freed.Version != token {
			t.Errorf("%+v, %v", freed, err)
		}
	})
}

// An emergency gives up an unfinished rotation even if the audit trail is deaf:
// it stands in the log, signed.
func TestFree_unrecorded(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		stuck := w.stuck()
		time.Sleep(3 * time.Minute)
		w.ask(keyrecord.Emergency)
		w.audit.refuse = func(audit.Record) error { return errors.New("gone") }
		if freed, err := w.free(); err != nil || freed.Version != stuck || len(w.signed()) != 2 || len(w.inbox.messages) != 3 {
			t.Errorf("%+v, %v; signed %+v; told %+v", freed, err, w.signed(), w.inbox.messages)
		}
	})
}

// Killed before the label is taken off or after, giving up is done again: it is
// told once, and the rotation that was asked for can begin.
func TestFree_killed(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		bubble(t, func(t *testing.T, w *world) {
			w.first()
			w.enable()
			stuck := w.stuck()
			time.Sleep(3 * time.Minute)
			w.ask(keyrecord.Emergency)
			untouched := w.engine.Store
			w.engine.Store = &dying{untouched, after}
			func() {
				defer func() { _ = recover() }()
				_, _ = w.free()
			}()
			w.engine.Store = untouched
			if gone := w.pendingToken() == ""; gone != after {
				t.Fatalf("after %v: labels %v", after, w.stages())
			}
			if freed, err := w.free(); err != nil || (freed.Version == stuck) == after {
				t.Errorf("after %v: %+v, %v", after, freed, err)
			}
			told := slices.DeleteFunc(slices.Clone(w.inbox.messages), func(m notify.Message) bool { return m.ErrorType != "RotationStuck" })
			if len(told) != 1 || !strings.Contains(strings.Join(told[0].Next, " "), "If none has begun, ask again") {
				t.Errorf("after %v: told %+v", after, told)
			}
			old := w.value(store.Current)
			w.begin()
			if cur := w.value(store.Current); cur == old || !w.vendor.accepts(cur) {
				t.Errorf("after %v: not rotated: %q", after, w.steps)
			}
		})
	}
}

// dying is a Store with which the process is killed at Unstage.
type dying struct {
	rotation.Store

	after bool // it took effect
}

func (d *dying) Unstage(ctx context.Context, id, label, from string) error {
	if d.after {
		if err := d.Store.Unstage(ctx, id, label, from); err != nil {
			return err
		}
	}
	panic(errKilled)
}

// A run that stores its value after its rotation was given up takes the label
// back: the other one stops, and both keys are led to by a version.
func TestFree_beside(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		stuck := w.stuck()
		time.Sleep(3 * time.Minute)
		w.ask(keyrecord.Emergency)
		untouched := w.engine.Store
		w.engine.Store = &before{Store: untouched, put: func() {
			w.engine.Store = untouched
			if freed, err := w.free(); err != nil || freed.Version != stuck {
				t.Errorf("%+v, %v", freed, err)
			}
			w.begin()
		}}
		if out, err := w.step(rotation.CreateSecret, stuck); err != nil || out != rotation.Minted {
			t.Fatalf("%s, %v", out, err)
		}
		synctest.Wait()
		fresh := w.value(store.Current)
		if !w.vendor.accepts(fresh) || !w.vendor.accepts(w.value(store.Pending)) || w.pendingToken() != stuck {
			t.Errorf("current %q, pending %q: %q", fresh, w.value(store.Pending), w.steps)
		}
		if n := len(w.vendor.ours()); n != 3 {
			t.Errorf("%d keys, want the one before, and those of both rotations", n)
		}
	})
}

// before is a Store in which something happens before the first Put.
type before struct {
	rotation.Store

	put func()
}

func (b *before) Put(ctx context.Context, p store.Put) ([]string, error) {
	if do := b.put; do != nil {
		b.put = nil
		do()
	}
	return b.Store.Put(ctx, p)
}

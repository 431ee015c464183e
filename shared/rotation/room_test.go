package rotation_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

// stuck begins a rotation that gets nowhere: its token is staged and empty.
func (w *world) stuck() (token string) {
	w.t.Helper()
	fails("list", provider.KindUnknown)(w)
	token = w.rotate()
	w.vendor.fail = nil
	return token
}

// attempt puts a key at the vendor that an attempt at a rotation made so long
// ago.
func (w *world) attempt(id, secretName, token string, age time.Duration) {
	n := keyname.New(keyname.Lineage("123456789012", "us-east-1", secretName), keyname.Rotation(token), w.cloud.Clock().Now().Add(-age), 7)
	w.vendor.keys = append(w.vendor.keys, &vendorKey{Key: provider.Key{ID: id, Name: n.String()}, value: "of " + id, scopes: w.vendor.scopes})
}

// watched calls before each Get of a version by its ID alone.
type watched struct {
	rotation.Store

	n   int
	get func(n int) error
}

func (s *watched) Get(ctx context.Context, id, version, stage string) (store.Version, error) {
	if version != "" && stage == "" {
		s.n++
		if err := s.get(s.n); err != nil {
			return store.Version{}, err
		}
	}
	return s.Store.Get(ctx, id, version, stage)
}

// Only an attempt that nobody can be about to store makes room.
func TestMakeRoom_refuses(t *testing.T) {
	t.Parallel()
	const other = "prod/other"
	for _, tt := range []struct {
		name   string
		secret string
		age    time.Duration
		do     func(w *world, token string)
		want   rotation.Outcome
		err    rotation.Type
		goes   bool
	}{
		{name: "old", secret: name, age: deadline + time.Second, want: rotation.Minted, goes: true},
		{name: "its function may still run", secret: name, age: 10 * time.Second, err: rotation.VendorFull},
		{name: "its function ends before ours", secret: name, age: deadline / 2, want: rotation.Minted, goes: true},
		{name: "its function stores it meanwhile", secret: name, age: deadline / 2, want: rotation.Found, do: storedAt(1)},
		{name: "of another secret", secret: other, age: time.Hour, err: rotation.VendorFull},
		{name: "of another rotation", secret: name, age: time.Hour, do: func(w *world, _ string) {
			w.vendor.keys = w.vendor.keys[:2]
			w.attempt("attempt", name, "another-rotation-another-rotation", time.Hour)
		}, err: rotation.VendorFull},
		{name: "stored before the first look", secret: name, age: time.Hour, want: rotation.Found, do: storedAt(1)},
		{name: "stored before the second look", secret: name, age: time.Hour, want: rotation.Found, do: storedAt(2)},
		{name: "what is stored cannot be read", secret: name, age: time.Hour, err: rotation.StoreUnavailable, do: func(w *world, _ string) {
			w.engine.Store = &watched{Store: w.engine.Store, get: func(int) error { return &store.Error{Op: "GetSecretValue"} }}
		}},
		{name: "the vendor does not revoke it", secret: name, age: time.Hour, err: rotation.VendorUnavailable, do: func(w *world, _ string) { fails("revoke", provider.KindUnknown)(w) }},
		{name: "the audit trail refuses", secret: name, age: time.Hour, err: rotation.AuditUnavailable, do: func(w *world, _ string) {
			w.audit.refuse = func(r audit.Record) error {
				if r.Act == audit.Revoke {
					return errors.New("queue gone")
				}
				return nil
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.first()
				w.enable()
				w.vendor.max = 3
				token := w.stuck()
				w.attempt("attempt", tt.secret, token, tt.age)
				if tt.do != nil {
					tt.do(w, token)
				}
				creates := len(w.vendor.creates)
				out, err := w.step(rotation.CreateSecret, token)
				if out != tt.want || tt.err != "" && errorType(err) != string(tt.err) {
					t.Errorf("%q, %v; want %q, %q", out, err, tt.want, tt.err)
				}
				if lives := slices.Contains(w.vendor.live(), "attempt"); lives == tt.goes {
					t.Errorf("the attempt lives: %v", lives)
				}
				if minted := len(w.vendor.creates) > creates; minted != tt.goes {
					t.Errorf("minted: %v", minted)
				}
				if diff := cmp.Diff([]string{"hand", "id1"}, w.vendor.live()[:2]); diff != "" {
					t.Errorf("keys (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// storedAt has another run store its value before the n'th look.
func storedAt(at int) func(*world, string) {
	return func(w *world, token string) {
		w.engine.Store = &watched{Store: w.engine.Store, get: func(n int) error {
			if n == at {
				w.putPending(token, `{"apiKey":"of attempt"}`)
			}
			return nil
		}}
	}
}

// While a rotation waits for room, somebody puts a key to use that no version
// knew: it is not ended, for it is current now. Nor is anything ended where the
// room has come by itself, or the labels have moved.
// Promise: foreign-untouched
func TestMakeRoom_looksAgain(t *testing.T) {
	t.Parallel()
	for _, at := range []int{1, 2} { // of the two waits
		for what, tt := range map[string]struct {
			do   func(w *world, f *few, stray *fewKey)
			ends int // keys that are ended
		}{
			"put to use": {func(w *world, _ *few, stray *fewKey) { w.byHand(`{"apiKey":"` + stray.value + `"}`) }, 0},
			"of the new version, with the old one's label": {func(w *world, _ *few, stray *fewKey) {
				w.putPending("44444444-4444-4444-8444-444444444444", `{"apiKey":"`+stray.value+`"}`)
			}, 0},
			"room has come": {func(_ *world, f *few, stray *fewKey) {
				f.keys = slices.DeleteFunc(f.keys, func(k *fewKey) bool { return k == stray })
			}, 0},
			"nothing": {func(*world, *few, *fewKey) {}, 1},
		} {
			for _, kind := range []string{"fill", "place"} {
				t.Run(kind+"/"+what, func(t *testing.T) {
					t.Parallel()
					fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
						w.key.Exclusive = true
						w.first()
						w.enable()
						stray := f.add("few-9-" + strings.Repeat("9", 24))
						time.Sleep(time.Hour)
						f.fail = func(string) (before, after error) { return &provider.Error{Op: "slots"}, nil }
						token := w.rotate()
						f.fail = nil
						w.engine.Store = &watched{Store: w.engine.Store, get: func(n int) error {
							if n == at {
								tt.do(w, f, stray)
							}
							return nil
						}}
						_, err := w.step(rotation.CreateSecret, token)
						if n := f.count("revoke"); n != tt.ends {
							t.Errorf("%d keys were ended, want %d; %v; calls %q", n, tt.ends, err, f.calls)
						}
						if cur := w.value(store.Current); !f.accepts(cur) {
							t.Errorf("the current key was ended: %q", f.calls)
						}
					})
				})
			}
		}
	}
}

// Room that has come by itself is used, and a rotation that is over makes none.
func TestMakeRoom_changed(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		do   func(w *world)
		want string
	}{
		"room": {func(w *world) {
			w.vendor.keys = slices.DeleteFunc(w.vendor.keys, func(k *vendorKey) bool { return k.ID == "hand" })
		}, ""},
		"another rotation": {func(w *world) { w.putPending("44444444-4444-4444-8444-444444444444", `{"apiKey":"of another"}`) }, "Superseded"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				w.first()
				w.enable()
				w.vendor.max = 3
				token := w.stuck()
				w.attempt("attempt", name, token, time.Hour)
				w.engine.Store = &watched{Store: w.engine.Store, get: func(n int) error {
					if n == 1 {
						tt.do(w)
					}
					return nil
				}}
				_, err := w.step(rotation.CreateSecret, token)
				if errorTypeOf(err) != tt.want || slices.Contains(w.vendor.calls, "revoke") || !slices.Contains(w.vendor.live(), "attempt") {
					t.Errorf("%v, want %q; calls %q", err, tt.want, w.vendor.calls)
				}
			})
		})
	}
}

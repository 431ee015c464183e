package rotation_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

const (
	tokenA = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
	tokenB = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
)

// init asks for the first key, in an invocation of its own. A kill ends it.
func (w *world) init(token string) (err error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), deadline)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			if p != errKilled { //nolint:errorlint // a panic value
				panic(p)
			}
			err = errKilled
		}
	}()
	return w.engine.Init(ctx, name, token)
}

// Two first mints at once, under two tokens or one: one value goes live, and it
// is the one that the vendor has. Nobody's replaces it afterwards.
// Promise: killed-anywhere
func TestInit_twoAtOnce(t *testing.T) {
	t.Parallel()
	for kind, call := range map[string]string{"fill": "fill", "place": "place", "set": "set", "roll": "roll", "grace": "roll"} {
		for _, second := range []string{tokenA, tokenB} {
			t.Run(kind+"/"+second[:1], func(t *testing.T) {
				t.Parallel()
				fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
					w.engine.Records = &timed{records: w.records, until: map[string]time.Time{}}
					other := make(chan error, 1)
					begun := false
					f.fail = func(at string) (before, after error) {
						if at == call && !begun {
							begun = true
							go func() { other <- w.init(second) }()
							f.mu.Unlock()
							time.Sleep(time.Second)
							f.mu.Lock()
						}
						return nil, nil
					}
					mine := w.init(tokenA)
					theirs := <-other
					if mine != nil && errorType(mine) != string(rotation.HasCurrent) || theirs != nil && errorType(theirs) != string(rotation.HasCurrent) || mine != nil && theirs != nil {
						t.Errorf("%v and %v: want one to win, and the other to be told so", mine, theirs)
					}
					cur := w.value(store.Current)
					time.Sleep(48 * time.Hour) // all graces are over
					if cur == "" || !f.accepts(cur) {
						t.Errorf("the vendor refuses the current value %q; calls %q, stages %v", cur, f.calls, w.stages())
					}
					if n := f.count(call); f.max == 0 && n != 1 {
						t.Errorf("the value was replaced %d times", n)
					}
					if len(w.stages()) == 1 && f.max > 0 && len(f.keys) != 1 {
						t.Errorf("%d keys for one version", len(f.keys))
					}
				})
			})
		}
	}
}

// A first mint that is killed before or after each call at the vendor, and then
// asked for again with the same token or another: the secret gets a value that
// works, and never one that does not.
// Promise: killed-anywhere
func TestInit_killed(t *testing.T) {
	t.Parallel()
	for kind, calls := range map[string][]string{
		"fill":  {"slots", "fill", "verify"},
		"place": {"slots", "place", "verify"},
		"set":   {"set", "verify"},
		"roll":  {"roll", "verify"},
		"grace": {"roll", "verify"},
	} {
		for _, call := range calls {
			for _, after := range []bool{false, true} {
				for _, token := range []string{tokenA, tokenB} {
					t.Run(kind+"/"+call, func(t *testing.T) {
						t.Parallel()
						fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
							w.engine.Records = &timed{records: w.records, until: map[string]time.Time{}}
							killed := false
							f.fail = func(at string) (before, beyond error) {
								if at != call || killed {
									return nil, nil
								}
								killed = true
								if after {
									return nil, errKilled
								}
								return errKilled, nil
							}
							err := w.init(tokenA)
							if cur := w.value(store.Current); !killed || err == nil || cur != "" {
								t.Fatalf("killed %v, %v, current %q", killed, err, cur)
							}
							time.Sleep(10 * time.Minute)
							if err = w.init(token); err != nil {
								t.Errorf("again: %v", err)
							}
							cur := w.value(store.Current)
							time.Sleep(48 * time.Hour)
							if cur == "" || !f.accepts(cur) || len(w.stages()) != 1 {
								t.Errorf("current %q accepted %v, stages %v", cur, f.accepts(cur), w.stages())
							}
						})
					})
				}
			}
		}
	}
}

// What is stored may be seen late: a first mint that replaced the value after
// another one stored its own must not leave that one current, for it is dead.
// Promise: in-place
func TestInit_staleRead(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"set", "roll", "grace"} {
		for n, second := range []string{tokenA, tokenA, tokenA, tokenB, tokenB, tokenB} {
			t.Run(kind+"/"+second[:1], func(t *testing.T) {
				t.Parallel()
				fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
					empty, err := w.engine.Store.Describe(t.Context(), name)
					if err != nil {
						t.Fatal(err)
					}
					if err := w.init(tokenA); err != nil {
						t.Fatal(err)
					}
					stale := 1 + n%3 // the first looks
					w.engine.Store = described{w.engine.Store, func(s *store.Secret) {
						if stale--; stale >= 0 {
							*s = empty
						}
					}}
					err = w.init(second)
					cur := w.value(store.Current)
					time.Sleep(48 * time.Hour)
					if !f.accepts(cur) {
						t.Errorf("%v; the vendor refuses the current value; calls %q, stages %v", err, f.calls, w.stages())
					}
				})
			})
		}
	}
}

// A vendor whose keys have names: what a killed first mint left carries ours, so
// that the sweep finds it, and the next one mints beside it.
// Promise: killed-anywhere
func TestInit_killedAfterCreate(t *testing.T) {
	t.Parallel()
	for _, token := range []string{tokenA, tokenB} {
		bubble(t, func(t *testing.T, w *world) {
			killed := false
			w.vendor.fail = func(call string) (before, after error) {
				if call == "create" && !killed {
					killed = true
					return nil, errKilled
				}
				return nil, nil
			}
			if err := w.init(tokenA); err != errKilled { //nolint:errorlint // as it is
				t.Fatal(err)
			}
			if err := w.init(token); err != nil {
				t.Fatal(err)
			}
			if cur := w.value(store.Current); !w.vendor.accepts(cur) || len(w.vendor.ours()) != 2 || slices.Contains(w.vendor.calls, "revoke") {
				t.Errorf("current %q; ours %q, calls %q: want the lost key left to the sweep", cur, w.vendor.ours(), w.vendor.calls)
			}
		})
	}
}

// A first mint that is killed twice may leave a key in each slot, which carry no
// name: none is ended, also in a principal that was handed over, for one of them
// may be in use. A person is told which keys are there, and since when.
// Promise: foreign-untouched
func TestInit_slotsTaken(t *testing.T) {
	t.Parallel()
	for kind, call := range map[string]string{"fill": "fill", "place": "place"} {
		for _, exclusive := range []bool{false, true} {
			t.Run(kind, func(t *testing.T) {
				t.Parallel()
				fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
					w.key.Exclusive = exclusive
					f.fail = func(at string) (before, beyond error) {
						if at == call {
							return nil, errKilled
						}
						return nil, nil
					}
					for range f.max {
						_ = w.init(tokenA)
						time.Sleep(10 * time.Minute)
					}
					f.fail = nil
					err := w.init(tokenB)
					if errorTypeOf(err) != "VendorFull" || !strings.Contains(nextOf(err), `"slot1" made at 2000-01-01`) || !strings.Contains(nextOf(err), `"slot2" made at `) || f.count("revoke") > 0 {
						t.Errorf("%v; next %q; calls %q", err, nextOf(err), f.calls)
					}
				})
			})
		}
	}
}

package rotation_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

// rolling is a vendor whose keys overlap and can be given another value besides,
// as Cloudflare's can.
type rolling struct{ knowing }

func (r rolling) Open(c config.Key, a provider.Admin) (provider.Strategy, error) {
	st, err := r.knowing.Open(c, a)
	if o, ok := st.(provider.Overlap); ok {
		o.Roll = r
		st = o
	}
	return st, err
}

func (r rolling) Roll(ctx context.Context, id string, _ time.Duration) (out provider.Issued, err error) {
	err = client{r.vendor, "acme-admin"}.do(ctx, "roll", true, func() error {
		for _, k := range r.keys {
			if k.ID == id {
				r.n++
				k.value = fmt.Sprintf("acme-%d-%s", r.n, strings.Repeat(string(rune('a'+r.n%26)), 24))
				out = provider.Issued{Key: provider.Key{ID: id}, Value: secret.New(k.value)}
				return nil
			}
		}
		return &provider.Error{Op: "roll", Kind: provider.KindNotFound, Status: 404}
	})
	if err != nil {
		out = provider.Issued{}
	}
	return out, err
}

// unknowing does not know its keys by their values.
type unknowing struct{ rolling }

func (u unknowing) Open(c config.Key, a provider.Admin) (provider.Strategy, error) {
	st, err := u.rolling.Open(c, a)
	if o, ok := st.(provider.Overlap); ok {
		o.Identify = nil
		st = o
	}
	return st, err
}

// crowded is a world with one key in use, and no room for another.
func crowded(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	bubble(t, func(t *testing.T, w *world) {
		w.engine.Vendors = rolling{knowing{w.vendor}}
		w.engine.Records = &timed{records: w.records, until: map[string]time.Time{}}
		w.engine.Entropy = &counting{}
		w.key.AcceptDowntime = true
		w.first()
		w.enable()
		w.vendor.max = len(w.vendor.keys)
		f(t, w)
	})
}

// An emergency that finds no room replaces the current key's own value, if that
// was accepted: no key is made or ended, and the old value is proven dead.
// Promise: in-place
func TestInstead(t *testing.T) {
	t.Parallel()
	crowded(t, func(t *testing.T, w *world) {
		old, keys := w.value(store.Current), w.vendor.live()
		mark := len(w.audit.records)
		w.urgent()
		if cur := w.value(store.Current); cur == old || !w.vendor.accepts(cur) || w.vendor.accepts(old) || !slices.Contains(w.stages()[urgentToken], store.Current) {
			t.Fatalf("current %q after %q; %q", cur, old, w.steps)
		}
		if got := w.vendor.live(); !slices.Equal(got, keys) || slices.Contains(w.vendor.calls, "revoke") {
			t.Errorf("keys %q after %q", got, keys)
		}
		want := []string{"request intent", "roll intent", "roll outcome", "promote fact", "dead fact"}
		if got := w.audit.acts()[mark:]; !slices.Equal(got, want) {
			t.Errorf("audit %q, want %q", got, want)
		}
		if !strings.Contains(w.log.String(), "value replaced in place") || strings.Contains(w.log.String(), old) {
			t.Error("the window is not said, or a value is")
		}
	})
}

// Without an emergency, consent, or certainty that the key is ours, nothing is
// replaced.
// Promise: in-place
func TestInstead_refused(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		do   func(*world)
		next string
	}{
		"no emergency": {func(w *world) { w.records.book.Requests[0].Mode = keyrecord.Asked }, ""},
		"no consent":   {func(w *world) { w.key.AcceptDowntime = false }, "acceptDowntime"},
		"not ours":     {func(w *world) { w.vendor.keys[1].Name = foreign }, ""},
		"unknown":      {func(w *world) { w.vendor.keys[1].ID, w.vendor.keys[1].Name = "other", foreign }, ""},
		"cannot roll":  {func(w *world) { w.engine.Vendors = knowing{w.vendor} }, ""},
		"cannot tell":  {func(w *world) { w.engine.Vendors = unknowing{rolling{knowing{w.vendor}}} }, ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			crowded(t, func(t *testing.T, w *world) {
				w.records.book.Requests = []keyrecord.Request{{Secret: name, Rotation: keyname.Rotation(urgentToken), Mode: keyrecord.Emergency}}
				old := w.value(store.Current)
				tt.do(w)
				asked := w.records.book.Requests
				w.records.book.Requests = nil
				w.urgentAs(asked)
				_, err := w.step(rotation.CreateSecret, urgentToken)
				if errorTypeOf(err) != "VendorFull" || slices.Contains(w.vendor.calls, "roll") || w.value(store.Current) != old || !strings.Contains(nextOf(err), tt.next) {
					t.Errorf("%v; next %q; calls %q", err, nextOf(err), w.vendor.calls)
				}
			})
		})
	}
}

// Killed, or left without an answer, at each call: the next tries put a value
// live that works, and the current key stays the one there is.
// Promise: killed-anywhere
func TestInstead_killed(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"list", "roll", "verify"} {
		for _, fault := range []error{errKilled, &provider.Error{Op: "x"}} {
			for _, after := range []bool{false, true} {
				t.Run(call, func(t *testing.T) {
					t.Parallel()
					crowded(t, func(t *testing.T, w *world) {
						done := false
						w.vendor.fail = func(at string) (before, beyond error) {
							if at != call || done {
								return nil, nil
							}
							done = true
							if after {
								return nil, fault
							}
							return fault, nil
						}
						keys := w.vendor.live()
						w.urgent()
						for range 3 {
							time.Sleep(3 * time.Minute)
							w.again(urgentToken)
						}
						if cur := w.value(store.Current); !done || !w.vendor.accepts(cur) || !slices.Contains(w.stages()[urgentToken], store.Current) || !slices.Equal(w.vendor.live(), keys) {
							t.Errorf("current %q accepted %v; %q; %q", cur, w.vendor.accepts(cur), w.steps, w.vendor.calls)
						}
					})
				})
			}
		}
	}
}

// Two runs of the same step: the value is replaced once, and is the one stored.
// Promise: killed-anywhere
func TestInstead_twice(t *testing.T) {
	t.Parallel()
	crowded(t, func(t *testing.T, w *world) {
		second := make(chan error, 1)
		begun := false
		w.vendor.fail = func(call string) (before, after error) {
			if call == "roll" && !begun {
				begun = true
				w.vendor.mu.Unlock()
				go func() {
					_, err := w.step(rotation.CreateSecret, urgentToken)
					second <- err
				}()
				time.Sleep(15 * time.Second) // longer than the second looks whether it is stored
				w.vendor.mu.Lock()
			}
			return nil, nil
		}
		w.urgent()
		if err := <-second; err != nil && errorType(err) != string(rotation.Superseded) {
			t.Errorf("the second: %v", err)
		}
		rolls := 0
		for _, c := range w.vendor.calls {
			if c == "roll" {
				rolls++
			}
		}
		if cur := w.value(store.Current); rolls != 1 || !w.vendor.accepts(cur) {
			t.Errorf("%d rolls; current %q accepted %v; %q", rolls, cur, w.vendor.accepts(cur), w.steps)
		}
	})
}

// A full account that says so only when a key is made is full too.
func TestInstead_fullUnforeseen(t *testing.T) {
	t.Parallel()
	crowded(t, func(t *testing.T, w *world) {
		w.vendor.max = 0
		w.vendor.fail = func(call string) (before, after error) {
			if call == "create" {
				return &provider.Error{Op: "create", Kind: provider.KindFull, Status: 403}, nil
			}
			return nil, nil
		}
		w.urgent()
		if cur := w.value(store.Current); !slices.Contains(w.stages()[urgentToken], store.Current) || !w.vendor.accepts(cur) {
			t.Errorf("%q; %q", w.steps, w.vendor.calls)
		}
		if !slices.ContainsFunc(w.audit.records, func(r audit.Record) bool { return r.Act == audit.Create && r.Result == audit.Failed }) {
			t.Error("that no key was made is not recorded")
		}
	})
}

func nextOf(err error) string {
	e, _ := err.(*rotation.Error) //nolint:errorlint // as it is returned
	if e == nil {
		return ""
	}
	return strings.Join(e.Next, "\n")
}

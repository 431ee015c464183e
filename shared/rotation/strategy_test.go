package rotation_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

func TestStrategies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind  string
		steps []string
		audit []string
		old   bool   // the replaced value still works
		id    string // in the value's note
	}{
		{"fill", []string{"createSecret: minted", "setSecret: nothing", "testSecret: verified", "finishSecret: promoted"}, []string{"create intent", "create outcome", "promote fact"}, true, "slot2"},
		{"place", []string{"createSecret: minted", "setSecret: placed", "testSecret: verified", "finishSecret: promoted"}, []string{"create fact", "create intent", "create outcome", "promote fact"}, true, ""},
		{"set", []string{"createSecret: minted", "setSecret: promoted", "testSecret: already_current", "finishSecret: already_current"}, []string{"create fact", "roll intent", "roll outcome", "promote fact"}, false, "the-key"},
		{"roll", []string{"createSecret: promoted", "setSecret: nothing", "testSecret: already_current", "finishSecret: already_current"}, []string{"roll intent", "roll outcome", "promote fact"}, false, "the-key"},
		{"grace", []string{"createSecret: minted", "setSecret: nothing", "testSecret: verified", "finishSecret: promoted"}, []string{"roll intent", "roll outcome", "promote fact"}, true, "the-key"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			fewBubble(t, c.kind, func(t *testing.T, w *world, f *few) {
				w.first()
				w.enable()
				old := w.value("AWSCURRENT")
				w.steps = nil
				mark := len(w.audit.records)
				w.rotate()
				fresh := w.value("AWSCURRENT")
				if fresh == old || !f.accepts(fresh) || f.accepts(old) != c.old {
					t.Errorf("current %q after %q, accepted: %v, %v", fresh, old, f.accepts(fresh), f.accepts(old))
				}
				if diff := cmp.Diff(c.steps, w.steps); diff != "" {
					t.Errorf("steps (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(c.audit, w.audit.acts()[mark:]); diff != "" {
					t.Errorf("audit (-want +got):\n%s", diff)
				}
				if w.records.once[name+"lease"] {
					t.Error("the lease was not given back")
				}
				if got := w.noted("AWSCURRENT"); got != c.id {
					t.Errorf("the value's note has the key ID %q, want %q", got, c.id)
				}
				for _, v := range []string{old, fresh} {
					if strings.Contains(w.log.String(), v) {
						t.Error("a value is in the log")
					}
				}
			})
		})
	}
}

// A kill before or after each call at the vendor: the next tries mend it, the
// current value is never lost, and nothing is left in a slot.
// Promise: killed-anywhere
func TestStrategies_killed(t *testing.T) {
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
				t.Run(kind+"/"+call, func(t *testing.T) {
					t.Parallel()
					fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
						w.key.Exclusive = true
						w.first()
						w.enable()
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
						token := w.rotate()
						for range 6 { // an unknown attempt is left alone for as long as it may be stored
							delete(w.records.once, name+"lease") // as time does
							time.Sleep(deadline)
							w.again(token)
						}
						if cur := w.value("AWSCURRENT"); !killed || !f.accepts(cur) || w.stages()[token] == nil || !slices.Contains(w.stages()[token], "AWSCURRENT") {
							t.Errorf("killed: %v; %q accepted: %v; stages %v, steps %q", killed, cur, f.accepts(cur), w.stages(), w.steps)
						}
						if f.max > 0 && len(f.keys) != 2 {
							t.Errorf("%d slots are taken, want the current and the previous", len(f.keys))
						}
					})
				})
			}
		}
	}
}

// again is Secrets Manager's retry of a rotation.
func (w *world) again(token string) {
	w.t.Helper()
	for _, s := range []rotation.Step{rotation.CreateSecret, rotation.SetSecret, rotation.TestSecret, rotation.FinishSecret} {
		if _, err := w.step(s, token); err != nil {
			w.steps = append(w.steps, err.Error())
			return
		}
	}
}

// Somebody else's key in the other slot is not touched, unless the principal
// was handed over.
// Promise: foreign-untouched
func TestDualSlot_stranger(t *testing.T) {
	t.Parallel()
	for _, exclusive := range []bool{false, true} {
		for _, kind := range []string{"fill", "place"} {
			fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
				w.first()
				w.enable()
				stranger := f.add("few-9-" + strings.Repeat("9", 24))
				w.key.Exclusive = exclusive
				time.Sleep(time.Hour)
				token := w.rotate()
				w.again(token)
				if gone := !f.accepts(stranger.value); gone != exclusive {
					t.Errorf("%s: exclusive %v: the stranger is gone: %v; steps %q", kind, exclusive, gone, w.steps)
				}
				if !exclusive && f.count("revoke") > 0 {
					t.Error("something was revoked")
				}
				if last := w.records.failures; !exclusive && (len(last) == 0 || last[0].ErrorType != string(rotation.VendorFull)) {
					t.Errorf("failures %+v", last)
				}
			})
		}
	}
}

// A list that is late does not know the key in use: then nothing is a stray, for
// it may be that key, and no record need know it.
// Promise: foreign-untouched
func TestDualSlot_lateList(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"fill", "place"} {
		fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
			w.first()
			w.enable()
			f.add("few-9-" + strings.Repeat("9", 24))
			w.key.Exclusive = true
			f.fail = func(call string) (before, after error) {
				if call == "identify" {
					return &provider.Error{Op: call, Kind: provider.KindNotFound}, nil
				}
				return nil, nil
			}
			time.Sleep(time.Hour)
			current := w.value(store.Current)
			w.again(w.rotate())
			if f.count("revoke") > 0 || len(f.keys) != 2 || w.value(store.Current) != current {
				t.Errorf("%s: calls %q, left %d keys", kind, f.calls, len(f.keys))
			}
		})
	}
}

// An older key that is still in its grace is seen by its value, without a
// record.
// Promise: two-generations
func TestDualSlot_held(t *testing.T) {
	t.Parallel()
	fewBubble(t, "place", func(t *testing.T, w *world, f *few) {
		w.key.Exclusive = true
		w.first()
		w.enable()
		w.rotate()
		token := w.rotate()
		if _, err := w.step(rotation.CreateSecret, token); errorType(err) != string(rotation.Held) || f.count("revoke") > 0 {
			t.Errorf("a third key: %v; %q", err, f.calls)
		}
	})
}

// A plan of each strategy makes nothing, and says what would be done.
func TestStrategies_plan(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"fill", "place", "set", "roll", "grace"} {
		fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
			w.first()
			w.enable()
			before := len(f.keys)
			p, err := w.engine.Plan(t.Context(), name)
			if err != nil || len(p.Problems) > 0 || len(p.Steps) < 4 || p.Keys != 1 || len(f.keys) != before {
				t.Errorf("%s: %+v, %v", kind, p, err)
			}
			if f.accepts("") || !f.accepts(w.value("AWSCURRENT")) {
				t.Error("a plan has changed something")
			}
		})
	}
}

// A key that is its own admin credential: each rotation is signed with the
// current key, and the hosts it may be sent to stay beside it.
func TestSelfRotation(t *testing.T) {
	t.Parallel()
	fewBubble(t, "fill", func(t *testing.T, w *world, f *few) {
		w.key.Admin = name
		first := f.add("")
		w.putFirst(`{"hosts":["api.acme.test"],"apiKey":"` + first.value + `"}`)
		w.enable()
		f.admin = nil
		w.rotate()
		second := w.value("AWSCURRENT")
		f.keys = slices.DeleteFunc(f.keys, func(k *fewKey) bool { return k.value == first.value }) // retired
		w.rotate()
		if third := w.value("AWSCURRENT"); third == second || second == first.value || !f.accepts(third) {
			t.Errorf("%q, %q, %q; steps %q", first.value, second, third, w.steps)
		}
		if diff := cmp.Diff([]string{first.value, second}, f.admin); diff != "" {
			t.Errorf("admin credentials used (-want +got):\n%s", diff)
		}
	})
}

// Where the vendor takes a while, consumers may fail for as long as it does,
// whatever we see.
func TestWindow(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"set", "roll"} {
		fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
			f.within = 45 * time.Second
			w.first()
			w.enable()
			w.rotate()
			if !strings.Contains(w.log.String(), `"window_ms":45000`) {
				t.Errorf("%s: %s", kind, w.log)
			}
		})
	}
}

package retire_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/retire"
	"github.com/keyturn/keyturn/shared/store"
)

var enable = retire.Request{Mode: retire.Restore, Reason: "the batch job has it", Requester: "arn:aws:iam::123456789012:user/eve"}

// unplugged is a world in which key 1 was replaced by key 2, and is disabled.
func unplugged(t *testing.T, setup ...func(*world)) (w *world, old, current string) {
	t.Helper()
	w, old, current = apart(t, append(setup, canDisable)...)
	if !w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Disabled)) || !w.keys[old].disabled {
		t.Fatalf("the older key is not disabled: %+v", w.record(old))
	}
	return w, old, current
}

// wholly fails the test unless a key was disabled for its whole time before it
// was revoked, and no earlier than since.
func (w *world) wholly(id string, since time.Time) {
	w.t.Helper()
	var disabled, revoked time.Time
	for _, r := range w.trail {
		switch {
		case r.KeyID != id || r.Phase != audit.Intent:
		case r.Act == audit.Disable:
			disabled = r.Time
		case r.Act == audit.Revoke:
			revoked = r.Time
		}
	}
	if disabled.Before(since) || revoked.Sub(disabled) < key().Grace.Disabled {
		w.t.Errorf("%s was enabled until %s, disabled at %s and revoked at %s", id, since, disabled, revoked)
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	for what, id := range map[string]string{"the only one": "", "by its id": "id2"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, old, current := unplugged(t)
				q, now := enable, w.now()
				q.KeyID = id
				a, _, err := w.ask(q)
				if want := (retire.Answer{Version: 1, Mode: retire.Restore, Secret: name, Status: retire.Restored, KeyID: old}); err != nil || a != want {
					t.Fatalf("%+v, %v, want %+v", a, err, want)
				}
				r := w.record(old)
				if w.keys[old].disabled || r.State != keyrecord.Grace || !r.Replaced.Equal(now) || !r.Next.Equal(now.Add(time.Hour)) || !r.Disabled.IsZero() || !r.Wanted.IsZero() {
					t.Errorf("%+v, want its grace to begin at %s", r, now)
				}
				if w.secret.VersionAt(store.Current) != token(2) || w.state(current) != keyrecord.Current {
					t.Errorf("labels %v", w.secret.Stages)
				}
				if i, o := w.count(audit.Enable, audit.Intent), w.count(audit.Enable, audit.Outcome); i != 1 || o != 1 || w.told(notify.Restored) != 1 {
					t.Errorf("%d intents, %d outcomes, %d messages, want 1 each", i, o, w.told(notify.Restored))
				}
				for _, r := range w.trail {
					if r.Act == audit.Enable && (!strings.Contains(r.Detail["why"], enable.Reason) || !strings.Contains(r.Detail["why"], enable.Requester)) {
						t.Errorf("the trail does not say who asked, and why: %+v", r)
					}
				}
				if _, _, err = w.ask(q); typeOf(err) != retire.NothingDisabled {
					t.Errorf("repeated: %v", err)
				}
				if w.live(w.engine(), key(), time.Hour-time.Second, func() bool { return w.keys[old].disabled }) {
					t.Error("it is disabled again within its grace")
				}
				if !w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Dead)) {
					t.Errorf("it is not retired: %+v", w.record(old))
				}
				w.wholly(old, now.Add(time.Hour))
				w.check()
			})
		})
	}
}

// While somebody uses a restored key, it stays.
func TestRestore_used(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := unplugged(t)
		if _, _, err := w.ask(enable); err != nil {
			t.Fatal(err)
		}
		w.live(w.engine(), key(), 71*time.Hour, func() bool {
			w.keys[old].used = w.now()
			return w.keys[old].disabled
		})
		if w.keys[old].disabled || w.keys[old].revoked {
			t.Errorf("a key in use has ended: %+v", w.record(old))
		}
		w.check()
	})
}

func TestRestore_refused(t *testing.T) {
	t.Parallel()
	revoked := func(w *world, old string) {
		w.live(w.engine(), key(), weeks, func() bool { return w.keys[old].revoked })
	}
	for what, tt := range map[string]struct {
		id   string
		do   func(w *world, old string)
		want retire.Type
		says string
	}{
		"enabled":         {"", func(w *world, _ string) { _, _, _ = w.ask(enable) }, retire.NothingDisabled, "no older key"},
		"the current":     {"id3", nil, retire.NothingDisabled, "id3 is not disabled"},
		"revoked":         {"", revoked, retire.NothingDisabled, "id2 was revoked at 20"},
		"revoked, by id":  {"id2", revoked, retire.KeyEnded, "cannot be undone"},
		"another id":      {"id1", nil, retire.NotOurs, "no record"},
		"cannot disable":  {"", func(w *world, _ string) { w.disabling = false }, retire.NoDisable, "Acme"},
		"being ended":     {"", func(w *world, _ string) { w.book.Keys[0].Ending = w.now() }, retire.KeyEnding, "at this moment"},
		"renamed":         {"", func(w *world, old string) { w.keys[old].name = "not ours" }, retire.NotOurs, "under our name"},
		"not listed":      {"", func(w *world, old string) { w.hidden = old }, retire.NotOurs, "not listed"},
		"the audit trail": {"", func(w *world, _ string) { w.fail["Audit"] = errRecords }, retire.AuditUnavailable, "nothing was done"},
		"deleted":         {"", func(w *world, _ string) { w.secret.Deleted = w.now() }, retire.NotOurs, "deletion"},
		"no current":      {"", func(w *world, _ string) { w.secret.Stages = map[string][]string{token(1): {store.Previous}} }, retire.NoCurrent, "current"},
		"moving": {"", func(w *world, _ string) {
			w.onList = func() { w.secret.Stages = map[string][]string{token(1): {store.Current}} }
		}, retire.Superseded, "moving"},
		"several":           {"", second, retire.SeveralDisabled, "id2 id3"},
		"the vendor":        {"", func(w *world, _ string) { w.fail["List"] = lostVendor("GET") }, "", "list the keys"},
		"the vendor's word": {"", func(w *world, _ string) { w.fail["Enable"] = lostVendor("PATCH") }, "", "enable key id2"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, old, _ := unplugged(t)
				if tt.do != nil {
					tt.do(w, old)
				}
				disabled, told := w.keys[old].disabled, w.told(notify.Restored)
				q := enable
				q.KeyID = tt.id
				_, _, err := w.ask(q)
				if err == nil || typeOf(err) != tt.want || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%v (%s), want %s: %s", err, typeOf(err), tt.want, tt.says)
				}
				if w.keys[old].disabled != disabled || w.told(notify.Restored) != told {
					t.Errorf("something was done, or told: %+v, %v", w.keys[old], w.news)
				}
				if what != "the vendor's word" && !w.record(old).Wanted.IsZero() {
					t.Errorf("a claim is left: %+v", w.record(old))
				}
				w.check()
			})
		})
	}
}

// second replaces and disables another key, while the first is disabled.
func second(w *world, _ string) {
	w.rotate(token(3))
	w.live(w.engine(), key(), 20*time.Hour, w.is("id3", keyrecord.Disabled))
}

// Of two disabled keys the one that is named works again, and the other does
// not.
func TestRestore_second(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, later := unplugged(t)
		second(w, old)
		q := enable
		q.KeyID = later
		if a, _, err := w.ask(q); err != nil || a.KeyID != later {
			t.Fatalf("%+v, %v", a, err)
		}
		if w.keys[later].disabled || !w.keys[old].disabled {
			t.Errorf("%+v, %+v", w.keys[later], w.keys[old])
		}
		if !w.live(w.engine(), key(), weeks, func() bool { return !w.state(old).Alive() && !w.state(later).Alive() }) {
			t.Errorf("not retired: %+v", w.book.Keys)
		}
		w.check()
	})
}

// Whatever call of a restore fails or is its last: if it is repeated the key
// works, and is told of; if not, what is not known is not taken for disabled.
func TestRestore_faults(t *testing.T) {
	t.Parallel()
	for m := range modes {
		for what, repeated := range map[string]bool{"once": false, "repeated": true} {
			t.Run(m.String()+", "+what, func(t *testing.T) {
				t.Parallel()
				for at, over := 0, false; !over; at += next() {
					synctest.Test(t, func(t *testing.T) { over = restoredIn(t, m, at, repeated) })
				}
			})
		}
	}
}

// restoredIn disturbs one call of a restore, and reports whether there is none.
func restoredIn(t *testing.T, m mode, at int, repeated bool) (over bool) {
	t.Helper()
	w, old, _ := unplugged(t)
	time.Sleep(time.Hour)
	w.calls, w.faultAt, w.mode = nil, at, m
	_, _, _ = w.ask(enable)
	over = len(w.calls) <= at
	w.faultAt = -1
	call := w.calls[min(at, len(w.calls)-1)]
	if repeated {
		if _, _, err := w.ask(enable); err != nil && typeOf(err) != retire.NothingDisabled {
			t.Errorf("call %d (%s): %v", at, call, err)
		}
		if w.keys[old].disabled || w.state(old) != keyrecord.Grace {
			t.Errorf("call %d (%s): %+v, %+v", at, call, w.keys[old], w.record(old))
		}
	}
	var since time.Time
	if !w.keys[old].disabled {
		since = w.now()
	}
	if !w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Dead)) {
		t.Errorf("call %d (%s): not retired: %+v", at, call, w.record(old))
	}
	if n := w.told(notify.Restored); n > 1 || repeated && n != 1 {
		t.Errorf("call %d (%s): told %d times", at, call, n)
	}
	w.wholly(old, since)
	w.check()
	return over
}

// A restore and a run that is about to revoke the same key, one whole between
// two calls of the other: never is it told to work when it has ended.
func TestRestore_races(t *testing.T) {
	t.Parallel()
	for what, first := range map[string]bool{"restore first": true, "retirement first": false} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for at, over := 0, false; !over; at += next() {
				synctest.Test(t, func(t *testing.T) {
					w, old, _ := unplugged(t)
					time.Sleep(key().Grace.Disabled) // it is due
					var err error
					restore := func() { _, _, err = w.ask(enable) }
					retirement := func() { _, _, _ = w.run(w.engine()) }
					outer, inner := retirement, restore
					if first {
						outer, inner = restore, retirement
					}
					w.calls, w.faultAt, w.between = nil, at, inner
					outer()
					if over = w.between != nil; over {
						return
					}
					if err == nil && (w.keys[old].revoked || w.keys[old].disabled) {
						t.Errorf("call %d (%s): told to work: %+v", at, w.calls[at], w.keys[old])
					}
					w.check()
				})
			}
		})
	}
}

// A rollback that enabled the previous key and came no further leaves it as it
// would leave one in its grace.
func TestRollback_enabled(t *testing.T) {
	t.Parallel()
	for m := range modes {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			for at, over := 0, false; !over; at += next() {
				synctest.Test(t, func(t *testing.T) {
					w, old, _ := unplugged(t)
					time.Sleep(time.Hour)
					w.calls, w.faultAt, w.mode = nil, at, m
					_, _, _ = w.ask(back)
					over, w.faultAt = len(w.calls) <= at, -1
					if w.keys[old].disabled || w.secret.VersionAt(store.Current) == token(1) {
						return
					}
					since := w.now()
					if !w.live(w.engine(), key(), weeks, w.is(old, keyrecord.Dead)) {
						t.Errorf("call %d: not retired: %+v", at, w.record(old))
					}
					w.wholly(old, since)
					w.check()
				})
			}
		})
	}
}

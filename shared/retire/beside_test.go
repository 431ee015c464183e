package retire_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/store"
)

// pieces is a rotation step by step, as the rotate function and Secrets Manager
// do it.
type pieces struct {
	w  *world
	to string // the ClientRequestToken
	id string // of its key
	at int
}

const steps = 5

// step does the next thing: the label, the key, its value, the move, and the end.
func (p *pieces) step() {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	switch p.at++; p.at {
	case 1:
		w.secret.Stages[p.to] = []string{store.Pending}
		w.versions = append(w.versions, store.VersionInfo{ID: p.to, Created: w.now()})
	case 2:
		p.id = w.mint(p.to)
	case 3:
		w.values[p.to] = `{"apiKey":"` + w.keys[p.id].value + `"}`
		w.keys[p.id].used = w.now()
	case 4:
		from := w.secret.VersionAt(store.Current)
		for v, labels := range w.secret.Stages {
			if v != p.to && v != from && len(labels) > 0 {
				delete(w.secret.Stages, v)
			}
		}
		w.secret.Stages[from], w.secret.Stages[p.to] = []string{store.Previous}, []string{store.Current, store.Pending}
		w.secret.LastChanged = w.now()
	case 5:
		w.secret.Stages[p.to] = slices.DeleteFunc(w.secret.Stages[p.to], func(l string) bool { return l == store.Pending })
	}
}

func (p *pieces) finish() {
	for p.at < steps {
		p.step()
	}
}

// settled fails the test unless in the end the current key works, and every
// other key of ours is dead.
func (w *world) settled(at int, call string) {
	w.t.Helper()
	cur := w.holder(w.secret.VersionAt(store.Current))
	if cur == nil || cur.revoked || cur.disabled {
		w.t.Errorf("call %d (%s): the current key does not work: %+v", at, call, cur)
	}
	over := func() bool {
		for _, r := range w.book.Keys {
			if k := w.keys[r.KeyID]; k != cur && r.State != keyrecord.Dead {
				return false
			}
		}
		return true
	}
	if !w.live(w.engine(), key(), weeks, over) {
		w.t.Errorf("call %d (%s): not all are dead: %+v", at, call, w.book.Keys)
	}
	if cur.revoked || cur.disabled {
		w.t.Errorf("call %d (%s): the current key was ended", at, call)
	}
	for id, k := range w.keys {
		if _, known := w.book.Key(id); !known && k != cur && !k.revoked && k.name != "production website" {
			w.t.Errorf("call %d (%s): %s is forgotten", at, call, id)
		}
	}
	w.check()
}

// next is how far it is to the call that fails next: with -short not every call
// has its turn.
func next() int {
	if testing.Short() {
		return 5
	}
	return 1
}

// One step of a rotation between any two calls of a rollback, a restore or a
// retirement, and the rest of it afterwards: the current key works, no other is
// left, and none is ended that is in use.
// Promise: never-the-current
func TestBeside_aRotation(t *testing.T) {
	t.Parallel()
	for what, do := range map[string]func(*world) error{
		"rollback":   func(w *world) error { _, _, err := w.ask(back); return err },
		"restore":    func(w *world) error { _, _, err := w.ask(enable); return err },
		"retirement": func(w *world) error { _, _, err := w.run(w.engine()); return err },
	} {
		for before := range steps {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				for at, over := 0, false; !over; at += next() {
					synctest.Test(t, func(t *testing.T) {
						w, _, _ := unplugged(t)
						time.Sleep(key().Grace.Disabled) // its end is due
						p := &pieces{w: w, to: token(3)}
						for range before {
							p.step()
						}
						w.calls, w.faultAt, w.between = nil, at, p.step
						_ = do(w) // refused or not: what is left decides
						over = w.between != nil
						call := w.calls[min(at, len(w.calls)-1)]
						w.between, w.faultAt = nil, -1
						p.finish()
						w.settled(at, call)
					})
				}
			})
		}
	}
}

// A rollback that begins after a rotation's value is stored, or goes on while one
// begins too late to be seen, and both come to their ends: no key is lost.
// Promise: killed-anywhere
func TestBeside_rotationBeginsTooLate(t *testing.T) {
	t.Parallel()
	for n := range steps {
		synctest.Test(t, func(t *testing.T) {
			w, _, _ := apart(t)
			p := &pieces{w: w, to: token(3)}
			dry, _, _ := apart(t)
			dry.calls = nil
			_, _, _ = dry.ask(back)
			w.calls, w.faultAt = nil, slices.Index(dry.calls, "Promote")
			w.between = func() {
				for range n {
					p.step()
				}
			}
			_, _, _ = w.ask(back)
			if w.between != nil || p.at != n {
				t.Fatalf("the rollback moved no label: %q", w.calls)
			}
			p.finish()
			if w.secret.VersionAt(store.Current) != token(3) {
				t.Errorf("after %d steps: the rotation has not come to its end: %v", n, w.secret.Stages)
			}
			w.settled(n, "Promote")
		})
	}
}

// A rotation made a key, lost its value, and was then refused by a pause until
// Secrets Manager gave up: the label goes, and the key ends, while the pause is
// still in force.
// Promise: killed-anywhere
func TestBeside_aPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, current := steady(t)
		w.book.Pause = &keyrecord.Pause{Secret: name, ID: "p", Until: w.now().Add(30 * 24 * time.Hour), Reason: "a release", At: w.now()}
		p := &pieces{w: w, to: token(2)}
		p.step()
		p.step()
		// Its value is not known, so its death cannot be proven.
		if !w.live(w.engine(), key(), 5*24*time.Hour, w.is(p.id, keyrecord.Gone)) || !w.keys[p.id].revoked {
			t.Errorf("the lost key: %+v; labels %v", w.record(p.id), w.secret.Stages)
		}
		if w.secret.VersionAt(store.Pending) != "" || w.keys[current].revoked || w.state(current) != keyrecord.Current {
			t.Errorf("labels %v; %+v", w.secret.Stages, w.record(current))
		}
		w.check()
	})
}

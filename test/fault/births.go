package fault

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
)

// guard is the age before which the retire function leaves a key alone that no
// version holds: whoever made it may still store it.
const guard = 24 * time.Hour

// held notes the key of a value that was stored.
func (w *World) held(body []byte) {
	var in struct{ SecretString string }
	var value struct {
		Keyturn struct{ KeyID, KeyName string }
	}
	if json.Unmarshal(body, &in) != nil || json.Unmarshal([]byte(in.SecretString), &value) != nil {
		w.breach("a value was stored that is none")
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stored[value.Keyturn.KeyID] = true
	if n, ok := keyname.Parse(value.Keyturn.KeyName); ok {
		w.stored[n.Rotation] = true
	}
}

// change has the vendor carry out a change, and notes what it made and ended.
func (w *World) change(p *process, r *http.Request, act Act) *http.Response {
	if (act.Kind == audit.Revoke || act.Kind == audit.Disable) && p.function == retiring && w.subject.Named {
		w.judgeEnd(act)
	}
	if act.Kind != audit.Create {
		return w.ask(r)
	}
	before := w.living()
	res := w.ask(r)
	for _, id := range w.living() {
		if !slices.Contains(before, id) {
			p.made = append(p.made, id)
		}
	}
	return res
}

func (w *World) living() (ids []string) {
	for _, k := range w.fake.Live() {
		ids = append(ids, k.ID)
	}
	return ids
}

// judgeEnd looks whether a key that is ended is old enough, if no version has
// ever held it. A twin of a key that was stored and replaced need not be: nobody
// can store it any more, nor tell it from the other.
func (w *World) judgeEnd(act Act) {
	w.mu.Lock()
	stored := maps.Clone(w.stored)
	w.mu.Unlock()
	if stored[act.ID] {
		return
	}
	for _, k := range w.fake.Live() {
		n, ours := keyname.Parse(k.Name)
		if k.ID != act.ID || !ours || stored[n.Rotation] && !w.live(n.Rotation) {
			continue
		}
		if age := w.now().Sub(n.Created); age < guard {
			w.breach("%s of key %s, %s old, which a rotation may still store", act.Kind, k.ID, age)
		}
	}
}

// live reports whether a rotation's version is current or pending.
func (w *World) live(rotation string) bool {
	for name := range w.staged() {
		if n, ok := keyname.Parse(name); ok && n.Rotation == rotation {
			return true
		}
	}
	return false
}

// judgeLeft looks whether an invocation that nothing went wrong with has stored
// or ended each key that it had made. It cannot tell where the value is chosen
// and stored before there is a key.
func (w *World) judgeLeft(p *process) {
	if len(p.made) == 0 || len(w.plan) > 0 || !w.down.IsZero() || w.subject.Placed {
		return
	}
	living := w.living()
	w.mu.Lock()
	left := slices.DeleteFunc(p.made, func(id string) bool { return w.stored[id] })
	w.mu.Unlock()
	for _, id := range left {
		if slices.Contains(living, id) {
			w.breach("the %s function, asked for %q, has ended and left key %s unstored at the vendor", p.function, p.step, id)
		}
	}
}

package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/store"
	"github.com/keyturn/keyturn/test/cloud"
)

// Goal is how one goal stands.
type Goal struct {
	ID      string `json:"id"`
	Text    string `json:"text"`
	Points  int    `json:"points"`
	Done    bool   `json:"done"`
	Missing string `json:"missing,omitempty"`
}

// Harm is something that went wrong by what was done.
type Harm struct {
	What string `json:"what"`
	Cost int    `json:"cost"`
}

// Report is how an exercise stands, judged from the state of the local AWS, the vendor
// and the folder.
type Report struct {
	Exercise string `json:"exercise"`
	Seconds  int    `json:"seconds"` // until all goals were done, or now
	Goals    []Goal `json:"goals"`
	Hints    int    `json:"hints"`     // that were taken
	HintCost int    `json:"hint_cost"` // points lost by them
	Late     int    `json:"late"`      // points lost by time
	Harm     []Harm `json:"harm"`
	Score    int    `json:"score"` // 0 to 100
	Done     bool   `json:"done"`  // all goals are
}

// judge says how the goals stand, and what harm was done.
func (w *world) judge(ctx context.Context, e *Exercise) Report {
	r := Report{Exercise: e.Name, Done: true, Goals: []Goal{}, Harm: []Harm{}}
	for _, g := range e.goals {
		missing := g.missing(ctx, w)
		r.Goals = append(r.Goals, Goal{g.id, g.text, g.points, missing == "", missing})
		r.Done = r.Done && missing == ""
	}
	w.look(e)
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Harm = append(r.Harm, w.harm...)
	return r
}

// score counts the points.
func (r *Report) score(took time.Duration) {
	r.Seconds = int(took / time.Second)
	if over := took - Limit; over > 0 {
		r.Late = min(mostMinutes, costMinute*int((over+time.Minute-1)/time.Minute))
	}
	r.HintCost = costHint * r.Hints
	r.Score = -r.Late - r.HintCost
	for _, g := range r.Goals {
		if g.Done {
			r.Score += g.Points
		}
	}
	for _, h := range r.Harm {
		r.Score -= h.Cost
	}
	r.Score = max(0, r.Score)
}

// look finds harm that nobody told of.
func (w *world) look(e *Exercise) {
	for _, p := range w.programs {
		for i, why := range p.state().breaks {
			what := p.name + " was cut off"
			if i > 0 {
				what = fmt.Sprintf("%s again (%d)", what, i+1)
			}
			w.hurt(Harm{what + ": " + why, costCut})
		}
	}
	w.mu.Lock()
	called, first := w.called, w.first
	w.mu.Unlock()
	read := map[string]bool{}
	for _, c := range w.region.Cloud.Calls(cloud.After(called), cloud.ByOperation("GetSecretValue", "BatchGetSecretValue")) {
		if c.AccessKey == cloud.AccessKey && c.Error == "" && !read[c.Target] {
			read[c.Target] = true
			w.hurt(Harm{"a person read the value of " + strings.TrimSpace(c.Target+" "), costShown})
		}
	}
	for _, name := range e.spare {
		if version, _ := w.current(name); version != first[name] {
			w.hurt(Harm{name + " was rotated, which nobody had a reason for", costWaste})
		}
	}
	for name := range w.spilled() {
		w.hurt(Harm{"the file " + name + " has a value in it", costShown})
	}
}

// spilled returns the files of the folder that a secret value is in.
func (w *world) spilled() map[string]bool {
	const most = 4 << 20
	out := map[string]bool{}
	values := append(w.vendor.Values(), w.vendor.valid().Reveal())
	_ = filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // what cannot be read shows nothing
		}
		if info, err := d.Info(); err != nil || info.Size() > most {
			return nil //nolint:nilerr // likewise
		}
		text, err := os.ReadFile(path) //nolint:gosec // G304: in the folder
		if err != nil {
			return nil //nolint:nilerr // likewise
		}
		for _, v := range values {
			if strings.Contains(string(text), v) {
				name, _ := filepath.Rel(w.dir, path)
				out[name] = true
			}
		}
		return nil
	})
	return out
}

// mark keeps how things are when the trainee begins.
func (w *world) mark() {
	first := map[string]string{}
	for _, k := range w.file().Keys {
		first[k.Name], _ = w.current(k.Name)
	}
	called := 0
	if all := w.region.Cloud.Calls(); len(all) > 0 {
		called = all[len(all)-1].Seq
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.first, w.called, w.harm = first, called, nil
}

// missed sees which keys are not deployed any more.
func (w *world) missed() {
	kept := map[string]bool{}
	for _, k := range w.file().Keys {
		kept[k.Name] = true
	}
	for name := range w.first { // it does not change any more
		if !kept[name] {
			w.hurt(Harm{name + " is looked after no more: it is not in the keys' file", costLost})
		}
	}
}

// began returns the version at AWSCURRENT when the trainee began.
func (w *world) began(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.first[name]
}

// book returns what is recorded about a key; an empty one if it cannot be read.
func (w *world) book(ctx context.Context, name string) keyrecord.Book {
	b, err := w.records.Load(ctx, name)
	if err != nil {
		return keyrecord.Book{}
	}
	return b
}

// ended says what is missing until the key of a version is dead, and known to be.
func (w *world) ended(ctx context.Context, name, version string) string {
	for _, r := range w.book(ctx, name).Keys {
		if r.Version == version {
			switch {
			case r.State == keyrecord.Dead:
				return ""
			case !w.live(r.KeyID):
				return "the vendor has ended its key, and Keyturn has not proven it yet: its record says " + string(r.State)
			}
			return "it still works: its record says " + string(r.State)
		}
	}
	return "nothing is recorded of it"
}

// live reports whether the vendor has a key.
func (w *world) live(id string) bool {
	for _, k := range w.vendor.Live() {
		if k.ID == id {
			return true
		}
	}
	return false
}

// pending returns the version at AWSPENDING, if it is no other label's.
func (w *world) pending(name string) string {
	pending, _ := w.region.Cloud.SecretsManager().Peek(name, store.Pending)
	if version, _ := w.current(name); pending == version {
		return ""
	}
	return pending
}

// works says why the program that reads a key does not work; "": it does.
func (w *world) works(name string) string {
	for _, p := range w.programs {
		if p.secret != name {
			continue
		}
		if s := p.state(); !s.works {
			return fmt.Sprintf("%s does not work: %s", p.name, s.why)
		}
		return ""
	}
	return "nobody reads " + name
}

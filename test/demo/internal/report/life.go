package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
)

// Entry is a record of the audit trail with the time at which the audit queue
// took it, which is more exact than the record's own: AWS tells functions the
// time in whole seconds.
type Entry struct {
	audit.Record

	At time.Time
}

// Move is AWSCURRENT moving to a version.
type Move struct {
	Secret, Version string
	At              time.Time
}

// Lives tells the life of every key of one secret from the audit trail and the
// moves of AWSCURRENT, which must be in order. end is the end of the run.
func Lives(secret string, trail []Entry, moves []Move, end time.Time) []Life {
	var out []Life
	find := func(e Entry) *Life {
		i := slices.IndexFunc(out, func(l Life) bool {
			return e.KeyName != "" && l.Name == e.KeyName || e.KeyID != "" && l.ID == e.KeyID
		})
		if i < 0 {
			return nil
		}
		return &out[i]
	}
	for _, e := range trail {
		if e.Secret != secret {
			continue
		}
		if e.Act == audit.Create && e.Phase == audit.Intent {
			out = append(out, Life{Number: len(out) + 1, Name: e.KeyName, Version: e.Version, Spans: []Span{{Lost, e.At, end}}})
			continue
		}
		if l := find(e); l != nil {
			l.follow(e, end)
		}
	}
	for i := range out {
		if !out[i].In(Lost) {
			out[i].labels(secret, moves, end)
		}
	}
	return out
}

// follow adds what a record says about the key.
func (l *Life) follow(e Entry, end time.Time) {
	l.ID = cmp.Or(l.ID, e.KeyID)
	switch {
	case e.Act == audit.Create && e.Phase == audit.Outcome && e.Result == audit.Done:
		l.Fingerprint, l.Spans[0].State = e.Fingerprint, Pending
	case e.Act == audit.Hold:
		l.enter(Held, e.At, end)
	case e.Act == audit.Revoke && e.Phase == audit.Outcome && e.Result == audit.Done:
		l.enter(Revoked, e.At, end)
	case e.Act == audit.Dead && l.End == "":
		l.Ended, l.End, l.Proof = e.At, e.Detail["state"], cmp.Or(e.Detail["proof"], e.Detail["why"])
		l.Spans[len(l.Spans)-1].To = e.At
	}
}

// enter begins a new span, unless the key was in that state before.
func (l *Life) enter(s State, at, end time.Time) {
	if l.In(s) || l.End != "" {
		return
	}
	l.Spans[len(l.Spans)-1].To = at
	l.Spans = append(l.Spans, Span{s, at, end})
}

// labels puts in when the key's version became AWSCURRENT, and when it stopped
// being so.
func (l *Life) labels(secret string, moves []Move, end time.Time) {
	var from, to time.Time
	for _, m := range moves {
		switch {
		case m.Secret != secret:
		case m.Version == l.Version && from.IsZero():
			from = m.At
		case !from.IsZero() && to.IsZero():
			to = m.At
		}
	}
	if from.IsZero() {
		return
	}
	after := l.Spans[1:] // held, revoked
	next := end
	if l.End != "" {
		next = l.Ended
	}
	if len(after) > 0 {
		next = after[0].From
	}
	// A first key is current before the outcome of its creation is recorded.
	spans := []Span{{Pending, l.Spans[0].From, from}, {Current, from, next}}
	if !to.IsZero() {
		spans[1].To = to
		spans = append(spans, Span{Grace, to, next})
	}
	l.Spans = append(spans, after...)
}

// Unasked returns the acts at a vendor that were carried out before the audit
// trail had taken the intent.
func Unasked(trail []Entry) []string {
	asked := map[string]bool{}
	var out []string
	for _, e := range trail {
		switch {
		case e.Phase == audit.Intent:
			asked[e.ID] = true
		case e.Phase != audit.Outcome || asked[e.ID]:
		case e.Act == audit.Create || e.Act == audit.Revoke || e.Act == audit.Disable || e.Act == audit.Enable:
			out = append(out, fmt.Sprintf("%s of %s", e.Act, cmp.Or(e.KeyName, e.KeyID)))
		}
	}
	return out
}

// Events returns all notes in order: those of the run, and what the keys' lives
// tell.
func (r Run) Events() []Note {
	out := slices.Clone(r.Notes)
	for _, k := range r.Keys {
		for _, l := range k.Lives {
			out = append(out, l.events(k)...)
		}
	}
	for _, j := range r.Jumps {
		out = append(out, Note{At: j.To, Kind: Moved, Text: "The clock is moved by " + Long(j.To.Sub(j.From)) + ": " + j.Why + "."})
	}
	slices.SortStableFunc(out, func(a, b Note) int { return a.At.Compare(b.At) })
	return out
}

func (l Life) events(k Key) []Note {
	var out []Note
	add := func(at time.Time, kind Kind, text string) {
		out = append(out, Note{At: at, Secret: k.Secret, Number: l.Number, Kind: kind, Text: text})
	}
	for _, s := range l.Spans {
		switch s.State {
		case Pending:
			add(s.From, Minted, "It is minted at "+k.Vendor+"; its name there is "+l.Name+".")
		case Lost:
			add(s.From, Minted, "It is minted at "+k.Vendor+", and its value is lost; its name there is "+l.Name+".")
		case Current:
			add(s.From, Live, "It becomes AWSCURRENT.")
		case Held:
			add(s.From, OnHold, "It is held: its grace is over, and it is still in use.")
		case Revoked:
			add(s.From, Ended, "It is revoked at "+k.Vendor+".")
		case Grace: // the other key becoming current says it
		}
	}
	if l.End != "" {
		add(l.Ended, Dead, "It is "+l.End+". "+Upper(l.Proof)+".")
	}
	return out
}

package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// Engine runs the rules over events. It is safe for concurrent use if State is.
type Engine struct {
	site  *Site
	rules []Rule // that are on
	state State
}

// New returns an engine of those rules that are on at the site.
func New(s *Site, rules []Rule, state State) *Engine {
	if s.secrets == nil {
		s = s.Prepare(nil)
	}
	return &Engine{site: s, state: state, rules: slices.DeleteFunc(slices.Clone(rules), func(r Rule) bool { return !s.On(&r) })}
}

const attempts = 8 // others who change the same track are few

// Process runs the rules over a batch of events, in any order, and over what has
// settled by now, which is the newest event's time in a replay. It gives deliver
// what it found, each finding once, and remembers the events only if deliver
// returns nil. After an error all of it may be done again: what was delivered
// already comes again with the same ID, and so it does, rarely, if another
// process changes the same tracks.
func (e *Engine) Process(ctx context.Context, now time.Time, events []trail.Event, deliver func(context.Context, []Finding) error) error {
	calls := newCalls(e.site, events)
	added := e.mark(calls)
	e.see(calls, added)
	due, err := e.state.Due(ctx, now.Add(-Lateness))
	if err != nil {
		return fmt.Errorf("find due tracks: %w", err)
	}
	for _, name := range due {
		added.on(name)
	}
	delivered := map[string]bool{}
	for range attempts {
		items, found, err := e.judge(ctx, now, added)
		if err != nil {
			return err
		}
		found = once(slices.DeleteFunc(found, func(f Finding) bool { return delivered[f.ID] }))
		if len(found) > 0 {
			if err := deliver(ctx, found); err != nil {
				return fmt.Errorf("deliver findings: %w", err)
			}
		}
		for _, f := range found {
			delivered[f.ID] = true
		}
		if err := e.state.Store(ctx, items); err == nil {
			return nil
		} else if !errors.Is(err, ErrConflict) {
			return fmt.Errorf("store tracks: %w", err)
		}
	}
	return fmt.Errorf("store tracks: %w", ErrConflict)
}

// once sorts the findings by time and leaves one of each.
func once(found []Finding) []Finding {
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
	})
	seen := map[string]bool{}
	return slices.DeleteFunc(found, func(f Finding) bool {
		again := seen[f.ID]
		seen[f.ID] = true
		return again
	})
}

// hidden says that the rule does not want to see the call.
func (r *Rule) hidden(s *Site, c *Call) bool {
	return c.Ours && !r.Ours || c.Service && !r.Services || r.Automation && s.automation(c)
}

// news is what a batch has to say about a track.
type news struct {
	marks map[string][]Mark    // by rule and pattern
	seen  map[string][]Finding // by rule: what single calls show
}

type batch map[string]*news // by track

func (b batch) on(track string) *news {
	if b[track] == nil {
		b[track] = &news{map[string][]Mark{}, map[string][]Finding{}}
	}
	return b[track]
}

// see adds what single calls show, on the tracks of the callers.
func (e *Engine) see(calls []Call, b batch) {
	for i := range calls {
		c := &calls[i]
		for j := range e.rules {
			r := &e.rules[j]
			if r.See == nil || r.hidden(e.site, c) {
				continue
			}
			for _, f := range r.See(e.site, c) {
				f.finish(r)
				n := b.on(principal(c))
				n.seen[r.ID] = append(n.seen[r.ID], f)
				n.marks[r.ID] = append(n.marks[r.ID], Mark{minute(f.Time), f.ID, "", ""})
			}
		}
	}
}

// mark returns the marks of the calls.
func (e *Engine) mark(calls []Call) batch {
	b := batch{}
	for i := range calls {
		c := &calls[i]
		for j := range e.rules {
			r := &e.rules[j]
			if len(r.Patterns) == 0 || r.hidden(e.site, c) {
				continue
			}
			for k := range r.Patterns {
				p := &r.Patterns[k]
				for _, n := range p.Mark(e.site, c) {
					id, at := r.ID+"."+p.Name, minute(c.Time.Truncate(p.Bucket))
					marks := b.on(n.On).marks
					marks[id] = append(marks[id], Mark{at, cut(n.Value), cut(c.ID), cut(c.from())})
				}
			}
		}
	}
	return b
}

// cut shortens what callers choose; what is cut stays distinct.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	return s[:maxText-20] + "~" + digest(s)
}

// judge returns the tracks with the marks added, and what that shows which the
// tracks as they are stored do not.
func (e *Engine) judge(ctx context.Context, now time.Time, added batch) ([]Item, []Finding, error) {
	names := slices.Sorted(maps.Keys(added))
	if len(names) == 0 {
		return nil, nil, nil
	}
	stored, err := e.state.Load(ctx, names)
	if err != nil {
		return nil, nil, fmt.Errorf("load tracks: %w", err)
	}
	byName := make(map[string]Item, len(stored))
	for _, i := range stored {
		byName[i.Track] = i
	}
	var items []Item
	var found []Finding
	for _, name := range names {
		item := byName[name]
		item.Track = name
		t := track{patterns: map[string][]Mark{}}
		if item.Revision != 0 {
			if t, err = decode(item.Data); err != nil {
				return nil, nil, fmt.Errorf("track %.100q: %w", name, err)
			}
		}
		more, changed := e.judgeOne(&t, name, now, added[name], &item)
		found = append(found, more...)
		if changed {
			item.Data = t.encode()
			items = append(items, item)
		}
	}
	return items, found, nil
}

// judgeOne changes t, and the times of the item.
func (e *Engine) judgeOne(t *track, name string, now time.Time, added *news, item *Item) (found []Finding, changed bool) {
	was, patterns := t.settled, t.patterns
	t.settled, t.patterns = max(t.settled, minute(now.Add(-Lateness))), map[string][]Mark{} // rules that are off are forgotten
	changed = !item.Due.IsZero() && !item.Due.After(now.Add(-Lateness))
	item.Due, item.Expires = time.Time{}, time.Time{}
	once := single()
	for i := range e.rules {
		r := &e.rules[i]
		if before, extra := patterns[r.ID], added.marks[r.ID]; len(before)+len(extra) > 0 {
			found = append(found, unseen(before, added.seen[r.ID])...)
			changed = changed || len(extra) > 0
			t.keep(r.ID, &once, merge(&once, before, extra), item)
		}
		for j := range r.Patterns {
			p := &r.Patterns[j]
			id := r.ID + "." + p.Name
			before := History{name, p.floor(was), patterns[id]}
			after := History{name, p.floor(t.settled), merge(p, before.Marks, added.marks[id])}
			if !slices.Equal(before.Marks, after.Marks) || p.Settles && before.Settled != after.Settled && len(after.Marks) > 0 {
				changed = true
				found = append(found, grown(e.site, r, p, before, after)...)
			}
			t.keep(id, p, after.Marks, item)
		}
	}
	return found, changed
}

// keep stores what is of use of a pattern's marks, and says in the item when
// the next of them settles and until when they are of use.
func (t *track) keep(id string, p *Pattern, marks []Mark, item *Item) {
	if marks = forget(p, marks, t.settled); len(marks) > 0 {
		t.patterns[id] = marks
	}
	for _, m := range marks {
		settles := m.Time().Add(p.Bucket + p.Wait)
		if p.Settles && minute(settles) > p.floor(t.settled) && (item.Due.IsZero() || settles.Before(item.Due)) {
			item.Due = settles
		}
		if end := m.Time().Add(p.Span + p.Bucket + Lateness); end.After(item.Expires) {
			item.Expires = end
		}
	}
}

// single remembers what single calls showed, so that an event that comes twice
// is not found twice, nor one that is found once a day.
func single() Pattern { return Pattern{Span: 48 * time.Hour, Bucket: time.Minute} }

// unseen returns what was not found before.
func unseen(before []Mark, found []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f Finding) bool {
		return slices.ContainsFunc(before, func(m Mark) bool { return m.Value == f.ID })
	})
}

// grown returns what is found after, but not before.
func grown(s *Site, r *Rule, p *Pattern, before, after History) []Finding {
	found := p.Judge(s, after)
	if len(found) == 0 {
		return nil
	}
	known := map[string]bool{}
	for _, f := range p.Judge(s, before) {
		f.finish(r)
		known[f.ID] = true
	}
	for i := range found {
		found[i].finish(r)
	}
	return slices.DeleteFunc(found, func(f Finding) bool { return known[f.ID] })
}

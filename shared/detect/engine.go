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
	slots []slot         // in the order of the rules
	index map[string]int // of slots, by id
	memo  memo
}

// slot is a place for marks on a track: of one pattern, or of a rule's single calls.
type slot struct {
	id   string // as it is stored
	rule *Rule
	p    *Pattern
	seen bool // of single calls
}

// New returns an engine of those rules that are on at the site.
func New(s *Site, rules []Rule, state State) *Engine {
	if s.secrets == nil {
		s = s.Prepare(nil)
	}
	e := &Engine{site: s, state: state, index: map[string]int{}, rules: slices.DeleteFunc(slices.Clone(rules), func(r Rule) bool { return !s.On(&r) })}
	once := single()
	for i := range e.rules {
		r := &e.rules[i]
		r.first = len(e.slots)
		e.slots = append(e.slots, slot{r.ID, r, &once, true})
		for j := range r.Patterns {
			e.slots = append(e.slots, slot{r.ID + "." + r.Patterns[j].Name, r, &r.Patterns[j], false})
		}
	}
	for i, one := range e.slots {
		e.index[one.id] = i
	}
	return e
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
	fresh := map[memoKey]uint32{}
	added := e.mark(calls, fresh)
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
			e.memo.put(fresh)
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
	added []added
	seen  []Finding // what single calls show
}

// added are marks for a slot.
type added struct {
	slot  int
	marks []Mark
}

func (n *news) add(slot int, m Mark) {
	for i := range n.added {
		if n.added[i].slot == slot {
			n.added[i].marks = append(n.added[i].marks, m)
			return
		}
	}
	n.added = append(n.added, added{slot, []Mark{m}})
}

type batch map[string]*news // by track

func (b batch) on(track string) *news {
	n := b[track]
	if n == nil {
		n = &news{}
		b[track] = n
	}
	return n
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
				n.seen = append(n.seen, f)
				n.add(r.first, Mark{minute(f.Time), f.ID, "", ""})
			}
		}
	}
}

// mark returns the marks of the calls, but for those that are known to be stored, and adds
// to fresh those that will be known.
func (e *Engine) mark(calls []Call, fresh map[memoKey]uint32) batch {
	b := batch{}
	for i := range calls {
		c := &calls[i]
		event, where := compact(cut(c.ID)), cut(c.from())
		for j := range e.rules {
			r := &e.rules[j]
			if len(r.Patterns) > 0 && !r.hidden(e.site, c) {
				e.markRule(r, c, event, where, b, fresh)
			}
		}
	}
	return b
}

func (e *Engine) markRule(r *Rule, c *Call, event, where string, b batch, fresh map[memoKey]uint32) {
	for k := range r.Patterns {
		p := &r.Patterns[k]
		for _, n := range p.Mark(e.site, c) {
			m := Mark{p.floor(minute(c.Time)), cut(n.Value), event, where}
			if slot := r.first + 1 + k; e.fresh(p, slot, n.On, &m, fresh) {
				b.on(n.On).add(slot, m)
			}
		}
	}
}

// fresh says that the mark is not known to be stored.
func (e *Engine) fresh(p *Pattern, slot int, on string, m *Mark, fresh map[memoKey]uint32) bool {
	period := p.period()
	if period == 0 {
		return true
	}
	key := memoKey{on, m.Value, slot, m.Minute / period}
	if e.memo.has(key, m.Minute) {
		return false
	}
	if first, ok := fresh[key]; !ok || m.Minute < first {
		fresh[key] = m.Minute
	}
	return true
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
		more, changed, err := e.judgeItem(&item, now, added[name])
		if err != nil {
			return nil, nil, fmt.Errorf("track %.100q: %w", name, err)
		}
		found = append(found, more...)
		if changed {
			items = append(items, item)
		}
	}
	return items, found, nil
}

// judgeItem is judgeOne for a track as it is stored.
func (e *Engine) judgeItem(item *Item, now time.Time, n *news) (found []Finding, changed bool, err error) {
	var t track
	if item.Revision != 0 {
		if t, err = decode(item.Data, e.index); err != nil {
			return nil, false, err
		}
	}
	found, changed, err = e.judgeOne(&t, item.Track, now, n, item)
	if changed {
		item.Data, err = t.fit(e.slots, MaxTrack)
	}
	return found, changed, err
}

// judgeOne changes t, and the times of the item. Parts to which nothing was added, and
// of which nothing settles, show what they showed: they are not even read.
func (e *Engine) judgeOne(t *track, name string, now time.Time, n *news, item *Item) (found []Finding, changed bool, err error) {
	settled := max(t.settled, minute(now.Add(-Lateness)))
	t.settled = settled
	changed = !item.Due.IsZero() && !item.Due.After(now.Add(-Lateness))
	item.Due, item.Expires = time.Time{}, time.Time{}
	t.room(n.added)
	kept := t.parts[:0]
	for i := range t.parts {
		one := t.parts[i]
		sl := &e.slots[one.slot]
		extra := n.of(one.slot)
		if settling := one.due > 0 && one.due <= sl.p.floor(settled); len(extra) > 0 || settling {
			more, news, err := e.rejudge(&one, sl, name, settled, extra, n.seen, settling)
			if err != nil {
				return nil, false, err
			}
			changed = changed || news
			found = append(found, more...)
		}
		if one.end > settled {
			one.times(item)
			kept = append(kept, one)
		}
	}
	if t.parts = kept; len(kept) == 0 {
		item.Expires = now
	}
	return found, changed, nil
}

// of returns the marks for a slot.
func (n *news) of(slot int) []Mark {
	for i := range n.added {
		if n.added[i].slot == slot {
			return n.added[i].marks
		}
	}
	return nil
}

// rejudge adds marks to a part, and returns what is found now and was not before. If it
// had the marks already, and nothing settles, there is no news.
func (e *Engine) rejudge(one *part, sl *slot, name string, settled uint32, extra []Mark, seen []Finding, settling bool) (found []Finding, news bool, err error) {
	before, err := one.read()
	if err != nil {
		return nil, false, err
	}
	marks := merge(sl.p, before, extra)
	if !settling && slices.Equal(before, marks) {
		return nil, false, nil
	}
	if sl.seen {
		found = unseen(before, seen, sl.rule)
	} else {
		found = grown(e.site, sl, History{name, sl.p.floor(one.judged), before}, History{name, sl.p.floor(settled), marks})
	}
	one.keep(e.site, sl.p, name, marks, settled)
	return found, true, nil
}

// single remembers what single calls showed, so that an event that comes twice
// is not found twice, nor one that is found once a day.
func single() Pattern { return Pattern{Span: 48 * time.Hour, Bucket: time.Minute} }

// unseen returns what the rule found in single calls, and not before.
func unseen(before []Mark, found []Finding, r *Rule) []Finding {
	var out []Finding
	for _, f := range found {
		if f.Rule == r.ID && !slices.ContainsFunc(before, func(m Mark) bool { return m.Value == f.ID }) {
			out = append(out, f)
		}
	}
	return out
}

// grown returns what is found after, but not before.
func grown(s *Site, sl *slot, before, after History) []Finding {
	found := sl.p.Judge(s, after)
	if len(found) == 0 {
		return nil
	}
	known := map[string]bool{}
	for _, f := range sl.p.Judge(s, before) {
		f.finish(sl.rule)
		known[f.ID] = true
	}
	for i := range found {
		found[i].finish(sl.rule)
	}
	return slices.DeleteFunc(found, func(f Finding) bool { return known[f.ID] })
}

package detect

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strings"
	"time"
)

// MaxMarks is how many marks of one pattern a track keeps, the newest, unless
// the pattern says otherwise. That is enough for every window of counted
// patterns. Beyond it a finding may come again, with its ID.
const MaxMarks = 500

// MaxTrack is how many bytes a stored track has at most: DynamoDB's limit of an
// item, less what goes with it. Beyond it the older half of the marks of whatever
// has most is forgotten, again and again: a caller who makes more than that is found
// anyway, and a track that cannot be stored would stop everything.
const MaxTrack = 390 << 10

// maxText is how many bytes of a value, an id or an address are kept.
const maxText = 200

// track is what is remembered under one name.
type track struct {
	settled uint32
	parts   []part // by slot
}

// part is what is remembered of one slot. The times are minutes since 1970.
type part struct {
	slot   int
	judged uint32 // what had settled when it was judged last
	due    uint32 // when more settles; 0: nothing does
	end    uint32 // it is of no use any more
	body   string // its marks, encoded
}

func (t *track) find(slot int) (int, bool) {
	return slices.BinarySearchFunc(t.parts, slot, func(p part, slot int) int { return cmp.Compare(p.slot, slot) })
}

// room makes parts for what is added.
func (t *track) room(all []added) {
	for _, a := range all {
		if i, ok := t.find(a.slot); !ok {
			t.parts = slices.Insert(t.parts, i, part{slot: a.slot})
		}
	}
}

func (p *part) read() ([]Mark, error) { return decodeMarks(p.body) }

// keep stores what is of use of the marks: when the next of them settles, and until when
// they are of use.
func (p *part) keep(s *Site, of *Pattern, on string, marks []Mark, settled uint32) {
	marks = forget(of, marks, settled)
	p.judged, p.due, p.end, p.body = settled, 0, 0, ""
	if len(marks) == 0 {
		return
	}
	wait, span := uint32((of.Bucket+of.Wait)/time.Minute), uint32((of.Span+of.Bucket+Lateness)/time.Minute) //nolint:gosec // spans are short
	floor := of.floor(settled)
	for i := range marks {
		at := marks[i].Minute
		settles := at + wait
		if of.Until != nil {
			settles += of.floor(uint32(of.Until(s, History{On: on}, marks[i])/time.Minute)) + of.minutes() //nolint:gosec // years at most
		}
		if of.Settles && settles > floor && (p.due == 0 || settles < p.due) {
			p.due = settles
		}
		p.end = max(p.end, at+span)
	}
	p.body = encodeMarks(marks)
}

// fit encodes the track in at most most bytes.
func (t *track) fit(slots []slot, most int) ([]byte, error) {
	for {
		data := t.encode(slots)
		if len(data) <= most {
			return data, nil
		}
		largest := &t.parts[0]
		for i := range t.parts {
			if len(t.parts[i].body) > len(largest.body) {
				largest = &t.parts[i]
			}
		}
		marks, err := largest.read()
		if err != nil {
			return nil, err
		}
		largest.body = encodeMarks(marks[(len(marks)+1)/2:])
	}
}

// times says in the item when it is to be looked at, and how long it is of use.
func (p *part) times(item *Item) {
	if at := (Mark{Minute: p.due}).Time(); p.due > 0 && (item.Due.IsZero() || at.Before(item.Due)) {
		item.Due = at
	}
	if end := (Mark{Minute: p.end}).Time(); end.After(item.Expires) {
		item.Expires = end
	}
}

// merge adds marks to a pattern's, which are sorted.
func merge(p *Pattern, marks, added []Mark) []Mark {
	if len(added) == 0 {
		return marks
	}
	slices.SortFunc(added, compare)
	out := make([]Mark, 0, len(marks)+len(added))
	for len(marks) > 0 || len(added) > 0 {
		from := &added
		if len(added) == 0 || len(marks) > 0 && compare(marks[0], added[0]) <= 0 {
			from = &marks
		}
		if m := (*from)[0]; len(out) == 0 || out[len(out)-1].Minute != m.Minute || out[len(out)-1].Value != m.Value {
			out = append(out, m)
		}
		*from = (*from)[1:]
	}
	if p.First > 0 {
		out = firstOnly(out, uint32(p.First/time.Minute)) //nolint:gosec // hours
	}
	out = capped(out, p.Cap, p.Keep)
	return out[max(0, len(out)-cmp.Or(p.Most, MaxMarks)):]
}

// firstOnly leaves the first mark of each value in each period.
func firstOnly(marks []Mark, period uint32) []Mark {
	at := make(map[string]uint32, 4)
	return slices.DeleteFunc(marks, func(m Mark) bool {
		last, ok := at[m.Value]
		if ok && last/period == m.Minute/period {
			return true
		}
		at[m.Value] = m.Minute
		return false
	})
}

// forget removes what no event can make of use again. It runs after judging.
func forget(p *Pattern, marks []Mark, settled uint32) []Mark {
	if len(marks) == 0 {
		return nil
	}
	keep := uint32((p.Span + p.Bucket + Lateness) / time.Minute) //nolint:gosec // spans are short
	newest := max(marks[len(marks)-1].Minute, settled)
	settled = p.floor(settled)
	if p.Fold {
		marks = fold(p, marks, settled)
	}
	var latest map[string]uint32
	if p.Latest {
		latest = make(map[string]uint32, len(marks))
		for _, m := range marks {
			if m.Minute < settled {
				latest[m.Value] = m.Minute // they are by time
			}
		}
	}
	brief := p.Brief != "" && !slices.ContainsFunc(marks, func(m Mark) bool { return m.Value != p.Brief })
	return slices.DeleteFunc(marks, func(m Mark) bool {
		return m.Minute+keep < newest || brief && m.Minute < settled || p.passed(m, settled, latest)
	})
}

// passed says that a later mark has taken the place of m.
func (p *Pattern) passed(m Mark, settled uint32, latest map[string]uint32) bool {
	if !p.Latest || m.Minute >= settled || m.Minute == latest[m.Value] {
		return false
	}
	return p.Every == "" || !strings.HasPrefix(m.Value, p.Every)
}

func (p *Pattern) minutes() uint32 { return uint32(p.Bucket / time.Minute) } //nolint:gosec // buckets are short

// floor rounds down to the bucket.
func (p *Pattern) floor(minute uint32) uint32 { return minute - minute%p.minutes() }

// compare orders marks by time, then by value, then by event.
func compare(a, b Mark) int {
	switch {
	case a.Minute != b.Minute:
		return cmp.Compare(a.Minute, b.Minute)
	case a.Value != b.Value:
		return strings.Compare(a.Value, b.Value)
	}
	return strings.Compare(a.Event, b.Event)
}

// capped leaves, in each bucket of more than n values, the n with the smallest
// hashes: a part of what any other order would have left, and enough of it to
// pass every threshold.
func capped(marks []Mark, n int, keep string) []Mark {
	out := marks[:0]
	for len(marks) > 0 {
		end := 1
		for end < len(marks) && marks[end].Minute == marks[0].Minute {
			end++
		}
		bucket := marks[:end]
		if marks = marks[end:]; n > 0 && len(bucket) > n {
			slices.SortFunc(bucket, func(a, b Mark) int {
				return cmp.Or(cmp.Compare(order(a.Value, keep), order(b.Value, keep)), compare(a, b))
			})
			bucket = bucket[:n]
			slices.SortFunc(bucket, compare)
		}
		out = append(out, bucket...)
	}
	return out
}

func order(value, keep string) uint64 {
	if keep != "" && value == keep || strings.HasPrefix(value, folded) {
		return 0
	}
	return hash(value)
}

// hash is the same in every process, and spread evenly: FNV alone is not, in its
// upper bits, for short texts, so its sum is mixed as SplitMix64 does.
func hash(s string) uint64 {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(s))
	h := sum.Sum64()
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

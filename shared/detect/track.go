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
// item, less what goes with it.
const MaxTrack = 390 << 10

// maxText is how many bytes of a value, an id or an address are kept.
const maxText = 200

// track is what is remembered under one name.
type track struct {
	settled  uint32
	patterns map[string][]Mark // by rule and pattern; sorted
}

// merge adds marks to a pattern's.
func merge(p *Pattern, marks, added []Mark) []Mark {
	if len(added) == 0 {
		return marks
	}
	marks = slices.Concat(marks, added)
	slices.SortFunc(marks, compare)
	marks = slices.CompactFunc(marks, func(a, b Mark) bool { return a.Minute == b.Minute && a.Value == b.Value })
	marks = capped(marks, p.Cap, p.Keep)
	return marks[max(0, len(marks)-cmp.Or(p.Most, MaxMarks)):]
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
	latest := map[string]uint32{}
	if p.Latest {
		for _, m := range marks {
			if m.Minute < settled {
				latest[m.Value] = m.Minute // they are by time
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(marks), func(m Mark) bool {
		return m.Minute+keep < newest || p.passed(m, settled, latest)
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
	return cmp.Or(cmp.Compare(a.Minute, b.Minute), strings.Compare(a.Value, b.Value), strings.Compare(a.Event, b.Event))
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

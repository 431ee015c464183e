package detect

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Level is a threshold.
type Level struct {
	AtLeast  int
	Severity Severity
}

// period is how often a threshold that stays passed is found again. Marks are
// kept for as long, or what was found would be forgotten within it.
const period = time.Hour

// counted returns a pattern that counts distinct values on a track, within span.
// One level is found at most once on a track in an hour. what is for people:
// "distinct secrets read". Since times are whole buckets, the span is up to one
// bucket longer.
func counted(name, what string, span, bucket time.Duration, levels []Level, mark func(*Site, *Call) []Note) Pattern {
	top, least := 0, levels[0].AtLeast
	for _, l := range levels {
		top, least = max(top, l.AtLeast), min(least, l.AtLeast)
	}
	return Pattern{
		Name: name, Span: span + max(period, span), Bucket: bucket, Cap: top, Mark: mark,
		Judge: func(_ *Site, h History) []Finding {
			if fewer(h.Marks, least) {
				return nil
			}
			var found []Finding
			for w := range windows(h.Marks, span) {
				for _, l := range levels {
					if len(w.values) < l.AtLeast {
						continue
					}
					f := w.finding(name, h.On, l, max(period, span))
					f.Why = fmt.Sprintf("%s %s within %s; threshold %d", atMost(len(w.values), top), what, short(span), l.AtLeast)
					found = append(found, f)
				}
			}
			return unique(found)
		},
	}
}

// fewer says that the marks have fewer than n values, which is so nearly always.
func fewer(marks []Mark, n int) bool {
	if len(marks) < n {
		return true
	}
	var room [32]string
	values := room[:0]
	for i := range marks {
		if !slices.Contains(values, marks[i].Value) {
			if values = append(values, marks[i].Value); len(values) >= n {
				return false
			}
		}
	}
	return true
}

// window is the marks within a span that ends with one of them.
type window struct {
	marks  []Mark
	values map[string]int
}

// countsSecrets is the name of patterns whose values are secrets: findings name them.
const countsSecrets = "secrets"

// windows yields the marks that are within span before each bucket, itself
// included. The window is good until the next one.
func windows(marks []Mark, span time.Duration) func(yield func(window) bool) {
	wide := uint32(span / time.Minute) //nolint:gosec // spans are short
	return func(yield func(window) bool) {
		values, from := map[string]int{}, 0
		for to, m := range marks {
			values[m.Value]++
			for ; marks[from].Minute+wide < m.Minute; from++ {
				leave(values, marks[from].Value)
			}
			if to+1 < len(marks) && marks[to+1].Minute == m.Minute {
				continue
			}
			if !yield(window{marks[from : to+1], values}) {
				return
			}
		}
	}
}

// leave takes one of the values out.
func leave(values map[string]int, v string) {
	if values[v]--; values[v] == 0 {
		delete(values, v)
	}
}

func (w window) finding(name, on string, l Level, every time.Duration) Finding {
	last := w.marks[len(w.marks)-1]
	f := Finding{
		Severity: l.Severity, Time: last.Time(), Count: len(w.values), matter: name + "\n" + on,
		distinct: fmt.Sprintf("%d\n%d", l.AtLeast, last.Time().Truncate(every).Unix()),
	}
	f.about(on)
	if name == countsSecrets {
		f.Secrets = slices.Sorted(maps.Keys(w.values))
		f.Secrets = f.Secrets[:min(len(f.Secrets), MaxEvidence)]
	}
	f.evidence(w.marks)
	return f
}

// evidence names the marks' events and where they came from.
func (f *Finding) evidence(marks []Mark) {
	for _, m := range marks {
		if m.Event != "" && len(f.Events) < MaxEvidence {
			if id := expand(m.Event); !slices.Contains(f.Events, id) {
				f.Events = append(f.Events, id)
			}
		}
		if m.Where != "" && len(f.Where) < MaxEvidence && !slices.Contains(f.Where, m.Where) {
			f.Where = append(f.Where, m.Where)
		}
	}
}

// unique leaves, of findings that are the same, the one that counts most.
func unique(found []Finding) []Finding {
	best := map[string]int{}
	for _, f := range found {
		best[f.distinct] = max(best[f.distinct], f.Count)
	}
	return slices.DeleteFunc(found, func(f Finding) bool {
		keep := f.Count == best[f.distinct]
		if keep {
			best[f.distinct] = -1
		}
		return !keep
	})
}

// atMost writes a count that stops at top.
func atMost(n, top int) string {
	if n >= top {
		return fmt.Sprintf("%d or more", n)
	}
	return strconv.Itoa(n)
}

// short writes a duration without zeros.
func short(d time.Duration) string {
	s := strings.TrimSuffix(d.String(), "0s")
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	if d >= 48*time.Hour && d%(24*time.Hour) == 0 {
		s = fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return s
}

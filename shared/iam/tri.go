package iam

import "slices"

// tri is an answer that may depend on context keys that are not known. The zero
// value is no.
type tri struct {
	yes  bool     // without unknown keys: the answer
	keys []string // unknown keys that the answer depends on; empty: none
}

//nolint:gochecknoglobals // constants
var (
	no  = tri{}
	yes = tri{yes: true}
)

func maybe(key string) tri   { return tri{keys: []string{key}} }
func known(b bool) tri       { return tri{yes: b} }
func (t tri) isYes() bool    { return t.yes && len(t.keys) == 0 }
func (t tri) isNo() bool     { return !t.yes && len(t.keys) == 0 }
func (t tri) isMaybe() bool  { return len(t.keys) > 0 }
func (t tri) also(o tri) tri { return tri{keys: union(t.keys, o.keys)} }
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

func (t tri) and(o tri) tri {
	switch {
	case t.isNo() || o.isNo():
		return no
	case t.isYes() && o.isYes():
		return yes
	}
	return t.also(o)
}

func (t tri) or(o tri) tri {
	switch {
	case t.isYes() || o.isYes():
		return yes
	case t.isNo() && o.isNo():
		return no
	}
	return t.also(o)
}

func (t tri) not() tri {
	if t.isMaybe() {
		return t
	}
	return known(!t.yes)
}

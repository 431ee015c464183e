package expr

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/keyturn/keyturn/test/cloud/dynamodb/attr"
)

// Path is a document path: a[0].b.
type Path []Step

// Step is one step of a path: the element of a map, or of a list if Name is "".
type Step struct {
	Name  string
	Index int
}

// String returns the path as an error message spells it.
func (p Path) String() string {
	parts := make([]string, len(p))
	for i, s := range p {
		parts[i] = s.Name
		if s.Name == "" {
			parts[i] = "[" + strconv.Itoa(s.Index) + "]"
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// Get returns what the path leads to in item.
func (p Path) Get(item attr.Item) (attr.Value, bool) {
	v := attr.Value{Kind: attr.Map, Map: item}
	for _, s := range p {
		next, ok := s.of(v)
		if !ok {
			return attr.Value{}, false
		}
		v = next
	}
	return v, true
}

func (s Step) of(v attr.Value) (attr.Value, bool) {
	if s.Name != "" {
		if v.Kind != attr.Map {
			return attr.Value{}, false
		}
		next, ok := v.Map[s.Name]
		return next, ok
	}
	if v.Kind != attr.List || s.Index >= len(v.List) {
		return attr.Value{}, false
	}
	return v.List[s.Index], true
}

// change returns a copy of v in which f was applied to what path leads to. f
// sees whether there was something, and says whether there is something after.
func change(v attr.Value, path Path, f func(old attr.Value, had bool) (attr.Value, bool)) (attr.Value, error) {
	step := path[0]
	old, had := step.of(v)
	if (step.Name != "") != (v.Kind == attr.Map) || step.Name == "" && v.Kind != attr.List {
		return v, errPath()
	}
	keep := true
	if len(path) == 1 {
		old, keep = f(old, had)
	} else {
		if !had {
			return v, errPath()
		}
		next, err := change(old, path[1:], f)
		if err != nil {
			return v, err
		}
		old = next
	}
	if v.Kind == attr.Map {
		v.Map = maps.Clone(v.Map)
		if keep {
			v.Map[step.Name] = old
		} else {
			delete(v.Map, step.Name)
		}
		return v, nil
	}
	v.List = slices.Clone(v.List)
	switch {
	case keep && had:
		v.List[step.Index] = old
	case keep:
		v.List = append(v.List, old)
	case had:
		v.List = slices.Delete(v.List, step.Index, step.Index+1)
	}
	return v, nil
}

func errPath() error {
	return fmt.Errorf("The document path provided in the update expression is invalid for update") //nolint:staticcheck,perfsprint // AWS's words
}

// Project returns what paths lead to in item, in its place; elements of lists
// move together.
func Project(item attr.Item, paths []Path) attr.Item {
	out := project(attr.Value{Kind: attr.Map, Map: item}, paths)
	if out.Map == nil {
		return attr.Item{}
	}
	return out.Map
}

func project(v attr.Value, paths []Path) attr.Value {
	out := attr.Value{Kind: v.Kind}
	if v.Kind == attr.Map {
		out.Map = attr.Item{}
	}
	groups := map[Step][]Path{}
	whole := map[Step]bool{}
	for _, p := range paths {
		if len(p) == 1 {
			whole[p[0]] = true
		}
		groups[p[0]] = append(groups[p[0]], p[1:])
	}
	steps := slices.SortedFunc(maps.Keys(groups), func(a, b Step) int { return a.Index - b.Index })
	for _, s := range steps {
		next, ok := s.of(v)
		if !ok {
			continue
		}
		if !whole[s] {
			if next.Kind != attr.Map && next.Kind != attr.List {
				continue
			}
			next = project(next, groups[s])
			if len(next.Map)+len(next.List) == 0 {
				continue
			}
		}
		if s.Name != "" {
			out.Map[s.Name] = next
		} else {
			out.List = append(out.List, next)
		}
	}
	return out
}

// overlap returns two of the paths of which one leads into the other.
func overlap(paths []Path) (a, b Path, found bool) {
	for i, p := range paths {
		for _, q := range paths[:i] {
			n := min(len(p), len(q))
			if slices.Equal(p[:n], q[:n]) {
				return q, p, true
			}
		}
	}
	return nil, nil, false
}

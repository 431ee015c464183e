package keysfile

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong with the files.
type Problem struct {
	At   Position `json:"at"`
	What string   `json:"what"`           // what is wrong
	Hint string   `json:"hint,omitempty"` // what to do about it
}

// String returns the problem in one line: file:line:column: what: what to do.
func (p Problem) String() string {
	s := p.What
	if at := p.At.String(); at != "" {
		s = at + ": " + s
	}
	if p.Hint != "" {
		s += ": " + p.Hint
	}
	return s
}

// String returns file:line:column, as far as they are known.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
}

// Error is everything that is wrong with the files, in their order.
type Error struct {
	Problems []Problem `json:"problems"`
}

// Error returns one line per problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// enough problems for one reading; a file of garbage has no end of them.
const enough = 1000

// problems collects what is wrong, and knows where every value is written.
type problems struct {
	list []Problem
	at   map[string]Position // by path, such as keys[0].grace.min
	bad  map[string]bool     // paths whose value could not be read
	main Position            // for what is nowhere

	broken bool // a file is not YAML, so there is no whole to judge
}

// add tells of something at a path. It says nothing if the value there, or what
// it is in, could not be read: that has been told.
func (ps *problems) add(path, what, hint string) {
	if ps.reported(path) {
		return
	}
	ps.put(ps.where(path), what, hint)
}

// unreadable is add, for a value that the rules must not look at again.
func (ps *problems) unreadable(path, what, hint string) {
	ps.add(path, what, hint)
	ps.bad[path] = true
}

func (ps *problems) put(at Position, what, hint string) {
	ps.list = append(ps.list, Problem{At: at, What: what, Hint: hint})
}

func (ps *problems) reported(path string) bool {
	for ; path != ""; path = parent(path) {
		if ps.bad[path] {
			return true
		}
	}
	return false
}

// where finds the position of a path, or of the nearest thing around it.
func (ps *problems) where(path string) Position {
	for ; path != ""; path = parent(path) {
		if at, ok := ps.at[path]; ok {
			return at
		}
	}
	return ps.main
}

// has reports whether a value is written at the path.
func (ps *problems) has(path string) bool {
	_, ok := ps.at[path]
	return ok
}

// err returns the problems sorted by position, each once; nil if there is none.
func (ps *problems) err() error {
	if len(ps.list) == 0 {
		return nil
	}
	slices.SortStableFunc(ps.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.At.File, b.At.File), cmp.Compare(a.At.Line, b.At.Line), cmp.Compare(a.At.Column, b.At.Column))
	})
	seen := map[Problem]bool{}
	list := slices.DeleteFunc(ps.list, func(p Problem) bool {
		twice := seen[p]
		seen[p] = true
		return twice
	})
	if len(list) > enough {
		more := Problem{What: fmt.Sprintf("%d problems more", len(list)-enough), Hint: "mend these first"}
		list = append(list[:enough:enough], more)
	}
	return &Error{Problems: list}
}

// parent cuts the last part off a path. A dot inside a quoted name cuts it in
// places that are no path, which are looked up in vain.
func parent(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func entry(path, name string) string { return path + "[" + strconv.Quote(name) + "]" }

func item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// suggest says which of known was probably meant.
func suggest(name string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(known) == 0:
		return "there is none"
	case len(known) > 30:
		return fmt.Sprintf("it is none of the %d that are known", len(known))
	}
	return "known are " + strings.Join(known, ", ")
}

// distance is Levenshtein's, cut short where the lengths alone differ by more
// than a typing mistake.
func distance(a, b string) int {
	if len(a)-len(b) > 2 || len(b)-len(a) > 2 {
		return 3
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

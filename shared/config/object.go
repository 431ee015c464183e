package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Path string // where: `keys["prod/x"].grace.min`; "" is the file as a whole
	What string // what is wrong
	Hint string // what to do about it
}

// String returns the problem in one line.
func (p Problem) String() string {
	s := p.What
	if p.Path != "" {
		s = p.Path + ": " + s
	}
	if p.Hint != "" {
		s += ": " + p.Hint
	}
	return s
}

// Error is everything that is wrong with a configuration.
type Error struct{ Problems []Problem }

// Error returns one line per problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// ErrorType is what an alarm matches.
func (*Error) ErrorType() string { return "ConfigInvalid" }

// problems collects; its methods return whether what they looked at is usable.
type problems []Problem

func (ps *problems) add(path, what, hint string) {
	*ps = append(*ps, Problem{Path: path, What: what, Hint: hint})
}

// member is one name and value of a JSON object.
type member struct {
	name string
	raw  json.RawMessage
}

var errTwice = errors.New("given twice")

// members reads a JSON object in the file's order. encoding/json alone would
// silently take the last of two members with one name.
func members(raw []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not an object")
	}
	var out []member
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		m := member{name: fmt.Sprint(t)}
		if err := dec.Decode(&m.raw); err != nil {
			return nil, err
		}
		if seen[m.name] {
			return nil, fmt.Errorf("%q is %w", m.name, errTwice)
		}
		seen[m.name] = true
		out = append(out, m)
	}
	return out, nil
}

// object returns raw's members.
func (ps *problems) object(path string, raw json.RawMessage) []member {
	ms, err := members(raw)
	switch {
	case errors.Is(err, errTwice):
		ps.add(path, err.Error(), "keep one of the two")
	case err != nil:
		ps.add(path, "not an object", `write {"name": value, ...}`)
	}
	return ms
}

// fields returns raw's members by name, and reports those that are not known.
func (ps *problems) fields(path string, raw json.RawMessage, known ...string) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for _, m := range ps.object(path, raw) {
		out[m.name] = m.raw
		if !slices.Contains(known, m.name) {
			ps.add(join(path, m.name), "unknown field", suggest(m.name, known))
		}
	}
	return out
}

// into decodes one field; one that is missing or null keeps v as it is.
func (ps *problems) into(path string, raw json.RawMessage, v any, want string) bool {
	if raw == nil {
		return true
	}
	if err := json.Unmarshal(raw, v); err != nil {
		ps.add(path, "not "+want, "write it as "+want)
		return false
	}
	return true
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func entry(path, name string) string { return path + "[" + strconv.Quote(name) + "]" }

// suggest says which of known was probably meant.
func suggest(name string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	if len(known) == 0 {
		return "there is none"
	}
	return "known are " + strings.Join(known, ", ")
}

// distance is Levenshtein's, cut short where the lengths already differ by more
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

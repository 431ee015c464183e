package httpapi

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep an answer may be nested.
const maxDepth = 100

// decodeJSON reads one JSON value in which nothing is said twice.
func decodeJSON(b []byte, out any) error {
	if !unambiguous(b) {
		return errUnexpected
	}
	return json.Unmarshal(b, out)
}

// unambiguous reports whether b is one JSON value in which no object has a
// member twice. Parsers differ in which of two they take, and so may a proxy.
// Case is folded because encoding/json folds it.
func unambiguous(b []byte) bool {
	var open []map[string]bool // nil for a list
	name := false              // a member's name may be next
	if !json.Valid(b) {
		return false
	}
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{':
			open, name = append(open, map[string]bool{}), true
		case '[':
			open, name = append(open, nil), false
		case '}', ']':
			open, name = open[:len(open)-1], false
		case ',':
			name = open[len(open)-1] != nil
		case '"':
			n := text(b[i:])
			if name {
				s := folded(b[i : i+n])
				seen := open[len(open)-1]
				if seen[s] {
					return false
				}
				seen[s] = true
			}
			i, name = i+n-1, false
		}
		if len(open) > maxDepth {
			return false
		}
	}
	return true
}

// text returns how long the string is with which valid JSON begins.
func text(b []byte) int {
	for i := 1; ; i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// folded returns what a quoted name means, in lower case.
func folded(quoted []byte) string {
	s := string(quoted[1 : len(quoted)-1])
	if strings.Contains(s, `\`) || !utf8.ValidString(s) {
		_ = json.Unmarshal(quoted, &s) // it is valid
	}
	return strings.ToLower(s)
}

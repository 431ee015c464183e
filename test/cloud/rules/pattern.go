package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// pattern is an event pattern.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
type pattern map[string]any

func parse(text string) (pattern, error) {
	var p pattern
	if err := json.Unmarshal([]byte(text), &p); err != nil || len(p) == 0 {
		return nil, errors.New("pattern: not an object of JSON with members")
	}
	return p, p.check()
}

// check refuses what matches does not know.
func (p pattern) check() error {
	for name, v := range p {
		switch v := v.(type) {
		case map[string]any:
			if err := pattern(v).check(); err != nil {
				return err
			}
		case []any:
			if err := checkList(name, v); err != nil {
				return err
			}
		default:
			return fmt.Errorf("pattern: %q must be an object or an array", name)
		}
	}
	return nil
}

func checkList(name string, list []any) error {
	for _, v := range list {
		filter, ok := v.(map[string]any)
		switch {
		case name == "$or" && ok:
			if err := pattern(filter).check(); err != nil {
				return err
			}
		case name == "$or", ok && !known(filter):
			return fmt.Errorf("pattern of %s: only prefix, suffix, wildcard, equals-ignore-case, anything-but and exists are known here", name)
		}
	}
	return nil
}

func known(filter map[string]any) bool {
	for operator, v := range filter {
		_, text := v.(string)
		switch operator {
		case "exists":
			_, ok := v.(bool)
			return len(filter) == 1 && ok
		case "prefix", "suffix", "wildcard", "equals-ignore-case":
			return len(filter) == 1 && text
		case "anything-but":
			inner, object := v.(map[string]any)
			return len(filter) == 1 && (!object || inner["exists"] == nil && known(inner))
		}
	}
	return false
}

// matches applies the pattern to an object.
func (p pattern) matches(event map[string]any) bool {
	for name, v := range p {
		value, there := event[name]
		switch v := v.(type) {
		case map[string]any:
			inner, _ := value.(map[string]any)
			if !pattern(v).matches(inner) {
				return false
			}
		case []any:
			if name == "$or" {
				if !slices.ContainsFunc(v, func(one any) bool { return pattern(one.(map[string]any)).matches(event) }) { //nolint:errcheck,forcetypeassert // as check has seen
					return false
				}
				continue
			}
			if !oneOf(v, value, there) {
				return false
			}
		}
	}
	return true
}

func oneOf(accepted []any, value any, there bool) bool {
	values, list := value.([]any)
	if !list {
		values = []any{value}
	}
	for _, a := range accepted {
		filter, _ := a.(map[string]any)
		if want, ok := filter["exists"].(bool); ok {
			if want == there {
				return true
			}
			continue
		}
		if there && slices.ContainsFunc(values, func(v any) bool { return accepts(a, filter, v) }) {
			return true
		}
	}
	return false
}

func accepts(a any, filter map[string]any, v any) bool {
	text, _ := v.(string)
	for operator, want := range filter {
		if not, list := want.([]any); operator == "anything-but" && list {
			return !slices.ContainsFunc(not, func(n any) bool { return equal(n, v) })
		}
		if inner, object := want.(map[string]any); operator == "anything-but" && object {
			return !accepts(want, inner, v)
		}
		word, _ := want.(string)
		switch operator {
		case "anything-but":
			return !equal(want, v)
		case "prefix":
			return strings.HasPrefix(text, word)
		case "suffix":
			return strings.HasSuffix(text, word)
		case "wildcard":
			return wild(word, text)
		case "equals-ignore-case":
			return strings.EqualFold(text, word)
		}
	}
	return equal(a, v)
}

// wild matches a pattern in which * stands for any text.
func wild(with, text string) bool {
	parts := strings.Split(with, "*")
	if len(parts) == 1 {
		return with == text
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

func equal(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

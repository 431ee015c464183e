package sns

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// filter is a parsed filter policy: every attribute must meet one of its
// conditions. A nil filter lets everything pass.
//
// https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
type filter map[string][]condition

// condition reports whether one value of an attribute passes; value is a
// string, a float64, or nil if there is no such attribute.
type condition func(value any) bool

func parseFilter(text string) (filter, error) {
	if text == "" || text == "{}" {
		return nil, nil //nolint:nilnil // no filter
	}
	var policy map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return nil, errors.New("failed to parse JSON")
	}
	out := filter{}
	for name, raw := range policy {
		var conditions []any
		if name == "$or" || json.Unmarshal(raw, &conditions) != nil || len(conditions) == 0 {
			return nil, fmt.Errorf("%q must be an array of conditions", name)
		}
		for _, c := range conditions {
			parsed, err := parseCondition(c)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", name, err)
			}
			out[name] = append(out[name], parsed)
		}
	}
	return out, nil
}

func parseCondition(c any) (condition, error) {
	switch c := c.(type) {
	case string, float64:
		return func(v any) bool { return v == c }, nil
	case map[string]any:
		if len(c) == 1 {
			for name, arg := range c {
				return parseOperator(name, arg)
			}
		}
	}
	return nil, errors.New("a condition is a string, a number or an object with one operator")
}

func parseOperator(name string, arg any) (condition, error) {
	text, isText := arg.(string)
	bad := fmt.Errorf("operator %q with such a value", name)
	switch name {
	case "exists":
		want, ok := arg.(bool)
		if !ok {
			return nil, bad
		}
		return func(v any) bool { return (v != nil) == want }, nil
	case "prefix", "suffix", "equals-ignore-case":
		if !isText {
			return nil, bad
		}
		test := map[string]func(string, string) bool{"prefix": strings.HasPrefix, "suffix": strings.HasSuffix, "equals-ignore-case": strings.EqualFold}[name]
		return func(v any) bool { s, ok := v.(string); return ok && test(s, text) }, nil
	case "anything-but":
		not, err := parseExceptions(arg)
		if err != nil {
			return nil, bad
		}
		return func(v any) bool {
			return v != nil && !slices.ContainsFunc(not, func(c condition) bool { return c(v) })
		}, nil
	case "numeric":
		return parseNumeric(arg)
	default:
		return nil, fmt.Errorf("unknown operator %q", name)
	}
}

func parseExceptions(arg any) ([]condition, error) {
	list, ok := arg.([]any)
	if !ok {
		list = []any{arg}
	}
	var out []condition
	for _, e := range list {
		c, err := parseCondition(e)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func parseNumeric(arg any) (condition, error) {
	bad := errors.New(`"numeric" wants one or two pairs of an operator and a number`)
	list, ok := arg.([]any)
	if !ok || len(list) != 2 && len(list) != 4 {
		return nil, bad
	}
	var all []func(float64) bool
	for i := 0; i < len(list); i += 2 {
		limit, ok := list[i+1].(float64)
		if !ok {
			return nil, bad
		}
		switch list[i] {
		case "=":
			all = append(all, func(v float64) bool { return v == limit })
		case "<":
			all = append(all, func(v float64) bool { return v < limit })
		case "<=":
			all = append(all, func(v float64) bool { return v <= limit })
		case ">":
			all = append(all, func(v float64) bool { return v > limit })
		case ">=":
			all = append(all, func(v float64) bool { return v >= limit })
		default:
			return nil, bad
		}
	}
	return func(v any) bool {
		n, ok := v.(float64)
		return ok && !slices.ContainsFunc(all, func(f func(float64) bool) bool { return !f(n) })
	}, nil
}

func (f filter) match(attributes map[string]Attribute) bool {
	for name, conditions := range f {
		passes := slices.ContainsFunc(conditions, func(c condition) bool {
			return slices.ContainsFunc(attributes[name].values(), c)
		})
		if !passes {
			return false
		}
	}
	return true
}

// values are what conditions are tried on: the elements of an array, one value,
// or nil for no attribute. A Binary matches only "exists".
func (a Attribute) values() []any {
	switch {
	case a.Type == "":
		return []any{nil}
	case a.Type == "String.Array":
		var list []any
		if json.Unmarshal([]byte(a.Value), &list) == nil && len(list) > 0 {
			return list
		}
		return []any{[0]int{}}
	case strings.HasPrefix(a.Type, "Number"):
		if n, err := strconv.ParseFloat(a.Value, 64); err == nil {
			return []any{n}
		}
	case strings.HasPrefix(a.Type, "String"):
		return []any{a.Value}
	}
	return []any{[0]int{}}
}

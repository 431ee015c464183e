package iam

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// operator is a condition operator without its prefix, suffix and negation.
type operator struct {
	name    string // for errors
	negated bool
	pattern bool // values may have variables and are patterns
	// match compares a value of the request with a value of the policy. An error
	// means that the policy's value is not of the operator's type.
	match func(value, policy string, g glob) (bool, error)
}

// operators holds every operator of
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
// but Null, which looks at no value.
//
//nolint:gochecknoglobals // a table
var operators = sync.OnceValue(func() map[string]operator {
	ops := map[string]operator{
		"Bool":         {match: matchBool},
		"IpAddress":    {match: matchIP},
		"NotIpAddress": {match: matchIP, negated: true},
		"BinaryEquals": {match: matchBinary},
	}
	text := func(name string, match func(value, policy string, g glob) (bool, error)) {
		ops["String"+name] = operator{match: match, pattern: true}
		ops["StringNot"+name] = operator{match: match, pattern: true, negated: true}
	}
	text("Equals", func(value, _ string, g glob) (bool, error) { return string(g) == value, nil })
	text("EqualsIgnoreCase", func(value, _ string, g glob) (bool, error) { return strings.EqualFold(string(g), value), nil })
	text("Like", func(value, _ string, g glob) (bool, error) { return g.match(value), nil })
	for _, name := range []string{"Equals", "Like"} {
		match := func(value, _ string, g glob) (bool, error) { return g.matchARN(value) }
		ops["Arn"+name] = operator{match: match, pattern: true}
		ops["ArnNot"+name] = operator{match: match, pattern: true, negated: true}
	}
	for name, holds := range map[string]func(int) bool{
		"Equals":            func(c int) bool { return c == 0 },
		"LessThan":          func(c int) bool { return c < 0 },
		"LessThanEquals":    func(c int) bool { return c <= 0 },
		"GreaterThan":       func(c int) bool { return c > 0 },
		"GreaterThanEquals": func(c int) bool { return c >= 0 },
	} {
		ops["Numeric"+name] = operator{match: ordered(number, holds)}
		ops["Date"+name] = operator{match: ordered(date, holds)}
	}
	for _, kind := range []string{"Numeric", "Date"} {
		ops[kind+"NotEquals"] = operator{match: ops[kind+"Equals"].match, negated: true}
	}
	return ops
})

// conditions says whether all conditions of a statement hold.
func (e *evaluation) conditions(c Conditions) (tri, error) {
	all := yes
	for name, keys := range c {
		for key, values := range keys {
			t, err := e.condition(name, key, values)
			if err != nil {
				return no, fmt.Errorf("condition %s of %s: %w", name, key, err)
			}
			all = all.and(t)
		}
	}
	return all, nil
}

func (e *evaluation) condition(name, key string, policy Strings) (tri, error) {
	set, name := setPrefix(name)
	base, ifExists := strings.CutSuffix(name, "IfExists")
	values, present := e.key(key)
	if base == "Null" {
		if set != "" || ifExists {
			return no, errors.New("null has no prefix and no IfExists")
		}
		return null(policy, present)
	}
	op, ok := e.operators[base]
	if !ok {
		return no, errors.New("operator is not supported")
	}
	op.name = base
	// ForAllValues holds for a missing key by itself. What ForAnyValue does then with
	// IfExists, no page says.
	if set == anyValue && ifExists && !present.isYes() {
		return no, fmt.Errorf("%s with IfExists, where the key is missing, is not supported", set)
	}
	if set != "" && len(values) == 1 && values[0] == "" {
		values = nil // an empty string is no value
	}
	matches := func(value string) (tri, error) { return e.matchAny(op, value, policy) }
	if len(values) == 0 { // compare all the same: a value that is none is an error
		if _, err := matches("0"); err != nil {
			return no, err
		}
	}
	switch {
	case present.isMaybe():
		return e.alsoVariables(op, present, policy)
	case set == allValues:
		return every(values, matches)
	case set == anyValue:
		return some(values, matches)
	case present.isNo():
		// A missing key: negated operators hold, the others do not.
		return known(op.negated || ifExists), nil
	case len(values) != 1:
		return no, fmt.Errorf("the request has %d values of the key: use ForAnyValue or ForAllValues", len(values))
	}
	return matches(values[0])
}

// alsoVariables adds the unknown keys that the policy's values hang on to those of an
// answer that is not known anyway.
func (e *evaluation) alsoVariables(op operator, t tri, policy Strings) (tri, error) {
	for _, p := range policy {
		if !op.pattern {
			break
		}
		_, exists, err := e.expand(p, false)
		if err != nil {
			return no, err
		}
		if exists.isMaybe() {
			t = t.also(exists)
		}
	}
	return t, nil
}

// matchAny says whether the value matches one of the policy's, or, negated,
// none of them.
func (e *evaluation) matchAny(op operator, value string, policy Strings) (tri, error) {
	found := no
	for _, p := range policy {
		var g glob
		exists := yes
		if op.pattern {
			wildcards := strings.HasSuffix(op.name, "Like") || strings.HasPrefix(op.name, "Arn")
			var err error
			if g, exists, err = e.expand(p, wildcards); err != nil {
				return no, err
			}
		}
		if !exists.isYes() {
			found = found.or(exists)
			continue
		}
		ok, err := op.match(value, p, g)
		if err != nil {
			return no, fmt.Errorf("%q %w", p, err)
		}
		found = found.or(known(ok))
	}
	if op.negated {
		return found.not(), nil
	}
	return found, nil
}

// The set operators.
const (
	allValues = "ForAllValues"
	anyValue  = "ForAnyValue"
)

func setPrefix(name string) (set, rest string) {
	for _, set := range []string{allValues, anyValue} {
		if rest, ok := strings.CutPrefix(name, set+":"); ok {
			return set, rest
		}
	}
	return "", name
}

// every holds for no value at all; some does not.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
func every(values []string, matches func(string) (tri, error)) (tri, error) {
	all := yes
	for _, v := range values {
		t, err := matches(v)
		if err != nil {
			return no, err
		}
		all = all.and(t)
	}
	return all, nil
}

func some(values []string, matches func(string) (tri, error)) (tri, error) {
	found := no
	for _, v := range values {
		t, err := matches(v)
		if err != nil {
			return no, err
		}
		found = found.or(t)
	}
	return found, nil
}

func null(policy Strings, present tri) (tri, error) {
	if len(policy) != 1 || !slices.Contains([]string{"true", "false"}, strings.ToLower(policy[0])) {
		return no, errors.New("must be true or false")
	}
	if strings.EqualFold(policy[0], "true") {
		return present.not(), nil
	}
	return present, nil
}

func matchBool(value, policy string, _ glob) (bool, error) {
	if !strings.EqualFold(policy, "true") && !strings.EqualFold(policy, "false") {
		return false, errors.New("is neither true nor false")
	}
	return strings.EqualFold(value, policy), nil
}

// matchBinary compares base64, as the bytes it stands for.
func matchBinary(value, policy string, _ glob) (bool, error) {
	want, err := base64.StdEncoding.DecodeString(policy)
	if err != nil {
		return false, errors.New("is not base64")
	}
	got, err := base64.StdEncoding.DecodeString(value)
	return err == nil && bytes.Equal(got, want), nil
}

func matchIP(value, policy string, _ glob) (bool, error) {
	prefix, err := netip.ParsePrefix(policy)
	if err != nil {
		addr, err := netip.ParseAddr(policy)
		if err != nil {
			return false, errors.New("is not an IP address or CIDR")
		}
		prefix = netip.PrefixFrom(addr, addr.BitLen())
	}
	addr, err := netip.ParseAddr(value)
	return err == nil && prefix.Masked().Contains(addr), nil
}

func ordered(read func(string) (float64, bool), holds func(int) bool) func(value, policy string, _ glob) (bool, error) {
	return func(value, policy string, _ glob) (bool, error) {
		want, ok := read(policy)
		if !ok {
			return false, errors.New("is not of the operator's type")
		}
		got, ok := read(value)
		switch {
		case !ok:
			return false, nil
		case got < want:
			return holds(-1), nil
		case got > want:
			return holds(1), nil
		}
		return holds(0), nil
	}
}

func number(s string) (float64, bool) {
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && f == f
}

// date reads the forms of https://www.w3.org/TR/NOTE-datetime that have a day,
// and seconds since 1970.
func date(s string) (float64, bool) {
	if f, ok := number(s); ok && len(s) > 4 {
		return f, true
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return float64(t.UnixNano()) / 1e9, true
		}
	}
	return 0, false
}

package iam

import (
	"errors"
	"fmt"
	"strings"
)

// Wildcards in a glob. They are not runes, so no literal can be one.
const (
	anyRun rune = -1 // *
	anyOne rune = -2 // ?
)

// glob is a pattern: literal runes, and wildcards.
type glob []rune

// newGlob reads wildcards; without them every rune is literal.
func newGlob(pattern string, wildcards bool) glob {
	g := make(glob, 0, len(pattern))
	for _, r := range pattern {
		switch {
		case r == '*' && wildcards:
			g = append(g, anyRun)
		case r == '?' && wildcards:
			g = append(g, anyOne)
		default:
			g = append(g, r)
		}
	}
	return g
}

// match compares in time that is at most the product of the two lengths.
func (g glob) match(s string) bool {
	if len(g) == 1 && g[0] == anyRun {
		return true
	}
	text := []rune(s)
	p, t, star, back := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(g) && g[p] == anyRun:
			star, back = p, t
			p++
		case p < len(g) && (g[p] == anyOne || g[p] == text[t]):
			p, t = p+1, t+1
		case star >= 0:
			back++
			p, t = star+1, back
		default:
			return false
		}
	}
	for p < len(g) && g[p] == anyRun {
		p++
	}
	return p == len(g)
}

// literal says whether there is no wildcard, and counts the colons.
func (g glob) literal() (literal bool, colons int) {
	literal = true
	for _, r := range g {
		switch r {
		case anyRun, anyOne:
			literal = false
		case ':':
			colons++
		}
	}
	return literal, colons
}

// split cuts at the first n-1 literal colons.
func (g glob) split(n int) []glob {
	var parts []glob
	for start := 0; ; {
		end := start
		for end < len(g) && g[end] != ':' {
			end++
		}
		if end == len(g) || len(parts) == n-1 {
			return append(parts, g[start:])
		}
		parts = append(parts, g[start:end])
		start = end + 1
	}
}

// matchARN compares the six parts one by one, as the ARN operators do.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
func (g glob) matchARN(s string) (bool, error) {
	if literal, colons := g.literal(); colons < 5 {
		return false, errors.New("is not an ARN")
	} else if literal {
		return string(g) == s, nil
	}
	parts := g.split(6)
	value := strings.SplitN(s, ":", 6)
	if len(value) != 6 {
		return false, nil
	}
	for i, part := range parts {
		if !part.match(value[i]) {
			return false, nil
		}
	}
	return true, nil
}

// matchResource compares as the Resource element does: a * that ends one of the first
// five parts may run on beyond the colon.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func (g glob) matchResource(s string) (bool, error) {
	if ok, err := g.matchARN(s); ok || err != nil || !g.match(s) {
		return ok, err
	}
	text := []rune(s)
	// reach[t] is whether what was looked at of the pattern matches text[:t].
	reach := make([]bool, len(text)+1)
	reach[0] = true
	colons := 0
	for p, r := range g {
		if r == ':' {
			colons++
		}
		inside := colons < 5 // a wildcard stays in its part, but for a * that ends it
		if r == anyRun {
			reach = run(reach, text, !inside || p+1 == len(g) || g[p+1] == ':')
		} else {
			reach = step(reach, text, r, inside)
		}
	}
	return reach[len(text)], nil
}

// run moves on by any number of runes: colons only if it crosses.
func run(reach []bool, text []rune, crosses bool) []bool {
	next := make([]bool, len(reach))
	for t, is := range reach {
		next[t] = is || t > 0 && next[t-1] && (crosses || text[t-1] != ':')
	}
	return next
}

// step moves on by the rune r, or by any: by no colon if it has to stay inside.
func step(reach []bool, text []rune, r rune, inside bool) []bool {
	next := make([]bool, len(reach))
	for t, c := range text {
		next[t+1] = reach[t] && (r == c || r == anyOne && (!inside || c != ':'))
	}
	return next
}

// expand reads a pattern with its policy variables. What a variable stands for
// is literal. Documents of 2008-10-17 have no variables: there "${" is text.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
//
// The answer is no if the request lacks the key and the variable has no default,
// as in ${key, 'default'}: the pattern matches nothing.
func (e *evaluation) expand(pattern string, wildcards bool) (glob, tri, error) {
	if !e.variables || !strings.Contains(pattern, "${") {
		return newGlob(pattern, wildcards), yes, nil
	}
	var g glob
	answer := yes
	for rest := pattern; rest != ""; {
		text, after, found := strings.Cut(rest, "${")
		g = append(g, newGlob(text, wildcards)...)
		if !found {
			break
		}
		name, end, closed := strings.Cut(after, "}")
		if !closed {
			return nil, no, fmt.Errorf("%q has a variable without an end", pattern)
		}
		value, t, err := e.variable(name)
		if err != nil {
			return nil, no, fmt.Errorf("%q: %w", pattern, err)
		}
		answer = answer.and(t)
		g = append(g, newGlob(value, false)...)
		rest = end
	}
	return g, answer, nil
}

func (e *evaluation) variable(name string) (string, tri, error) {
	if name == "*" || name == "?" || name == "$" {
		return name, yes, nil
	}
	name, instead, withDefault := strings.Cut(name, ",")
	instead, ok := unquote(instead)
	if withDefault && !ok {
		return "", no, errors.New("a variable's default is in single quotes")
	}
	values, t := e.key(strings.TrimSpace(name))
	if t.isNo() && withDefault {
		return instead, yes, nil
	}
	if t.isYes() && len(values) != 1 {
		return "", no, fmt.Errorf("variable %s has %d values", name, len(values))
	}
	if !t.isYes() {
		return "", t, nil
	}
	return values[0], yes, nil
}

// unquote reads what stands in single quotes.
func unquote(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if len(s) < 2 || s[0] != '\'' || s[len(s)-1] != '\'' {
		return "", false
	}
	return s[1 : len(s)-1], true
}

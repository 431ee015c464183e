package review

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
)

// index answers for all principals of a secret at once: principals that no policy
// tells apart are asked about once.
type index struct {
	in      *Input
	actors  []actor
	groups  []group
	byLower map[string][]int // by ARN in lower case, for operators may ignore it
	control traits           // of the service control policies
	split   map[string][][]int
	parser  *parser
	taken   map[string][]string // by trust policy
}

func newIndex(in *Input, c *parser) *index {
	x := &index{in: in, byLower: map[string][]int{}, split: map[string][][]int{}, parser: c, taken: map[string][]string{}}
	for i, p := range in.Principals {
		x.actors = append(x.actors, c.actor(p))
		lower := strings.ToLower(p.ARN)
		x.byLower[lower] = append(x.byLower[lower], i)
	}
	x.groups = groups(in, c, x.actors)
	for _, level := range in.ServiceControl {
		for _, p := range level {
			text, err := p.Document.Text()
			t := traitsOf(p.Document, text)
			x.control.dependent = x.control.dependent || t.dependent || err != nil
			x.control.patterns = append(x.control.patterns, t.patterns...)
		}
	}
	return x
}

// readers gives found every principal that may read, or of which it is unknown.
func (x *index) readers(t *target, found func(principal int, a answer)) {
	q := question{target: t, dependent: x.control.dependent, skip: t.err() == nil && t.unread == "", named: map[int]bool{}}
	names, patterns := []string{}, slices.Clone(x.control.patterns)
	for _, d := range []*doc{t.resource, t.key} {
		if d != nil {
			names = append(names, d.traits.names...)
			patterns = append(patterns, d.traits.patterns...)
			q.dependent = q.dependent || d.traits.dependent
		}
	}
	if r := t.resource; r != nil {
		q.skip = q.skip && !r.traits.open && !reads(r.policy.Document) && x.understood(t)
	}
	for _, p := range append(names, patterns...) {
		for _, i := range x.byLower[strings.ToLower(p)] {
			q.named[i] = true
		}
	}
	q.wild = slices.DeleteFunc(patterns, func(p string) bool { return !strings.ContainsAny(p, "*?") })
	slices.Sort(q.wild)
	q.wild = slices.Compact(q.wild)
	for _, i := range slices.Sorted(maps.Keys(q.named)) {
		if a := plain(x.in, &x.actors[i], t); a.can != "" {
			found(i, a)
		}
	}
	for g := range x.groups {
		x.group(g, q, found)
	}
}

// question is a secret, and what its policies tell principals apart by.
type question struct {
	target    *target
	named     map[int]bool
	wild      []string
	dependent bool
	skip      bool // who has no right of his own and is not named may not read
}

func (x *index) group(g int, q question, found func(int, answer)) {
	of := &x.groups[g]
	if q.skip && of.may && !slices.ContainsFunc(of.allows, func(a allowance) bool { return a.reaches(q.target.secret.ARN) }) {
		if !q.dependent || q.target.resource == nil {
			return
		}
	}
	for _, class := range x.classes(g, q) {
		x.class(class, q, found)
	}
}

// class asks about one of those that nothing tells apart, named ones aside.
func (x *index) class(members []int, q question, found func(int, answer)) {
	var got answer
	asked := false
	for _, i := range members {
		if q.named[i] {
			continue
		}
		if !asked {
			got, asked = plain(x.in, &x.actors[i], q.target), true
		}
		if got.can == "" {
			return
		}
		found(i, got)
	}
}

// classes are the group's members that the secret's policies do not tell apart,
// named ones aside.
func (x *index) classes(g int, q question) [][]int {
	members := x.groups[g].members
	if len(members) == 1 {
		return [][]int{members}
	}
	key := strconv.Itoa(g) + "\x00" + strings.Join(q.wild, "\x00")
	if q.dependent {
		key = strconv.Itoa(g) + "\x00" + "\x00\x00alone"
	}
	if out, ok := x.split[key]; ok {
		return out
	}
	by := map[string]int{}
	var out [][]int
	for _, i := range members {
		sign := make([]byte, 0, 2*len(q.wild))
		for _, p := range q.wild {
			arn := x.actors[i].arn
			sign = append(sign, bit(like(p, arn)), bit(like(strings.ToLower(p), strings.ToLower(arn))))
		}
		at, ok := by[string(sign)]
		if !ok || q.dependent {
			at = len(out)
			by[string(sign)] = at
			out = append(out, nil)
		}
		out[at] = append(out[at], i)
	}
	x.split[key] = out
	return out
}

func bit(b bool) byte {
	if b {
		return '1'
	}
	return '0'
}

// like is whether the pattern with * and ? matches all of s.
func like(pattern, s string) bool {
	star, mark, p, i := -1, 0, 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// understood is whether the evaluator understands all of the secret's policy.
func (x *index) understood(t *target) bool {
	root := iam.NewRoot(x.in.Partition, x.in.Account)
	r := iam.Request{Principal: root, Action: reading, Resource: t.secret.ARN, Context: t.context}
	_, err := iam.Evaluate(r, iam.Policies{Resource: &t.resource.policy})
	return err == nil
}

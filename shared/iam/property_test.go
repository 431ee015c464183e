package iam_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/shared/iam"
)

// world is what requests and policies are drawn from: few names, so that they meet.
type world struct{ *rand.Rand }

func pick[T any](w world, of ...T) T { return of[w.IntN(len(of))] }

func (w world) condition() iam.Conditions {
	c := iam.Conditions{}
	for range w.IntN(3) {
		operator := pick(w, "StringEquals", "StringNotEquals", "StringEqualsIfExists", "StringLike", "StringNotLike", "Null", "ForAnyValue:StringEquals",
			"ForAnyValue:StringNotEquals", "ForAllValues:StringEquals", "ForAllValues:StringNotEquals", "Bool", "BoolIfExists")
		values := iam.Strings{pick(w, "x", "y", "${k:b}", "${k:b, 'x'}")}
		switch operator {
		case "Null", "Bool", "BoolIfExists":
			values = iam.Strings{pick(w, "true", "false")}
		}
		c[operator] = map[string]iam.Strings{pick(w, "k:a", "k:b", "k:c"): values}
	}
	return c
}

func (w world) statement(principals bool) iam.Statement {
	s := iam.Statement{Effect: pick(w, iam.Allow, iam.Allow, iam.Deny), Condition: w.condition()}
	actions, resources := iam.Strings{pick(w, "*", "s:*", "s:a", "s:b")}, iam.Strings{pick(w, "*", "arn:aws:s:::x", "arn:aws:s:::y", "arn:aws:s:::${k:a}")}
	if w.IntN(5) == 0 {
		s.NotAction = actions
	} else {
		s.Action = actions
	}
	if w.IntN(5) == 0 {
		s.NotResource = resources
	} else {
		s.Resource = resources
	}
	if principals {
		s.Principal = pick(w, &iam.Principals{Everyone: true}, &iam.Principals{AWS: iam.Strings{role}}, &iam.Principals{AWS: iam.Strings{user, otherRole}},
			&iam.Principals{AWS: iam.Strings{"111122223333"}}, &iam.Principals{AWS: iam.Strings{"444455556666"}})
		if s.Effect == iam.Deny && w.IntN(4) == 0 {
			s.Principal, s.NotPrincipal = nil, s.Principal
		}
	}
	return s
}

func (w world) policy(name string, principals bool) iam.Policy {
	d := iam.Document{Version: iam.Version}
	for range 1 + w.IntN(3) {
		d.Statement = append(d.Statement, w.statement(principals))
	}
	return iam.Policy{Name: name, Document: d}
}

func (w world) policies() iam.Policies {
	var p iam.Policies
	for range w.IntN(3) {
		p.Identity = append(p.Identity, w.policy("identity", false))
	}
	if w.IntN(2) == 0 {
		p.Resource = new(w.policy("resource", true))
	}
	if w.IntN(4) == 0 {
		p.Boundary = new(w.policy("boundary", false))
	}
	if w.IntN(4) == 0 {
		p.ServiceControl = [][]iam.Policy{{w.policy("control", false)}}
	}
	return p
}

func (w world) request() iam.Request {
	return iam.Request{
		Principal: pick(w, iam.NewUser(user), iam.NewSession(role, "run"), iam.NewSession(otherRole, "run"), iam.NewRoot("aws", "111122223333")),
		Action:    pick(w, "s:a", "s:b"), Resource: pick(w, "arn:aws:s:::x", "arn:aws:s:::y"), Account: "111122223333",
	}
}

func effect(t *testing.T, r iam.Request, p iam.Policies) iam.Decision {
	t.Helper()
	d, err := iam.Evaluate(r, p)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// properties runs a check on many draws, each from a seed of its own.
func properties(t *testing.T, check func(t *testing.T, w world, r iam.Request, p iam.Policies)) {
	t.Helper()
	for seed := range uint64(1500) {
		w := world{rand.New(rand.NewPCG(seed, 7))}
		check(t, w, w.request(), w.policies())
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestUnknownKeysNeverDecide: what is decided while keys are unknown is so whatever
// they turn out to be, and only keys that are named make a difference.
func TestUnknownKeysNeverDecide(t *testing.T) {
	t.Parallel()
	properties(t, func(t *testing.T, _ world, r iam.Request, p iam.Policies) {
		open := effect(t, r, p)
		byNamed := map[string]iam.Effect{}
		for _, a := range []string{"", "x", "y", "true", "false"} {
			for _, b := range []string{"", "x", "true"} {
				for _, c := range []string{"", "y", "false"} {
					full := r
					var values []string
					full.Context = map[string][]string{}
					for key, value := range map[string]string{"k:a": a, "k:b": b, "k:c": c} {
						if value == "" {
							full.Absent = append(slices.Clone(full.Absent), key)
						} else {
							full.Context[key] = []string{value}
						}
					}
					for _, key := range open.If {
						values = append(values, fmt.Sprint(key, full.Context[key]))
					}
					named, got := strings.Join(values, ";"), effect(t, full, p)
					if slices.Contains(open.If, "NotPrincipal") || slices.Contains(got.If, "NotPrincipal") {
						return // not for a key to say
					}
					if got.Effect == iam.AllowedIf || open.Effect != iam.AllowedIf && got.Effect != open.Effect {
						t.Errorf("%s with unknown keys, %s with %v", open, got, full.Context)
					}
					if before, seen := byNamed[named]; seen && before != got.Effect {
						t.Errorf("%s: another key than those makes a difference: %v", open, full.Context)
					}
					byNamed[named] = got.Effect
				}
			}
		}
	})
}

// TestDenyNeverWidens and TestAllowNeverNarrows: a statement more, in any policy.
func TestDenyNeverWidens(t *testing.T) {
	t.Parallel()
	properties(t, func(t *testing.T, w world, r iam.Request, p iam.Policies) {
		more := w.add(p, iam.Deny)
		if before, after := effect(t, r, p), effect(t, r, more); after.Effect > before.Effect {
			t.Errorf("%s, and with a Deny more %s", before, after)
		}
	})
}

func TestAllowNeverNarrows(t *testing.T) {
	t.Parallel()
	properties(t, func(t *testing.T, w world, r iam.Request, p iam.Policies) {
		more := w.add(p, iam.Allow)
		if before, after := effect(t, r, p), effect(t, r, more); after.Effect < before.Effect {
			t.Errorf("%s, and with an Allow more %s", before, after)
		}
	})
}

// add puts a statement into one of the policies that there are.
func (w world) add(p iam.Policies, effect string) iam.Policies {
	p.Identity = slices.Clone(p.Identity)
	into := func(at *iam.Policy, principals bool) *iam.Policy {
		s := w.statement(principals)
		s.Effect = effect
		if s.NotPrincipal != nil && effect == iam.Allow {
			s.Principal, s.NotPrincipal = s.NotPrincipal, nil
		}
		d := at.Document.Clone()
		d.Statement = append(d.Statement, s)
		return &iam.Policy{Name: at.Name, Document: d}
	}
	switch {
	case p.Resource != nil && w.IntN(2) == 0:
		p.Resource = into(p.Resource, true)
	case p.Boundary != nil && w.IntN(2) == 0:
		p.Boundary = into(p.Boundary, false)
	case len(p.Identity) > 0:
		p.Identity[0] = *into(&p.Identity[0], false)
	}
	return p
}

// TestOrderDoesNotMatter: of statements, and of policies.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	properties(t, func(t *testing.T, _ world, r iam.Request, p iam.Policies) {
		before := effect(t, r, p)
		turned := p
		turned.Identity = slices.Clone(p.Identity)
		slices.Reverse(turned.Identity)
		for i := range turned.Identity {
			turned.Identity[i].Document = reversed(turned.Identity[i].Document)
		}
		for _, at := range []**iam.Policy{&turned.Resource, &turned.Boundary} {
			if *at != nil {
				*at = &iam.Policy{Name: (*at).Name, Document: reversed((*at).Document)}
			}
		}
		if after := effect(t, r, turned); after.Effect != before.Effect || !slices.Equal(after.If, before.If) {
			t.Errorf("%s, and in another order %s", before, after)
		}
	})
}

func reversed(d iam.Document) iam.Document {
	d = d.Clone()
	slices.Reverse(d.Statement)
	return d
}

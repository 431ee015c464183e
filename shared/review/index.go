package review

import (
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
)

// traits are what of a document depends on who asks.
type traits struct {
	names     []string // ARNs of principals, literally
	patterns  []string // of aws:PrincipalArn, with wildcards
	sessions  []string // ARNs of sessions
	dependent bool     // on other keys of the principal, or by variables
	open      bool     // something is allowed to those that it does not name
}

// parser parses each text once.
type parser struct {
	docs map[[32]byte]*doc
	ids  map[string]string // ARNs by unique id
}

func newParser(in *Input) *parser {
	c := &parser{docs: map[[32]byte]*doc{}, ids: map[string]string{}}
	for _, p := range in.Principals {
		c.ids[p.ID] = p.ARN
	}
	return c
}

func (c *parser) parse(p Policy) *doc {
	sum := sha256.Sum256([]byte(p.Name + "\x00" + p.Text))
	if d, ok := c.docs[sum]; ok {
		return d
	}
	d := &doc{policy: iam.Policy{Name: p.Name}}
	d.policy.Document, d.err = iam.Parse([]byte(p.Text))
	c.living(&d.policy.Document)
	d.traits = traitsOf(d.policy.Document, p.Text)
	c.docs[sum] = d
	return d
}

func traitsOf(document iam.Document, text string) traits {
	// A variable, or any way to spell one in JSON.
	t := traits{dependent: strings.Contains(text, "${") || strings.Contains(text, `\u`)}
	for _, s := range document.Statement {
		t.open = t.open || s.NotPrincipal != nil
		if s.Principal != nil {
			t.principals(s.Effect, s.Principal)
		}
		for _, keys := range s.Condition {
			for key, values := range keys {
				t.key(strings.ToLower(key), values)
			}
		}
	}
	return t
}

func (t *traits) principals(effect string, p *iam.Principals) {
	t.open = t.open || effect != iam.Deny && (p.Everyone || slices.Contains(p.AWS, "*"))
	for _, name := range p.AWS {
		t.name(name)
	}
}

func (t *traits) name(arn string) {
	if strings.Contains(arn, ":assumed-role/") {
		t.sessions = append(t.sessions, arn)
		t.dependent = true
		return
	}
	t.names = append(t.names, arn)
}

func (t *traits) key(key string, values []string) {
	switch {
	case key == "aws:principalarn":
		t.patterns = append(t.patterns, values...)
	case key == "aws:principalaccount", key == "aws:principaltype", key == "aws:principalorgid",
		key == "aws:principalisawsservice", key == "aws:principalservicename", strings.HasPrefix(key, "aws:principalorgpaths"):
		// The same for all principals of one kind in the account.
	case strings.HasPrefix(key, "aws:principal"), strings.HasPrefix(key, "aws:user"):
		t.dependent = true
	}
}

// group is principals that no policy of their own tells apart.
type group struct {
	members []int
	mine    bool // one member, whose policies depend on who it is
	may     bool // prefilter is sound
	allows  []allowance
}

// allowance is what an Allow of an identity policy reaches at most.
type allowance struct {
	any    bool
	prefix []string
}

func (a allowance) reaches(arn string) bool {
	return a.any || slices.ContainsFunc(a.prefix, func(p string) bool { return strings.HasPrefix(arn, p) })
}

func groups(in *Input, c *parser, actors []actor) []group {
	by := map[string]int{}
	var out []group
	for i, p := range in.Principals {
		var key strings.Builder
		alone := false
		parts := p.Identity
		if p.Boundary != nil {
			parts = append(slices.Clone(parts), *p.Boundary)
			key.WriteString("bounded ")
		}
		if p.Role {
			key.WriteString("role ")
		}
		for _, policy := range parts {
			d := c.parse(policy)
			alone = alone || d.traits.dependent || len(d.traits.patterns) > 0
			sum := sha256.Sum256([]byte(policy.Name + "\x00" + policy.Text))
			key.Write(sum[:])
		}
		if alone {
			key.WriteString(p.ARN)
		}
		at, ok := by[key.String()]
		if !ok {
			at = len(out)
			by[key.String()] = at
			out = append(out, group{mine: alone, allows: allowances(actors[i].identity), may: actors[i].err == nil && sound(in, &actors[i])})
		}
		out[at].members = append(out[at].members, i)
	}
	return out
}

// sound is whether the evaluator understands everything of the principal: only then
// may a pair be left out without asking it.
func sound(in *Input, a *actor) bool {
	for _, action := range []string{reading, decrypting} {
		arn := "arn:" + in.Partition + ":secretsmanager:" + in.Region + ":" + in.Account + ":secret:probe"
		r := iam.Request{Principal: a.principal, Action: action, Resource: arn}
		p := iam.Policies{Identity: a.identity, Boundary: a.boundary, ServiceControl: in.ServiceControl}
		if action == decrypting {
			p.Resource = &iam.Policy{Name: "probe", Document: iam.Document{Version: iam.Version, Statement: []iam.Statement{{
				Effect: iam.Allow, Principal: &iam.Principals{AWS: iam.Strings{in.Account}}, Action: iam.Strings{decrypting}, Resource: iam.Strings{"*"},
			}}}}
		}
		if _, err := iam.Evaluate(r, p); err != nil {
			return false
		}
	}
	documents := slices.Clone(a.identity)
	if a.boundary != nil {
		documents = append(documents, *a.boundary)
	}
	for _, level := range in.ServiceControl {
		documents = append(documents, level...)
	}
	return !slices.ContainsFunc(documents, func(p iam.Policy) bool { return reads(p.Document) })
}

// reads is whether a statement may fail on the values of a request: then only the
// request itself shows it.
func reads(d iam.Document) bool {
	for _, s := range d.Statement {
		if slices.ContainsFunc(slices.Concat(s.Resource, s.NotResource), filled) {
			return true
		}
		for operator, keys := range s.Condition {
			if fails(operator[strings.LastIndex(operator, ":")+1:], keys) {
				return true
			}
		}
	}
	return false
}

func fails(operator string, keys map[string]iam.Strings) bool {
	switch {
	case strings.HasPrefix(operator, "Arn"):
		for _, values := range keys {
			if slices.ContainsFunc(values, filled) {
				return true
			}
		}
		return false
	case strings.HasPrefix(operator, "String"), strings.HasPrefix(operator, "Bool"), operator == "Null":
		return false
	}
	return true
}

// filled is whether the pattern is an ARN only by what its variables stand for.
func filled(pattern string) bool {
	before, _, ok := strings.Cut(pattern, "${")
	return ok && strings.Count(before, ":") < 5
}

func allowances(policies []iam.Policy) []allowance {
	var out []allowance
	for _, p := range policies {
		for _, s := range p.Document.Statement {
			if s.Effect != iam.Allow || !acts(s) {
				continue
			}
			a := allowance{any: s.NotResource != nil}
			for _, r := range s.Resource {
				if i := strings.IndexAny(r, "*?$"); i >= 0 {
					r = r[:i]
				}
				a.prefix = append(a.prefix, r)
			}
			out = append(out, a)
		}
	}
	return out
}

// acts is whether the statement may be about reading: a pattern counts as a yes.
func acts(s iam.Statement) bool {
	if s.NotAction != nil {
		return true
	}
	return slices.ContainsFunc(s.Action, func(a string) bool {
		i := strings.IndexAny(a, "*?")
		if i < 0 {
			return strings.EqualFold(a, reading)
		}
		return i <= len(reading) && strings.EqualFold(a[:i], reading[:i])
	})
}

package review

import (
	"fmt"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
)

// outside are those whom the secret's policy lets in, and who are no user or role of
// the account.
func outside(in *Input, t *target) []External {
	if t.resource == nil {
		return nil
	}
	var out []External
	for i, s := range t.resource.policy.Document.Statement {
		if s.Effect != iam.Allow || !acts(s) {
			continue
		}
		sid := s.Sid
		if sid == "" {
			sid = fmt.Sprintf("#%d", i+1)
		}
		for _, name := range strangers(in, s) {
			out = append(out, External{name, sid, len(s.Condition) > 0})
		}
	}
	return out
}

func strangers(in *Input, s iam.Statement) []string {
	if n := s.NotPrincipal; n != nil {
		return []string{"everybody but " + strings.Join(slices.Concat(n.AWS, n.Service, n.Federated, n.CanonicalUser), ", ")}
	}
	p := s.Principal
	if p == nil {
		return nil
	}
	var out []string
	if p.Everyone {
		out = append(out, "*")
	}
	for _, name := range p.AWS {
		if name != nobody && (accountOf(name) != in.Account || strings.Contains(name, ":federated-user/")) {
			out = append(out, name)
		}
	}
	return slices.Concat(out, p.Service, p.Federated, p.CanonicalUser)
}

// takers are those outside of the account who may take the role on, by its trust policy.
// AWS's own services are not told, nor is Identity Center, of which a role is a person's.
func (x *index) takers(i int) []string {
	p := &x.in.Principals[i]
	if p.Trust == "" {
		return nil
	}
	if out, ok := x.taken[p.Trust]; ok {
		return out
	}
	d := x.parser.parse(Policy{"trust", p.Trust})
	var out []string
	if d.err != nil {
		out = append(out, "whom its trust policy names, which cannot be read")
	}
	for _, s := range d.policy.Document.Statement {
		out = append(out, x.takersBy(s, p.Person)...)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	x.taken[p.Trust] = out
	return out
}

func (x *index) takersBy(s iam.Statement, person bool) []string {
	if s.Effect != iam.Allow {
		return nil
	}
	if who := s.Principal; who != nil {
		s.Principal = &iam.Principals{Everyone: who.Everyone, AWS: who.AWS, Federated: who.Federated, CanonicalUser: who.CanonicalUser}
		if person {
			s.Principal.Federated = nil
		}
	}
	out := strangers(x.in, s)
	for i := range out {
		if len(s.Condition) > 0 {
			out[i] += " (under conditions)"
		}
	}
	return out
}

// accountOf is the account of a principal in a policy or a record; "" if it has none.
func accountOf(name string) string {
	if p := strings.SplitN(name, ":", 6); len(p) == 6 {
		return p[4]
	}
	return name
}

// nobody stands for a principal that was deleted: AWS shows its unique id, which no
// other ever gets, so that the statement is about nobody.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
const nobody = "arn:aws:iam::000000000000:user/deleted"

// living replaces the ids of users and roles in the document: by the ARN of the one
// that has it, or by nobody.
func (c *parser) living(d *iam.Document) {
	for i := range d.Statement {
		p := d.Statement[i].Principal
		if p == nil {
			continue
		}
		for j, name := range p.AWS {
			if len(name) < 16 || strings.Contains(name, ":") || !strings.HasPrefix(name, "AROA") && !strings.HasPrefix(name, "AIDA") {
				continue
			}
			if p.AWS[j] = c.ids[name]; p.AWS[j] == "" {
				p.AWS[j] = nobody
			}
		}
	}
}

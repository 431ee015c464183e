package review

import (
	"errors"
	"maps"
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
)

const (
	reading    = "secretsmanager:GetSecretValue"
	decrypting = "kms:Decrypt"
)

// Can is whether a principal may read.
type Can string

// The answers. There is no entry for a principal that may not.
const (
	Yes     Can = "allowed"
	If      Can = "allowed-if"
	Unknown Can = "unknown" // a policy cannot be evaluated
)

// answer is the whole answer for a principal and a secret; no Can: denied.
type answer struct {
	can  Can
	only string // keys of conditions that decide, or why it is unknown
	by   string // the statement that allows
}

// docs are a secret's policies, parsed once for all secrets that share the text.
type doc struct {
	policy iam.Policy
	err    error
	traits traits
}

// actor is a principal, parsed.
type actor struct {
	principal iam.Principal
	arn       string
	identity  []iam.Policy
	boundary  *iam.Policy
	err       error
	context   map[string][]string
	absent    []string
}

func (c *parser) actor(p Principal) actor {
	a := actor{arn: p.ARN, context: map[string][]string{}}
	for _, policy := range p.Identity {
		d := c.parse(policy)
		a.err = errors.Join(a.err, d.err)
		a.identity = append(a.identity, d.policy)
	}
	if p.Boundary != nil {
		d := c.parse(*p.Boundary)
		a.err = errors.Join(a.err, d.err)
		a.boundary = &d.policy
	}
	if p.Role {
		// A session may have tags of its own, so a role's tags decide nothing.
		// No session can have a name with a space, so no policy names this one.
		a.principal = iam.NewSession(p.ARN, "any session")
		return a
	}
	a.principal = iam.NewUser(p.ARN)
	for k, v := range p.Tags {
		a.context["aws:PrincipalTag/"+k] = []string{v}
	}
	a.absent = []string{"aws:PrincipalTag/*"}
	return a
}

// target is a secret, parsed.
type target struct {
	secret        *Secret
	resource, key *doc // nil: none
	unread        string
	context       map[string][]string // of a read
	via           string              // kms:ViaService
}

func (c *parser) target(in *Input, s *Secret) target {
	t := target{secret: s, context: map[string][]string{"secretsmanager:SecretId": {s.ARN}}}
	for k, v := range s.Tags {
		t.context["aws:ResourceTag/"+k] = []string{v}
		t.context["secretsmanager:ResourceTag/"+k] = []string{v}
	}
	suffix := ".amazonaws.com"
	t.via = "secretsmanager." + in.Region + suffix
	if s.PolicyUnread {
		t.unread = "the secret's policy could not be read"
	}
	if s.Policy != "" {
		t.resource = c.parse(Policy{"policy of the secret", s.Policy})
	}
	if s.KMSKey != "" {
		p, ok := in.KMS[s.KMSKey]
		if !ok {
			t.unread = "the KMS key's policy could not be read"
			return t
		}
		t.key = c.parse(p)
	}
	return t
}

// plain asks the evaluator about one principal and one secret: twice, for the
// secret and for the KMS key.
func plain(in *Input, a *actor, t *target) answer {
	if err := errors.Join(a.err, t.err()); err != nil {
		return answer{can: Unknown, only: err.Error()}
	}
	if t.unread != "" {
		return answer{can: Unknown, only: t.unread}
	}
	best := answer{}
	for _, who := range sessions(a, t) {
		got := one(in, a, t, who)
		if rank(got.can) > rank(best.can) {
			best = got
		}
	}
	return best
}

func rank(c Can) int {
	switch c {
	case Unknown:
		return 3
	case Yes:
		return 2
	case If:
		return 1
	case denied:
	}
	return 0
}

// sessions are a role's session as any, and those that the policies name: a policy
// may let in one session of a role only.
func sessions(a *actor, t *target) []iam.Principal {
	out := []iam.Principal{a.principal}
	if a.principal.Kind != iam.Session {
		return out
	}
	for _, d := range []*doc{t.resource, t.key} {
		if d == nil {
			continue
		}
		for _, arn := range d.traits.sessions {
			i := strings.LastIndex(arn, "/")
			if s := iam.NewSession(a.arn, arn[i+1:]); s.ARN == arn {
				out = append(out, s)
			}
		}
	}
	return out
}

func one(in *Input, a *actor, t *target, who iam.Principal) answer {
	context := t.context
	if len(a.context) > 0 {
		context = merged(t.context, a.context)
	}
	r := iam.Request{Principal: who, Action: reading, Resource: t.secret.ARN, Context: context, Absent: absent(a)}
	p := iam.Policies{Identity: a.identity, Boundary: a.boundary, ServiceControl: in.ServiceControl}
	if t.resource != nil {
		p.Resource = &t.resource.policy
	}
	d, err := iam.Evaluate(r, p)
	if err != nil {
		return answer{can: Unknown, only: err.Error()}
	}
	if d.Effect == iam.Denied {
		return answer{}
	}
	out := answer{can: Yes, only: strings.Join(d.If, ", "), by: d.Policy + ": " + d.Sid}
	if t.key != nil {
		r.Action, r.Resource = decrypting, t.secret.KMSKey
		r.Context = merged(a.context, map[string][]string{
			"kms:ViaService":                  {t.via},
			"kms:CallerAccount":               {in.Account},
			"kms:EncryptionContext:SecretARN": {t.secret.ARN},
		})
		r.Absent = a.absent
		p.Resource = &t.key.policy
		k, err := iam.Evaluate(r, p)
		if err != nil {
			return answer{can: Unknown, only: err.Error()}
		}
		if k.Effect == iam.Denied {
			return answer{}
		}
		if len(k.If) > 0 {
			out.only = strings.Join(append(d.If, k.If...), ", ")
		}
	}
	if out.only != "" {
		out.can = If
	}
	return out
}

func merged(a, b map[string][]string) map[string][]string {
	out := make(map[string][]string, len(a)+len(b))
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

func absent(a *actor) []string {
	return append([]string{"aws:ResourceTag/*", "secretsmanager:ResourceTag/*"}, a.absent...)
}

func (t *target) err() error {
	var err error
	for _, d := range []*doc{t.resource, t.key} {
		if d != nil {
			err = errors.Join(err, d.err)
		}
	}
	return err
}

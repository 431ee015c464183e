package iam

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

type evaluation struct {
	request   Request
	context   map[string][]string // by key in lower case
	absent    map[string]bool     // keys in lower case
	patterns  []glob              // of keys that are absent
	operators map[string]operator
	variables bool // the document at hand has policy variables
	bounded   bool // the principal has a permissions boundary
}

// Evaluate says what the request comes to, by AWS's documented rules:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html.
//
// An explicit Deny wins. In one account either an identity policy or the
// resource's policy is enough; across accounts both are needed. A KMS key's own
// policy must allow, or leave it to the account. The root user may do what is
// not denied.
//
// It is an error, whatever the rest says, if a policy uses what is not
// supported: NotPrincipal with Allow (AWS has none either), principals of the kinds
// Federated and CanonicalUser, unique ids as principals, ForAnyValue with IfExists
// of a missing key. Grants of KMS, endpoint policies and resource
// control policies are not looked at. It is safe for concurrent use.
func Evaluate(r Request, p Policies) (Decision, error) {
	e := &evaluation{request: r, operators: operators(), bounded: p.Boundary != nil}
	if err := e.prepare(); err != nil {
		return Decision{}, fmt.Errorf("evaluate %s: %w", r.Action, err)
	}
	d, err := e.decide(p)
	if err != nil {
		return Decision{}, fmt.Errorf("evaluate %s: %w", r.Action, err)
	}
	return d, nil
}

func (e *evaluation) prepare() error {
	r := &e.request
	if err := r.Principal.check(); err != nil {
		return err
	}
	if service, name, ok := strings.Cut(r.Action, ":"); !ok || service == "" || name == "" || strings.ContainsAny(r.Action, "*?") {
		return errors.New("not an action")
	}
	a, ok := splitARN(r.Resource)
	if !ok && r.Resource != "*" {
		return fmt.Errorf("resource %q is not an ARN", r.Resource)
	}
	if r.Account == "" {
		r.Account = a.account
	}
	if r.Account == "" {
		r.Account = r.Principal.Account()
	}
	e.absent = map[string]bool{}
	for _, key := range append(absentOf(r.Principal.Kind), r.Absent...) {
		if key = strings.ToLower(key); strings.ContainsAny(key, "*?") {
			e.patterns = append(e.patterns, newGlob(key, true))
		} else {
			e.absent[key] = true
		}
	}
	return e.fill()
}

// fill writes down the context: what follows from the principal, and what the
// request says.
func (e *evaluation) fill() error {
	e.context = map[string][]string{}
	maps.Copy(e.context, principalContext(e.request.Principal))
	for key, values := range e.request.Context {
		key = strings.ToLower(key)
		if own, ok := e.context[key]; ok && len(values) == 1 && own[0] != values[0] {
			return fmt.Errorf("the request's %s is %s, the principal's is %s", key, values[0], own[0])
		}
		e.context[key] = values
	}
	return nil
}

// principalContext are the keys that follow from the principal.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable
func principalContext(p Principal) map[string][]string {
	if p.Kind == Service {
		return map[string][]string{"aws:principalisawsservice": {"true"}, "aws:principalservicename": {p.ARN}}
	}
	kind := map[Kind]string{User: "User", Session: "AssumedRole", Root: "Account", Federated: "FederatedUser"}[p.Kind]
	c := map[string][]string{
		"aws:principalisawsservice": {"false"},
		"aws:principalarn":          {p.identity()},
		"aws:principalaccount":      {p.Account()},
		"aws:principaltype":         {kind},
	}
	if p.Kind == User {
		c["aws:username"] = []string{p.ARN[strings.LastIndex(p.ARN, "/")+1:]}
	}
	return c
}

// key is the key's values, and whether the request has it.
func (e *evaluation) key(name string) ([]string, tri) {
	lower := strings.ToLower(name)
	if values, ok := e.context[lower]; ok {
		return values, yes
	}
	if e.absent[lower] || slices.ContainsFunc(e.patterns, func(g glob) bool { return g.match(lower) }) {
		return nil, no
	}
	return nil, maybe(name)
}

// absentOf are the keys that requests of such principals never have.
func absentOf(k Kind) []string {
	switch k {
	case Service:
		return []string{"aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalOrgID", "aws:username"}
	case User:
		return []string{"aws:PrincipalServiceName"}
	case Session, Root, Federated:
	}
	return []string{"aws:PrincipalServiceName", "aws:username"}
}

// finding is what a set of policies says, and the statement to name for it.
type finding struct {
	tri
	policy, sid string
}

func (f *finding) add(t tri, policy, sid string) {
	before := f.tri
	f.tri = f.or(t)
	if f.policy == "" && !t.isNo() || !before.isYes() && f.isYes() {
		f.policy, f.sid = policy, sid
	}
}

// look collects what policies of one kind say.
func (e *evaluation) look(policies []Policy, resourcePolicy bool, found func(effect string, t tri, how reach, policy, sid string)) error {
	for _, p := range policies {
		if err := p.Document.Check(); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		e.variables = p.Document.Version == Version
		for i, s := range p.Document.Statement {
			t, how, err := e.matchStatement(s, resourcePolicy)
			if err != nil {
				return fmt.Errorf("%s: statement %s: %w", p.Name, s.name(i), err)
			}
			if !t.isNo() {
				found(s.Effect, t, how, p.Name, s.name(i))
			}
		}
	}
	return nil
}

// findings are everything that the policies say about the request.
type findings struct {
	denied   finding
	identity finding
	boundary finding
	session  finding
	control  []finding
	resource [asItself + 1]finding // by reach
}

func (e *evaluation) collect(p Policies) (*findings, error) {
	f := &findings{control: make([]finding, len(p.ServiceControl))}
	into := func(allowed *finding) func(string, tri, reach, string, string) {
		return func(effect string, t tri, _ reach, policy, sid string) {
			if effect == Deny {
				f.denied.add(t, policy, sid)
				return
			}
			allowed.add(t, policy, sid)
		}
	}
	if err := e.look(p.Identity, false, into(&f.identity)); err != nil {
		return nil, err
	}
	if err := e.look(p.Session, false, into(&f.session)); err != nil {
		return nil, err
	}
	if p.Boundary != nil {
		if err := e.look([]Policy{*p.Boundary}, false, into(&f.boundary)); err != nil {
			return nil, err
		}
	}
	for i, level := range p.ServiceControl {
		if err := e.look(level, false, into(&f.control[i])); err != nil {
			return nil, err
		}
	}
	if p.Resource == nil {
		return f, nil
	}
	err := e.look([]Policy{*p.Resource}, true, func(effect string, t tri, how reach, policy, sid string) {
		if effect == Deny {
			f.denied.add(t, policy, sid)
			return
		}
		f.resource[how].add(t, policy, sid)
	})
	return f, err
}

// decide puts the findings together.
func (e *evaluation) decide(p Policies) (Decision, error) {
	strict := strings.HasPrefix(strings.ToLower(e.request.Action), "kms:") || strings.EqualFold(e.request.Action, "sts:AssumeRole")
	if strict && p.Resource == nil && e.request.Resource != "*" {
		return Decision{}, errors.New("a KMS key and a role have a resource policy: none is given")
	}
	f, err := e.collect(p)
	if err != nil {
		return Decision{}, err
	}
	if f.denied.isYes() {
		return Decision{Policy: f.denied.policy, Sid: f.denied.sid, Why: "explicit deny"}, nil
	}
	allowed, why := e.allowed(f, p, strict && e.request.Resource != "*")
	if allowed.isNo() {
		return Decision{Policy: "", Why: why}, nil
	}
	if level := e.controlled(f, &allowed); level > 0 {
		return Decision{Why: "no statement of the service control policies allows, level " + strconv.Itoa(level)}, nil
	}
	d := Decision{Effect: Allowed, Policy: allowed.policy, Sid: allowed.sid, Why: why}
	if total := allowed.and(f.denied.not()); total.isMaybe() {
		d.Effect, d.If = AllowedIf, total.keys
		if f.denied.isMaybe() {
			d.Policy, d.Sid, d.Why = f.denied.policy, f.denied.sid, "may be an explicit deny"
		}
	}
	return d, nil
}

// controlled narrows what is allowed by each level of service control policies,
// which do not bind services and their service-linked roles.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html
// It returns the first level, from 1, that allows nothing; 0 if there is none.
func (e *evaluation) controlled(f *findings, allowed *finding) int {
	if e.request.Principal.Kind == Service || strings.Contains(e.request.Principal.Issuer, ":role/aws-service-role/") {
		return 0
	}
	for i := range f.control {
		if f.control[i].isNo() {
			return i + 1
		}
		allowed.tri = allowed.and(f.control[i].tri)
	}
	return 0
}

// allowed says whether something allows it, before service control policies,
// and in words what does, or why nothing.
func (e *evaluation) allowed(f *findings, p Policies, strict bool) (finding, string) {
	who := e.request.Principal
	self, issuer, account := f.resource[asItself], f.resource[asIssuer], f.resource[asAccount]
	bounds := yes
	if p.Boundary != nil {
		bounds = bounds.and(f.boundary.tri)
	}
	if p.Session != nil {
		bounds = bounds.and(f.session.tri)
	}
	identity := f.identity
	if who.Kind == Root {
		identity, bounds = finding{tri: yes}, yes
	}
	identity.tri = identity.and(bounds)
	if who.Kind == Service {
		return either(self, finding{})
	}
	if who.Account() != e.request.Account {
		named := first(self, issuer, account)
		if named.isNo() {
			return named, "no statement of the resource's policy allows the other account"
		}
		named.tri = named.and(identity.tri)
		if named.isNo() {
			return named, "no statement of its own account allows"
		}
		return named, ""
	}
	issuer.tri = issuer.and(bounds)
	if strict {
		identity.tri = identity.and(account.tri)
		if who.Kind == Root {
			identity = finding{}
		}
	}
	return either(first(self, issuer), identity)
}

func either(a, b finding) (finding, string) {
	f := first(a, b)
	if f.isNo() {
		return f, "no statement allows"
	}
	if f.policy == "" {
		return f, "the root user needs no statement"
	}
	return f, ""
}

// first is whether one of them holds; the statement is of the one that does.
func first(all ...finding) finding {
	var f finding
	for _, o := range all {
		if !o.isNo() {
			before := f.tri
			f.tri = f.or(o.tri)
			if before.isNo() || !before.isYes() && o.isYes() {
				f.policy, f.sid = o.policy, o.sid
			}
		}
	}
	return f
}

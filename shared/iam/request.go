package iam

import (
	"fmt"
	"strings"
)

// Kind is what a principal is.
type Kind int

// The kinds of principals. The zero value is none of them.
const (
	User      Kind = iota + 1 // an IAM user, with or without MFA
	Session                   // of a role: of a person, a function, an instance
	Root                      // the root user of an account
	Service                   // an AWS service for itself
	Federated                 // a session of GetFederationToken
)

// Principal is who makes a request: see [NewUser], [NewSession], [NewRoot],
// [NewService] and [NewFederated].
type Principal struct {
	Kind Kind
	ARN  string // of the user, session or root; the name of a service
	// Issuer is the ARN of the role of a session, with its path, or of the user
	// of a federated session.
	Issuer string
}

// NewUser is an IAM user.
func NewUser(arn string) Principal { return Principal{Kind: User, ARN: arn} }

// NewSession is a session of the role. AWS leaves a role's path out of the
// session's ARN.
func NewSession(role, session string) Principal {
	a, _ := splitARN(role)
	name := a.resource[strings.LastIndex(a.resource, "/")+1:]
	return Principal{
		Kind: Session, Issuer: role,
		ARN: fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", a.partition, a.account, name, session),
	}
}

// NewRoot is the root user of an account.
func NewRoot(partition, account string) Principal {
	return Principal{Kind: Root, ARN: "arn:" + partition + ":iam::" + account + ":root"}
}

// NewService is an AWS service, such as events.amazonaws.com.
func NewService(name string) Principal { return Principal{Kind: Service, ARN: name} }

// NewFederated is a session that a user made by GetFederationToken.
func NewFederated(arn, user string) Principal {
	return Principal{Kind: Federated, ARN: arn, Issuer: user}
}

// Account is the account's 12 digits; empty for a service.
func (p Principal) Account() string {
	a, _ := splitARN(p.ARN)
	return a.account
}

// identity is aws:PrincipalArn: for a session it is the role.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
func (p Principal) identity() string {
	if p.Kind == Session {
		return p.Issuer
	}
	return p.ARN
}

func (p Principal) check() error {
	if p.Kind == Service {
		if !strings.Contains(p.ARN, ".") || strings.ContainsAny(p.ARN, ":*") {
			return fmt.Errorf("principal %q is not the name of a service", p.ARN)
		}
		return nil
	}
	want := map[Kind]string{User: ":user/", Session: ":assumed-role/", Root: ":root", Federated: ":federated-user/"}[p.Kind]
	a, ok := splitARN(p.ARN)
	if want == "" || !ok || !isAccount(a.account) || !strings.Contains(p.ARN, want) {
		return fmt.Errorf("principal %q is not of its kind", p.ARN)
	}
	if issuer, ok := splitARN(p.Issuer); (p.Kind == Session || p.Kind == Federated) && (!ok || issuer.account != a.account) {
		return fmt.Errorf("principal %q was not issued by %q", p.ARN, p.Issuer)
	}
	return nil
}

// Request is a call to AWS, and all that is known about it. A context key that
// is neither in Context nor in Absent, and does not follow from the principal,
// is unknown.
type Request struct {
	Principal Principal
	Action    string // such as secretsmanager:GetSecretValue
	Resource  string // ARN, or "*" for an action that has none
	// Account that the resource is in; empty: the one of Resource's ARN, or,
	// where that names none, the principal's.
	Account string
	Context map[string][]string // keys that the request has; their case does not matter
	Absent  []string            // keys that it does not have; "aws:ResourceTag/*" is all of them
}

// Policy is a document and what it is called in a [Decision].
type Policy struct {
	Name     string
	Document Document
}

// Policies are all that bear on a request. A nil field is no such policy.
type Policies struct {
	Identity []Policy // of the user and its groups, or of the role
	Resource *Policy  // of the resource; of a KMS key it is required
	Boundary *Policy  // permissions boundary of the user or role
	Session  []Policy // given when the session was made
	// ServiceControl has a list for each level above the principal's account:
	// the root of the organization, its units, the account.
	ServiceControl [][]Policy
}

// Effect is what a request comes to.
type Effect int

// The effects. The zero value is Denied.
const (
	Denied    Effect = iota
	AllowedIf        // it depends on context keys that are not known
	Allowed
)

// String is the effect in words.
func (e Effect) String() string {
	return [...]string{"denied", "allowed if", "allowed"}[e]
}

// Decision says what a request comes to, and why.
type Decision struct {
	Effect Effect
	Policy string   // name of the policy that decides; empty: no statement does
	Sid    string   // of the deciding statement, or its number such as #2
	Why    string   // in words, such as "no statement allows"
	If     []string // with AllowedIf: the unknown keys it depends on, sorted
}

// String is the decision in words.
func (d Decision) String() string {
	s := d.Effect.String()
	if len(d.If) > 0 {
		s += " (" + strings.Join(d.If, ", ") + ")"
	}
	if d.Policy != "" {
		s += fmt.Sprintf(" by %s of %s", d.Sid, d.Policy)
	}
	if d.Why != "" {
		s += ": " + d.Why
	}
	return s
}

// arn has the six parts of an ARN; a resource may have colons in it.
type arn struct{ partition, service, region, account, resource string }

func splitARN(s string) (arn, bool) {
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" {
		return arn{}, false
	}
	return arn{p[1], p[2], p[3], p[4], p[5]}, true
}

func isAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

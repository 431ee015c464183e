package access

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
)

// expect is the rule: what must come out, from the file alone. It knows nothing
// of the documents, and must not come to: it is what they are measured by.
func (s *Site) expect(t *target, a actor, n network, action string) bool {
	everything, deployment := a.role == "everything", a.role == "execution" && t.key != nil
	admin := a.role == "admin" && t.key == nil && s.proven(a)
	switch action {
	case "secretsmanager:GetSecretValue":
		return s.mayRead(t, a, n)
	case "secretsmanager:BatchGetSecretValue":
		return s.mayRead(t, a, n) && (a.role == "reader" || everything)
	case "secretsmanager:PutSecretValue":
		return everything || admin || a.role == "rotate" && t.key != nil && slices.Contains(t.accounts, a.of)
	case "secretsmanager:DeleteSecret", "secretsmanager:UpdateSecret":
		return everything || deployment && t.tagged
	case "secretsmanager:RotateSecret":
		return everything || deployment || a.role == "rotatenow" && t.key != nil
	case "secretsmanager:CancelRotateSecret":
		return everything || deployment
	case "secretsmanager:PutResourcePolicy":
		return everything || deployment || admin
	case "secretsmanager:DescribeSecret":
		return s.maySee(t, a)
	case "kms:PutKeyPolicy":
		return everything || a.role == "execution"
	case "kms:ScheduleKeyDeletion", "kms:DisableKey":
		return everything && slices.Contains(s.people()["break-glass"], arnOf(a.who))
	}
	return false // kms:Decrypt: nobody, but through Secrets Manager
}

// mayRead says who may read a value.
func (s *Site) mayRead(t *target, a actor, n network) bool {
	if (a.role == "rotate" || a.role == "retire") && slices.Contains(t.accounts, a.of) {
		return true
	}
	if t.key == nil {
		return false
	}
	who, ask := arnOf(a.who), t.key.Allow
	own := a.role == "everything" || a.role == "reader"
	switch {
	case len(t.key.Readers) == 0 && a.role != "everything":
		return false
	case len(t.key.Readers) > 0 && !slices.Contains(t.key.Readers, who):
		return false
	case a.who.Account() != s.env.Account && !own:
		return false
	case len(ask.CIDRs)+len(ask.VPCEndpoints) > 0 && !slices.Contains(ask.VPCEndpoints, n.endpoint) && !within(ask.CIDRs, n.ip):
		return false
	case ask.Organization != "" && a.outside:
		return false
	}
	return !ask.RequireMFA || a.mfa == "true" || slices.Contains(ask.Machines, who) || slices.Contains(ask.PermissionSets, permissionSet(who))
}

// maySee says who may see a secret without its value: people and the deployment,
// the functions, the review of all, and its readers.
func (s *Site) maySee(t *target, a actor) bool {
	switch a.role {
	case "everything", "deployer", "review":
		return true
	case "execution", "rotatenow":
		return t.key != nil
	case "rotate", "retire":
		return t.key != nil && slices.Contains(t.accounts, a.of)
	}
	return slices.Contains(People(), a.role) || t.key != nil && slices.Contains(t.key.Readers, arnOf(a.who)) && a.who.Account() == s.env.Account
}

// proven says whether a person has shown MFA, or comes from where it is trusted.
func (s *Site) proven(a actor) bool {
	access := s.file.Access
	return !access.RequireMFA || a.mfa == "true" || slices.Contains(access.PermissionSets, permissionSet(arnOf(a.who)))
}

func within(cidrs []string, ip string) bool {
	addr, err := netip.ParseAddr(ip)
	return err == nil && slices.ContainsFunc(cidrs, func(c string) bool {
		prefix, err := netip.ParsePrefix(c)
		return err == nil && prefix.Contains(addr)
	})
}

// arnOf is the ARN that the file names a principal by.
func arnOf(p iam.Principal) string {
	if p.Kind == iam.Session {
		return p.Issuer
	}
	return p.ARN
}

// ask puts a cell to the policies. A read is three questions: the secret, its
// CMK, and for a batch the right to batches.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html
func (s *Site) ask(d *documents, t *target, a actor, n network, action string) (iam.Decision, error) {
	return s.askWith(d, t, a, n, action, func(*iam.Request) {})
}

// askWith is ask of requests that are edited before they are evaluated.
func (s *Site) askWith(d *documents, t *target, a actor, n network, action string, edit func(*iam.Request)) (iam.Decision, error) {
	evaluate := func(t *target, action, resource string, policy *iam.Policy, context map[string]string) (iam.Decision, error) {
		r := s.request(t, a, n, action, resource)
		for key, value := range context {
			r.Context[key] = []string{value}
		}
		edit(&r)
		return iam.Evaluate(r, iam.Policies{Identity: a.identity, Resource: policy})
	}
	ofKey := func(action string, context map[string]string) (iam.Decision, error) {
		context["kms:CallerAccount"] = a.who.Account()
		key := s.here("kms", "key/00000000-0000-4000-8000-000000000000")
		return evaluate(&target{tagged: true}, action, key, &iam.Policy{Name: "the key policy", Document: d.keys["secrets"]}, context)
	}
	if strings.HasPrefix(action, "kms:") {
		return ofKey(action, map[string]string{})
	}
	var first iam.Decision
	var err error
	if action == "secretsmanager:BatchGetSecretValue" {
		if first, err = evaluate(t, action, "*", nil, nil); err != nil || first.Effect == iam.Denied {
			return first, err
		}
		action = "secretsmanager:GetSecretValue"
	}
	var policy *iam.Policy
	if doc := d.secrets[t.name]; len(doc.Statement) > 0 {
		policy = &iam.Policy{Name: "the resource policy", Document: doc}
	}
	got, err := evaluate(t, action, t.arn, policy, nil)
	through := map[string]string{"secretsmanager:GetSecretValue": "kms:Decrypt", "secretsmanager:PutSecretValue": "kms:GenerateDataKey"}[action]
	if err != nil || got.Effect == iam.Denied || !t.tagged || through == "" {
		return got, err
	}
	used, err := ofKey(through, map[string]string{"kms:ViaService": s.service("secretsmanager", s.env.Region), "kms:EncryptionContext:SecretARN": t.arn})
	if err != nil || used.Effect < got.Effect {
		return used, err
	}
	return got, nil
}

// request is a cell's request with all its context. A key that is in no list is
// unknown, and would show as such.
func (s *Site) request(t *target, a actor, n network, action, resource string) iam.Request {
	c := map[string][]string{"aws:SecureTransport": {"true"}}
	set := func(key, value string) {
		if value != "" {
			c[key] = []string{value}
		}
	}
	set("aws:SourceIp", n.ip)
	set("aws:SourceVpce", n.endpoint)
	set("aws:MultiFactorAuthPresent", a.mfa)
	if t.key != nil && !a.outside {
		set("aws:PrincipalOrgID", t.key.Allow.Organization)
	}
	if a.outside {
		set("aws:PrincipalOrgID", "o-proofproof")
	}
	if t.tagged {
		set("aws:ResourceTag/"+TagInstallation, s.name)
		if len(t.accounts) > 0 {
			set("aws:ResourceTag/"+TagVendorAccount, t.accounts[0])
		}
	}
	account := s.env.Account
	if resource == "*" {
		account = "" // the call is of the principal's own account
	}
	return iam.Request{
		Principal: a.who, Action: action, Resource: resource, Context: c, Account: account,
		Absent: []string{
			"ec2:CreateAction",
			"aws:MultiFactorAuthPresent", "aws:PrincipalOrgID", "aws:RequestTag/*", "aws:ResourceTag/*", "aws:SourceIp", "aws:SourceVpce",
			"iam:PassedToService", "iam:PermissionsBoundary", "iam:PolicyARN", "kms:EncryptionContext:*", "kms:ViaService",
		},
	}
}

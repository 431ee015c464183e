package iam_test

import (
	"strings"
	"testing"

	"github.com/keyturn/keyturn/shared/iam"
)

const (
	secretARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/mail-AbCdEf"
	keyARN    = "arn:aws:kms:eu-west-1:111122223333:key/0f0f"
	role      = "arn:aws:iam::111122223333:role/team/mailer"
	session   = "arn:aws:sts::111122223333:assumed-role/mailer/run"
	user      = "arn:aws:iam::111122223333:user/ana"
	otherRole = "arn:aws:iam::444455556666:role/mailer"
)

func policy(t *testing.T, name string, statements ...string) iam.Policy {
	t.Helper()
	d, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return iam.Policy{Name: name, Document: d}
}

// st is a statement: what it is, whom it is about (empty: identity policy), and
// more elements.
func st(sid, effect, principal, action, more string) string {
	s := `{"Sid":"` + sid + `","Effect":"` + effect + `","Action":"` + action + `"`
	if principal != "" {
		s += `,"Principal":` + principal
	}
	if !strings.Contains(more, `Resource"`) {
		s += `,"Resource":"*"`
	}
	if more != "" {
		s += "," + more
	}
	return s + "}"
}

func aws(name string) string { return `{"AWS":"` + name + `"}` }

// rules are AWS's, each with the page that says so, below
// https://docs.aws.amazon.com/IAM/latest/UserGuide/ unless it is whole.
var rules = []struct {
	name, page string
	who        iam.Principal
	action     string // empty: secretsmanager:GetSecretValue
	resource   string // empty: the secret
	identity   []string
	boundary   []string
	session    []string
	control    [][]string
	policy     []string            // of the resource
	context    map[string][]string // nil: every key is unknown; else the rest is absent
	want       string
}{
	{
		name: "all requests are implicitly denied", page: "reference_policies_evaluation-logic_policy-eval-denyallow.html",
		who: iam.NewUser(user), want: "denied: no statement allows",
	},
	{
		name: "except the account's root user", page: "reference_policies_evaluation-logic_policy-eval-denyallow.html",
		who: iam.NewRoot("aws", "111122223333"), want: "allowed: the root user needs no statement",
	},
	{
		name: "an explicit deny is for the root user too", page: "reference_policies_evaluation-logic_policy-eval-denyallow.html",
		who: iam.NewRoot("aws", "111122223333"), policy: []string{st("D", "Deny", `"*"`, "*", "")}, want: "denied by D of resource: explicit deny",
	},
	{
		name: "the root user of another account needs the resource's policy", page: "reference_policies_evaluation-logic-cross-account.html",
		who: iam.NewRoot("aws", "444455556666"), want: "denied: no statement of the resource's policy allows the other account",
	},
	{
		name: "an identity policy is enough in one account", page: "reference_policies_evaluation-logic_policy-eval-basics.html",
		who: iam.NewUser(user), identity: []string{st("A", "Allow", "", "secretsmanager:*", "")}, want: "allowed by A of identity",
	},
	{
		name: "a resource policy is enough in one account", page: "reference_policies_evaluation-logic_policy-eval-basics.html",
		who: iam.NewUser(user), policy: []string{st("A", "Allow", aws(user), "secretsmanager:GetSecretValue", "")}, want: "allowed by A of resource",
	},
	{
		name: "an explicit deny overrides an allow", page: "reference_policies_evaluation-logic_policy-eval-denyallow.html",
		who: iam.NewUser(user), identity: []string{st("A", "Allow", "", "*", ""), st("D", "Deny", "", "secretsmanager:Get*", "")},
		want: "denied by D of identity: explicit deny",
	},
	{
		name: "a role ARN names its sessions", page: "reference_policies_elements_principal.html#principal-roles",
		who: iam.NewSession(role, "run"), policy: []string{st("A", "Allow", aws(role), "*", "")}, want: "allowed by A of resource",
	},
	{
		name: "a role ARN is not another role's", page: "reference_policies_elements_principal.html#principal-roles",
		who: iam.NewSession(role+"2", "run"), policy: []string{st("A", "Allow", aws(role), "*", "")}, want: "denied: no statement allows",
	},
	{
		name: "a grant to a role is limited by the boundary", page: "reference_policies_evaluation-logic_policy-eval-denyallow.html",
		who: iam.NewSession(role, "run"), policy: []string{st("A", "Allow", aws(role), "*", "")}, boundary: []string{st("B", "Allow", "", "s3:*", "")},
		want: "denied: no statement allows",
	},
	{
		name: "a grant to a role is limited by the session's policy", page: "reference_policies_evaluation-logic_policy-eval-denyallow.html",
		who: iam.NewSession(role, "run"), policy: []string{st("A", "Allow", aws(role), "*", "")}, session: []string{st("B", "Allow", "", "s3:*", "")},
		want: "denied: no statement allows",
	},
	{
		name: "a grant to a session is not limited by the boundary", page: "reference_policies_evaluation-logic_policy-eval-denyallow.html",
		who: iam.NewSession(role, "run"), policy: []string{st("A", "Allow", aws(session), "*", "")}, boundary: []string{st("B", "Allow", "", "s3:*", "")},
		want: "allowed by A of resource",
	},
	{
		name: "a grant to a user is not limited by the boundary", page: "reference_policies_evaluation-logic_policy-eval-denyallow.html",
		who: iam.NewUser(user), policy: []string{st("A", "Allow", aws(user), "*", "")}, boundary: []string{st("B", "Allow", "", "s3:*", "")},
		want: "allowed by A of resource",
	},
	{
		name: "a grant to the user who federated is limited by the boundary", page: "reference_policies_evaluation-logic_policy-eval-denyallow.html",
		who: iam.NewFederated("arn:aws:sts::111122223333:federated-user/ana", user), policy: []string{st("A", "Allow", aws(user), "*", "")},
		boundary: []string{st("B", "Allow", "", "s3:*", "")}, want: "denied: no statement allows",
	},
	{
		name: "a boundary grants nothing", page: "access_policies_boundaries.html",
		who: iam.NewUser(user), boundary: []string{st("B", "Allow", "", "*", "")}, want: "denied: no statement allows",
	},
	{
		name: "boundary and identity policy must both allow", page: "access_policies_boundaries.html",
		who: iam.NewUser(user), identity: []string{st("A", "Allow", "", "*", "")}, boundary: []string{st("B", "Allow", "", "s3:*", "")},
		want: "denied: no statement allows",
	},
	{
		name: "a boundary can deny", page: "access_policies_boundaries.html",
		who: iam.NewUser(user), policy: []string{st("A", "Allow", aws(user), "*", "")}, boundary: []string{st("B", "Deny", "", "*", "")},
		want: "denied by B of boundary: explicit deny",
	},
	{
		name: "naming the account leaves it to the account's policies", page: "reference_policies_elements_principal.html#principal-accounts",
		who: iam.NewUser(user), policy: []string{st("A", "Allow", aws("111122223333"), "*", "")}, want: "denied: no statement allows",
	},
	{
		name: "denying the account denies all in it", page: "reference_policies_elements_principal.html#principal-accounts",
		who: iam.NewUser(user), identity: []string{st("A", "Allow", "", "*", "")},
		policy: []string{st("D", "Deny", aws("arn:aws:iam::111122223333:root"), "*", "")}, want: "denied by D of resource: explicit deny",
	},
	{
		name: "across accounts: the resource's side alone", page: "reference_policies_evaluation-logic-cross-account.html",
		who: iam.NewSession(otherRole, "run"), policy: []string{st("A", "Allow", aws(otherRole), "*", "")}, want: "denied: no statement of its own account allows",
	},
	{
		name: "across accounts: the principal's side alone", page: "reference_policies_evaluation-logic-cross-account.html",
		who: iam.NewSession(otherRole, "run"), identity: []string{st("A", "Allow", "", "*", "")},
		want: "denied: no statement of the resource's policy allows the other account",
	},
	{
		name: "across accounts: both sides", page: "reference_policies_evaluation-logic-cross-account.html",
		who: iam.NewSession(otherRole, "run"), identity: []string{st("A", "Allow", "", "*", "")}, policy: []string{st("R", "Allow", aws("444455556666"), "*", "")},
		want: "allowed by R of resource",
	},
	{
		name: "service control policies limit", page: "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html",
		who: iam.NewUser(user), identity: []string{st("A", "Allow", "", "*", "")}, control: [][]string{{st("F", "Allow", "", "*", "")}, {st("S", "Allow", "", "s3:*", "")}},
		want: "denied: no statement of the service control policies allows, level 2",
	},
	{
		name: "service control policies limit the root user", page: "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html",
		who: iam.NewRoot("aws", "111122223333"), control: [][]string{{st("F", "Allow", "", "*", ""), st("D", "Deny", "", "secretsmanager:*", "")}},
		want: "denied by D of control: explicit deny",
	},
	{
		name: "a KMS key's policy that does not name the account disables identity policies", page: "https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html",
		who: iam.NewUser(user), action: "kms:Decrypt", resource: keyARN, identity: []string{st("A", "Allow", "", "kms:*", "")},
		policy: []string{st("K", "Allow", aws(role), "kms:*", "")}, want: "denied: no statement allows",
	},
	{
		name: "a KMS key's policy that names the account enables them", page: "https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html",
		who: iam.NewUser(user), action: "kms:Decrypt", resource: keyARN, identity: []string{st("A", "Allow", "", "kms:*", "")},
		policy: []string{st("K", "Allow", aws("arn:aws:iam::111122223333:root"), "kms:*", "")}, want: "allowed by A of identity",
	},
	{
		name: "but grants nothing by itself", page: "https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html",
		who: iam.NewUser(user), action: "kms:Decrypt", resource: keyARN,
		policy: []string{st("K", "Allow", aws("arn:aws:iam::111122223333:root"), "kms:*", "")}, want: "denied: no statement allows",
	},
	{
		name: "a KMS key's policy alone can allow", page: "https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html",
		who: iam.NewSession(role, "run"), action: "kms:Decrypt", resource: keyARN, policy: []string{st("K", "Allow", aws(role), "kms:*", "")}, want: "allowed by K of resource",
	},
	{
		name: "the root user has no right to a KMS key by itself", page: "https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html",
		who: iam.NewRoot("aws", "111122223333"), action: "kms:PutKeyPolicy", resource: keyARN, policy: []string{st("K", "Allow", aws(role), "kms:*", "")},
		want: "denied: no statement allows",
	},
	{
		name: "a service needs the resource's policy", page: "reference_policies_elements_principal.html#principal-services",
		who: iam.NewService("events.amazonaws.com"), action: "sqs:SendMessage", resource: "arn:aws:sqs:eu-west-1:111122223333:q",
		policy: []string{st("A", "Allow", `{"Service":"events.amazonaws.com"}`, "sqs:SendMessage", "")}, want: "allowed by A of resource",
	},
	{
		name: "another service", page: "reference_policies_elements_principal.html#principal-services",
		who: iam.NewService("sns.amazonaws.com"), action: "sqs:SendMessage", resource: "arn:aws:sqs:eu-west-1:111122223333:q",
		policy: []string{st("A", "Allow", `{"Service":"events.amazonaws.com"}`, "sqs:SendMessage", "")}, want: "denied: no statement allows",
	},
	{
		name: "NotAction with Allow", page: "reference_policies_elements_notaction.html", who: iam.NewUser(user),
		identity: []string{`{"Sid":"A","Effect":"Allow","NotAction":"iam:*","Resource":"*"}`}, want: "allowed by A of identity",
	},
	{
		name: "NotResource with Deny", page: "reference_policies_elements_notresource.html", who: iam.NewUser(user),
		identity: []string{st("A", "Allow", "", "*", ""), st("D", "Deny", "", "*", `"NotResource":"arn:aws:s3:::*"`)}, want: "denied by D of identity: explicit deny",
	},
	{
		name: "actions do not depend on case", page: "reference_policies_elements_action.html", who: iam.NewUser(user),
		identity: []string{st("A", "Allow", "", "SecretsManager:getsecret?alue", "")}, want: "allowed by A of identity",
	},
	{
		name: "a wildcard that ends a part of a resource runs on", page: "reference_policies_elements_resource.html", who: iam.NewUser(user),
		identity: []string{st("A", "Allow", "", "*", `"Resource":"arn:aws:secretsmanager:*:secret:prod/*"`)}, want: "allowed by A of identity",
	},
	{
		name: "the suffix of a secret's ARN has six characters", page: "https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html",
		who: iam.NewUser(user), identity: []string{st("A", "Allow", "", "*", `"Resource":"arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/mail-??????"`)}, want: "allowed by A of identity",
	},
	{
		name: "a session's policy and the role's must both allow", page: "access_policies.html#policies_session",
		who: iam.NewSession(role, "run"), identity: []string{st("A", "Allow", "", "*", "")}, session: []string{st("B", "Allow", "", "s3:*", "")}, want: "denied: no statement allows",
	},
	{
		name: "a session's policy grants nothing", page: "access_policies.html#policies_session",
		who: iam.NewSession(role, "run"), session: []string{st("B", "Allow", "", "*", "")}, want: "denied: no statement allows",
	},
	{
		name: "service control policies grant nothing", page: "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html",
		who: iam.NewUser(user), control: [][]string{{st("F", "Allow", "", "*", "")}}, want: "denied: no statement allows",
	},
	{
		name: "service control policies do not bind service-linked roles", page: "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html",
		who:      iam.NewSession("arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX", "run"),
		identity: []string{st("A", "Allow", "", "*", "")}, control: [][]string{{st("S", "Allow", "", "s3:*", "")}}, want: "allowed by A of identity",
	},
	{
		name: "an identity policy's deny overrides the resource's allow", page: "reference_policies_evaluation-logic_policy-eval-denyallow.html",
		who: iam.NewUser(user), identity: []string{st("D", "Deny", "", "*", "")}, policy: []string{st("A", "Allow", aws(user), "*", "")}, want: "denied by D of identity: explicit deny",
	},
	{
		name: "across accounts: the resource's deny", page: "reference_policies_evaluation-logic-cross-account.html",
		who: iam.NewSession(otherRole, "run"), identity: []string{st("A", "Allow", "", "*", "")},
		policy: []string{st("R", "Allow", aws(otherRole), "*", ""), st("D", "Deny", aws("444455556666"), "*", "")}, want: "denied by D of resource: explicit deny",
	},
	{
		name: "a deny of a role is of its sessions", page: "reference_policies_elements_principal.html#principal-roles",
		who: iam.NewSession(role, "run"), identity: []string{st("A", "Allow", "", "*", "")}, policy: []string{st("D", "Deny", aws(role), "*", "")}, want: "denied by D of resource: explicit deny",
	},
	{
		name: "a deny of a session is not of another", page: "reference_policies_elements_principal.html#principal-role-session",
		who: iam.NewSession(role, "other"), identity: []string{st("A", "Allow", "", "*", "")}, policy: []string{st("D", "Deny", aws(session), "*", "")}, want: "allowed by A of identity",
	},
	{
		name: "everyone with a condition, across accounts", page: "reference_policies_condition-keys.html#condition-keys-principalorgid",
		who: iam.NewSession(otherRole, "run"), identity: []string{st("A", "Allow", "", "*", "")}, context: map[string][]string{"aws:PrincipalOrgID": {"o-1"}},
		policy: []string{st("R", "Allow", `"*"`, "*", `"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`)}, want: "allowed by R of resource",
	},
	{
		name: "everyone with a condition that is not known", page: "reference_policies_condition-keys.html#condition-keys-principalorgid",
		who: iam.NewSession(otherRole, "run"), identity: []string{st("A", "Allow", "", "*", "")},
		policy: []string{st("R", "Allow", `"*"`, "*", `"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`)}, want: "allowed if (aws:PrincipalOrgID) by R of resource",
	},
	{
		name: "a service for another account's rule", page: "confused-deputy.html", who: iam.NewService("events.amazonaws.com"), action: "sqs:SendMessage", resource: "arn:aws:sqs:eu-west-1:111122223333:q",
		context: map[string][]string{"aws:SourceAccount": {"444455556666"}},
		policy:  []string{st("A", "Allow", `{"Service":"events.amazonaws.com"}`, "*", `"Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"}}`)}, want: "denied: no statement allows",
	},
	{
		name: "a service that does not say for whom", page: "confused-deputy.html", who: iam.NewService("events.amazonaws.com"), action: "sqs:SendMessage", resource: "arn:aws:sqs:eu-west-1:111122223333:q",
		context: map[string][]string{},
		policy:  []string{st("A", "Allow", `{"Service":"events.amazonaws.com"}`, "*", `"Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:events:*:111122223333:rule/*"}}`)}, want: "denied: no statement allows",
	},
	{
		name: "a service for our rule", page: "confused-deputy.html", who: iam.NewService("events.amazonaws.com"), action: "sqs:SendMessage", resource: "arn:aws:sqs:eu-west-1:111122223333:q",
		context: map[string][]string{"aws:SourceArn": {"arn:aws:events:eu-west-1:111122223333:rule/r"}},
		policy:  []string{st("A", "Allow", `{"Service":"events.amazonaws.com"}`, "*", `"Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:events:*:111122223333:rule/*"}}`)}, want: "allowed by A of resource",
	},
	{
		name: "a KMS key across accounts: the key's side alone", page: "https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html",
		who: iam.NewSession(otherRole, "run"), action: "kms:Decrypt", resource: keyARN, policy: []string{st("K", "Allow", aws("444455556666"), "kms:Decrypt", "")}, want: "denied: no statement of its own account allows",
	},
	{
		name: "a KMS key across accounts: both sides", page: "https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html",
		who: iam.NewSession(otherRole, "run"), action: "kms:Decrypt", resource: keyARN, identity: []string{st("A", "Allow", "", "kms:Decrypt", "")},
		policy: []string{st("K", "Allow", aws("444455556666"), "kms:Decrypt", "")}, want: "allowed by K of resource",
	},
	{
		name: "a KMS key by way of a service", page: "https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service",
		who: iam.NewUser(user), action: "kms:Decrypt", resource: keyARN, context: map[string][]string{"kms:ViaService": {"secretsmanager.eu-west-1.amazonaws.com"}},
		policy: []string{st("K", "Allow", aws("*"), "kms:Decrypt", `"Condition":{"StringEquals":{"kms:ViaService":"secretsmanager.eu-west-1.amazonaws.com"}}`)}, want: "allowed by K of resource",
	},
	{
		name: "a KMS key not by way of a service", page: "https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service",
		who: iam.NewUser(user), action: "kms:Decrypt", resource: keyARN, context: map[string][]string{},
		policy: []string{st("K", "Allow", aws("*"), "kms:Decrypt", `"Condition":{"StringEquals":{"kms:ViaService":"secretsmanager.eu-west-1.amazonaws.com"}}`)}, want: "denied: no statement allows",
	},
	{
		name: "a KMS key's condition on the account binds its identity policies", page: "https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html",
		who: iam.NewUser(user), action: "kms:Decrypt", resource: keyARN, identity: []string{st("A", "Allow", "", "kms:*", "")}, context: map[string][]string{"kms:ViaService": {"s3.eu-west-1.amazonaws.com"}},
		policy: []string{st("K", "Allow", aws("111122223333"), "kms:*", `"Condition":{"StringEquals":{"kms:ViaService":"sqs.eu-west-1.amazonaws.com"}}`)}, want: "denied: no statement allows",
	},
	{
		name: "NotPrincipal denies all others", page: "reference_policies_elements_notprincipal.html",
		who: iam.NewUser(user), identity: []string{st("A", "Allow", "", "*", "")}, policy: []string{others(role, "111122223334")}, want: "denied by D of resource: explicit deny",
	},
	{
		name: "NotPrincipal spares a user whose account is named too", page: "reference_policies_elements_notprincipal.html",
		who: iam.NewUser(user), identity: []string{st("A", "Allow", "", "*", "")}, policy: []string{others(user, "arn:aws:iam::111122223333:root")}, want: "allowed by A of identity",
	},
	{
		name: "NotPrincipal might deny a user whose account is not named", page: "reference_policies_elements_notprincipal.html",
		who: iam.NewUser(user), identity: []string{st("A", "Allow", "", "*", "")}, policy: []string{others(user)}, want: "allowed if (NotPrincipal) by D of resource: may be an explicit deny",
	},
	{
		name: "NotPrincipal spares a session with its role and account", page: "reference_policies_elements_notprincipal.html",
		who: iam.NewSession(role, "run"), identity: []string{st("A", "Allow", "", "*", "")}, policy: []string{others(session, role, "111122223333")}, want: "allowed by A of identity",
	},
	{
		name: "NotPrincipal denies whoever has a boundary", page: "reference_policies_elements_notprincipal.html",
		who: iam.NewUser(user), identity: []string{st("A", "Allow", "", "*", "")}, boundary: []string{st("B", "Allow", "", "*", "")}, policy: []string{others(user, "111122223333")},
		want: "denied by D of resource: explicit deny",
	},
	{
		name: "NotPrincipal spares a service", page: "reference_policies_elements_notprincipal.html",
		who: iam.NewService("events.amazonaws.com"), action: "sqs:SendMessage", resource: "arn:aws:sqs:eu-west-1:111122223333:q",
		policy: []string{st("A", "Allow", `"*"`, "*", ""), `{"Sid":"D","Effect":"Deny","NotPrincipal":{"Service":"events.amazonaws.com"},"Action":"*","Resource":"*"}`}, want: "allowed by A of resource",
	},
	{
		name: "NotAction with Deny", page: "reference_policies_elements_notaction.html", who: iam.NewUser(user),
		identity: []string{st("A", "Allow", "", "*", ""), `{"Sid":"D","Effect":"Deny","NotAction":"s3:*","Resource":"*"}`}, want: "denied by D of identity: explicit deny",
	},
	{
		name: "NotAction does not allow what it names", page: "reference_policies_elements_notaction.html", who: iam.NewUser(user),
		identity: []string{`{"Sid":"A","Effect":"Allow","NotAction":"secretsmanager:*","Resource":"*"}`}, want: "denied: no statement allows",
	},
	{
		name: "NotResource with Allow", page: "reference_policies_elements_notresource.html", who: iam.NewUser(user),
		identity: []string{st("A", "Allow", "", "*", `"NotResource":"`+secretARN+`"`)}, want: "denied: no statement allows",
	},
	{
		name: "a suffix of a resource depends on case", page: "reference_policies_elements_resource.html", who: iam.NewUser(user),
		identity: []string{st("A", "Allow", "", "*", `"Resource":"arn:aws:secretsmanager:eu-west-1:111122223333:secret:Prod/*"`)}, want: "denied: no statement allows",
	},
}

func others(names ...string) string {
	return `{"Sid":"D","Effect":"Deny","NotPrincipal":{"AWS":["` + strings.Join(names, `","`) + `"]},"Action":"*","Resource":"*"}`
}

func TestEvaluateKeepsAWSRules(t *testing.T) {
	t.Parallel()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			request := iam.Request{Principal: r.who, Action: r.action, Resource: r.resource}
			if r.action == "" {
				request.Action, request.Resource = "secretsmanager:GetSecretValue", orElse(r.resource, secretARN)
			}
			if request.Context = r.context; r.context != nil {
				request.Absent = []string{"*"}
			}
			var p iam.Policies
			if r.identity != nil {
				p.Identity = []iam.Policy{policy(t, "identity", r.identity...)}
			}
			if r.policy != nil {
				p.Resource = new(policy(t, "resource", r.policy...))
			}
			if r.boundary != nil {
				p.Boundary = new(policy(t, "boundary", r.boundary...))
			}
			if r.session != nil {
				p.Session = []iam.Policy{policy(t, "session", r.session...)}
			}
			for _, level := range r.control {
				p.ServiceControl = append(p.ServiceControl, []iam.Policy{policy(t, "control", level...)})
			}
			got, err := iam.Evaluate(request, p)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != r.want {
				t.Errorf("got %q, want %q (%s)", got, r.want, r.page)
			}
		})
	}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

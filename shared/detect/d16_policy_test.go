package detect

import (
	"encoding/json"
	"testing"

	"github.com/keyturn/keyturn/shared/trail"
)

func TestPolicyChange(t *testing.T) {
	t.Parallel()
	put := func(policy any, changes ...func(*trail.Event)) []trail.Event {
		return []trail.Event{ev(0, alice, "PutResourcePolicy", "prod/mail", append([]func(*trail.Event){set("resourcePolicy", policy)}, changes...)...)}
	}
	statement := func(s string) string { return `{"Statement":` + s + `}` }
	everybody := statement(`[{"Effect":"Deny","Principal":"*"},{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":"*"}]`)
	inOrg := statement(`{"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}}`)
	own := statement(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/mailer"}}`)
	deployer, partner := ours(), ours()
	deployer.Deployers = []string{alice}
	partner.Accounts = []string{"210987654321"}
	changed := "medium: the policy was changed by somebody who deploys nothing"
	check(t, policyChange(), []ruleCase{
		{name: "everybody", events: put(everybody), want: []string{"critical: the policy lets in everybody"}},
		{name: "everybody, as an object", events: put(json.RawMessage(everybody)), want: []string{"critical: the policy lets in everybody"}},
		{name: "everybody, by a deployer", site: deployer, events: put(everybody), want: []string{"critical: the policy lets in everybody"}},
		{name: "everybody, refused", events: put(everybody, fails("PublicPolicyException")), want: []string{"medium: an attempt, refused, at a policy that lets in everybody"}},
		{name: "all but one", events: put(statement(`[{"Effect":"Allow","NotPrincipal":{"AWS":"x"}}]`)), want: []string{"critical: the policy lets in everybody but some"}},
		{name: "the organization", events: put(inOrg), want: []string{changed}},
		{name: "the organization, if there is one", events: put(statement(`{"Effect":"Allow","Principal":"*","Condition":{"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-1"}}}`)), want: []string{"critical: the policy lets in everybody"}},
		{name: "any organization", events: put(statement(`{"Effect":"Allow","Principal":"*","Condition":{"StringLike":{"aws:PrincipalOrgID":"*"}}}`)), want: []string{"critical: the policy lets in everybody"}},
		{name: "another account", events: put(statement(`{"Effect":"Allow","Principal":{"AWS":"210987654321"}}`)), want: []string{"critical: the policy lets in account 210987654321"}},
		{name: "a listed account", site: partner, events: put(statement(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::210987654321:root"}}`)), want: []string{changed}},
		{name: "own account", events: put(own), want: []string{changed}},
		{name: "own account, by a deployer", site: deployer, events: put(own)},
		{name: "not JSON", events: put("policy"), want: []string{"critical: the policy nobody can parse"}},
		{name: "own account, refused", events: put(own, denied)},
		{name: "deleted", events: []trail.Event{ev(0, alice, "DeleteResourcePolicy", "prod/mail")}, want: []string{"high: the policy, and what it denied, was deleted"}},
		{name: "deleted by a deployer", site: deployer, events: []trail.Event{ev(0, alice, "DeleteResourcePolicy", "prod/mail")}},
		{name: "read", events: []trail.Event{ev(0, alice, "GetResourcePolicy", "prod/mail")}},
		{name: "not ours", events: []trail.Event{ev(0, alice, "DeleteResourcePolicy", "other")}},
	})
}

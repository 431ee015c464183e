package detect

import (
	"encoding/json"
	"strings"

	"github.com/keyturn/keyturn/shared/trail"
)

// policyChange is D-16: the policy of a secret was changed by anybody but the
// deployers, or by anybody so that others get in: everybody, or an account that
// is not on the list, without a condition that names an organization, a network
// or a principal. The deletion of a policy removes what it denied. An attempt to
// make a secret public that was refused counts too.
//
// Threshold: one. False positives: an account that is missing in the list.
func policyChange() Rule {
	return Rule{
		ID: "D-16", Title: "the policy of a secret was changed", Severity: Medium, Technique: "T1098", Default: true,
		Next: "compare the policy with the one deployed, put that back, and look for reads since the change",
		See: func(s *Site, c *Call) []Finding {
			if !c.Manager() || len(c.About) == 0 || c.Name != "PutResourcePolicy" && c.Name != "DeleteResourcePolicy" {
				return nil
			}
			done := c.Result == trail.Succeeded
			if c.Name == "DeleteResourcePolicy" {
				if !done || matches(s.Deployers, c.Who) {
					return nil
				}
				f := c.Finding("the policy, and what it denied, was deleted")
				f.Severity = High
				return one(f)
			}
			opens := opened(s, c)
			switch {
			case opens != "" && !done:
				return one(c.Finding("an attempt, refused, at a policy that " + opens))
			case opens != "":
				f := c.Finding("the policy " + opens)
				f.Severity = Critical
				return one(f)
			case !done || matches(s.Deployers, c.Who):
				return nil
			default:
				return one(c.Finding("the policy was changed by somebody who deploys nothing"))
			}
		},
	}
}

type policyStatement struct {
	Effect       string
	Principal    json.RawMessage
	NotPrincipal json.RawMessage
	Condition    map[string]map[string]json.RawMessage
}

// opened says to whom the new policy opens the secret, or nothing. In records
// the policy is a string, in some copies of them an object.
func opened(s *Site, c *Call) string {
	var q struct {
		Policy json.RawMessage `json:"resourcePolicy"`
	}
	if c.RequestFields(&q) != nil || len(q.Policy) == 0 {
		return ""
	}
	var text string
	if json.Unmarshal(q.Policy, &text) == nil {
		q.Policy = json.RawMessage(text)
	}
	var doc struct{ Statement json.RawMessage }
	if json.Unmarshal(q.Policy, &doc) != nil {
		return "nobody can parse"
	}
	var all []policyStatement
	if json.Unmarshal(doc.Statement, &all) != nil {
		all = make([]policyStatement, 1)
		if json.Unmarshal(doc.Statement, &all[0]) != nil {
			return "nobody can parse"
		}
	}
	for _, st := range all {
		if why := st.opens(s, c); why != "" {
			return why
		}
	}
	return ""
}

// opens says to whom the statement opens the secret, or nothing.
func (st policyStatement) opens(s *Site, c *Call) string {
	if st.Effect != "Allow" || st.narrow() {
		return ""
	}
	if st.NotPrincipal != nil {
		return "lets in everybody but some"
	}
	for _, p := range principals(st.Principal) {
		if p == "*" {
			return "lets in everybody"
		}
		if id := accountOf(p); id != "" && foreign(s, c, id) {
			return "lets in account " + id
		}
	}
	return ""
}

// principals are the AWS principals of a statement.
func principals(raw json.RawMessage) []string {
	var byKind map[string]json.RawMessage
	if json.Unmarshal(raw, &byKind) == nil {
		raw = byKind["AWS"]
	}
	return texts(raw)
}

// texts reads a string or a list of them.
func texts(raw json.RawMessage) []string {
	var one string
	var many []string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	_ = json.Unmarshal(raw, &many) // Another shape names nobody.
	return many
}

// accountOf reads the account of an ARN, or an account's number.
func accountOf(principal string) string {
	if p := strings.SplitN(principal, ":", 6); len(p) == 6 && p[0] == "arn" {
		return p[4]
	}
	if len(principal) == 12 && strings.Trim(principal, "0123456789") == "" {
		return principal
	}
	return ""
}

// foreign says that the account is neither the secret's nor on the list.
func foreign(s *Site, c *Call, id string) bool {
	home := s.Account
	if home == "" {
		home = c.Account
	}
	return id != "" && home != "" && id != home && !matches(s.Accounts, id)
}

// narrow says that a condition leaves a known circle. Negated operators, those
// that pass without the key, and values of wildcards only do not.
func (st policyStatement) narrow() bool {
	for operator, keys := range st.Condition {
		op := strings.ToLower(operator)
		if strings.Contains(op, "not") || strings.HasSuffix(op, "ifexists") || strings.HasPrefix(op, "null") || strings.HasPrefix(op, "forallvalues:") {
			continue
		}
		for key, values := range keys {
			switch strings.ToLower(key) {
			case "aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:principalarn", "aws:sourceorgid",
				"aws:sourceaccount", "aws:sourcearn", "aws:sourcevpc", "aws:sourcevpce", "aws:sourceip":
				if limited(texts(values)) {
					return true
				}
			}
		}
	}
	return false
}

func limited(values []string) bool {
	for _, v := range values {
		if strings.Trim(v, "*?") == "" || v == "0.0.0.0/0" || v == "::/0" || strings.HasPrefix(v, "arn:aws:iam::*") {
			return false
		}
	}
	return len(values) > 0
}

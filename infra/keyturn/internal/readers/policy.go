package readers

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

type statement struct {
	Effect       string
	Principal    json.RawMessage
	NotPrincipal json.RawMessage
	Action       oneOrMany
	NotAction    oneOrMany
	Condition    map[string]json.RawMessage
}

// oneOrMany is a string or a list of strings.
type oneOrMany []string

// UnmarshalJSON implements [json.Unmarshaler].
func (o *oneOrMany) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*o = oneOrMany{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(o))
}

// parse returns whom a policy lets read the value, and what of it this does not
// weigh.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
func parse(policy []byte) (grants []Grant, notes []string, err error) {
	var p struct{ Statement json.RawMessage }
	var all []statement
	if json.Unmarshal(policy, &p) != nil {
		return nil, nil, errPolicy
	}
	if json.Unmarshal(p.Statement, &all) != nil {
		var one statement
		if json.Unmarshal(p.Statement, &one) != nil {
			return nil, nil, errPolicy
		}
		all = []statement{one}
	}
	for _, s := range all {
		switch {
		case !s.reads():
		case s.Effect == "Deny":
			notes = append(notes, "whom its policy keeps from reading all the same: it has a statement that denies")
		case s.NotPrincipal != nil:
			notes = append(notes, "whom its policy lets read: it has a statement with NotPrincipal")
		default:
			for _, who := range principals(s.Principal) {
				grants = append(grants, Grant{Principal: who, Conditional: len(s.Condition) > 0})
			}
		}
	}
	slices.Sort(notes)
	return grants, slices.Compact(notes), nil
}

// reads reports whether a statement is about reading values.
func (s statement) reads() bool {
	matches := func(pattern string) bool {
		return matches(strings.ToLower(pattern), "secretsmanager:getsecretvalue") || matches(strings.ToLower(pattern), "secretsmanager:batchgetsecretvalue")
	}
	if s.NotAction != nil {
		return !slices.ContainsFunc(s.NotAction, matches)
	}
	return slices.ContainsFunc(s.Action, matches)
}

// matches reports whether pattern, in which * is any text and ? any character,
// is all of text.
func matches(pattern, text string) bool {
	p := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	found, err := regexp.MatchString("^(?s:"+p+")$", text)
	return err == nil && found
}

func principals(raw json.RawMessage) (out []string) {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var kinds map[string]oneOrMany
	if json.Unmarshal(raw, &kinds) != nil {
		return []string{"somebody who is not understood"}
	}
	for _, who := range kinds {
		out = append(out, who...)
	}
	slices.Sort(out)
	return out
}

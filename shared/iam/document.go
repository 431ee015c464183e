// Package iam holds AWS's policy documents as data, and decides what they
// allow: identity policies, resource policies, KMS key policies, permissions
// boundaries and service control policies.
//
// What the package does not know is an error, never a silent allow or deny. It
// calls nothing: a [Request] carries all that is known, and a [Decision] names
// the context keys that were not known and that it depends on.
package iam

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Version is the version of the policy language: the only one with variables.
// See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html.
const Version = "2012-10-17"

// The effects of a statement.
const (
	Allow = "Allow"
	Deny  = "Deny"
)

// Document is a policy. [Parse] reads one; [Document.Text] is what AWS is sent.
// Marshaled twice it is the same text twice. See
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html.
type Document struct {
	Version   string      `json:"Version,omitempty"` // empty: 2008-10-17, without variables
	ID        string      `json:"Id,omitempty"`
	Statement []Statement `json:"Statement"`
}

// Statement is one statement of a [Document].
type Statement struct {
	Sid          string      `json:"Sid,omitempty"`
	Effect       string      `json:"Effect"`                 // Allow or Deny
	Principal    *Principals `json:"Principal,omitempty"`    // resource policies only
	NotPrincipal *Principals `json:"NotPrincipal,omitempty"` // with Deny: everybody else
	Action       Strings     `json:"Action,omitempty"`
	NotAction    Strings     `json:"NotAction,omitempty"`
	Resource     Strings     `json:"Resource,omitempty"`
	NotResource  Strings     `json:"NotResource,omitempty"`
	Condition    Conditions  `json:"Condition,omitempty"`
}

// Strings is a list that AWS also writes as a single string. A list of one is
// marshaled as a string; the order is kept.
type Strings []string

// Conditions are values by operator, such as StringEquals, and context key. All
// of them must hold.
type Conditions map[string]map[string]Strings

// Principals are who a statement of a resource policy is about. Everyone is
// written "*".
type Principals struct {
	Everyone      bool
	AWS           Strings
	Service       Strings
	Federated     Strings
	CanonicalUser Strings
}

// MarshalJSON writes a list of one as a string.
func (s Strings) MarshalJSON() ([]byte, error) {
	if len(s) == 1 {
		return plainJSON(s[0])
	}
	return plainJSON([]string(s))
}

// MarshalJSON writes Everyone as "*", and kinds that are empty not at all.
func (p Principals) MarshalJSON() ([]byte, error) {
	if p.Everyone {
		return []byte(`"*"`), nil
	}
	return plainJSON(struct {
		AWS           Strings `json:"AWS,omitempty"`
		Service       Strings `json:"Service,omitempty"`
		Federated     Strings `json:"Federated,omitempty"`
		CanonicalUser Strings `json:"CanonicalUser,omitempty"`
	}{p.AWS, p.Service, p.Federated, p.CanonicalUser})
}

// Text is the document as AWS is sent it: compact, and with "&", "<" and ">"
// as they are.
func (d Document) Text() (string, error) {
	text, err := plainJSON(d)
	return string(text), err
}

// Map is the document as plain data, for those who build on it.
func (d Document) Map() (map[string]any, error) {
	text, err := d.Text()
	if err != nil {
		return nil, err
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, fmt.Errorf("read a policy back: %w", err)
	}
	return m, nil
}

// Clone is a copy that shares nothing with d.
func (d Document) Clone() Document {
	d.Statement = slices.Clone(d.Statement)
	for i, s := range d.Statement {
		d.Statement[i] = s.clone()
	}
	return d
}

func (s Statement) clone() Statement {
	s.Principal, s.NotPrincipal = s.Principal.clone(), s.NotPrincipal.clone()
	s.Action, s.NotAction = slices.Clone(s.Action), slices.Clone(s.NotAction)
	s.Resource, s.NotResource = slices.Clone(s.Resource), slices.Clone(s.NotResource)
	if s.Condition != nil {
		conditions := Conditions{}
		for operator, keys := range s.Condition {
			conditions[operator] = map[string]Strings{}
			for key, values := range keys {
				conditions[operator][key] = slices.Clone(values)
			}
		}
		s.Condition = conditions
	}
	return s
}

func (p *Principals) clone() *Principals {
	if p == nil {
		return nil
	}
	return &Principals{
		Everyone: p.Everyone, AWS: slices.Clone(p.AWS), Service: slices.Clone(p.Service),
		Federated: slices.Clone(p.Federated), CanonicalUser: slices.Clone(p.CanonicalUser),
	}
}

func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("write a policy: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

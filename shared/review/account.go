package review

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// ReadAccount reads the users and roles of an account from what
// iam:GetAccountAuthorizationDetails answers, as the AWS command line prints it. A
// policy that is attached and not in it makes its principals' rights unknown. See
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
func ReadAccount(r io.Reader) ([]Principal, error) {
	var in struct {
		UserDetailList, GroupDetailList, RoleDetailList []entity
		Policies                                        []struct {
			Arn               string
			PolicyVersionList []struct {
				Document         json.RawMessage
				IsDefaultVersion bool
			}
		}
	}
	if err := json.NewDecoder(r).Decode(&in); err != nil {
		return nil, fmt.Errorf("read the account's authorization details: %w", err)
	}
	managed, groups := map[string]string{}, map[string]entity{}
	for _, p := range in.Policies {
		for _, v := range p.PolicyVersionList {
			if v.IsDefaultVersion {
				managed[p.Arn] = text(v.Document)
			}
		}
	}
	for _, g := range in.GroupDetailList {
		groups[g.GroupName] = g
	}
	var out []Principal
	for _, u := range in.UserDetailList {
		p := u.principal(managed)
		// A password cannot be seen here: a user is taken for a person.
		p.Person = true
		for _, name := range u.GroupList {
			g, ok := groups[name]
			if !ok {
				p.Identity = append(p.Identity, Policy{Name: "group " + name}) // no text: unknown
			}
			p.Identity = append(p.Identity, g.principal(managed).Identity...)
		}
		out = append(out, p)
	}
	for _, e := range in.RoleDetailList {
		p := e.principal(managed)
		p.Role, p.Trust = true, text(e.AssumeRolePolicyDocument)
		p.Person = strings.Contains(e.Arn, ":role/aws-reserved/sso.amazonaws.com/")
		out = append(out, p)
	}
	return out, nil
}

type entity struct {
	Arn, GroupName, UserID, RoleID                  string
	GroupList                                       []string
	UserPolicyList, GroupPolicyList, RolePolicyList []inline
	AttachedManagedPolicies                         []struct{ PolicyName, PolicyArn string }
	PermissionsBoundary                             *struct{ PermissionsBoundaryArn string }
	Tags                                            []struct{ Key, Value string }
	AssumeRolePolicyDocument                        json.RawMessage
}

type inline struct {
	PolicyName     string
	PolicyDocument json.RawMessage
}

func (e entity) principal(managed map[string]string) Principal {
	p := Principal{ARN: e.Arn, ID: e.UserID + e.RoleID, Tags: map[string]string{}}
	for _, list := range [][]inline{e.UserPolicyList, e.GroupPolicyList, e.RolePolicyList} {
		for _, i := range list {
			p.Identity = append(p.Identity, Policy{i.PolicyName, text(i.PolicyDocument)})
		}
	}
	for _, a := range e.AttachedManagedPolicies {
		p.Identity = append(p.Identity, Policy{a.PolicyName, managed[a.PolicyArn]})
	}
	if b := e.PermissionsBoundary; b != nil {
		p.Boundary = &Policy{"boundary " + b.PermissionsBoundaryArn, managed[b.PermissionsBoundaryArn]}
	}
	for _, t := range e.Tags {
		p.Tags[t.Key] = t.Value
	}
	return p
}

// text is a document that the API encodes as in URLs and the command line prints
// as an object. What cannot be decoded stays as it is, and is unknown later.
func text(raw json.RawMessage) string {
	var encoded string
	if json.Unmarshal(raw, &encoded) != nil {
		return string(raw)
	}
	decoded, err := url.PathUnescape(encoded)
	if err != nil {
		return encoded
	}
	return decoded
}

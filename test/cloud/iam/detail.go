package iam

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

type document struct {
	PolicyName     string
	PolicyDocument string
}

type attached struct{ PolicyName, PolicyArn string }

type boundary struct {
	PermissionsBoundaryType string
	PermissionsBoundaryArn  string
}

type tag struct{ Key, Value string }

type userDetail struct {
	Path       string
	UserName   string
	UserID     string `xml:"UserId"`
	Arn        string
	CreateDate string
	Inline     []document `xml:"UserPolicyList>member"`
	Groups     []string   `xml:"GroupList>member"`
	Attached   []attached `xml:"AttachedManagedPolicies>member"`
	Boundary   *boundary  `xml:"PermissionsBoundary"`
	Tags       []tag      `xml:"Tags>member"`
}

type groupDetail struct {
	Path       string
	GroupName  string
	GroupID    string `xml:"GroupId"`
	Arn        string
	CreateDate string
	Inline     []document `xml:"GroupPolicyList>member"`
	Attached   []attached `xml:"AttachedManagedPolicies>member"`
}

type lastUsed struct {
	LastUsedDate string `xml:",omitempty"`
	Region       string `xml:",omitempty"`
}

type roleDetail struct {
	Path       string
	RoleName   string
	RoleID     string `xml:"RoleId"`
	Arn        string
	CreateDate string
	Trust      string     `xml:"AssumeRolePolicyDocument"`
	Inline     []document `xml:"RolePolicyList>member"`
	Attached   []attached `xml:"AttachedManagedPolicies>member"`
	Boundary   *boundary  `xml:"PermissionsBoundary"`
	Tags       []tag      `xml:"Tags>member"`
	LastUsed   lastUsed   `xml:"RoleLastUsed"`
}

type policyVersion struct {
	Document         string
	VersionID        string `xml:"VersionId"`
	IsDefaultVersion bool
	CreateDate       string
}

type policyDetail struct {
	PolicyName       string
	PolicyID         string `xml:"PolicyId"`
	Arn              string
	Path             string
	DefaultVersionID string `xml:"DefaultVersionId"`
	AttachmentCount  int
	BoundaryCount    int `xml:"PermissionsBoundaryUsageCount"`
	IsAttachable     bool
	CreateDate       string
	UpdateDate       string
	Versions         []policyVersion `xml:"PolicyVersionList>member"`
}

// encode is how documents are sent: RFC 3986.
func encode(document string) string { return strings.ReplaceAll(url.QueryEscape(document), "+", "%20") }

func inline(policies map[string]string) (out []document) {
	for _, name := range slices.Sorted(maps.Keys(policies)) {
		out = append(out, document{name, encode(policies[name])})
	}
	return out
}

func attach(arns []string) (out []attached) {
	for _, a := range arns {
		out = append(out, attached{a[strings.LastIndexByte(a, '/')+1:], a})
	}
	return out
}

func bound(arn string) *boundary {
	if arn == "" {
		return nil
	}
	return &boundary{"Policy", arn}
}

func tags(m map[string]string) (out []tag) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, tag{k, m[k]})
	}
	return out
}

func (s *Service) date() string { return s.created.UTC().Format(time.RFC3339) }

func (s *Service) user(u User) userDetail {
	a := arn(wire.Account, "user", u.Path, u.Name)
	return userDetail{
		Path: slash(u.Path), UserName: u.Name, UserID: id("AIDA", a), Arn: a, CreateDate: s.date(), Inline: inline(u.Inline),
		Groups: u.Groups, Attached: attach(u.Attached), Boundary: bound(u.Boundary), Tags: tags(u.Tags),
	}
}

func (s *Service) group(g Group) groupDetail {
	a := arn(wire.Account, "group", g.Path, g.Name)
	return groupDetail{
		Path: slash(g.Path), GroupName: g.Name, GroupID: id("AGPA", a), Arn: a, CreateDate: s.date(), Inline: inline(g.Inline), Attached: attach(g.Attached),
	}
}

func (s *Service) role(r Role) roleDetail {
	a := arn(wire.Account, "role", r.Path, r.Name)
	out := roleDetail{
		Path: slash(r.Path), RoleName: r.Name, RoleID: id("AROA", a), Arn: a, CreateDate: s.date(), Trust: encode(r.Trust), Inline: inline(r.Inline),
		Attached: attach(r.Attached), Boundary: bound(r.Boundary), Tags: tags(r.Tags),
	}
	if !r.LastUsed.IsZero() {
		out.LastUsed = lastUsed{r.LastUsed.UTC().Format(time.RFC3339), wire.Region}
	}
	return out
}

func (s *Service) policy(p Policy) policyDetail {
	out := policyDetail{
		PolicyName: p.Name, PolicyID: id("ANPA", p.ARN()), Arn: p.ARN(), Path: slash(p.Path), DefaultVersionID: "v1", IsAttachable: true,
		CreateDate: s.date(), UpdateDate: s.date(), Versions: []policyVersion{{encode(p.Document), "v1", true, s.date()}},
	}
	count := func(r Rights, boundary string) {
		if slices.Contains(r.Attached, out.Arn) {
			out.AttachmentCount++
		}
		if boundary == out.Arn {
			out.BoundaryCount++
		}
	}
	for _, u := range s.account.Users {
		count(u.Rights, u.Boundary)
	}
	for _, g := range s.account.Groups {
		count(g.Rights, "")
	}
	for _, r := range s.account.Roles {
		count(r.Rights, r.Boundary)
	}
	return out
}

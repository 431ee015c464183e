package iam_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/iam"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

const (
	read  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`
	trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
)

var made = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func account() iam.Account {
	limit := iam.Policy{Name: "limit", Path: "/b/", Document: read}
	return iam.Account{
		Users: []iam.User{{
			Rights: iam.Rights{Name: "ann", Path: "/staff/", Attached: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}},
			Groups: []string{"admins"}, Boundary: limit.ARN(), Tags: map[string]string{"team": "a & b"},
		}},
		Groups: []iam.Group{{iam.Rights{Name: "admins", Inline: map[string]string{"all of it": read}}}},
		Roles: []iam.Role{
			{Rights: iam.Rights{Name: "app", Inline: map[string]string{"read": read}}, Trust: trust, LastUsed: made.Add(time.Hour)},
			{Rights: iam.Rights{Name: "idle", Attached: []string{limit.ARN()}}, Trust: trust},
		},
		Policies: []iam.Policy{limit, {Name: "ReadOnlyAccess", Document: read, AWS: true}},
	}
}

func client(a iam.Account) *sdk.Client {
	s := iam.New(made)
	s.Set(a)
	return sdk.NewFromConfig(wiretest.Config("iam", s, clock.New()))
}

func decoded(t *testing.T, document *string) string {
	t.Helper()
	out, err := url.PathUnescape(aws.ToString(document))
	if err != nil || out == aws.ToString(document) {
		t.Fatalf("the document is not encoded: %q, %v", aws.ToString(document), err)
	}
	return out
}

func TestDetails(t *testing.T) {
	t.Parallel()
	out, err := client(account()).GetAccountAuthorizationDetails(t.Context(), &sdk.GetAccountAuthorizationDetailsInput{})
	if err != nil {
		t.Fatal(err)
	}
	u, g, r, p := out.UserDetailList[0], out.GroupDetailList[0], out.RoleDetailList, out.Policies
	if *u.Arn != "arn:aws:iam::123456789012:user/staff/ann" || u.GroupList[0] != "admins" || *u.PermissionsBoundary.PermissionsBoundaryArn != "arn:aws:iam::123456789012:policy/b/limit" ||
		*u.AttachedManagedPolicies[0].PolicyName != "ReadOnlyAccess" || *u.Tags[0].Value != "a & b" || !u.CreateDate.Equal(made) {
		t.Errorf("user %+v", u)
	}
	if decoded(t, g.GroupPolicyList[0].PolicyDocument) != read || *g.GroupPolicyList[0].PolicyName != "all of it" {
		t.Errorf("group %+v", g)
	}
	if decoded(t, r[0].AssumeRolePolicyDocument) != trust || !r[0].RoleLastUsed.LastUsedDate.Equal(made.Add(time.Hour)) || r[1].RoleLastUsed.LastUsedDate != nil || r[1].PermissionsBoundary != nil {
		t.Errorf("roles %+v", r)
	}
	if *p[0].AttachmentCount != 1 || *p[0].PermissionsBoundaryUsageCount != 1 || decoded(t, p[0].PolicyVersionList[0].Document) != read || *p[1].Arn != "arn:aws:iam::aws:policy/ReadOnlyAccess" {
		t.Errorf("policies %+v", p)
	}
	if out.IsTruncated || out.Marker != nil {
		t.Errorf("truncated at %v", out.Marker)
	}
}

// Pages end between any two entities, and come to all of them once.
func TestDetails_pages(t *testing.T) {
	t.Parallel()
	c := client(account())
	pages := sdk.NewGetAccountAuthorizationDetailsPaginator(c, &sdk.GetAccountAuthorizationDetailsInput{MaxItems: aws.Int32(2)})
	var names []string
	n := 0
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n++
		for _, u := range out.UserDetailList {
			names = append(names, *u.UserName)
		}
		for _, g := range out.GroupDetailList {
			names = append(names, *g.GroupName)
		}
		for _, r := range out.RoleDetailList {
			names = append(names, *r.RoleName)
		}
		for _, p := range out.Policies {
			names = append(names, *p.PolicyName)
		}
	}
	if diff := cmp.Diff([]string{"ann", "admins", "app", "idle", "limit", "ReadOnlyAccess"}, names); diff != "" || n != 3 {
		t.Errorf("%d pages (-want +got):\n%s", n, diff)
	}
	out, err := c.GetAccountAuthorizationDetails(t.Context(), &sdk.GetAccountAuthorizationDetailsInput{Filter: []types.EntityType{types.EntityTypeRole, types.EntityTypeLocalManagedPolicy}})
	if err != nil || len(out.RoleDetailList) != 2 || len(out.Policies) != 1 || len(out.UserDetailList)+len(out.GroupDetailList) != 0 {
		t.Errorf("filtered: %+v, %v", out, err)
	}
	for _, in := range []*sdk.GetAccountAuthorizationDetailsInput{
		{MaxItems: aws.Int32(1001)}, {Marker: aws.String("x")}, {Marker: aws.String("7")}, {Filter: []types.EntityType{"Dog"}},
	} {
		if _, err := c.GetAccountAuthorizationDetails(t.Context(), in); err == nil {
			t.Errorf("%+v is answered", in)
		}
	}
}

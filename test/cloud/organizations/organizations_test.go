package organizations_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/organizations"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

const deny = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`

func client(o *organizations.Organization) *sdk.Client {
	s := organizations.New()
	if o != nil {
		s.Set(*o)
	}
	return sdk.NewFromConfig(wiretest.Config("organizations", s, clock.New()))
}

func example() *organizations.Organization {
	o := &organizations.Organization{
		ID: "o-1", Manager: "999999999999", Parents: map[string]string{wire.Account: "ou-1", "ou-1": "r-1"},
		Policies: []organizations.Policy{{ID: "p-FullAWSAccess", Name: "FullAWSAccess", AWS: true, Targets: []string{"r-1", "ou-1", wire.Account}}},
	}
	for i := range 25 {
		o.Policies = append(o.Policies, organizations.Policy{ID: "p-" + string(rune('a'+i)), Name: "deny", Document: deny, Targets: []string{"ou-1"}})
	}
	return o
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	c := client(example())
	org, err := c.DescribeOrganization(t.Context(), &sdk.DescribeOrganizationInput{})
	if err != nil || *org.Organization.Id != "o-1" || *org.Organization.MasterAccountId != "999999999999" {
		t.Errorf("%+v, %v", org, err)
	}
	var chain []string
	got := map[string]int{}
	for id := wire.Account; ; {
		pages := sdk.NewListPoliciesForTargetPaginator(c, &sdk.ListPoliciesForTargetInput{TargetId: &id, Filter: types.PolicyTypeServiceControlPolicy})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got[id] += len(page.Policies)
		}
		if strings.HasPrefix(id, "r-") {
			break
		}
		up, err := c.ListParents(t.Context(), &sdk.ListParentsInput{ChildId: aws.String(id)})
		if err != nil {
			t.Fatal(err)
		}
		id = *up.Parents[0].Id
		chain = append(chain, string(up.Parents[0].Type))
	}
	if diff := cmp.Diff(map[string]int{wire.Account: 1, "ou-1": 26, "r-1": 1}, got); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ORGANIZATIONAL_UNIT", "ROOT"}, chain); diff != "" {
		t.Errorf("parents (-want +got):\n%s", diff)
	}
	all, err := c.ListPolicies(t.Context(), &sdk.ListPoliciesInput{Filter: types.PolicyTypeServiceControlPolicy})
	if err != nil || len(all.Policies) != 20 || all.NextToken == nil {
		t.Errorf("all policies: %+v, %v", all, err)
	}
	p, err := c.DescribePolicy(t.Context(), &sdk.DescribePolicyInput{PolicyId: aws.String("p-a")})
	if err != nil || *p.Policy.Content != deny || *p.Policy.PolicySummary.Arn != "arn:aws:organizations::999999999999:policy/o-1/p-a" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	member := example()
	member.Refuse = true
	for _, tt := range []struct {
		name string
		org  *organizations.Organization
		call func(*sdk.Client) error
		want string
	}{
		{"none", nil, func(c *sdk.Client) error {
			_, err := c.DescribeOrganization(t.Context(), &sdk.DescribeOrganizationInput{})
			return err
		}, "AWSOrganizationsNotInUseException: Your account is not a member of an organization."},
		{"member", member, func(c *sdk.Client) error {
			_, err := c.ListParents(t.Context(), &sdk.ListParentsInput{ChildId: aws.String(wire.Account)})
			return err
		}, "AccessDeniedException: You don't have permissions to access this resource."},
		{"child", example(), func(c *sdk.Client) error {
			_, err := c.ListParents(t.Context(), &sdk.ListParentsInput{ChildId: aws.String("111111111111")})
			return err
		}, "ChildNotFoundException"},
		{"target", example(), func(c *sdk.Client) error {
			_, err := c.ListPoliciesForTarget(t.Context(), &sdk.ListPoliciesForTargetInput{TargetId: aws.String("ou-9"), Filter: types.PolicyTypeServiceControlPolicy})
			return err
		}, "TargetNotFoundException"},
		{"policy", example(), func(c *sdk.Client) error {
			_, err := c.DescribePolicy(t.Context(), &sdk.DescribePolicyInput{PolicyId: aws.String("p-none")})
			return err
		}, "PolicyNotFoundException"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := tt.call(client(tt.org)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

package iam_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"
)

// Lists come in pages, and hold the one kind.
func TestLists(t *testing.T) {
	t.Parallel()
	c := client(account())
	var got []string
	roles := sdk.NewListRolesPaginator(c, &sdk.ListRolesInput{MaxItems: aws.Int32(1)})
	for roles.HasMorePages() {
		out, err := roles.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range out.Roles {
			got = append(got, *r.Arn)
			if decoded(t, r.AssumeRolePolicyDocument) == "" && *r.RoleName == "app" {
				t.Errorf("%s has no trust policy", *r.RoleName)
			}
		}
		got = append(got, "page")
	}
	users, err := c.ListUsers(t.Context(), &sdk.ListUsersInput{PathPrefix: aws.String("/staff/")})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users.Users {
		got = append(got, *u.Arn)
	}
	if out, err := c.ListUsers(t.Context(), &sdk.ListUsersInput{PathPrefix: aws.String("/other/")}); err != nil || len(out.Users) != 0 {
		t.Errorf("of another path: %v, %v", out, err)
	}
	want := []string{"arn:aws:iam::123456789012:role/app", "page", "arn:aws:iam::123456789012:role/idle", "page", "arn:aws:iam::123456789012:user/staff/ann"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, in := range []*sdk.ListRolesInput{{MaxItems: aws.Int32(1001)}, {Marker: aws.String("x")}, {Marker: aws.String("3")}} {
		if _, err := c.ListRoles(t.Context(), in); err == nil {
			t.Errorf("%+v is answered", in)
		}
	}
}

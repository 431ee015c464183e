package gather

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	organizationtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/keyturn/keyturn/shared/awserror"
	policies "github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/review"
)

// maxPages ends what repeats itself.
const maxPages = 10_000

// principals asks for the users and roles. All pages count, or none: who is on a
// page that did not come would look like nobody.
func (c *collection) principals(ctx context.Context) {
	all, err := c.authorizationDetails(ctx)
	if err != nil {
		c.missing("iam:GetAccountAuthorizationDetails did not succeed (%s): who of the account can read is not known.", c.why(err))
		return
	}
	c.in.Principals = all
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
func (c *collection) authorizationDetails(ctx context.Context) ([]review.Principal, error) {
	var all struct {
		UserDetailList  []types.UserDetail
		GroupDetailList []types.GroupDetail
		RoleDetailList  []types.RoleDetail
		Policies        []types.ManagedPolicyDetail
	}
	in := &iam.GetAccountAuthorizationDetailsInput{MaxItems: aws.Int32(1000)}
	for range maxPages {
		out, err := c.IAM.GetAccountAuthorizationDetails(ctx, in)
		if err != nil {
			return nil, err
		}
		all.UserDetailList = append(all.UserDetailList, out.UserDetailList...)
		all.GroupDetailList = append(all.GroupDetailList, out.GroupDetailList...)
		all.RoleDetailList = append(all.RoleDetailList, out.RoleDetailList...)
		all.Policies = append(all.Policies, out.Policies...)
		if !out.IsTruncated {
			// The same reader as for saved answers, whose names these are.
			b, err := json.Marshal(all)
			if err != nil {
				return nil, fmt.Errorf("read the authorization details: %w", err)
			}
			return review.ReadAccount(bytes.NewReader(b))
		}
		in.Marker = out.Marker
	}
	return nil, errors.New("too many pages")
}

// control asks for the service control policies of the account and of all above it.
// AWS answers in the management account, or where that delegated it.
func (c *collection) control(ctx context.Context) {
	levels, err := c.controlPolicies(ctx)
	if err != nil {
		c.missing("The service control policies could not be read (%s): they only restrict, so that at most those who are listed can read.", c.why(err))
		return
	}
	c.in.ServiceControl, c.in.ControlKnown = levels, true
}

func (c *collection) controlPolicies(ctx context.Context) ([][]policies.Policy, error) {
	out, err := c.Organization.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	if awserror.Code(err) == "AWSOrganizationsNotInUseException" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if out.Organization != nil && aws.ToString(out.Organization.MasterAccountId) == c.Account {
		// They do not apply to it:
		// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html
		return nil, nil
	}
	var levels [][]policies.Policy
	for target := c.Account; target != ""; {
		level, err := c.attached(ctx, target)
		if err != nil {
			return nil, err
		}
		if len(level) > 0 { // none: the organization does not use them, for each target has one at least
			levels = append(levels, level)
		}
		if target, err = c.parent(ctx, target); err != nil || len(levels) > maxLevels {
			return nil, errors.Join(err, errLevels(len(levels)))
		}
	}
	return levels, nil
}

// maxLevels is more than an organization may be deep: a root, 5 units, an account.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
const maxLevels = 10

func errLevels(n int) error {
	if n > maxLevels {
		return errors.New("the organization is deeper than AWS allows")
	}
	return nil
}

func (c *collection) attached(ctx context.Context, target string) ([]policies.Policy, error) {
	var out []policies.Policy
	in := &organizations.ListPoliciesForTargetInput{TargetId: &target, Filter: organizationtypes.PolicyTypeServiceControlPolicy}
	for range maxPages {
		page, err := c.Organization.ListPoliciesForTarget(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, p := range page.Policies {
			full, err := c.Organization.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: p.Id})
			if err != nil {
				return nil, err
			}
			d, err := policies.Parse([]byte(aws.ToString(full.Policy.Content)))
			if err != nil {
				return nil, fmt.Errorf("read policy %s: %w", aws.ToString(p.Id), err)
			}
			out = append(out, policies.Policy{Name: "SCP " + aws.ToString(p.Name), Document: d})
		}
		if page.NextToken == nil {
			return out, nil
		}
		in.NextToken = page.NextToken
	}
	return nil, errors.New("too many pages")
}

// parent is what target is in; "" for the root.
func (c *collection) parent(ctx context.Context, target string) (string, error) {
	if len(target) > 2 && target[:2] == "r-" {
		return "", nil
	}
	out, err := c.Organization.ListParents(ctx, &organizations.ListParentsInput{ChildId: &target})
	if err != nil {
		return "", err
	}
	if len(out.Parents) != 1 {
		return "", errors.New("not one parent")
	}
	return aws.ToString(out.Parents[0].Id), nil
}

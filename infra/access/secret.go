package access

import (
	"fmt"
	"slices"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// Limits of what AWS accepts, in characters; white space does not count.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html,
// https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html
const (
	MaxResourcePolicy = 20480 // of a secret
	MaxRolePolicies   = 10240 // all inline policies of a role together
	MaxManagedPolicy  = 6144
	MaxKeyPolicy      = 32768 // of a CMK, in bytes
)

// SizeError is a policy that AWS would refuse for its length.
type SizeError struct {
	Policy    string
	Size, Max int
	Advice    string
}

// Error says how long it is, and what to do.
func (e *SizeError) Error() string {
	return fmt.Sprintf("%s has %d characters, the most is %d: %s", e.Policy, e.Size, e.Max, e.Advice)
}

func fits(policy string, d iam.Document, most int, advice string) (iam.Document, error) {
	text, err := d.Text()
	if err != nil {
		return d, err
	}
	if len(text) > most {
		return d, &SizeError{Policy: policy, Size: len(text), Max: most, Advice: advice}
	}
	return d, nil
}

// valueActions are all that the Deny statements are about: whoever may change
// the policy can always mend it.
func valueActions() iam.Strings {
	return iam.Strings{"secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue"}
}

// Secret is the resource policy of a key's secret; without a statement the
// secret has none.
//
// With readers, nobody else may read the value, whatever identity policies say,
// the root user included; without, identity policies decide who may. Network,
// organization and MFA must hold for whoever reads. The vendor account's rotate
// and retire functions are excepted from all of it: they have no fixed address
// and no MFA.
//
//   - Network: aws:SourceIp is missing from requests through a VPC endpoint, and
//     aws:SourceVpce from all others. Both conditions are negated, so a missing
//     key counts as wrong, and a request is denied if both are.
//   - MFA: aws:MultiFactorAuthPresent is missing from requests with long-term
//     keys; IfExists counts that as none. Machines have no MFA: the file names
//     them, since the keys that tell a function's session do not work in
//     resource policies. Roles of Identity Center have none that IAM sees: the
//     file says which permission sets are trusted.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html,
// https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
func (s *Site) Secret(k keysfile.Key) (iam.Document, error) {
	d := document()
	ours := s.touching(k.VendorAccount)
	but := func(arns iam.Strings) iam.Conditions {
		return iam.Conditions{"ArnNotEquals": {"aws:PrincipalArn": arns}}
	}
	deny := func(sid string, c iam.Conditions) {
		d.Statement = append(d.Statement, iam.Statement{
			Sid: sid, Effect: iam.Deny, Principal: everyone(), Action: valueActions(), Resource: iam.Strings{"*"}, Condition: c,
		})
	}
	if len(k.Readers) > 0 {
		d.Statement = append(d.Statement, iam.Statement{
			Sid: "ReadersRead", Effect: iam.Allow, Principal: &iam.Principals{AWS: sorted(k.Readers)},
			Action: iam.Strings{"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"}, Resource: iam.Strings{"*"},
		})
		deny("OnlyReadersRead", but(sorted(k.Readers, ours)))
	}
	if a := k.Allow; len(a.CIDRs)+len(a.VPCEndpoints) > 0 {
		c := but(ours)
		if len(a.CIDRs) > 0 {
			c["NotIpAddress"] = map[string]iam.Strings{"aws:SourceIp": sorted(a.CIDRs)}
		}
		if len(a.VPCEndpoints) > 0 {
			c["StringNotEquals"] = map[string]iam.Strings{"aws:SourceVpce": sorted(a.VPCEndpoints)}
		}
		deny("OnlyFromNetwork", c)
	}
	if k.Allow.Organization != "" {
		c := but(ours)
		c["StringNotEquals"] = map[string]iam.Strings{"aws:PrincipalOrgID": {k.Allow.Organization}}
		deny("OnlyFromOrganization", c)
	}
	if k.Allow.RequireMFA {
		c := but(sorted(ours, k.Allow.Machines, s.trusted(k)))
		c["BoolIfExists"] = map[string]iam.Strings{"aws:MultiFactorAuthPresent": {"false"}}
		deny("OnlyWithMFA", c)
	}
	return fits(fmt.Sprintf("the resource policy of %q", k.Name), d, MaxResourcePolicy,
		"name fewer readers, such as one role that they all assume, or fewer addresses")
}

// touching are the roles that have to read the values of a vendor account.
func (s *Site) touching(account string) iam.Strings {
	return sorted([]string{s.RoleARN(s.RotateName(account)), s.RoleARN(s.RetireName(account))})
}

// trusted are the readers whose permission set is trusted to ask for MFA; without
// readers, all roles of those sets.
func (s *Site) trusted(k keysfile.Key) []string {
	if len(k.Readers) == 0 {
		return s.permissionSetRoles(k.Allow.PermissionSets)
	}
	return slices.DeleteFunc(slices.Clone(k.Readers), func(r string) bool {
		set := permissionSet(r)
		return set == "" || !slices.Contains(k.Allow.PermissionSets, set)
	})
}

// Admin is the resource policy of the secret with a vendor's admin credential:
// nobody but the functions of the vendor accounts that use it may read it.
func (s *Site) Admin(secret string) (iam.Document, error) {
	var ours []string
	for account, v := range s.file.VendorAccounts {
		if v.Admin == secret {
			ours = append(ours, s.touching(account)...)
		}
	}
	if len(ours) == 0 {
		return iam.Document{}, fmt.Errorf("no vendor account has its admin credential in %q", secret)
	}
	d := document(iam.Statement{
		Sid: "OnlyFunctionsRead", Effect: iam.Deny, Principal: everyone(), Action: valueActions(), Resource: iam.Strings{"*"},
		Condition: iam.Conditions{"ArnNotEquals": {"aws:PrincipalArn": sorted(ours)}},
	})
	return fits(fmt.Sprintf("the resource policy of %q", secret), d, MaxResourcePolicy, "give fewer vendor accounts the same credential")
}

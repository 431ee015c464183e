package keysfile

import (
	"fmt"
	"maps"
	"slices"
)

// longestOfNetwork is the role of the flow log of a VPC with fixed addresses.
const longestOfNetwork = "-egress-" + "-flow"

// once checks names that AWS has once in an account, in whatever Region: those
// of roles and of managed policies.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func (c *check) once() {
	first := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.file.Environments)) {
		account := c.file.Environments[name].Account
		path := entry("environments", name) + ".account"
		if c.reported(path) || !accountForm.MatchString(account) {
			continue
		}
		if other, ok := first[account]; ok {
			c.add(path, fmt.Sprintf("the environment %s is in this account too, and roles are the account's, not the Region's: the second deployment would fail", other),
				"use another account, or a second file with another name: for the installation")
			continue
		}
		first[account] = name
	}
	for _, name := range slices.Sorted(maps.Keys(c.file.VendorAccounts)) {
		n, most := c.file.VendorAccounts[name].Network, maxRole-len(c.rolesBegin()+longestOfNetwork)
		path := entry("vendorAccounts", name)
		if n != nil && n.FixedAddresses && len(name) > most && !c.reported(path) {
			c.add(path, fmt.Sprintf("%q is too long for the name of a role, %s-egress-%s-flow", name, c.rolesBegin(), name), fmt.Sprintf("use %d characters at most", max(most, 1)))
		}
	}
}

package keysfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/config"
)

const maxConcurrency = 1000

// rolesBegin is what the name of every role begins with.
func (c *check) rolesBegin() string { return c.file.Functions.RolePrefix + c.file.Name }

// vendorAccount checks one, beside what the functions' reader checks.
func (c *check) vendorAccount(name string, a VendorAccount) {
	path := entry("vendorAccounts", name)
	switch {
	case !nameForm.MatchString(name):
		c.add(path, fmt.Sprintf("%q is no name for a vendor account", name), nameHint)
	case strings.HasSuffix(name, deadLetters):
		c.add(path, fmt.Sprintf("%q ends with %s, as queues for dead letters do", name, deadLetters), "choose another name")
	case len(c.rolesBegin()+longestRole+name) > maxRole:
		c.add(path, fmt.Sprintf("%q is too long for the name of a role, %s%s%s", name, c.rolesBegin(), longestRole, name), fmt.Sprintf("use %d characters at most", max(maxRole-len(c.rolesBegin()+longestRole), 1)))
	}
	if vendor(c.vendors, a.Provider) == nil {
		c.bad[path+".hosts"] = true // the vendor's own would be the default
	}
	switch name := config.Name(a.Admin); {
	case name != a.Admin:
		c.add(path+".admin", "an ARN", "write the name of the secret: "+name)
	case c.reserved(name):
		c.add(path+".admin", fmt.Sprintf("%q is the name of a secret that the deployment makes for itself", name), "choose another name")
	}
	if a.Concurrency < 0 || a.Concurrency > maxConcurrency {
		c.add(path+".concurrency", fmt.Sprintf("a concurrency of %d", a.Concurrency), fmt.Sprintf("write 1 to %d, or leave it out to reserve none", maxConcurrency))
	}
	if a.Network != nil {
		c.network(path+".network", *a.Network)
	}
}

func (c *check) network(path string, n Network) {
	switch {
	case n.FixedAddresses && (n.VPC != "" || len(n.Subnets)+len(n.SecurityGroups)+len(n.RouteTables) > 0):
		c.add(path+".fixedAddresses", "fixedAddresses makes a VPC of its own, and another is named", "keep one of the two")
		return
	case n.FixedAddresses:
		return
	case n.VPC == "":
		c.add(path, "neither a VPC nor fixedAddresses", "write vpc and subnets, or fixedAddresses: true, or leave network out")
		return
	case !resourceID("vpc", n.VPC):
		c.add(path+".vpc", fmt.Sprintf("%q is no id of a VPC", n.VPC), "write vpc-0123456789abcdef0")
	}
	if len(n.Subnets) == 0 {
		c.add(path+".subnets", "no subnets", "write the ids of private subnets of the VPC")
	}
	c.each(path+".subnets", n.Subnets, ids("subnet", "subnet"))
	c.each(path+".securityGroups", n.SecurityGroups, ids("sg", "security group"))
	c.each(path+".routeTables", n.RouteTables, ids("rtb", "route table"))
	if len(n.RouteTables) > 0 && !n.Endpoints {
		c.add(path+".routeTables", "route tables are for endpoints only", "write endpoints: true, or leave routeTables out")
	}
	if n.Endpoints {
		c.endpointsOf(path, n.VPC)
	}
}

// access checks who may operate, and that MFA leaves somebody.
func (c *check) access() {
	a := c.file.Access
	lists := []struct {
		name string
		arns []string
		mfa  bool // asked for MFA
	}{
		{"viewers", a.Viewers, false},
		{"operators", a.Operators, true},
		{"responders", a.Responders, true},
		{"approvers", a.Approvers, false},
		{"auditors", a.Auditors, false},
		{"admins", a.Admins, true},
		{"breakGlass", a.BreakGlass, false},
		{"deployers", a.Deployers, false},
	}
	asked := 0
	for _, l := range lists {
		path := "access." + l.name
		c.each(path, l.arns, c.person)
		if !a.RequireMFA || !l.mfa {
			continue
		}
		asked += len(l.arns)
		if shut := func(arn string) bool {
			set := permissionSet(arn)
			return set != "" && !slices.Contains(a.PermissionSets, set)
		}; len(l.arns) > 0 && !slices.ContainsFunc(l.arns, func(arn string) bool { return !shut(arn) }) {
			c.add(path, "requireMFA shuts all of them out: IAM does not see the MFA of Identity Center",
				"name the permission sets that ask for MFA in access.permissionSets, or a role that is assumed with MFA")
		}
	}
	c.each("access.permissionSets", a.PermissionSets, permissionSetName)
	if a.RequireMFA && asked == 0 {
		c.add("access.requireMFA", "nobody is left who may operate: there are no operators, responders or admins", "name them, or leave requireMFA out")
	}
}

// endpointsOf refuses a second set of endpoints in one VPC: a service has one
// private name there.
func (c *check) endpointsOf(path, vpc string) {
	for _, name := range slices.Sorted(maps.Keys(c.file.VendorAccounts)) {
		other := c.file.VendorAccounts[name]
		if entry("vendorAccounts", name)+".network" == path {
			return // the first of them makes the endpoints
		}
		if n := other.Network; n != nil && n.Endpoints && n.VPC == vpc {
			c.add(path+".endpoints", fmt.Sprintf("%s has its endpoints by the vendor account %s", vpc, name), "leave it out: they serve the whole VPC")
			return
		}
	}
}

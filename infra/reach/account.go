package reach

import (
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/keysfile"
)

func (d *diff) accounts(base, next map[string]keysfile.VendorAccount) {
	for _, name := range names(base, next) {
		where := entry("vendorAccounts", name)
		b, had := base[name]
		n, has := next[name]
		switch {
		case !had:
			d.add(Widens, where, "a new account at %s, with the admin credential %s and the hosts %s", n.Provider, n.Admin, strings.Join(n.Hosts, ", "))
		case !has:
			d.add(Narrows, where, "the account at %s is gone", b.Provider)
		default:
			d.account(where, b, n)
		}
	}
}

func (d *diff) account(where string, b, n keysfile.VendorAccount) {
	if b.Provider != n.Provider {
		d.add(Widens, where+".provider", "another vendor: %s instead of %s", n.Provider, b.Provider)
	}
	if b.Admin != n.Admin {
		d.add(Widens, where+".admin", "another admin credential: %s instead of %s", n.Admin, b.Admin)
	}
	d.list(where+".hosts", b.Hosts, n.Hosts, "credentials may be sent to %s", "credentials are no longer sent to %s")
	d.allows(where+".allowPrivate", b.AllowPrivate, n.AllowPrivate, "credentials may be sent to private addresses, unencrypted too", "credentials are no longer sent to private addresses")
	switch was, is := network(b.Network), network(n.Network); {
	case was == is && is != "":
		d.requires(where+".network.endpoints", b.Network.Endpoints, n.Network.Endpoints,
			"calls to AWS go through endpoints in the VPC", "calls to AWS go through no endpoint of ours any more")
		d.list(where+".network.routeTables", b.Network.RouteTables, n.Network.RouteTables,
			"%s leads to DynamoDB and S3", "%s no longer leads to DynamoDB and S3 by a gateway of ours")
	case was == is:
	case is == "":
		d.add(Widens, where+".network", "its functions leave their network: it was %s", was)
	case was == "":
		d.add(Narrows, where+".network", "its functions run in %s", is)
	default:
		d.add(Widens, where+".network", "its functions run in another network: %s instead of %s", is, was)
	}
}

// network says which one it is, "" for none; not how AWS is reached from there.
func network(n *keysfile.Network) string {
	switch {
	case n == nil:
		return ""
	case n.FixedAddresses:
		return "a VPC with fixed addresses"
	}
	sorted := func(s []string) string { return strings.Join(slices.Sorted(slices.Values(s)), ", ") }
	return n.VPC + " (" + sorted(n.Subnets) + "; " + sorted(n.SecurityGroups) + ")"
}

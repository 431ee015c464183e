package detect

import (
	"fmt"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// outside is D-07: a value was asked for from outside the allowed networks. An
// allowed VPC endpoint or an allowed address is enough; of several addresses, all
// have to be allowed. An address that cannot be read is neither inside nor
// outside, and calls by AWS's services come from no network of ours.
//
// A country is a hint, for such data is up to a year old: it is asked for public
// addresses that no list of networks allows or forbids. False positives: a new
// NAT address; a country's data that has aged, whose date is in the finding.
func outside() Rule {
	return Rule{
		ID: "D-07", Title: "a secret was asked for from outside the allowed networks", Severity: High, Technique: "T1078.004", Default: true, Responds: true,
		Next: "if the caller is not where its owner says, revoke its sessions and rotate the key",
		See: func(s *Site, c *Call) []Finding {
			if !c.Asks() || c.AddressClass() == trail.AddressService {
				return nil
			}
			var out []Finding
			for _, one := range c.About {
				why, hint := one.Allow.refuses(s, c)
				if why == "" {
					continue
				}
				f := c.findingOn(one, time.Hour, why)
				if c.Result != trail.Succeeded || hint {
					f.Severity = Medium
				}
				if !hint {
					f.Rotate = c.spoiledFirst(one)
				}
				out = append(out, f)
			}
			return out
		},
	}
}

// refuses returns why the call is not allowed, or "". A hint is a guess.
func (a *Allow) refuses(s *Site, c *Call) (why string, hint bool) {
	if len(a.CIDRs) > 0 || len(a.Endpoints) > 0 {
		return a.refusesNetwork(c), false
	}
	if len(a.Countries) == 0 || s.locator == nil {
		return "", false
	}
	for _, addr := range c.Addresses() {
		if country := s.locator.Country(addr); country != "" && !slices.Contains(a.Countries, country) {
			return fmt.Sprintf("%s is in %s, as %s says, which is no allowed country", addr, country, s.locator.Dataset()), true
		}
	}
	return "", false
}

func (a *Allow) refusesNetwork(c *Call) string {
	addresses := c.Addresses()
	switch {
	case c.VPCEndpoint != "" && slices.Contains(a.Endpoints, c.VPCEndpoint):
		return ""
	case len(a.CIDRs) == 0 && (c.VPCEndpoint != "" || len(addresses) > 0):
		return quoted(c.from()) + " is none of the allowed VPC endpoints"
	}
	for _, addr := range addresses {
		if len(a.CIDRs) > 0 && !a.in(addr) {
			return addr.String() + " is in none of the allowed networks"
		}
	}
	return ""
}

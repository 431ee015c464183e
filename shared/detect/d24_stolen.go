package detect

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// stolenCredentials is D-24: one access key is used from several networks within
// an hour, or from two countries; or credentials that AWS gave to an
// instance, a function or a task come from a public address that is not on the
// allow-list. A program has one way out; a stolen key has two users.
//
// Threshold: n networks, of 24 bits of IPv4 or 48 of IPv6; two are common where
// there are several NAT gateways, or for a laptop that changes networks.
// Countries are a hint, and need an offline database. False positives: a VPN.
func stolenCredentials(n int) Rule {
	return Rule{
		ID: "D-24", Title: "credentials seem to be used by two", Severity: High, Technique: "T1078.004", Responds: true,
		Next:     "revoke the access key or the role's sessions, and rotate what was read with them",
		See:      workloadOutside,
		Patterns: []Pattern{keyNetworks(n), keyLoot(n), keyCountries()},
	}
}

const keyTrack = "key "

func keyNetworks(n int) Pattern {
	return counted("networks", "networks used one access key", time.Hour, 5*time.Minute, []Level{{n, High}}, func(_ *Site, c *Call) []Note {
		if !withKey(c) {
			return nil
		}
		return notes(keyTrack+c.Identity.AccessKeyID, c.networks())
	})
}

// keyLoot finds what of the first tier was read with a key that n networks use.
func keyLoot(n int) Pattern {
	const network = "\x00network "
	return Pattern{
		Name: "loot", Span: time.Hour, Bucket: 5 * time.Minute, Cap: 50,
		Mark: func(s *Site, c *Call) []Note {
			if s.tierOne == 0 || !withKey(c) {
				return nil
			}
			var values []string
			for _, n := range c.networks() {
				values = append(values, network+n)
			}
			if c.Gets() {
				values = append(values, c.names()...)
			}
			return notes(keyTrack+c.Identity.AccessKeyID, values)
		},
		Judge: func(s *Site, h History) []Finding {
			return s.loot(h, time.Hour, n, func(v string) (string, bool) {
				if strings.HasPrefix(v, network) {
					return "", true
				}
				return v, false
			})
		},
	}
}

func keyCountries() Pattern {
	return counted("countries", "countries used one access key", time.Hour, 5*time.Minute, []Level{{2, High}}, func(s *Site, c *Call) []Note {
		if s.locator == nil || !withKey(c) {
			return nil
		}
		var out []Note
		for _, a := range c.Addresses() {
			if country := s.locator.Country(a); country != "" {
				out = append(out, Note{keyTrack + c.Identity.AccessKeyID, country})
			}
		}
		return out
	})
}

// withKey says that the call shows where its access key is used.
func withKey(c *Call) bool {
	return c.Identity.AccessKeyID != "" && c.Concerns() && c.AddressClass() == trail.AddressPublic
}

func workloadOutside(_ *Site, c *Call) []Finding {
	if !c.Identity.Workload() || !c.Asks() || c.AddressClass() != trail.AddressPublic {
		return nil
	}
	for _, about := range c.About {
		if len(about.Allow.CIDRs) == 0 || !slices.ContainsFunc(c.Addresses(), func(a netip.Addr) bool { return !about.Allow.in(a) }) {
			continue
		}
		f := c.findingOn(about, time.Hour, "a workload's credentials came from a public address outside the allowed networks")
		f.Rotate = c.spoiledFirst(about)
		return one(f)
	}
	return nil
}

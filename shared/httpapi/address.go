package httpapi

import "net/netip"

// refused says why an address may not be reached, "" if it may. Where an
// address carries another (IPv4-mapped, NAT64's well-known prefix), that one is
// judged. The prefixes are those of
// https://www.iana.org/assignments/iana-ipv4-special-registry and
// https://www.iana.org/assignments/iana-ipv6-special-registry.
func refused(a netip.Addr, allowPrivate, onlyPrivate bool) string {
	a = a.WithZone("").Unmap()
	if within(a, "64:ff9b::/96") {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case within(a, "169.254.0.0/16", "fd00:ec2::/32", "fe80::/10"):
		return "is a link-local or metadata address: refused always"
	case a.IsUnspecified(), a.IsMulticast(), within(a,
		"0.0.0.0/8", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", // this network, protocols, benchmarks, reserved
		"100::/64", "64:ff9b:1::/48", "2001::/23", "2002::/16", "fec0::/10"): // discard, local NAT64, Teredo and kin, 6to4, site-local
		return "is a special address: refused always"
	case a.Is6() && within(a, "::/96") && !a.IsLoopback():
		return "is a special address: refused always"
	case a.IsLoopback(), a.IsPrivate(), within(a, "100.64.0.0/10"):
		if !allowPrivate {
			return "is a loopback or private address: refused unless private addresses are opted in"
		}
		return ""
	}
	if onlyPrivate {
		return "is a public address reached by http: use https"
	}
	return ""
}

func within(a netip.Addr, prefixes ...string) bool {
	for _, p := range prefixes {
		if netip.MustParsePrefix(p).Contains(a) {
			return true
		}
	}
	return false
}

package trail

import (
	"net/netip"
	"strings"
)

// AddressClass is the kind of place that a call came from.
type AddressClass int

// AddressUnknown is the zero value: an empty or unreadable address, which is
// neither inside nor outside a list of allowed networks.
const (
	AddressUnknown AddressClass = iota
	AddressPublic
	// AddressPrivate is also loopback, link-local and carrier-grade NAT.
	AddressPrivate
	// AddressEndpoint came through a VPC endpoint.
	AddressEndpoint
	// AddressService was made by an AWS service, for itself or for somebody.
	AddressService
)

// Addresses are the IP addresses that the call came from, IPv4-mapped ones
// as IPv4. Service names and what does not parse are left out.
func (e Event) Addresses() []netip.Addr {
	var out []netip.Addr
	for part := range strings.SplitSeq(e.Address, ",") {
		if a, err := netip.ParseAddr(strings.TrimSpace(part)); err == nil {
			out = append(out, a.Unmap().WithZone(""))
		}
	}
	return out
}

// AddressClass says what kind of place Address is. One public address in a
// list makes the whole list public. On calls that a service makes, a VPC
// endpoint is AWS's own, so the service counts first.
func (e Event) AddressClass() AddressClass {
	if e.ByService() {
		return AddressService
	}
	if e.VPCEndpoint != "" {
		return AddressEndpoint
	}
	class := AddressUnknown
	for _, a := range e.Addresses() {
		if public(a) {
			return AddressPublic
		}
		class = AddressPrivate
	}
	return class
}

// ByService says that an AWS service made the call, for itself or on behalf
// of the identity.
func (e Event) ByService() bool {
	return e.Type == TypeService || e.Type == TypeLabel || e.Identity.Type == "AWSService" || service(e.Identity.InvokedBy) || service(e.Address)
}

func service(s string) bool {
	s = strings.TrimSpace(s)
	return strings.HasSuffix(s, ".amazonaws.com") || strings.HasSuffix(s, ".amazonaws.com.cn") || s == "AWS Internal" || strings.HasPrefix(s, "AWS Internal/")
}

func public(a netip.Addr) bool {
	carrier := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10)
	return a.IsGlobalUnicast() && !a.IsPrivate() && !carrier.Contains(a)
}

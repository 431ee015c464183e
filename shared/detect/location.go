package detect

import (
	"net/netip"

	"github.com/gaissmai/bart"
)

// Locator says in which country an address is: a hint, for such data ages.
type Locator interface {
	// Country returns the ISO 3166-1 code, or "" if it is not known.
	Country(a netip.Addr) string
	// Dataset names the data and its date, for the finding.
	Dataset() string
}

// table finds the prefix that an address is in.
type table = bart.Lite

func newTable(prefixes []netip.Prefix) *table {
	t := new(table)
	for _, p := range prefixes {
		t.Insert(p)
	}
	return t
}

func (a *Allow) empty() bool {
	return len(a.CIDRs) == 0 && len(a.Endpoints) == 0 && len(a.Countries) == 0
}

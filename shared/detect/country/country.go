// Package country says in which country an address is, from data that is
// compiled in: IP2Location LITE (https://lite.ip2location.com), CC BY-SA 4.0. It
// adds about 7 MB to a program.
package country

import (
	"net/netip"
	"strings"

	"github.com/phuslu/iploc"
)

// Embedded is a detect.Locator. The zero value is ready for use.
type Embedded struct{}

// Country returns the country's code, or "" for private and unknown addresses.
func (Embedded) Country(a netip.Addr) string {
	if c := iploc.IPCountry(a); c != "ZZ" {
		return c
	}
	return ""
}

// Dataset returns the name of the data and the day that it is of.
func (Embedded) Dataset() string {
	date := iploc.Version[strings.LastIndexByte(iploc.Version, '.')+1:]
	if len(date) == 8 {
		date = date[:4] + "-" + date[4:6] + "-" + date[6:]
	}
	return "IP2Location LITE of " + date
}

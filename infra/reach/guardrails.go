package reach

import (
	"fmt"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// CompareGuardrails returns what a change of guardrails.yaml admits that it did
// not admit, and the other way round; nil is a file that is not there.
func CompareGuardrails(base, next *keysfile.Guardrails) []Change {
	const file = "guardrails.yaml"
	d := &diff{}
	switch {
	case base == nil && next == nil:
		return nil
	case next == nil:
		d.add(Widens, file, "the guardrails are gone")
		return d.changes
	case base == nil:
		d.add(Narrows, file, "there are guardrails")
		return d.changes
	}
	for _, l := range []struct {
		name, what string
		base, next []string
	}{
		{"vendors", "vendor", base.Vendors, next.Vendors},
		{"vendorAccounts", "vendor account", base.VendorAccounts, next.VendorAccounts},
		{"hosts", "host", base.Hosts, next.Hosts},
	} {
		where := file + ": " + l.name
		switch {
		case len(l.base) > 0 && len(l.next) == 0:
			d.add(Widens, where, "every %s is admitted", l.what)
		case len(l.base) == 0 && len(l.next) > 0:
			d.add(Narrows, where, "not every %s is admitted", l.what)
		default:
			d.list(where, l.base, l.next, "the "+l.what+" %s is admitted", "the "+l.what+" %s is not admitted")
		}
	}
	for tier := 1; tier <= 4; tier++ {
		d.bound(fmt.Sprintf("%s: maxAge[%d]", file, tier), fmt.Sprintf("the age of keys of tier %d", tier), time.Duration(base.MaxAge[tier]), time.Duration(next.MaxAge[tier]))
	}
	d.bound(file+": maxGrace", "the life of replaced keys", time.Duration(base.MaxGrace), time.Duration(next.MaxGrace))
	d.removals(file+": removals", base.Removals, next.Removals)
	return d.changes
}

func (d *diff) removals(where string, base, next *int) {
	text := func(n *int) string {
		if n == nil {
			return "any number"
		}
		return strconv.Itoa(*n)
	}
	switch {
	case text(base) == text(next):
	case next == nil, base != nil && *next > *base:
		d.add(Widens, where, "one change may remove %s instead of %s", text(next), text(base))
	default:
		d.add(Narrows, where, "one change may remove %s instead of %s", text(next), text(base))
	}
}

// Removed returns the keys and the vendor accounts that a change removes, keys
// first.
func Removed(base, next *keysfile.File) []string {
	var out []string
	left := map[string]bool{}
	for _, k := range next.Keys {
		left[k.Name] = true
	}
	for _, k := range base.Keys {
		if !left[k.Name] {
			out = append(out, k.Name)
		}
	}
	for _, name := range names(base.VendorAccounts, nil) {
		if _, ok := next.VendorAccounts[name]; !ok {
			out = append(out, name)
		}
	}
	return out
}

package reach

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/keysfile"
)

func (d *diff) keys(base, next *keysfile.File) {
	by := func(keys []keysfile.Key) map[string]keysfile.Key {
		out := map[string]keysfile.Key{}
		for _, k := range keys {
			out[k.Name] = k
		}
		return out
	}
	before, after := by(base.Keys), by(next.Keys)
	for _, name := range names(before, after) {
		b, had := before[name]
		n, has := after[name]
		d.at = n.At
		where := entry("keys", name)
		switch {
		case !had:
			d.added(where, n)
		case !has:
			d.add(Widens, where, "the key is not rotated any more: its secret and its last value stay, and so does the key at the vendor")
		default:
			d.key(where, b, n)
			d.schedule(where+".schedule", base.Expression(b), next.Expression(n))
		}
	}
	d.at = keysfile.Position{}
}

func (d *diff) added(where string, k keysfile.Key) {
	from := "from anywhere"
	if l := append(slices.Clone(k.Allow.CIDRs), k.Allow.VPCEndpoints...); len(l) > 0 {
		from = "from " + strings.Join(l, ", ")
	}
	if k.Existing {
		d.add(Widens, where, "a new key in %s; its secret exists already, and is rotated from now on", k.VendorAccount)
	} else {
		d.add(Widens, where, "a new key in %s", k.VendorAccount)
	}
	for _, r := range unique(k.Readers) {
		d.add(Widens, where+".readers", "%s may read it, %s", r, from)
	}
	if len(k.Readers) == 0 {
		d.add(Widens, where+".readers", "whoever an identity policy allows may read it, %s", from)
	}
	d.exception(where, nil, k.Exception)
	d.allows(where+".exclusive", false, k.Exclusive, "keys of its principal that no version holds may be ended", "")
	d.allows(where+".acceptDowntime", false, k.AcceptDown, "a rotation may cut consumers off until they fetch again", "")
}

func (d *diff) key(where string, b, n keysfile.Key) {
	if b.VendorAccount != n.VendorAccount {
		d.add(Widens, where+".vendorAccount", "it moves to %s from %s", n.VendorAccount, b.VendorAccount)
	}
	d.settings(where+".settings", b.Settings, n.Settings)
	d.readers(where+".readers", b.Readers, n.Readers)
	d.networks(where+".allow", b.Allow, n.Allow)
	d.condition(where+".allow.organization", b.Allow.Organization, n.Allow.Organization, "organization")
	d.requires(where+".allow.requireMFA", b.Allow.RequireMFA, n.Allow.RequireMFA, "people need MFA to read it", "people no longer need MFA to read it")
	d.list(where+".allow.machines", b.Allow.Machines, n.Allow.Machines, "%s needs no MFA", "%s needs MFA as people do")
	d.list(where+".allow.permissionSets", b.Allow.PermissionSets, n.Allow.PermissionSets, "the permission set %s is trusted to ask for MFA", "the permission set %s is no longer trusted to ask for MFA")
	d.grace(where+".grace", b.Grace, n.Grace)
	if b.Tier != n.Tier {
		to := Narrows
		if n.Tier > b.Tier {
			to = Widens
		}
		d.add(to, where+".tier", "tier %d instead of %d", n.Tier, b.Tier)
	}
	d.allows(where+".existing", b.Existing, n.Existing, "a secret that is not Keyturn's is rotated", "the secret becomes Keyturn's own")
	d.allows(where+".exclusive", b.Exclusive, n.Exclusive, "keys of its principal that no version holds may be ended", "only keys that a version holds are ended")
	d.allows(where+".acceptDowntime", b.AcceptDown, n.AcceptDown, "a rotation may cut consumers off until they fetch again", "a rotation never cuts consumers off")
	d.requires(where+".honeytoken", b.HoneyToken, n.HoneyToken, "whoever reads it is told of", "it is no honey token any more: who reads it is not told of")
	d.exception(where, b.Exception, n.Exception)
}

// readers: without any, identity policies decide who may read.
func (d *diff) readers(where string, base, next []string) {
	switch {
	case len(base) > 0 && len(next) == 0:
		d.add(Widens, where, "whoever an identity policy allows may read it: it was %s only", strings.Join(unique(base), ", "))
		return
	case len(base) == 0 && len(next) > 0:
		d.add(Narrows, where, "an identity policy alone no longer allows to read it")
	}
	d.list(where, base, next, "%s may read it", "%s may not read it any more")
}

// settings: what one of them means is the vendor's, so every change counts as
// wider.
func (d *diff) settings(where string, base, next map[string]any) {
	text := func(m map[string]any, name string) string {
		v, ok := m[name]
		if !ok {
			return "the default"
		}
		raw, err := json.Marshal(v)
		if err != nil {
			return "something unreadable"
		}
		return string(raw)
	}
	for _, name := range names(base, next) {
		if was, is := text(base, name), text(next, name); was != is {
			d.add(Widens, where+"."+name, "%s instead of %s", is, was)
		}
	}
}

// schedule compares what is deployed: a rate that was spread, not the file's.
func (d *diff) schedule(where, base, next string) {
	b, wrong := keysfile.ParseSchedule(base)
	n, err := keysfile.ParseSchedule(next)
	if err != nil || wrong != nil {
		if base != next { // no file that was loaded has one of these
			d.add(Widens, where, "%s instead of %s", next, base)
		}
		return
	}
	d.longer(where, "longest time between two rotations", b.Longest(), n.Longest())
}

// networks compares from where readers may read. Either of the lists is enough,
// and without both there is no bound.
func (d *diff) networks(where string, b, n keysfile.Allow) {
	open := func(a keysfile.Allow) bool { return len(a.CIDRs) == 0 && len(a.VPCEndpoints) == 0 }
	both := func(a keysfile.Allow) string {
		return strings.Join(append(slices.Clone(a.CIDRs), a.VPCEndpoints...), ", ")
	}
	switch {
	case open(b) && open(n):
	case open(n):
		d.add(Widens, where, "it may be read from anywhere: it was %s", both(b))
	case open(b):
		d.add(Narrows, where, "it may be read only from %s", both(n))
	default:
		for _, c := range unique(n.CIDRs) {
			if !covered(c, b.CIDRs) {
				d.add(Widens, where+".cidrs", "it may be read from %s%s", c, wideOf(c, b.CIDRs))
			}
		}
		for _, c := range unique(b.CIDRs) {
			if !covered(c, n.CIDRs) {
				d.add(Narrows, where+".cidrs", "it may no longer be read from all of %s", c)
			}
		}
		d.list(where+".vpcEndpoints", b.VPCEndpoints, n.VPCEndpoints, "it may be read through %s", "it may no longer be read through %s")
	}
}

// covered reports whether one of the networks holds all of c.
func covered(c string, networks []string) bool {
	p, err := netip.ParsePrefix(c)
	return slices.ContainsFunc(networks, func(n string) bool {
		q, wrong := netip.ParsePrefix(n)
		if err != nil || wrong != nil {
			return c == n
		}
		return q.Bits() <= p.Bits() && q.Contains(p.Addr())
	})
}

// wideOf says which of the networks c is a wider form of.
func wideOf(c string, networks []string) string {
	for _, n := range networks {
		if covered(n, []string{c}) {
			return ", which is wider than " + n
		}
	}
	return ""
}

func (d *diff) grace(where string, b, n keysfile.Grace) {
	d.longer(where+".min", "a replaced key lives at least", time.Duration(b.Min), time.Duration(n.Min))
	d.longer(where+".quiet", "a replaced key must be unused for", time.Duration(b.Quiet), time.Duration(n.Quiet))
	d.longer(where+".max", "time is up for a replaced key after", time.Duration(b.Max), time.Duration(n.Max))
	d.longer(where+".disabled", "a replaced key can be brought back for", time.Duration(b.Disabled), time.Duration(n.Disabled))
	for _, a := range []struct{ name, base, next, when string }{
		{"onMax", b.OnMax, n.OnMax, "still in use when time is up"},
		{"noUsage", b.NoUsage, n.NoUsage, "of unknown use when time is up"},
	} {
		switch {
		case a.base == a.next:
		case a.next == "hold":
			d.add(Widens, where+"."+a.name, "a replaced key %s is kept, not revoked", a.when)
		default:
			d.add(Narrows, where+"."+a.name, "a replaced key %s is revoked, not kept", a.when)
		}
	}
}

func (d *diff) exception(where string, b, n *keysfile.Exception) {
	where += ".exception"
	until := func(e *keysfile.Exception) string { return e.Until.Format(time.DateOnly) }
	switch {
	case b == nil && n == nil:
	case b == nil:
		d.add(Widens, where, "excepted from the policy until %s: %s", until(n), n.Reason)
	case n == nil:
		d.add(Narrows, where, "no longer excepted from the policy")
	case n.Until.After(b.Until.Time):
		d.add(Widens, where, "excepted from the policy until %s instead of %s: %s", until(n), until(b), n.Reason)
	case n.Until.Before(b.Until.Time):
		d.add(Narrows, where, "excepted from the policy until %s instead of %s", until(n), until(b))
	}
}

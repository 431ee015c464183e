package keysfile

import (
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
)

// The defaults. The tags of the types say them too, for the schema.
const (
	defaultName      = "keyturn"
	defaultShards    = 32
	defaultSchedule  = "rate(30 days)"
	defaultWindow    = 3 * time.Hour
	defaultTier      = 3
	defaultField     = "apiKey"
	defaultAfter     = 4 * time.Hour
	defaultPath      = "/"
	defaultRetention = 365
)

func defaultGrace() Grace {
	return Grace{
		Min: Duration(time.Hour), Quiet: Duration(6 * time.Hour), Max: Duration(72 * time.Hour), Disabled: Duration(24 * time.Hour),
		OnMax: "hold", NoUsage: "hold",
	}
}

// inherit sets v to the value above it, if nothing is written at the path.
func inherit[T any](ps *problems, path string, v *T, above T) {
	if !ps.has(path) {
		*v = above
	}
}

// fill gives every field that is not written its default.
func (ps *problems) fill(f *File, vendors []provider.Definition) {
	inherit(ps, "name", &f.Name, defaultName)
	inherit(ps, "shards", &f.Shards, defaultShards)
	inherit(ps, "functions.rolePath", &f.Functions.RolePath, defaultPath)
	inherit(ps, "functions.logRetentionDays", &f.Functions.LogRetentionDays, defaultRetention)
	if e := f.Notifications.Escalation; e != nil {
		inherit(ps, "notifications.escalation.after", &e.After, Duration(defaultAfter))
	}
	ps.fillAudit(f)
	d := &f.Defaults
	inherit(ps, "defaults.schedule", &d.Schedule, defaultSchedule)
	inherit(ps, "defaults.window", &d.Window, Duration(defaultWindow))
	inherit(ps, "defaults.tier", &d.Tier, defaultTier)
	ps.fillGrace("defaults.grace", &d.Grace, defaultGrace())
	for i := range f.Keys {
		k, path := &f.Keys[i], item("keys", i)
		inherit(ps, path+".schedule", &k.Schedule, d.Schedule)
		inherit(ps, path+".window", &k.Window, d.Window)
		inherit(ps, path+".owner", &k.Owner, d.Owner)
		inherit(ps, path+".tier", &k.Tier, d.Tier)
		ps.fillGrace(path+".grace", &k.Grace, d.Grace)
	}
	for name, a := range f.VendorAccounts {
		if def := vendor(vendors, a.Provider); def != nil && !ps.has(entry("vendorAccounts", name)+".hosts") {
			a.Hosts = slices.Clone(def.Hosts)
			f.VendorAccounts[name] = a
		}
	}
}

func (ps *problems) fillGrace(path string, g *Grace, above Grace) {
	inherit(ps, path+".min", &g.Min, above.Min)
	inherit(ps, path+".quiet", &g.Quiet, above.Quiet)
	inherit(ps, path+".max", &g.Max, above.Max)
	inherit(ps, path+".disabled", &g.Disabled, above.Disabled)
	inherit(ps, path+".onMax", &g.OnMax, above.OnMax)
	inherit(ps, path+".noUsage", &g.NoUsage, above.NoUsage)
}

// fillValues fills the shape of every key's value, once it is known to be right.
func (f *File) fillValues(vendors []provider.Definition) {
	for i := range f.Keys {
		k := &f.Keys[i]
		def := vendor(vendors, f.VendorAccounts[k.VendorAccount].Provider)
		switch {
		case def == nil || k.Value.Plain:
		case len(def.Parts) == 0:
			if k.Value.Field == "" {
				k.Value.Field = defaultField
			}
		default:
			fields := make(map[string]string, len(def.Parts))
			for _, part := range def.Parts {
				fields[part] = part
				if name, ok := k.Value.Fields[part]; ok {
					fields[part] = name
				}
			}
			k.Value.Fields = fields
		}
	}
}

// vendor returns the vendor called name; nil if there is none.
func vendor(vendors []provider.Definition, name string) *provider.Definition {
	if i := slices.IndexFunc(vendors, func(d provider.Definition) bool { return d.Name == name }); i >= 0 {
		return &vendors[i]
	}
	return nil
}

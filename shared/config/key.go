package config

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Defaults.
const (
	defaultField = "apiKey"
	reserved     = "keyturn"
)

func defaultGrace() Grace {
	return Grace{Min: time.Hour, Quiet: 6 * time.Hour, Max: 72 * time.Hour, Disabled: 24 * time.Hour, OnMax: Hold, NoUsage: Hold}
}

// secretName is what Secrets Manager takes as a name.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
var secretName = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]{1,512}$`)

const nameHint = "use 1 to 512 letters, digits and /_+=.@-"

// Name returns the name in a secret's full ARN, and anything else as it is.
func Name(secretID string) string {
	p := strings.SplitN(secretID, ":", 7)
	if len(p) != 7 || p[0] != "arn" || p[2] != "secretsmanager" || p[5] != "secret" {
		return secretID
	}
	end := len(p[6]) - 7 // Secrets Manager adds a hyphen and six characters
	if end < 1 || p[6][end] != '-' {
		return secretID
	}
	return p[6][:end]
}

func (ps *problems) keys(raw json.RawMessage, accounts map[string]account) map[string]Key {
	out := map[string]Key{}
	if raw == nil {
		ps.add("keys", "missing", "name the secrets to rotate; {} if there is none yet")
		return out
	}
	for _, m := range ps.object("keys", raw) {
		path := entry("keys", m.name)
		if !secretName.MatchString(m.name) {
			ps.add(path, "not a name for a secret", nameHint+"; names, not ARNs")
		}
		k := ps.key(path, m.raw, accounts)
		k.Secret = m.name
		out[m.name] = k
	}
	return out
}

func (ps *problems) key(path string, raw json.RawMessage, accounts map[string]account) Key {
	f := ps.fields(path, raw, "vendorAccount", "settings", "value", "grace", "owner", "tier", "exclusive", "acceptDowntime", "freeze")
	k := Key{Settings: f["settings"]}
	if ps.into(path+".vendorAccount", f["vendorAccount"], &k.VendorAccount, "a string") {
		a, ok := accounts[k.VendorAccount]
		switch {
		case ok:
			k.Admin, k.Hosts, k.AllowPrivate = a.admin, a.hosts, a.local
			if a.def != nil {
				k.Vendor = a.def.Name
				ps.settings(path+".settings", k, a)
			}
		case k.VendorAccount == "":
			ps.add(path+".vendorAccount", "missing", "known are "+strings.Join(sorted(accounts), ", "))
		default:
			ps.add(path+".vendorAccount", fmt.Sprintf("no vendor account is called %q", k.VendorAccount), suggest(k.VendorAccount, sorted(accounts)))
		}
	}
	k.Value = ps.value(path+".value", f["value"], accounts[k.VendorAccount].def)
	k.Grace = ps.grace(path+".grace", f["grace"])
	if ps.into(path+".owner", f["owner"], &k.Owner, "a string") && strings.TrimSpace(k.Owner) == "" {
		ps.add(path+".owner", "missing", "say who is told about this key, such as an e-mail address")
	}
	if ps.into(path+".tier", f["tier"], &k.Tier, "a number from 0 to 4") && (k.Tier < 0 || k.Tier > 4) {
		ps.add(path+".tier", "out of range", "write 1 (the most critical) to 4, or leave it out")
	}
	ps.into(path+".exclusive", f["exclusive"], &k.Exclusive, "true or false")
	ps.into(path+".acceptDowntime", f["acceptDowntime"], &k.AcceptDowntime, "true or false")
	k.Freeze = ps.freezes(path+".freeze", f["freeze"])
	return k
}

func (ps *problems) settings(path string, k Key, a account) {
	if bad := a.def.Check(k.Settings); len(bad) > 0 {
		for _, p := range bad {
			where := path
			if p.Field != "" {
				where += "." + p.Field
			}
			ps.add(where, p.What, p.Hint)
		}
		return
	}
	u, err := url.Parse(a.def.BaseURL(k.Settings))
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		ps.add(path, "these settings lead to no usable URL of the vendor's API", `write the whole of it, such as "https://git.example.com"`)
		return
	}
	if u.Scheme == "http" && !k.AllowPrivate {
		ps.add(path, "credentials would travel unencrypted to "+u.Host, `use https, or set "allowPrivate" on the vendor account if this is a private network`)
	}
	if !Allows(a.hosts, u) {
		ps.add(path, fmt.Sprintf("the vendor's API is at %s, and the vendor account's hosts do not list it", u.Host), fmt.Sprintf("add %q to them if credentials may go there", strings.ToLower(u.Host)))
	}
}

func (ps *problems) grace(path string, raw json.RawMessage) Grace {
	g := defaultGrace()
	if raw == nil {
		return g
	}
	f := ps.fields(path, raw, "min", "quiet", "max", "disabled", "onMax", "noUsage")
	before := len(*ps)
	ps.duration(path+".min", f["min"], &g.Min)
	ps.duration(path+".max", f["max"], &g.Max)
	if len(*ps) == before && g.Min > g.Max {
		ps.add(path+".min", fmt.Sprintf("longer than max, which is %s", g.Max), "make min shorter or max longer")
	}
	ps.duration(path+".quiet", f["quiet"], &g.Quiet)
	ps.duration(path+".disabled", f["disabled"], &g.Disabled)
	ps.action(path+".onMax", f["onMax"], &g.OnMax)
	ps.action(path+".noUsage", f["noUsage"], &g.NoUsage)
	return g
}

// duration allows zero for a quiet time only: there it means not to wait.
func (ps *problems) duration(path string, raw json.RawMessage, d *time.Duration) {
	var s string
	if raw == nil || !ps.into(path, raw, &s, `a duration such as "36h" or "90m"`) {
		return
	}
	v, err := time.ParseDuration(s)
	switch {
	case err != nil:
		ps.add(path, fmt.Sprintf("%q is no duration", s), `write hours, minutes and seconds, such as "36h" or "90m"`)
	case v < 0, v == 0 && !strings.HasSuffix(path, ".quiet"):
		ps.add(path, "not longer than nothing", `write a duration such as "1h", or leave it out for the default`)
	default:
		*d = v
	}
}

func (ps *problems) action(path string, raw json.RawMessage, a *Action) {
	if ps.into(path, raw, a, `"hold" or "revoke"`) && *a != Hold && *a != Revoke {
		ps.add(path, fmt.Sprintf("%q is no action", *a), `write "hold" or "revoke"`)
	}
}

package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/provider"
)

// Config is a configuration that has been checked as a whole. It is immutable
// and safe for concurrent use; do not change what its methods return.
type Config struct{ keys map[string]Key }

// Parse reads and checks a configuration. defs are the vendors that there are.
// If anything is wrong it returns an [*Error] with every problem.
//
//	{
//	  "version": 1,
//	  "vendorAccounts": {
//	    "sendgrid-main": {"provider": "sendgrid", "admin": "keyturn/admin/sendgrid", "hosts": ["api.sendgrid.com"]}
//	  },
//	  "keys": {
//	    "prod/mailer/sendgrid": {"vendorAccount": "sendgrid-main", "settings": {...}, "owner": "mailer@example.com"}
//	  }
//	}
//
// An account may also have "allowPrivate" (false), and a key "value"
// {"plain","field","fields","strict"}, "grace" {"min","quiet","max","disabled","onMax",
// "noUsage"} with durations like "36h", "tier", and "freeze", a list of {"from",
// "until","reason"}: see [Key], [Value], [Grace] and [Freeze], which also say the
// defaults.
func Parse(data []byte, defs []provider.Definition) (*Config, error) {
	var ps problems
	switch {
	case !json.Valid(data):
		return nil, &Error{Problems: []Problem{{What: "the configuration is not JSON", Hint: syntax(data)}}}
	case bytes.TrimLeft(data, " \t\r\n")[0] != '{':
		return nil, &Error{Problems: []Problem{{What: "the configuration is not an object", Hint: `write {"version": 1, ...}`}}}
	}
	top := ps.fields("", data, "version", "vendorAccounts", "keys")
	var version int
	if ps.into("version", top["version"], &version, "the number 1") && version != 1 {
		ps.add("version", "not a version that this program knows", "write 1")
	}
	accounts := ps.accounts(top["vendorAccounts"], defs)
	c := &Config{keys: ps.keys(top["keys"], accounts)}
	ps.adminsAreNoKeys(accounts, c)
	ps.onePrincipalEach(accounts, c)
	if len(ps) > 0 {
		return nil, &Error{Problems: ps}
	}
	return c, nil
}

// syntax says where JSON ends to be JSON.
func syntax(data []byte) string {
	var v any
	err, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(data, &v))
	if !ok || err.Offset > int64(len(data)) {
		return "write a JSON object"
	}
	before := data[:max(err.Offset-1, 0)]
	return fmt.Sprintf("look at line %d, column %d", bytes.Count(before, []byte("\n"))+1, len(before)-bytes.LastIndexByte(before, '\n'))
}

// account is one vendor account. Its def is nil if the provider is unknown.
type account struct {
	def   *provider.Definition
	admin string
	hosts []string
	local bool
}

func (ps *problems) accounts(raw json.RawMessage, defs []provider.Definition) map[string]account {
	out := map[string]account{}
	if raw == nil {
		ps.add("vendorAccounts", "missing", "name the vendor accounts that the keys belong to")
		return out
	}
	for _, m := range ps.object("vendorAccounts", raw) {
		out[m.name] = ps.account(entry("vendorAccounts", m.name), m.raw, defs)
	}
	return out
}

func (ps *problems) account(path string, raw json.RawMessage, defs []provider.Definition) account {
	f := ps.fields(path, raw, "provider", "admin", "hosts", "allowPrivate")
	var a account
	var vendor string
	if ps.into(path+".provider", f["provider"], &vendor, "a string") {
		a.def = ps.vendor(path+".provider", vendor, defs)
	}
	if ps.into(path+".admin", f["admin"], &a.admin, "a string") {
		switch name := Name(a.admin); {
		case a.admin == "":
			ps.add(path+".admin", "missing", "name the secret with the vendor's admin credential")
		case !secretName.MatchString(name):
			ps.add(path+".admin", "not a secret's name or full ARN", nameHint)
		}
	}
	if ps.into(path+".hosts", f["hosts"], &a.hosts, "a list of strings") {
		ps.hosts(path+".hosts", a.hosts)
	}
	ps.into(path+".allowPrivate", f["allowPrivate"], &a.local, "true or false")
	return a
}

func (ps *problems) vendor(path, name string, defs []provider.Definition) *provider.Definition {
	names := make([]string, len(defs))
	for i, d := range defs {
		names[i] = d.Name
	}
	slices.Sort(names)
	i := slices.IndexFunc(defs, func(d provider.Definition) bool { return d.Name == name })
	switch {
	case i >= 0:
		return &defs[i]
	case name == "":
		ps.add(path, "missing", "known are "+strings.Join(names, ", "))
	default:
		ps.add(path, fmt.Sprintf("unknown provider %q", name), suggest(name, names))
	}
	return nil
}

func (ps *problems) hosts(path string, hosts []string) {
	if len(hosts) == 0 {
		ps.add(path, "missing or empty", "list the only hosts that the credentials may be sent to")
	}
	for i, h := range hosts {
		if !ValidHost(h) {
			ps.add(fmt.Sprintf("%s[%d]", path, i), fmt.Sprintf("%q is no host", h), `write "api.example.com" or "api.example.com:8443" in lower case, without scheme or path`)
		}
	}
}

func sorted(accounts map[string]account) []string { return slices.Sorted(maps.Keys(accounts)) }

func (ps *problems) adminsAreNoKeys(accounts map[string]account, c *Config) {
	for _, name := range sorted(accounts) {
		k, ok := c.Key(accounts[name].admin)
		if self := accounts[name].def != nil && accounts[name].def.Self && k.VendorAccount == name; ok && !self {
			ps.add(entry("vendorAccounts", name)+".admin", "is also one of the keys", "keep the admin credential in a secret of its own")
		}
	}
}

// onePrincipalEach finds secrets that would end each other's keys.
func (ps *problems) onePrincipalEach(accounts map[string]account, c *Config) {
	taken := map[string]string{}
	for _, k := range c.Keys() {
		def := accounts[k.VendorAccount].def
		if def == nil || def.Strategy == "Overlap" {
			continue
		}
		id := def.Principal(k.Settings)
		if id == "" {
			continue
		}
		id = k.VendorAccount + "\x00" + id
		if other := taken[id]; other != "" {
			ps.add(entry("keys", k.Secret)+".settings", fmt.Sprintf("they name the same key at the vendor as those of %q", other),
				"keep one secret for one key: two would end each other's")
			continue
		}
		taken[id] = k.Secret
	}
}

// Key returns the configuration of a secret by its name or full ARN. It
// reports false for every other secret, a part of a name or ARN included.
//
// An ARN without its last seven characters cannot be told from a full one whose
// name is shorter by seven, so compare the name that DescribeSecret returns
// with Key.Secret.
func (c *Config) Key(secretID string) (Key, bool) {
	k, ok := c.keys[Name(secretID)]
	return k, ok
}

// Keys returns every secret's configuration, sorted by name.
func (c *Config) Keys() []Key {
	return slices.SortedFunc(maps.Values(c.keys), func(a, b Key) int { return cmp.Compare(a.Secret, b.Secret) })
}

package config_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/provider"
)

type settings struct {
	URL    string   `json:"url" doc:"where the server is"`
	Scopes []string `json:"scopes" doc:"what the key may do"`
}

func (s settings) Problems() []provider.Problem {
	if len(s.Scopes) == 0 {
		return []provider.Problem{{Field: "scopes", What: "missing", Hint: "list at least one"}}
	}
	return nil
}

func (s settings) BaseURL() string {
	if s.URL == "" {
		return "https://api.acme.example"
	}
	return s.URL
}

// acme is a synthetic vendor.
func acme() []provider.Definition {
	return []provider.Definition{provider.Define(provider.Info{Name: "acme"}, func(settings, provider.Admin, *http.Client) provider.Strategy { return nil })}
}

const full = `{
  "version": 1,
  "vendorAccounts": {
    "acme-main": {"provider": "acme", "admin": "keyturn/admin/acme", "hosts": ["api.acme.example", "127.0.0.1:3000"], "allowPrivate": true},
    "spare": {"provider": "acme", "admin": "arn:aws:secretsmanager:us-east-1:123456789012:secret:keyturn/admin/spare-AbCdEf", "hosts": ["api.acme.example"]}
  },
  "keys": {
    "prod/mailer": {"vendorAccount": "acme-main", "settings": {"scopes": ["send"]}, "owner": "mailer@example.com"},
    "prod/git": {"vendorAccount": "acme-main", "settings": {"url": "http://127.0.0.1:3000", "scopes": ["read"]}, "owner": "git@example.com", "tier": 2,
      "value": {"field": "token", "strict": true},
      "grace": {"min": "90m", "quiet": "0s", "max": "2h", "disabled": "1h", "onMax": "revoke", "noUsage": "revoke"}},
    "prod/plain": {"vendorAccount": "acme-main", "settings": {"scopes": ["send"]}, "owner": "o", "value": {"plain": true}}
  }
}`

func TestParse(t *testing.T) {
	t.Parallel()
	c, err := config.Parse([]byte(full), acme())
	if err != nil {
		t.Fatal(err)
	}
	defaults := config.Grace{Min: time.Hour, Quiet: 6 * time.Hour, Max: 72 * time.Hour, Disabled: 24 * time.Hour, OnMax: config.Hold, NoUsage: config.Hold}
	account := config.Key{VendorAccount: "acme-main", Vendor: "acme", Admin: "keyturn/admin/acme", Hosts: []string{"api.acme.example", "127.0.0.1:3000"}, AllowPrivate: true, Grace: defaults}
	git, mailer, plain := account, account, account
	git.Secret, git.Owner, git.Tier = "prod/git", "git@example.com", 2
	git.Settings = json.RawMessage(`{"url": "http://127.0.0.1:3000", "scopes": ["read"]}`)
	git.Value = config.Value{Field: "token", Strict: true}
	git.Grace = config.Grace{Min: 90 * time.Minute, Max: 2 * time.Hour, Disabled: time.Hour, OnMax: config.Revoke, NoUsage: config.Revoke}
	mailer.Secret, mailer.Owner, mailer.Value = "prod/mailer", "mailer@example.com", config.Value{Field: "apiKey"}
	mailer.Settings = json.RawMessage(`{"scopes": ["send"]}`)
	plain.Secret, plain.Owner, plain.Value = "prod/plain", "o", config.Value{Plain: true}
	plain.Settings = mailer.Settings
	if diff := cmp.Diff([]config.Key{git, mailer, plain}, c.Keys()); diff != "" {
		t.Errorf("Keys (-want +got):\n%s", diff)
	}
}

// What is not configured is not ours to touch.
// Promise: configured-only
func TestKey(t *testing.T) {
	t.Parallel()
	c, err := config.Parse([]byte(full), acme())
	if err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
	for _, tt := range []struct {
		id   string
		want bool
	}{
		{"prod/mailer", true},
		{arn + "prod/mailer-AbCdEf", true},
		{"arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:prod/mailer-AbCdEf", true},
		{arn + "prod/mailer", false},
		{arn + "prod/mailer-AbCdE", false},
		{arn + "prod/mail-AbCdEf", false},
		{arn + "prod/mailer-x-AbCdEf", false},
		{arn + "-AbCdEf", false},
		{"arn:aws:ssm:us-east-1:123456789012:secret:prod/mailer-AbCdEf", false},
		{"prod/mailer-AbCdEf", false},
		{"prod/", false},
		{"prod/mail", false},
		{"PROD/MAILER", false},
		{"", false},
	} {
		if k, ok := c.Key(tt.id); ok != tt.want || ok && k.Secret != "prod/mailer" {
			t.Errorf("Key(%q) = %q, %v; want %v", tt.id, k.Secret, ok, tt.want)
		}
	}
}

func TestParse_problems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, data string
		want       []string // of one line each
	}{
		{"not JSON", "{\n  \"version\": 1,\n  x\n}", []string{"the configuration is not JSON: look at line 3, column 3"}},
		{"not an object", `[]`, []string{"the configuration is not an object"}},
		{"nothing", `{}`, []string{"version: not a version", "vendorAccounts: missing", "keys: missing"}},
		{"everything wrong is told at once", `{"version": 2, "vendorAcounts": {}, "vendorAccounts": {
			"a": {"provider": "acne", "admin": "", "hosts": []},
			"b": {"provider": "acme", "admin": "prod/x", "hosts": ["https://api.acme.example/"], "allowPrivat": true},
			"c": {"provider": "other vendor", "admin": "has space", "hosts": "api.acme.example"}},
		  "keys": {
			"prod/x": {"vendorAccount": "b", "settings": {"scope": ["a"]}, "grace": {"min": "100h", "onMax": "kill"}, "tier": 5},
			"prod/y": {"vendorAccount": "bb", "owner": " ", "value": {"field": "keyturn"}, "grace": {"quiet": "-1s", "max": "soon", "disabled": "0s", "min": 3}},
			"prod/z*": {"owner": "o", "value": {"plain": true, "strict": true}, "tier": "1"}}}`, []string{
			`vendorAcounts: unknown field: did you mean "vendorAccounts"?`,
			`version: not a version that this program knows: write 1`,
			`vendorAccounts["a"].provider: unknown provider "acne": did you mean "acme"?`,
			`vendorAccounts["a"].admin: missing`,
			`vendorAccounts["a"].hosts: missing or empty`,
			`vendorAccounts["b"].allowPrivat: unknown field: did you mean "allowPrivate"?`,
			`vendorAccounts["b"].hosts[0]: "https://api.acme.example/" is no host`,
			`vendorAccounts["c"].provider: unknown provider "other vendor": known are acme`,
			`vendorAccounts["c"].admin: not a secret's name or full ARN`,
			`vendorAccounts["c"].hosts: not a list of strings`,
			`keys["prod/x"].settings.scope: unknown setting "scope": known settings: scopes, url`,
			`keys["prod/x"].grace.min: longer than max, which is 72h0m0s`,
			`keys["prod/x"].grace.onMax: "kill" is no action: write "hold" or "revoke"`,
			`keys["prod/x"].owner: missing`,
			`keys["prod/x"].tier: out of range`,
			`keys["prod/y"].vendorAccount: no vendor account is called "bb": did you mean "b"?`,
			`keys["prod/y"].value.field: "keyturn" cannot be the key's field`,
			`keys["prod/y"].grace.min: not a duration such as "36h" or "90m"`,
			`keys["prod/y"].grace.max: "soon" is no duration`,
			`keys["prod/y"].grace.quiet: not longer than nothing`,
			`keys["prod/y"].grace.disabled: not longer than nothing`,
			`keys["prod/y"].owner: missing`,
			`keys["prod/z*"]: not a name for a secret`,
			`keys["prod/z*"].vendorAccount: missing: known are a, b, c`,
			`keys["prod/z*"].value: a plain value has neither field nor strict`,
			`keys["prod/z*"].tier: not a number from 0 to 4`,
			`vendorAccounts["b"].admin: is also one of the keys`,
		}},
		{"a key given twice", edit(`"prod/git"`, `"prod/mailer"`), []string{`keys: "prod/mailer" is given twice: keep one of the two`}},
		{"an admin's ARN is one of the keys", edit("secret:keyturn/admin/spare-AbCdEf", "secret:prod/git-AbCdEf"), []string{`vendorAccounts["spare"].admin: is also one of the keys`}},
		{"plain HTTP", edit(`, "allowPrivate": true`, ``), []string{`keys["prod/git"].settings: credentials would travel unencrypted to 127.0.0.1:3000`}},
		{"the API's host is not listed", edit(`, "127.0.0.1:3000"]`, `, "127.0.0.1"]`), []string{`keys["prod/git"].settings: the vendor's API is at 127.0.0.1:3000, and the vendor account's hosts do not list it: add "127.0.0.1:3000"`}},
		{"no URL", edit(`"http://127.0.0.1:3000"`, `"git.example.com"`), []string{`keys["prod/git"].settings: these settings lead to no usable URL`}},
		{"a URL with a password", edit(`"http://127.0.0.1:3000"`, `"https://u:hunter2@127.0.0.1:3000"`), []string{`keys["prod/git"].settings: these settings lead to no usable URL`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Parse([]byte(tt.data), acme())
			bad, ok := errors.AsType[*config.Error](err)
			if !ok || c != nil {
				t.Fatalf("Parse = %v, %v; want a *config.Error", c, err)
			}
			lines := strings.Split(err.Error(), "\n")
			for _, w := range tt.want {
				if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, w) }) {
					t.Errorf("no line says %q", w)
				}
			}
			if len(lines) != len(tt.want) || len(bad.Problems) != len(tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%d problems, want %d:\n%v", len(bad.Problems), len(tt.want), err)
			}
			for _, p := range bad.Problems {
				if p.Hint == "" {
					t.Errorf("%s: no hint", p.Path)
				}
			}
		})
	}
}

func edit(old, replacement string) string { return strings.ReplaceAll(full, old, replacement) }

func TestValidHost(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"api.example.com": true, "localhost": true, "127.0.0.1:3000": true, "[::1]": true, "[::1]:80": true, "a_b.example": true, "xn--bcher-kva.example": true,
		"": false, "API.example.com": false, "*.example.com": false, "https://x": false, "x/y": false, "x:": false, "x:0": false, "x:65536": false,
		"x:http": false, "::1": false, "[x]": false, "[127.0.0.1]": false, "u@x": false, "x.": false, ".x": false, "-x": false, "a b": false, "x?y": false,
	} {
		if got := config.ValidHost(s); got != want {
			t.Errorf("ValidHost(%q) = %v, want %v", s, got, want)
		}
	}
}

func TestAllows(t *testing.T) {
	t.Parallel()
	hosts := []string{"api.example.com", "git.example.com:8443", "[::1]:3000", "long.example.com:443"}
	for s, want := range map[string]bool{
		"https://api.example.com/v3": true, "https://API.example.com:443": true, "https://git.example.com:8443": true, "http://[::1]:3000": true,
		"https://long.example.com": true, "http://api.example.com": true,
		"https://git.example.com": false, "https://api.example.com:8443": false, "https://evil-api.example.com": false,
		"https://api.example.com.evil.example": false, "https://api.example.com@evil.example": false, "http://long.example.com": false,
	} {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := config.Allows(hosts, u); got != want {
			t.Errorf("Allows(%s) = %v, want %v", s, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(`{"version":1,"vendorAccounts":{"a":null},"keys":{"k":null}}`))
	f.Add([]byte(`{"version":1,"vendorAccounts":[],"keys":{"k":{"value":null,"grace":[],"settings":1}}}`))
	f.Add([]byte("{\"\x00\":"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse(data, acme())
		if err != nil {
			if _, ok := errors.AsType[*config.Error](err); !ok || err.Error() == "" {
				t.Errorf("Parse: %v, want problems", err)
			}
			return
		}
		for _, k := range c.Keys() {
			if k.Vendor == "" || k.Admin == "" || k.Owner == "" || len(k.Hosts) == 0 || k.Grace.Min <= 0 || k.Grace.Min > k.Grace.Max {
				t.Errorf("accepted %+v", k)
			}
			if got, ok := c.Key(k.Secret); !ok || got.Secret != k.Secret {
				t.Errorf("Key(%q) = %v", k.Secret, ok)
			}
		}
	})
}

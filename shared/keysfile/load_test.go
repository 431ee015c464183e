package keysfile_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keysfile"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func options() keysfile.Options {
	return keysfile.Options{Vendors: catalog.All(), Now: func() time.Time { return now }}
}

// load reads files, given as name and text in turns; the first is the main one.
func load(files ...string) (*keysfile.File, error) {
	fsys := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		fsys[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return keysfile.Load(fsys, options(), files[0])
}

// valid is a whole file; tests replace lines of it.
const valid = `version: 1
defaults: {owner: platform@example.com}
vendorAccounts:
  mail:
    provider: sendgrid
    admin: keyturn/admin/sendgrid
keys:
  - name: prod/mailer/sendgrid
    vendorAccount: mail
    settings: {scopes: [mail.send]}
    readers: [arn:aws:iam::111122223333:role/mailer]
`

func TestLoad(t *testing.T) {
	t.Parallel()
	f, err := load("keyturn.yaml", valid, "keys/a.yaml", `
keys:
  - name: prod/b
    vendorAccount: git
    settings: {baseURL: "https://git.example.com", scopes: ["read:user"]}
    grace: {quiet: 0s, max: 5d}
    tier: 1
vendorAccounts:
  git: {provider: gitea, admin: keyturn/admin/git, hosts: [git.example.com]}
`, "keys/README.md", "not read")
	if err != nil {
		t.Fatal(err)
	}
	h := keysfile.Duration(time.Hour)
	want := []keysfile.Key{
		{
			Name: "prod/mailer/sendgrid", VendorAccount: "mail", Settings: map[string]any{"scopes": []any{"mail.send"}},
			Schedule: "rate(30 days)", Window: 3 * h, Owner: "platform@example.com", Tier: 3,
			Readers: []string{"arn:aws:iam::111122223333:role/mailer"},
			Grace:   keysfile.Grace{Min: h, Quiet: 6 * h, Max: 72 * h, Disabled: 24 * h, OnMax: "hold", NoUsage: "hold"},
			Value:   keysfile.Value{Field: "apiKey"},
			At:      keysfile.Position{File: "keyturn.yaml", Line: 8, Column: 5},
		},
		{
			Name: "prod/b", VendorAccount: "git", Settings: map[string]any{"baseURL": "https://git.example.com", "scopes": []any{"read:user"}},
			Schedule: "rate(30 days)", Window: 3 * h, Owner: "platform@example.com", Tier: 1,
			Grace: keysfile.Grace{Min: h, Quiet: 0, Max: 120 * h, Disabled: 24 * h, OnMax: "hold", NoUsage: "hold"},
			Value: keysfile.Value{Field: "apiKey"},
			At:    keysfile.Position{File: "keys/a.yaml", Line: 3, Column: 5},
		},
	}
	if d := cmp.Diff(want, f.Keys); d != "" {
		t.Errorf("keys (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"api.sendgrid.com", "api.eu.sendgrid.com"}, f.VendorAccounts["mail"].Hosts); d != "" {
		t.Errorf("hosts (-want +got):\n%s", d)
	}
	if f.Name != "keyturn" || f.Shards != 32 || f.Functions.LogRetentionDays != 365 || f.Functions.RolePath != "/" {
		t.Errorf("defaults: %+v", f)
	}
	for account, keys := range map[string]string{"": "prod/b prod/mailer/sendgrid", "git": "prod/b", "mail": "prod/mailer/sendgrid"} {
		c, err := config.Parse(f.Config(account), catalog.All())
		if err != nil {
			t.Errorf("configuration of %q: %v", account, err)
			continue
		}
		var got []string
		for _, k := range c.Keys() {
			got = append(got, k.Secret)
		}
		if strings.Join(got, " ") != keys {
			t.Errorf("configuration of %q has %s", account, got)
		}
	}
}

// What Windows' editors write is read as well: a byte order mark and CR LF.
func TestLoad_windows(t *testing.T) {
	t.Parallel()
	f, err := load("k.yaml", "\ufeff"+strings.ReplaceAll(valid, "\n", "\r\n"))
	if err != nil || len(f.Keys) != 1 || f.Keys[0].At.Line != 8 {
		t.Errorf("%+v, %v", f, err)
	}
}

package keysfile_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/config"
)

const whole = `version: 1
defaults: {owner: platform@example.com, tier: 4, grace: {min: 2h}}
vendorAccounts:
  aws: {provider: aws-iam, admin: keyturn/admin/aws, hosts: [iam.amazonaws.com, sts.us-east-1.amazonaws.com]}
  git: {provider: gitea, admin: keyturn/admin/git, hosts: ["10.0.0.7:3000"], allowPrivate: true}
keys:
  - name: prod/aws
    vendorAccount: aws
    settings: {userName: app}
    value: {fields: {accessKeyId: id}, strict: true}
    exclusive: true
    acceptDowntime: true
    owner: app@example.com
    tier: 1
    grace: {min: 30m, quiet: 0s, max: 5d, disabled: 90m, onMax: revoke, noUsage: revoke}
  - name: prod/git
    vendorAccount: git
    settings: {baseURL: "http://10.0.0.7:3000", scopes: ["read:user"]}
    value: {field: token}
  - name: prod/plain
    vendorAccount: git
    settings: {baseURL: "http://10.0.0.7:3000", scopes: ["read:user"]}
    value: {plain: true}
freeze:
  - {from: 2026-12-20, to: 2027-01-02, reason: year end, tiers: [1, 2]}
  - {from: 2027-06-30, to: 2027-06-30, reason: audit}
`

// Nothing of a key is lost on its way to the functions.
func TestFile_Config(t *testing.T) {
	t.Parallel()
	f, err := load("keyturn.yaml", whole)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse(f.Config(""), catalog.All())
	if err != nil {
		t.Fatal(err)
	}
	at := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	audit := config.Freeze{From: at(2027, 6, 30), Until: at(2027, 7, 1), Reason: "audit"}
	grace := config.Grace{Min: 2 * time.Hour, Quiet: 6 * time.Hour, Max: 72 * time.Hour, Disabled: 24 * time.Hour, OnMax: config.Hold, NoUsage: config.Hold}
	git := config.Key{
		Secret: "prod/git", VendorAccount: "git", Vendor: "gitea", Settings: json.RawMessage(`{"baseURL":"http://10.0.0.7:3000","scopes":["read:user"]}`),
		Admin: "keyturn/admin/git", Hosts: []string{"10.0.0.7:3000"}, AllowPrivate: true, Value: config.Value{Field: "token"}, Grace: grace,
		Owner: "platform@example.com", Tier: 4, Freeze: []config.Freeze{audit},
	}
	plain := git
	plain.Secret, plain.Value = "prod/plain", config.Value{Plain: true}
	want := []config.Key{
		{
			Secret: "prod/aws", VendorAccount: "aws", Vendor: "aws-iam", Settings: json.RawMessage(`{"userName":"app"}`),
			Admin: "keyturn/admin/aws", Hosts: []string{"iam.amazonaws.com", "sts.us-east-1.amazonaws.com"},
			Value: config.Value{Fields: []string{"id", "secretAccessKey"}, Strict: true},
			Grace: config.Grace{Min: 30 * time.Minute, Max: 120 * time.Hour, Disabled: 90 * time.Minute, OnMax: config.Revoke, NoUsage: config.Revoke},
			Owner: "app@example.com", Tier: 1, Exclusive: true, AcceptDowntime: true,
			Freeze: []config.Freeze{{From: at(2026, 12, 20), Until: at(2027, 1, 3), Reason: "year end"}, audit},
		},
		git, plain,
	}
	if d := cmp.Diff(want, c.Keys()); d != "" {
		t.Errorf("keys (-want +got):\n%s", d)
	}
	for range 20 {
		if !bytes.Equal(f.Config(""), f.Config("")) {
			t.Fatal("two configurations of one file differ")
		}
	}
}

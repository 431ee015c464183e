package cdk

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// configOf returns the functions' configuration of one vendor account.
func configOf(p *VendorAccountProps) ([]byte, error) {
	return functionConfig(map[string]keysfile.VendorAccount{*p.Name: p.Account}, p.Keys)
}

func functionConfig(accounts map[string]keysfile.VendorAccount, list []keysfile.Key) ([]byte, error) {
	vendors := map[string]any{}
	for name, a := range accounts {
		hosts := a.Hosts
		if hosts == nil {
			v, _ := catalog.Get(a.Provider)
			hosts = v.Hosts
		}
		m := map[string]any{"provider": a.Provider, "admin": a.Admin, "hosts": hosts}
		if a.AllowPrivate {
			m["allowPrivate"] = true
		}
		vendors[name] = m
	}
	keys := map[string]any{}
	for _, k := range list {
		m := map[string]any{"vendorAccount": k.VendorAccount, "owner": k.Owner}
		if k.Settings != nil {
			m["settings"] = k.Settings
		}
		if k.Tier != 0 {
			m["tier"] = k.Tier
		}
		keys[k.Name] = m
	}
	return json.Marshal(map[string]any{"version": 1, "vendorAccounts": vendors, "keys": keys})
}

func expressionOf(k keysfile.Key) (string, error) {
	if k.Schedule == "" {
		return "rate(30 days)", nil
	}
	return k.Schedule, nil
}

func windowOf(k keysfile.Key) string {
	if k.Window == 0 {
		return ""
	}
	return fmt.Sprintf("%dh", int(time.Duration(k.Window).Hours()))
}

func shardOf(name string, shards int) int {
	h := fnv.New64a()
	h.Write([]byte(name))
	return int(h.Sum64() % uint64(max(shards, 1)))
}

func policyOf(*keysfile.File, keysfile.Key) *iam.Document {
	return &iam.Document{Version: iam.Version, Statement: []iam.Statement{{
		Sid: "DenyAnonymous", Effect: iam.Deny, Principal: &iam.Principals{Everyone: true}, Action: iam.Strings{"secretsmanager:*"}, Resource: iam.Strings{"*"},
		Condition: iam.Conditions{"Bool": {"aws:SecureTransport": {"false"}}},
	}}}
}

package keysfile

import (
	"encoding/json"
	"slices"
	"time"
)

// functionConfig is what shared/config reads.
type functionConfig struct {
	Version        int                         `json:"version"`
	VendorAccounts map[string]functionsAccount `json:"vendorAccounts"`
	Keys           map[string]functionsKey     `json:"keys"`
}

type functionsAccount struct {
	Provider     string   `json:"provider"`
	Admin        string   `json:"admin"`
	Hosts        []string `json:"hosts"`
	AllowPrivate bool     `json:"allowPrivate,omitempty"`
}

type functionsKey struct {
	VendorAccount  string            `json:"vendorAccount"`
	Settings       map[string]any    `json:"settings,omitempty"`
	Value          *Value            `json:"value,omitempty"`
	Grace          functionsGrace    `json:"grace"`
	Owner          string            `json:"owner"`
	Tier           int               `json:"tier"`
	Exclusive      bool              `json:"exclusive,omitempty"`
	AcceptDowntime bool              `json:"acceptDowntime,omitempty"`
	Freeze         []functionsFreeze `json:"freeze,omitempty"`
}

// functionsGrace writes every field, for a quiet time of zero is one.
type functionsGrace struct {
	Min      string `json:"min"`
	Quiet    string `json:"quiet"`
	Max      string `json:"max"`
	Disabled string `json:"disabled"`
	OnMax    string `json:"onMax"`
	NoUsage  string `json:"noUsage"`
}

type functionsFreeze struct {
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
}

// Config returns the configuration of the functions of one vendor account, in
// the form that shared/config reads; "" means of all of them. The same file
// gives the same bytes.
func (f *File) Config(vendorAccount string) []byte {
	c := functionConfig{Version: 1, VendorAccounts: map[string]functionsAccount{}, Keys: map[string]functionsKey{}}
	for name, a := range f.VendorAccounts {
		if vendorAccount == "" || vendorAccount == name {
			c.VendorAccounts[name] = functionsAccount{Provider: a.Provider, Admin: a.Admin, Hosts: a.Hosts, AllowPrivate: a.AllowPrivate}
		}
	}
	for _, k := range f.Keys {
		if vendorAccount == "" || vendorAccount == k.VendorAccount {
			c.Keys[k.Name] = f.functionsKey(k)
		}
	}
	data, err := json.Marshal(c)
	if err != nil {
		panic("keysfile: " + err.Error()) // strings, numbers and what JSON was read from
	}
	return data
}

func (f *File) functionsKey(k Key) functionsKey {
	out := functionsKey{
		VendorAccount: k.VendorAccount, Settings: k.Settings, Owner: k.Owner, Tier: k.Tier, Exclusive: k.Exclusive, AcceptDowntime: k.AcceptDown,
		Grace: functionsGrace{
			Min: goDuration(k.Grace.Min), Quiet: goDuration(k.Grace.Quiet), Max: goDuration(k.Grace.Max), Disabled: goDuration(k.Grace.Disabled),
			OnMax: k.Grace.OnMax, NoUsage: k.Grace.NoUsage,
		},
	}
	if v := k.Value; v.Plain || v.Field != "" || len(v.Fields) > 0 || v.Strict {
		out.Value = &v
	}
	for _, z := range f.Freeze {
		if len(z.Tiers) == 0 || slices.Contains(z.Tiers, k.Tier) {
			out.Freeze = append(out.Freeze, functionsFreeze{From: z.From.Time, Until: z.To.AddDate(0, 0, 1), Reason: z.Reason})
		}
	}
	return out
}

// goDuration writes a duration as Go reads it, which knows no days.
func goDuration(d Duration) string { return time.Duration(d).String() }

// settingsOf returns a key's settings as the vendor reads them.
func settingsOf(k Key) json.RawMessage {
	data, err := json.Marshal(k.Settings)
	if err != nil || k.Settings == nil {
		return json.RawMessage("{}")
	}
	return data
}

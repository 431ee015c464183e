// Package explain says in words what a key's entry in the keys' file means: when
// it is rotated and how, who may read it, how the old key ends, who is told, and
// what it costs.
package explain

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/keyturn/keyturn/infra/cost"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/provider"
)

// Key is what a key's entry means.
type Key struct {
	Name          string    `json:"key"`
	Vendor        string    `json:"vendor"`
	VendorAccount string    `json:"vendor_account"`
	Owner         string    `json:"owner"`
	Tier          int       `json:"tier"`
	Schedule      string    `json:"schedule"` // as the file has it
	Deployed      string    `json:"deployed"` // as Secrets Manager gets it
	Next          []Window  `json:"next"`     // empty where it depends on the last rotation
	Strategy      string    `json:"strategy"`
	TellsUse      bool      `json:"tells_use"` // the vendor says when a key was last used
	Disables      bool      `json:"disables"`  // the vendor can stop a key and start it again
	Readers       []string  `json:"readers"`   // empty: identity policies decide
	Dollars       float64   `json:"dollars_per_month"`
	Share         float64   `json:"dollars_of_shared"` // its part of what there is once for all keys
	Sections      []Section `json:"sections"`
}

// Window is a time in which a rotation starts, in UTC.
type Window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Section answers one question.
type Section struct {
	Title string   `json:"title"`
	Lines []string `json:"lines"` // sentences
}

// Source is what an explanation is made of.
type Source struct {
	File    *keysfile.File
	Vendors []provider.Definition
	Use     cost.Use
	Now     time.Time
}

// ErrUnknown says that there is no key of that name.
var ErrUnknown = errors.New("no such key")

// Of explains the key called name.
func (s Source) Of(name string) (Key, error) {
	i := slices.IndexFunc(s.File.Keys, func(k keysfile.Key) bool { return k.Name == name })
	if i < 0 {
		return Key{}, ErrUnknown
	}
	k := s.File.Keys[i]
	account := s.File.VendorAccounts[k.VendorAccount]
	v, err := s.vendor(k, account)
	if err != nil {
		return Key{}, err
	}
	bill, err := cost.OfKey(s.File, name, s.Use)
	if err != nil {
		return Key{}, err
	}
	out := Key{
		Name: k.Name, Vendor: v.info.Name, VendorAccount: k.VendorAccount, Owner: k.Owner, Tier: k.Tier, Schedule: k.Schedule,
		Deployed: s.File.Expression(k), Next: []Window{}, Strategy: v.info.Strategy, TellsUse: v.tells, Disables: v.disables,
		Readers: k.Readers, Dollars: bill.Dollars, Share: bill.Shared,
	}
	if out.Readers == nil {
		out.Readers = []string{}
	}
	when, next, err := s.when(k, out.Deployed)
	if err != nil {
		return Key{}, err
	}
	out.Next = append(out.Next, next...)
	out.Sections = []Section{
		{"What", what(k, v.info)},
		{"When", when},
		{"How", how(k, v)},
		{"Who may read it", readers(k)},
		{"The old key", oldKey(k, v)},
		{"Who is told", s.told(k)},
		{"What it costs", costs(bill, s.Use, len(s.File.Keys))},
	}
	return out, nil
}

func what(k keysfile.Key, info provider.Info) []string {
	lines := []string{fmt.Sprintf("A key of %s (vendor account %s), of %s, tier %d.", info.Title, k.VendorAccount, k.Owner, k.Tier)}
	if k.Existing {
		lines = append(lines, "Its secret exists already: the deployment gives it a schedule and a policy, and nothing else.")
	}
	return lines
}

// vendor is what the vendor can do with this key.
type vendor struct {
	info            provider.Info
	tells, disables bool
	chooses         bool          // the value is ours, and stored before the vendor knows it
	cuts            bool          // a rotation cuts consumers off until they fetch again
	life            time.Duration // of the old value, where the vendor ends it
}

func (s Source) vendor(k keysfile.Key, account keysfile.VendorAccount) (vendor, error) {
	i := slices.IndexFunc(s.Vendors, func(d provider.Definition) bool { return d.Name == account.Provider })
	if i < 0 {
		return vendor{}, fmt.Errorf("there is no vendor %q", account.Provider)
	}
	def := s.Vendors[i]
	raw, err := json.Marshal(k.Settings)
	if err != nil {
		return vendor{}, fmt.Errorf("encode the settings: %w", err)
	}
	// Opening makes no call, and what a vendor can do needs no credential.
	admin := provider.Admin{Hosts: account.Hosts}
	v := vendor{info: def.Info, tells: def.LastUsed}
	var strategy provider.Strategy
	if def.SpeaksHTTP() {
		strategy, err = def.Open(raw, admin, &http.Client{})
	} else {
		strategy, err = def.OpenNet(raw, admin, nil)
	}
	if err != nil {
		return vendor{}, fmt.Errorf("open the vendor: %w", err)
	}
	switch st := strategy.(type) {
	case provider.Overlap:
		v.tells, v.disables = st.Usage != nil, st.Disable != nil
	case provider.DualSlot:
		v.tells, v.disables, v.chooses = st.Usage != nil, st.Disable != nil, st.Place != nil
	case provider.RollInPlace:
		v.tells, v.chooses, v.cuts = false, st.Set != nil, true
	case provider.RollWithGrace:
		v.tells = false
		v.life = st.Grace(time.Duration(k.Grace.Max))
	}
	return v, nil
}

func costs(bill cost.Estimate, use cost.Use, keys int) []string {
	of := fmt.Sprintf("its part, of %d keys, of what there is once for all of them", keys)
	if keys == 1 {
		of = "what there is once for all keys"
	}
	lines := []string{fmt.Sprintf("About $%.2f a month: $%.2f for itself, and $%.2f as %s.", bill.PerKey, bill.Dollars, bill.Shared, of)}
	if use.Replicas > 0 {
		lines = append(lines, fmt.Sprintf("Its value is copied to %s, each billed as a secret.", plural(use.Replicas, "more Region")))
	}
	return append(lines, "An estimate with the list prices of "+bill.Region+", without your programs' reads: keyturn cost.")
}

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

package keysfile

import (
	_ "embed"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/cadence"
)

// Guardrails bound what the keys' file may say, for owners of their own: the
// repository lets others approve a change of guardrails.yaml than of the keys'
// file. What is left out is not bounded. No exception of a key widens them.
// [ExampleGuardrails] shows all of it.
type Guardrails struct {
	Version int `yaml:"version" json:"version" doc:"version of this format"`
	// Vendors and VendorAccounts may be used, and no others.
	Vendors        []string `yaml:"vendors" json:"vendors,omitempty" doc:"vendors that there may be"`
	VendorAccounts []string `yaml:"vendorAccounts" json:"vendorAccounts,omitempty" doc:"vendor accounts that there may be; a * at the end stands for any rest"`
	// Hosts are where credentials may be sent, as vendor accounts list them.
	Hosts []string `yaml:"hosts" json:"hosts,omitempty" doc:"hosts that credentials may be sent to; *.example.com stands for all below it"`
	// MaxAge is the longest time between rotations, by tier.
	MaxAge   map[int]Duration `yaml:"maxAge" json:"maxAge,omitempty" doc:"longest time between rotations by tier, such as {1: 35d}"`
	MaxGrace Duration         `yaml:"maxGrace" json:"maxGrace,omitempty" doc:"longest life of a replaced key"`
	// Removals is how many keys and vendor accounts one change may remove; nil: any
	// number.
	Removals *int     `yaml:"removals" json:"removals,omitempty" doc:"keys and vendor accounts that one change may remove"`
	At       Position `yaml:"-" json:"-"` // of Removals, or the file
}

//go:embed guardrails.yaml
var exampleGuardrails string

// ExampleGuardrails returns guardrails to begin with, commented, which admit
// [Example].
func ExampleGuardrails() string { return exampleGuardrails }

// LoadGuardrails reads guardrails. The error is as that of [Load].
func LoadGuardrails(fsys fs.FS, file string) (*Guardrails, error) {
	data, err := contents(fsys, file)
	if err != nil {
		return nil, err
	}
	ps := &problems{at: map[string]Position{}, bad: map[string]bool{}, main: Position{File: file}}
	g := &Guardrails{}
	if root := ps.parse(file, data); root != nil {
		(&decoder{problems: ps, file: file, isMain: true}).value(root, "", reflect.ValueOf(g).Elem())
		ps.guardrails(g)
	}
	g.At = ps.where("removals")
	if err := ps.err(); err != nil {
		return nil, err
	}
	return g, nil
}

// LoadGuardrailsFile is [LoadGuardrails] for a path of the operating system.
func LoadGuardrailsFile(file string) (*Guardrails, error) { return LoadGuardrails(disk{}, file) }

// guardrails checks the guardrails themselves.
func (ps *problems) guardrails(g *Guardrails) {
	if g.Version != Version {
		ps.add("version", fmt.Sprintf("%d is no version that this program knows", g.Version), "write 1")
	}
	for tier, age := range g.MaxAge {
		path := item("maxAge", tier)
		if tier < 1 || tier > 4 {
			ps.add(path, fmt.Sprintf("%d is no tier", tier), tierHint)
		}
		if time.Duration(age) < cadence.MinInterval {
			ps.add(path, fmt.Sprintf("%s is more often than Secrets Manager's every 4 hours", age), "write 4h or more")
		}
	}
	if g.Removals != nil && *g.Removals < 0 {
		ps.add("removals", "less than none", "write 0, or how many keys one change may remove")
	}
	ps.patterns(g)
}

// patterns checks where stars are.
func (ps *problems) patterns(g *Guardrails) {
	for i, h := range g.Hosts {
		if rest := strings.TrimPrefix(h, "*."); rest == "" || strings.Contains(rest, "*") || rest != strings.ToLower(rest) {
			ps.add(item("hosts", i), fmt.Sprintf("%q is no host", h), "write api.example.com, or *.example.com for all hosts below it")
		}
	}
	for i, name := range g.VendorAccounts {
		if strings.Contains(strings.TrimSuffix(name, "*"), "*") {
			ps.add(item("vendorAccounts", i), fmt.Sprintf("%q has a * within", name), "write it at the end, where it stands for any rest")
		}
	}
}

const railsHint = ", or let the owners of the guardrails admit it"

// guardrails holds the file to the guardrails.
func (c *check) guardrails(g *Guardrails) {
	if g == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(c.file.VendorAccounts)) {
		a, path := c.file.VendorAccounts[name], entry("vendorAccounts", name)
		if len(g.VendorAccounts) > 0 && !slices.ContainsFunc(g.VendorAccounts, func(p string) bool { return matches(p, name) }) {
			c.add(path, fmt.Sprintf("the guardrails admit no vendor account %q", name), "use "+strings.Join(g.VendorAccounts, ", ")+railsHint)
		}
		if len(g.Vendors) > 0 && !slices.Contains(g.Vendors, a.Provider) {
			c.add(path+".provider", fmt.Sprintf("the guardrails do not admit the vendor %q", a.Provider), "use "+strings.Join(g.Vendors, ", ")+railsHint)
		}
		for i, h := range a.Hosts {
			if len(g.Hosts) > 0 && !slices.ContainsFunc(g.Hosts, func(p string) bool { return below(p, h) }) {
				c.add(item(path+".hosts", i), "the guardrails let no credentials be sent to "+h, "leave the host out"+railsHint)
			}
		}
	}
	for i, k := range c.file.Keys {
		c.keyGuardrails(item("keys", i), k, g)
	}
}

func (c *check) keyGuardrails(path string, k Key, g *Guardrails) {
	// What is deployed counts: a month has up to 31 days.
	s, err := ParseSchedule(c.file.Expression(k))
	if age, ok := g.MaxAge[k.Tier]; ok && err == nil && s.Longest() > time.Duration(age) {
		c.add(c.written(path, "schedule"), fmt.Sprintf("the guardrails admit %s between rotations for tier %d, and it is deployed with %s", age, k.Tier, Duration(s.Longest())), "rotate more often"+railsHint)
	}
	if g.MaxGrace > 0 && k.Grace.Max > g.MaxGrace {
		c.add(c.nearest(path, "grace.max"), fmt.Sprintf("the guardrails admit a grace of %s, not %s", g.MaxGrace, k.Grace.Max), "make grace.max shorter"+railsHint)
	}
}

// matches reports whether a name fits a pattern with a * at its end, or without.
func matches(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}

// below reports whether a host, with its port if it has one, is the pattern or,
// where that begins with *., below it.
func below(pattern, host string) bool {
	if domain, ok := strings.CutPrefix(pattern, "*"); ok {
		return len(host) > len(domain) && strings.HasSuffix(host, domain)
	}
	return pattern == host
}

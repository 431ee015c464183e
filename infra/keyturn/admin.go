package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/infra/keyturn/internal/doctor"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/provider"
)

// stored is what admin put prints as JSON.
type stored struct {
	VendorAccount string           `json:"vendor_account"`
	Secret        string           `json:"secret"`
	Status        string           `json:"status"` // "created", "replaced" or "refused"
	Version       string           `json:"version,omitempty"`
	Forced        bool             `json:"forced,omitempty"` // it could not be tried
	Checks        []doctor.Finding `json:"checks"`
	Notes         []string         `json:"notes,omitempty"`
}

func (a *app) admin() *cobra.Command {
	c := &cobra.Command{
		Use:   "admin COMMAND",
		Short: "The vendors' admin credentials, with which keys are made and ended",
		Long: `The vendors' admin credentials, with which keys are made and ended. Each vendor
account in the keys' file names the secret that holds its own.`,
		Example: `  keyturn admin put sendgrid-main
  keyturn doctor sendgrid-main`,
	}
	c.AddCommand(a.adminPut())
	return parent(c)
}

// parent makes c a command that has others, and does nothing itself.
func parent(c *cobra.Command) *cobra.Command {
	c.Args = cobra.ArbitraryArgs
	return command(c, func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usage("which command of "+c.CommandPath()+"?", c.CommandPath()+" --help")
		}
		return usage(c.CommandPath()+" has no such command", c.CommandPath()+" --help") // what was typed may be a secret
	})
}

func (a *app) adminPut() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "put VENDOR-ACCOUNT",
		Short: "Store a vendor account's admin credential, after trying it",
		Long: `Store a vendor account's admin credential in the secret that the keys' file
names.

It is asked for field by field on the terminal and not shown, or read from stdin
as a JSON object with the same fields. It is never an argument, and no variable.

Before it is stored, harmless calls from this machine try it: see keyturn
doctor. One that the vendor refuses is never stored, and the one that is there
stays. One that could not be tried is stored with --force only.

The secret lists the hosts that the credential may be sent to, those of the
vendor account, and gets a policy by which only its functions read it.`,
		Example: `  keyturn admin put sendgrid-main
  vault-tool read sendgrid | keyturn admin put sendgrid-main --json`,
		Args:              oneAccount,
		ValidArgsFunction: a.completeAccounts,
	}
	c.SetFlagErrorFunc(func(c *cobra.Command, _ error) error { // its text may repeat a credential
		return usage("there is no such flag, or it lacks its value", c.CommandPath()+" --help", "a credential is never an argument")
	})
	c.Flags().BoolVar(&force, "force", false, "store one that could not be tried; never one that was refused")
	a.awsFlags(c)
	return command(c, func(c *cobra.Command, args []string) error { return a.runAdminPut(c.Context(), args[0], force) })
}

// oneAccount wants VENDOR-ACCOUNT, exactly once. What is more may be a secret,
// and is not repeated.
func oneAccount(c *cobra.Command, args []string) error {
	switch len(args) {
	case 1:
		return nil
	case 0:
		return usage("which vendor account?", c.CommandPath()+" VENDOR-ACCOUNT")
	}
	return usage(fmt.Sprintf("one vendor account, not %d arguments", len(args)), "a credential is never an argument: run the command, and type it when you are asked",
		"if you wrote a credential there, it is in your shell's history now: take it out, or make another")
}

func (a *app) completeAccounts(_ *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	f, err := a.keysFile()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Sorted(maps.Keys(f.VendorAccounts)), cobra.ShellCompDirectiveNoFileComp
}

// account finds a vendor account, and what is known about its vendor.
func (a *app) account(f *keysfile.File, name string) (keysfile.VendorAccount, provider.Definition, error) {
	v, ok := f.VendorAccounts[name]
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(f.VendorAccounts)), ", ")
		return v, provider.Definition{}, usage("there is no such vendor account in "+a.source(), "known are "+known)
	}
	for _, d := range a.vendors {
		if d.Name == v.Provider {
			return v, d, nil
		}
	}
	return v, provider.Definition{}, failed(typeConfig, "there is no vendor "+v.Provider, "see all that is wrong: keyturn validate")
}

func (a *app) runAdminPut(ctx context.Context, name string, force bool) error {
	f, err := a.keysFile()
	if err != nil {
		return err
	}
	v, d, err := a.account(f, name)
	if err != nil {
		return err
	}
	shared, err := sharing(f, name)
	if err != nil {
		return err
	}
	aws, err := a.connect(ctx)
	if err != nil {
		return err
	}
	place, err := a.openVault(ctx, aws, f, v.Admin)
	if err != nil {
		return err
	}
	var hosts []string
	for _, other := range shared {
		hosts = append(hosts, f.VendorAccounts[other].Hosts...)
	}
	slices.Sort(hosts)
	admin, err := a.readCredential(ctx, d, slices.Compact(hosts))
	if err != nil {
		return err
	}
	value, err := adminValue(admin, d)
	if err != nil {
		return err
	}
	answer := stored{VendorAccount: name, Secret: v.Admin, Status: "refused", Checks: []doctor.Finding{}}
	for _, other := range shared {
		answer.Checks = append(answer.Checks, doctor.Try(ctx, subject(f, other, d), admin, time.Now))
	}
	if ctx.Err() != nil {
		return failed(typeStopped, "interrupted: nothing was stored")
	}
	if answer.Forced, err = a.passed(answer, place.used, force); err != nil {
		return err
	}
	if err := place.put(ctx, value, &answer); err != nil {
		return err
	}
	a.printStored(answer)
	return nil
}

// sharing are the vendor accounts with the same admin secret, name included. All
// of them must take what is stored.
func sharing(f *keysfile.File, name string) ([]string, error) {
	v := f.VendorAccounts[name]
	all := []string{name}
	for _, other := range slices.Sorted(maps.Keys(f.VendorAccounts)) {
		switch o := f.VendorAccounts[other]; {
		case other == name || o.Admin != v.Admin:
		case o.Provider != v.Provider:
			return nil, failed(typeConfig, fmt.Sprintf("the vendor accounts %s and %s have one admin secret and two vendors", name, other), "name another secret for one of them")
		default:
			all = append(all, other)
		}
	}
	for _, k := range f.Keys {
		if k.Name == v.Admin {
			return nil, failed(typeConfig, "the admin secret of "+name+" is a key that Keyturn rotates: what is put there by hand would be replaced, or taken for a rotation",
				"make its first value: keyturn init "+k.Name, "take over one that is there: keyturn adopt "+k.Name)
		}
	}
	return all, nil
}

func subject(f *keysfile.File, account string, d provider.Definition) doctor.Subject {
	v := f.VendorAccounts[account]
	s := doctor.Subject{Account: account, Secret: v.Admin, Definition: d, Hosts: v.Hosts, AllowPrivate: v.AllowPrivate}
	for _, k := range f.Keys {
		if k.VendorAccount != account {
			continue
		}
		if raw, err := json.Marshal(k.Settings); err == nil {
			s.Settings = append(s.Settings, raw)
		}
	}
	return s
}

// passed decides whether a credential is stored. What was refused never is.
func (*app) passed(s stored, used, force bool) (forced bool, err error) {
	worst := doctor.Accepted
	for _, f := range s.Checks {
		if f.State == doctor.Refused || f.State == doctor.Unknown && worst == doctor.Accepted {
			worst = f.State
		}
	}
	stays := ""
	if used {
		stays = "; the one that is there stays"
	}
	var bad *failure
	switch {
	case worst == doctor.Accepted:
		return false, nil
	case worst == doctor.Refused:
		bad = failed("AdminRefused", "the credential was not stored: it is refused"+stays)
	case force:
		return true, nil
	default:
		bad = failed("AdminUntried", "the credential was not stored: it could not be tried"+stays)
	}
	for _, f := range s.Checks {
		for _, p := range f.Wrong {
			bad.Problems = append(bad.Problems, problem{Path: f.Account, What: p.What, Hint: strings.Join(p.Next, "; ")})
		}
	}
	bad.Next = []string{}
	if worst == doctor.Unknown {
		bad.Next = []string{"store it untried, if you are sure of it: keyturn admin put " + s.VendorAccount + " --force"}
	}
	return false, bad
}

func (a *app) printStored(s stored) {
	if a.flags.json {
		a.printJSON(s)
		return
	}
	var f console.Fields
	f.Add("vendor account", s.VendorAccount)
	f.Paint("result", console.Good, map[string]string{"created": "stored: the secret is new", "replaced": "stored: a new version is current"}[s.Status])
	if s.Forced {
		f.Paint("", console.Warn, "it was not tried: the first rotation does")
	}
	f.Add("secret", s.Secret)
	f.Add("version", s.Version)
	for _, c := range s.Checks {
		findingFields(&f, c)
	}
	for _, n := range s.Notes {
		f.Paint("mind", console.Warn, n)
	}
	_, _ = fmt.Fprint(a.out, f.Render(a.palette(a.outTerminal)))
}

// findingFields shows a credential at length.
func findingFields(f *console.Fields, c doctor.Finding) {
	style := map[doctor.State]console.Style{doctor.Accepted: console.Good, doctor.Stored: console.Plain, doctor.Unknown: console.Warn}
	s, ok := style[c.State]
	if !ok {
		s = console.Bad
	}
	text := fmt.Sprintf("%s (%s)", c.State, c.Vendor)
	if c.By != "" {
		text = fmt.Sprintf("%s (%s, asked by %s)", c.State, c.Vendor, c.By)
	}
	f.Paint("credential", s, text)
	f.Add("room", c.Room())
	f.Add("its rights", strings.Join(c.Rights, " "))
	f.Add("may be sent to", strings.Join(c.Hosts, " "))
	for _, n := range c.Notes {
		f.Add("note", n)
	}
	for _, p := range c.Wrong {
		f.Paint("problem", console.Bad, p.What)
		for _, next := range p.Next {
			f.Paint("problem", console.Warn, "  do: "+next)
		}
	}
}

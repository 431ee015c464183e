package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/infra/keyturn/internal/status"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/store"
)

// leftovers is what leftovers prints as JSON.
type leftovers struct {
	Time    time.Time `json:"time"` // AWS's
	Pending []pending `json:"pending"`
	Stays   []stay    `json:"stays"`
	Unread  []unready `json:"unread"` // keys of which nothing is known
}

// pending is something that nobody would finish any more.
type pending struct {
	Key   string    `json:"key"`
	KeyID string    `json:"key_id,omitempty"` // empty: a rotation
	State string    `json:"state"`
	Why   string    `json:"why,omitempty"`
	Next  time.Time `json:"next_look,omitzero"` // scheduled, or by the sweep
	// Until is when it would have ended at the latest; zero: when somebody
	// decides, or when the vendor answers.
	Until time.Time `json:"until,omitzero"`
}

// stay is something that no stack takes with it.
type stay struct {
	What  string   `json:"what"`
	Names []string `json:"names"`
	Until string   `json:"until"`
}

type unready struct {
	Key     string `json:"key"`
	Problem string `json:"problem"`
}

func (a *app) leftovers() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "leftovers",
		Short: "What is pending, and what stays, if the installation is destroyed",
		Long: `What is pending, and what stays, if the installation is destroyed: older keys
that still work at the vendor and until when, rotations under way, and the
secrets, encryption keys, records and ledger that no stack takes with it. make
destroy asks first.

Once the functions are gone nobody ends an older key: it works on at the vendor.
So while one is pending, or a key cannot be read, the exit code is 1, unless
--yes says that it may be so. Nothing is changed, and no value is read. It reads
the keys' records and asks no vendor: a key that no record has is not listed.`,
		Example: `  keyturn leftovers --environment prod
  keyturn leftovers --environment prod --yes && make destroy`,
		Args: noArgs,
	}
	c.Flags().BoolVar(&yes, "yes", false, "exit with 0 although something is pending")
	a.awsFlags(c)
	a.tableFlag(c)
	return command(c, func(c *cobra.Command, _ []string) error { return a.runLeftovers(c.Context(), yes) })
}

func (a *app) runLeftovers(ctx context.Context, yes bool) error {
	f, err := a.keysFile()
	if err != nil {
		return err
	}
	cfg, err := a.configuration()
	if err != nil {
		return err
	}
	aws, err := a.connect(ctx)
	if err != nil {
		return err
	}
	place, err := a.place()
	if err != nil {
		return err
	}
	site, err := a.site(ctx, aws, f)
	if err != nil {
		return err
	}
	seen := &existing{Secrets: aws.secrets(), missing: map[string]bool{}}
	all := status.Reader{Secrets: seen, Records: a.records(aws), Now: aws.clock.Now}.Read(ctx, cfg.Keys())
	if err := ctx.Err(); err != nil {
		return err
	}
	answer := leftovers{Time: aws.clock.Now(), Pending: []pending{}, Unread: []unready{}, Stays: stays(f, site, place.Replicas, seen.missing)}
	for i, k := range all {
		switch {
		case seen.missing[k.Secret]: // never deployed, or deleted
		case k.Problem != "":
			answer.Unread = append(answer.Unread, unready{k.Secret, k.Problem})
		default:
			answer.Pending = append(answer.Pending, pendingOf(k, cfg.Keys()[i].Grace)...)
		}
	}
	a.printLeftovers(answer, yes)
	if !yes && len(answer.Pending)+len(answer.Unread) > 0 {
		return exit(exitFailed)
	}
	return nil
}

// existing remembers which secrets there are not. It is safe for concurrent use.
type existing struct {
	status.Secrets

	mu      sync.Mutex
	missing map[string]bool
}

// Describe implements status.Secrets.
func (e *existing) Describe(ctx context.Context, id string) (store.Secret, error) {
	s, err := e.Secrets.Describe(ctx, id)
	if missing, ok := errors.AsType[*store.Error](err); ok && missing.Kind == store.KindNotFound {
		e.mu.Lock()
		e.missing[id] = true
		e.mu.Unlock()
	}
	return s, err
}

func pendingOf(k status.Key, g config.Grace) (out []pending) {
	if k.Stage == status.Rotating || k.Stage == status.Stuck {
		out = append(out, pending{Key: k.Secret, State: string(k.Stage)})
	}
	for _, o := range k.Older {
		p := pending{Key: k.Secret, KeyID: o.KeyID, State: string(o.State), Why: o.Why, Next: o.Next}
		switch {
		case o.Replaced.IsZero():
		case o.State == keyrecord.Grace && g.OnMax == config.Revoke && g.NoUsage == config.Revoke:
			p.Until = o.Replaced.Add(g.Max + g.Disabled)
		case o.State == keyrecord.Disabled:
			p.Until = o.Next
		}
		out = append(out, p)
	}
	return out
}

// stays lists what outlives the stacks, by infra/cdk.
func stays(f *keysfile.File, site *access.Site, replicas []string, missing map[string]bool) []stay {
	var secrets []string
	for _, k := range f.Keys {
		if !missing[k.Name] {
			secrets = append(secrets, k.Name)
		}
	}
	admins := map[string]bool{}
	for _, v := range f.VendorAccounts {
		admins[v.Admin] = true
	}
	var cmks []string
	for _, purpose := range []string{"secrets", "data", "topics", "ledger"} {
		cmks = append(cmks, "alias/"+f.Name+"-"+purpose)
	}
	stacks := []string{f.Name + "-retained"}
	for _, r := range replicas {
		cmks = append(cmks, "alias/"+f.Name+"-secrets in "+r)
		stacks = append(stacks, f.Name+"-retained-"+r)
	}
	all := []stay{
		{"secrets, each with its last value, which works on at the vendor; without Keyturn's rules on who may read it", secrets, "until you delete them"},
		{"admin credentials", slices.Sorted(maps.Keys(admins)), "until you delete them, and revoke them at the vendor"},
		{"encryption keys", cmks, "as long as something is encrypted with them: without the first, no value can be read"},
		{"records and audit trail", []string{"table " + f.Name, "table " + f.Name + "-watch", "queue " + f.Name + "-audit", "queue " + f.Name + "-audit-dlq", "secret " + f.Name + "/fingerprint-key", "secret " + site.CanaryName()}, "until you delete them; messages in a queue for 14 days"},
		{"the ledger", []string{"bucket " + site.LedgerName()}, fmt.Sprintf("until you delete it: each object is locked for %s after it was written, in %s mode", f.Audit.Retention, f.Audit.Mode)},
		{"stacks, protected from deletion", stacks, "until you take the protection away"},
	}
	return slices.DeleteFunc(all, func(s stay) bool { return len(s.Names) == 0 })
}

func (a *app) printLeftovers(answer leftovers, yes bool) {
	if a.flags.json {
		a.printJSON(answer)
		return
	}
	p := a.palette(a.outTerminal)
	for _, u := range answer.Unread {
		a.say("%s", p.Paint(console.Bad, console.Clean(u.Key+": not read: "+u.Problem)))
	}
	for _, l := range answer.Pending {
		a.say("%s", p.Paint(console.Warn, console.Clean(l.inWords(answer.Time))))
	}
	if n := len(answer.Pending) + len(answer.Unread); n > 0 {
		a.say("")
		a.say("%s pending. What to do: wait for what has a time, and look again; decide about", count(n, "thing"))
		a.say("what is held (keyturn status KEY says why); or end it at the vendor by hand.")
	} else {
		a.say("Nothing is pending: no older key, no rotation.")
	}
	a.say("")
	a.say("These stay:")
	for _, s := range answer.Stays {
		a.say("  %s, %s", s.What, s.Until)
		for i, name := range s.Names {
			if i == shownNames {
				a.say("    and %d more, see --json", len(s.Names)-i)
				break
			}
			a.say("    %s", console.Clean(name))
		}
	}
	a.say("The functions' logs go. How to end a single key: keyturn explain KEY --removed")
	if !yes && len(answer.Pending)+len(answer.Unread) > 0 {
		a.printFailure(failed("Pending", "something is pending, which nobody would finish", "wait, and look again", "or let it be so: --yes (with make: YES=1)"))
	}
}

const shownNames = 10

func (l pending) inWords(now time.Time) string {
	if l.KeyID == "" {
		return l.Key + ": a rotation is under way (" + l.State + ")"
	}
	text := fmt.Sprintf("%s: older key %s: %s", l.Key, l.KeyID, l.State)
	if l.Why != "" {
		text += ": " + l.Why
	}
	if !l.Next.IsZero() {
		text += "; next look " + console.Instant(l.Next, now)
	}
	if l.Until.IsZero() {
		return text + "; no end is set"
	}
	return text + "; ends by " + console.Instant(l.Until, now)
}

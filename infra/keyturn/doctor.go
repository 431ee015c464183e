package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/infra/keyturn/internal/doctor"
	"github.com/keyturn/keyturn/infra/keyturn/internal/function"
	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
)

// diagnosis is what doctor prints as JSON.
type diagnosis struct {
	Time           time.Time        `json:"time"` // AWS's
	VendorAccounts []doctor.Finding `json:"vendor_accounts"`
	Problems       int              `json:"problems"` // vendor accounts that have one
}

// planRequest is what the rotate function is sent: see [rotation.Request].
type planRequest struct {
	Version int           `json:"version"`
	Mode    rotation.Mode `json:"mode"`
	Secret  string        `json:"secret"`
}

func (a *app) doctor() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor [VENDOR-ACCOUNT...]",
		Short: "Whether the vendors accept the stored admin credentials",
		Long: `Whether the vendors accept the stored admin credentials, and what room is left
for keys: of all vendor accounts, or of those named. Nothing is changed.

The deployed rotate function of each vendor account makes the calls, from where
it runs and with what it will rotate with. This machine reads no credential: the
policy of an admin secret lets nobody but the functions read it. So a vendor
account whose function is not deployed yet cannot be asked about; keyturn admin
put tries a credential from this machine before it stores it.

Vendors differ in what they tell. None says without harm whether a key could be
made; where none of the calls is harmless, the credential is only seen to be
there. The exit code is 1 if there is a problem.`,
		Example: `  keyturn doctor
  keyturn doctor sendgrid-main --json`,
		ValidArgsFunction: a.completeAccounts,
	}
	a.awsFlags(c)
	return command(c, func(c *cobra.Command, args []string) error { return a.runDoctor(c.Context(), args) })
}

func (a *app) runDoctor(ctx context.Context, names []string) error {
	patients, err := a.patients(names)
	if err != nil {
		return err
	}
	aws, err := a.connect(ctx)
	if err != nil {
		return err
	}
	answer := diagnosis{VendorAccounts: make([]doctor.Finding, len(patients))}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 4)
	for i, p := range patients {
		wg.Go(func() {
			slots <- struct{}{}
			answer.VendorAccounts[i] = p.examine(ctx, aws)
			<-slots
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	answer.Time = aws.clock.Now()
	for i := range answer.VendorAccounts {
		f := &answer.VendorAccounts[i]
		f.SetSkew("AWS", time.Until(answer.Time))
		if len(f.Wrong) > 0 {
			answer.Problems++
		}
	}
	a.printDiagnosis(answer, len(names) == 1)
	if answer.Problems > 0 {
		return exit(exitFailed)
	}
	return nil
}

// patient is a vendor account whose stored credential is asked about.
type patient struct {
	doctor.Finding

	function string
	keys     []string
	lists    bool // the vendor's keys can be listed
}

// patients are the vendor accounts that are named, or all.
func (a *app) patients(names []string) ([]patient, error) {
	cfg, err := a.configuration()
	if err != nil {
		return nil, err
	}
	all := a.allPatients(cfg)
	known := slices.Sorted(maps.Keys(all))
	if len(names) == 0 {
		names = known
	}
	var out []patient
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		p, ok := all[name]
		if !ok {
			return nil, usage("there is no such vendor account in "+a.source(), "known are "+strings.Join(known, ", "))
		}
		out = append(out, *p)
	}
	return out, nil
}

// allPatients are the vendor accounts by name: those of the keys' file, or, in
// the functions' configuration, those that keys have.
func (a *app) allPatients(cfg *config.Config) map[string]*patient {
	all, installation := map[string]*patient{}, "keyturn"
	add := func(account, vendor, admin string, hosts []string) *patient {
		if all[account] == nil {
			all[account] = &patient{
				Finding:  doctor.Finding{Account: account, Vendor: vendor, Secret: admin, Hosts: hosts, State: doctor.Unknown, Wrong: []doctor.Problem{}},
				function: installation + "-rotate-" + account,
				lists: slices.ContainsFunc(a.vendors, func(d provider.Definition) bool {
					return d.Name == vendor && (d.Strategy == "Overlap" || d.Strategy == "DualSlot")
				}),
			}
		}
		return all[account]
	}
	if a.file != nil {
		installation = a.file.Name
		for name, v := range a.file.VendorAccounts {
			add(name, v.Provider, v.Admin, v.Hosts)
		}
	}
	for _, k := range cfg.Keys() {
		p := add(k.VendorAccount, k.Vendor, config.Name(k.Admin), k.Hosts)
		p.keys = append(p.keys, k.Secret)
	}
	return all
}

// examine asks the function, and where it cannot, looks whether there is a
// credential.
func (p patient) examine(ctx context.Context, c *connection) doctor.Finding {
	f := p.Finding
	if !p.there(ctx, c, &f) {
		return f
	}
	if len(p.keys) == 0 {
		f.Add("no key in the configuration has this vendor account, so its function has nothing to ask", "declare a key of it")
		return f
	}
	var plan rotation.Plan
	err := function.Invoke(ctx, c.functions(), p.function, function.Safe, planRequest{Version: 1, Mode: rotation.ModePlan, Secret: p.keys[0]}, &plan)
	if bad, ok := errors.AsType[*function.Error](err); ok {
		f.By = "the function " + p.function
		f.Add("the function "+p.function+" failed: "+bad.Error(), "look at its log")
		return f
	}
	switch code := awserror.Code(err); {
	case err == nil:
		f.By = "the function " + p.function
		p.read(&f, plan)
	case code == "ResourceNotFoundException":
		f.Add("the function "+p.function+" is not deployed, and nobody else may read the credential", "deploy it", "to try a credential before: keyturn admin put "+p.Account)
	case code == "AccessDeniedException":
		f.Add("you may not invoke the function "+p.function, "it takes the rights of the installation's role operator", "see who you are: aws sts get-caller-identity")
	default:
		f.Add("the function "+p.function+" gave no answer: "+cmp.Or(code, "no answer"), "try again")
	}
	return f
}

// there reports whether there is a credential, as far as one can see.
func (p patient) there(ctx context.Context, c *connection, f *doctor.Finding) bool {
	s, err := sm.NewFromConfig(c.cfg).DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: &p.Secret})
	switch code := awserror.Code(err); {
	case code == "ResourceNotFoundException":
		f.State = doctor.Missing
		f.Add("there is no secret "+p.Secret, "store one: keyturn admin put "+p.Account)
	case err != nil:
		return true // the function can say more
	case s.DeletedDate != nil:
		f.State = doctor.Missing
		f.Add("the secret "+p.Secret+" is marked for deletion", "keep it: aws secretsmanager restore-secret --secret-id "+p.Secret)
	case !hasCurrent(s.VersionIdsToStages):
		f.State = doctor.Missing
		f.Add("the secret "+p.Secret+" has no value", "store one: keyturn admin put "+p.Account)
	default:
		if at := aws.ToTime(s.LastChangedDate); !at.IsZero() {
			f.Notes = append(f.Notes, "the secret was last changed "+at.UTC().Format(time.DateOnly))
		}
		return true
	}
	return false
}

// read draws from a plan what it says about the credential. What is about the
// key alone is for keyturn status.
func (p patient) read(f *doctor.Finding, plan rotation.Plan) {
	f.State = doctor.Stored
	if p.lists {
		f.State, f.Keys, f.Limit = doctor.Accepted, new(plan.Keys), plan.Limit
	} else {
		f.Notes = append(f.Notes, "no call tries it without replacing a key: it is only known to be there")
	}
	for _, problem := range plan.Problems {
		state, known := meaning(problem.Type, f.State)
		if !known {
			continue
		}
		if f.State != doctor.Refused && f.State != doctor.Missing { // the surest stays
			f.State = state
		}
		if f.State != doctor.Accepted {
			f.Keys, f.Limit = nil, 0
		}
		next := problem.Next
		if problem.Type == rotation.AdminMissing || problem.Type == rotation.AdminRefused {
			next = append(next, "store another: keyturn admin put "+p.Account)
		}
		f.Add(problem.What, next...)
	}
}

// meaning is what a plan's problem says of the credential, and false if it says
// nothing. What is not known here says that it is not known.
func meaning(t rotation.Type, now doctor.State) (doctor.State, bool) {
	state, known := map[rotation.Type]doctor.State{
		rotation.AdminMissing: doctor.Missing, rotation.VendorFull: now,
		rotation.AdminRefused: doctor.Refused, rotation.HostNotAllowed: doctor.Refused, rotation.VendorRefused: doctor.Refused, rotation.ConfigInvalid: doctor.Refused,
	}[t]
	ofTheKey := []rotation.Type{
		rotation.NoCurrent, rotation.WrongShape, rotation.KeyRejected, rotation.RotationDisabled, rotation.NotStaged,
		rotation.Paused, rotation.Held, rotation.DowntimeRefused,
	}
	switch {
	case known:
		return state, true
	case slices.Contains(ofTheKey, t):
		return now, false
	}
	return doctor.Unknown, true
}

func (a *app) printDiagnosis(d diagnosis, one bool) {
	paint := a.palette(a.outTerminal)
	switch {
	case a.flags.json:
		a.printJSON(d)
	case len(d.VendorAccounts) == 0:
		a.say("there are no vendor accounts")
	case one:
		var f console.Fields
		f.Add("vendor account", d.VendorAccounts[0].Account)
		f.Add("secret", d.VendorAccounts[0].Secret)
		findingFields(&f, d.VendorAccounts[0])
		f.Add("this machine's clock", fmt.Sprintf("%+.1fs by AWS's", 0-d.VendorAccounts[0].Skew.Seconds))
		_, _ = fmt.Fprint(a.out, f.Render(paint))
	default:
		var t console.Table
		t.Row("VENDOR ACCOUNT", "VENDOR", "CREDENTIAL", "ROOM", "MAY BE SENT TO", "PROBLEM")
		for _, f := range d.VendorAccounts {
			var what []string
			for _, p := range f.Wrong {
				what = append(what, p.What)
			}
			t.Row(f.Account, f.Vendor, string(f.State), f.Room(), strings.Join(f.Hosts, " "), strings.Join(what, "; "))
		}
		_, _ = fmt.Fprint(a.out, t.Render(paint))
		if d.Problems > 0 {
			a.say("What to do: keyturn doctor VENDOR-ACCOUNT")
		}
	}
}

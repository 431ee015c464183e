package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/infra/keyturn/internal/function"
	"github.com/keyturn/keyturn/infra/keyturn/internal/readers"
	"github.com/keyturn/keyturn/shared/rotation"
)

// adoptOptions are adopt's own flags.
type adoptOptions struct {
	keyID, reason string
	observe       bool
}

// adoptRequest is what the rotate function is sent: see [rotation.Request].
type adoptRequest struct {
	Version   int           `json:"version"`
	Mode      rotation.Mode `json:"mode"`
	Secret    string        `json:"secret"`
	KeyID     string        `json:"key_id,omitempty"`
	Observe   bool          `json:"observe,omitempty"`
	Reason    string        `json:"reason,omitempty"`
	Requester string        `json:"requester,omitempty"`
}

// adopted is what adopt prints as JSON.
type adopted struct {
	rotation.Adopted

	Readers *readers.Readers `json:"readers,omitempty"` // with --observe
}

func (a *app) adopt() *cobra.Command {
	var o adoptOptions
	c := &cobra.Command{
		Use:   "adopt KEY",
		Short: "Take over the key that a secret holds already",
		Long: `Take over the key in a secret's current version, so that Keyturn replaces and
retires it from then on. KEY is a secret's name or ARN, and it must be in the
configuration. The value stays as it is, and no key is made.

Everything is checked first, and every problem is told at once; with a problem
nothing is done, and the exit code is 1. A key that is Keyturn's already is left
alone, and the exit code is 3.

The key's id at the vendor is found by its value, where the vendor can say. Else
give it with --key-id: that is your word that this is the key to end after a
rotation, and the vendor must list it. Without it the key is taken over all the
same, but cannot be retired by us: it is reported until it is dead.

With --observe nothing is changed. It tells besides who reads the secret, with
your own rights secretsmanager:GetResourcePolicy and cloudtrail:LookupEvents.`,
		Example: `  keyturn adopt prod/mailer/sendgrid --observe
  keyturn adopt prod/mailer/sendgrid --key-id 3nXQ --reason "moving in"`,
		Args:              oneKey,
		ValidArgsFunction: a.completeKeys,
	}
	f := c.Flags()
	f.StringVar(&o.keyID, "key-id", "", "the current key's `ID` at the vendor")
	f.BoolVar(&o.observe, "observe", false, "change nothing: say what would be done, what would stop it, and who reads the secret")
	f.StringVar(&o.reason, "reason", "", "why, as `TEXT` of at most 500 characters")
	f.StringVar(&a.flags.rotate, "rotate-function", "", "`NAME` of the function (KEYTURN_ROTATE_FUNCTION; else keyturn-rotate-ACCOUNT, of the key's vendor account)")
	a.awsFlags(c)
	return command(c, func(c *cobra.Command, args []string) error { return a.runAdopt(c.Context(), args[0], o) })
}

func (a *app) runAdopt(ctx context.Context, id string, o adoptOptions) error {
	o.reason, o.keyID = strings.TrimSpace(o.reason), strings.TrimSpace(o.keyID)
	if !short(o.reason) || !short(o.keyID) {
		return usage("the reason or the key's id is longer than 500 characters, or has a line break in it", "keyturn adopt "+id)
	}
	k, aws, err := a.keyAndAWS(ctx, id)
	if err != nil {
		return err
	}
	name := a.setting(a.flags.rotate, "KEYTURN_ROTATE_FUNCTION", a.installation()+"-rotate-"+k.VendorAccount)
	var answer adopted
	err = function.Invoke(ctx, aws.functions(), name, function.Safe, adoptRequest{
		Version: 1, Mode: rotation.ModeAdopt, Secret: k.Secret, KeyID: o.keyID, Observe: o.observe, Reason: o.reason, Requester: requester(ctx, aws),
	}, &answer.Adopted)
	if err != nil {
		return notInvoked(ctx, err, k.Secret, "--rotate-function NAME, or KEYTURN_ROTATE_FUNCTION")
	}
	if answer.Version != 1 || answer.Status == "" {
		return failed(typeUnclear, "the answer of "+name+" is not what this version of keyturn understands",
			"see how it is: keyturn adopt "+k.Secret+" --observe", "use a keyturn of the same version as the functions")
	}
	if o.observe {
		answer.Readers = a.readersOf(ctx, aws, k.Secret)
	}
	return a.printAdopted(answer, aws.clock.Now())
}

// readersOf looks for a secret's readers, with the operator's own rights.
func (a *app) readersOf(ctx context.Context, c *connection, name string) *readers.Readers {
	arn := name
	if s, err := c.secrets().Describe(ctx, name); err == nil {
		arn = s.ARN
	}
	found := readers.Finder{
		Policies: secretsmanager.NewFromConfig(c.cfg), Trail: cloudtrail.NewFromConfig(c.cfg), Now: c.clock.Now,
	}.Find(ctx, arn, name)
	return &found
}

func (a *app) printAdopted(r adopted, now time.Time) error {
	if a.flags.json {
		a.printJSON(r)
	} else {
		_, _ = fmt.Fprint(a.out, adoptedText(r, now, a.palette(a.outTerminal)))
	}
	switch {
	case len(r.Problems) > 0:
		return exit(exitFailed)
	case r.Status == rotation.AdoptAlready:
		return exit(exitNothing)
	}
	return nil
}

func adoptedText(r adopted, now time.Time, paint console.Palette) string {
	var f console.Fields
	f.Add("key", r.Secret)
	what, style := statusInWords(r)
	f.Paint("result", style, what)
	f.Add("vendor", fmt.Sprintf("%s (%s)", r.Vendor, r.Strategy))
	f.Add("version", r.VersionID)
	if r.KeyID != "" {
		id := r.KeyID
		if r.KeyName != "" {
			id += " (" + r.KeyName + ")"
		}
		f.Add("key at the vendor", id)
		f.Add("", "known by "+r.FoundBy)
	}
	f.Add("rights", strings.Join(r.Scopes, " "))
	list := func(name string, style console.Style, all []string) {
		for _, text := range all {
			f.Paint(name, style, text)
		}
	}
	list("is well", console.Good, r.Well)
	for _, o := range r.Others {
		f.Add("may be it", strings.TrimSpace(o.ID+" "+o.Name))
	}
	problems := func(name string, style console.Style, all []rotation.Problem) {
		for _, p := range all {
			f.Paint(name, style, fmt.Sprintf("%s: %s", p.Type, p.What))
			for _, next := range p.Next {
				f.Paint(name, console.Warn, "  do: "+next)
			}
		}
	}
	problems("stands against it", console.Bad, r.Problems)
	problems("mind", console.Warn, r.Warnings)
	unknown := r.Unknown
	if r.Readers != nil {
		readersText(&f, *r.Readers, now)
		unknown = append(unknown, r.Readers.Unknown...)
	}
	list("is not known", console.Plain, unknown)
	return f.Render(paint)
}

func statusInWords(r adopted) (string, console.Style) {
	switch r.Status {
	case rotation.AdoptDone:
		return "adopted: it is Keyturn's to replace and to retire", console.Good
	case rotation.AdoptNoID:
		return "adopted without its id: it can be replaced, and cannot be retired by us", console.Warn
	case rotation.AdoptAlready:
		return "nothing to do: it is Keyturn's already", console.Plain
	case rotation.AdoptObserved:
		if len(r.Problems) > 0 {
			return "observed: it could not be adopted", console.Bad
		}
		return "observed: it could be adopted", console.Good
	}
	return "refused: nothing was done", console.Bad
}

func readersText(f *console.Fields, r readers.Readers, now time.Time) {
	for _, g := range r.Policy {
		text := g.Principal
		if g.Conditional {
			text += " (under conditions)"
		}
		f.Add("its policy lets read", text)
	}
	for _, read := range r.Reads {
		f.Add("has read it", fmt.Sprintf("%s, %dx, last %s", read.Principal, read.Count, console.Relative(read.Last, now)))
	}
	if len(r.Reads) == 0 {
		f.Add("has read it", "nobody whom CloudTrail's history shows since "+console.Instant(r.Since, now))
	}
}

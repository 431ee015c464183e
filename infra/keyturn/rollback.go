package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/function"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/retire"
)

// goBackOptions are the flags of rollback and restore.
type goBackOptions struct{ reason, keyID string }

// goBackRequest is what the retire function is sent: see [retire.Request].
type goBackRequest struct {
	Version   int         `json:"version"`
	Mode      retire.Mode `json:"mode"`
	Secret    string      `json:"secret"`
	KeyID     string      `json:"keyId,omitempty"`
	Reason    string      `json:"reason"`
	Requester string      `json:"requester,omitempty"`
}

// wentBack is what rollback and restore print as JSON.
type wentBack struct {
	Key     string        `json:"key"`
	Status  retire.Status `json:"status"`            // "rolled_back" or "restored"
	Version string        `json:"version,omitempty"` // rollback: that is current again
	KeyID   string        `json:"key_id,omitempty"`  // missing: not known
}

func (a *app) rollback() *cobra.Command {
	var o goBackOptions
	c := &cobra.Command{
		Use:   "rollback KEY --reason TEXT",
		Short: "Make the previous key current again",
		Long: `Make the previous key current again, while it still works. KEY is a secret's
name or ARN. Nothing is made, and nothing is ended: the newer key works on, and
is retired later like any replaced one.

The previous key is tried first, and enabled if it was disabled; the label moves
only when the vendor accepts it. It goes back one version. If it has done so
already, the exit code is 3. While a rotation is under way, it is refused; so it
is where a vendor replaces a key's value, for then the old one is gone.`,
		Example: `  keyturn rollback prod/mailer/sendgrid --reason "release 4.2 lacks a scope"
  keyturn rollback prod/mailer/sendgrid --reason "mails bounce" --json`,
		Args:              oneKey,
		ValidArgsFunction: a.completeKeys,
	}
	a.goBackFlags(c, &o)
	return command(c, func(c *cobra.Command, args []string) error { return a.runRollback(c.Context(), args[0], o) })
}

func (a *app) restore() *cobra.Command {
	var o goBackOptions
	c := &cobra.Command{
		Use:   "restore KEY --reason TEXT",
		Short: "Enable an older key that was disabled",
		Long: `Enable an older key that was disabled and is not revoked yet: somebody still
needs it. KEY is a secret's name or ARN. The current key stays current; to go
back to the previous one, see keyturn rollback.

The key's grace begins anew: it is not disabled again before that is over, and
not at all while it is used. Without --key-id it is the one that is disabled. If
none is, the exit code is 3. What was revoked cannot be restored by anybody.`,
		Example: `  keyturn restore prod/mailer/sendgrid --reason "the batch job still has it"
  keyturn restore prod/mailer/sendgrid --key-id 3nXQ --reason "batch job"`,
		Args:              oneKey,
		ValidArgsFunction: a.completeKeys,
	}
	c.Flags().StringVar(&o.keyID, "key-id", "", "the key's `ID` at the vendor, if several are disabled")
	a.goBackFlags(c, &o)
	return command(c, func(c *cobra.Command, args []string) error { return a.runRestore(c.Context(), args[0], o) })
}

func (a *app) goBackFlags(c *cobra.Command, o *goBackOptions) {
	f := c.Flags()
	f.StringVar(&o.reason, "reason", "", "why, as `TEXT` of at most 500 characters")
	f.StringVar(&a.flags.retire, "retire-function", "", "`NAME` of the function (KEYTURN_RETIRE_FUNCTION; else keyturn-retire-ACCOUNT, of the key's vendor account)")
	a.awsFlags(c)
}

func (a *app) runRollback(ctx context.Context, id string, o goBackOptions) error {
	answer, err := a.goBack(ctx, retire.Rollback, id, o)
	if err != nil {
		return err
	}
	if answer.Status == retire.Unchanged {
		a.nothing(answer.Secret, answer.Secret+" was rolled back already: version "+answer.VersionID+" is current, and older than the previous one")
		return exit(exitNothing)
	}
	if a.flags.json {
		a.printJSON(wentBack{answer.Secret, answer.Status, answer.VersionID, answer.KeyID})
		return nil
	}
	a.say("%s: rolled back, version %s is current again%s", answer.Secret, answer.VersionID, withID(answer.KeyID))
	return nil
}

func (a *app) runRestore(ctx context.Context, id string, o goBackOptions) error {
	answer, err := a.goBack(ctx, retire.Restore, id, o)
	if f, ok := errors.AsType[*failure](err); ok && f.fromFunction && f.Type == string(retire.NothingDisabled) {
		a.nothing(answer.Secret, f.What)
		return exit(exitNothing)
	}
	if err != nil {
		return err
	}
	if a.flags.json {
		a.printJSON(wentBack{answer.Secret, answer.Status, answer.VersionID, answer.KeyID})
		return nil
	}
	a.say("%s: restored, an older key works again%s", answer.Secret, withID(answer.KeyID))
	return nil
}

func withID(id string) string {
	if id == "" {
		return ""
	}
	return " (key " + id + ")"
}

// goBack sends the request to the retire function.
func (a *app) goBack(ctx context.Context, mode retire.Mode, id string, o goBackOptions) (retire.Answer, error) {
	o.reason, o.keyID = strings.TrimSpace(o.reason), strings.TrimSpace(o.keyID)
	again := "keyturn " + string(mode) + " " + id
	switch {
	case o.reason == "":
		return retire.Answer{}, usage("a "+string(mode)+" needs a reason", again+" --reason TEXT")
	case !short(o.reason) || !short(o.keyID):
		return retire.Answer{}, usage("the reason or the key's id is longer than 500 characters, or has a line break in it", again+` --reason "a short one"`)
	}
	k, aws, err := a.keyAndAWS(ctx, id)
	if err != nil {
		return retire.Answer{}, err
	}
	return a.askRetire(ctx, aws, k, goBackRequest{
		Version: 1, Mode: mode, Secret: k.Secret, KeyID: o.keyID, Reason: o.reason, Requester: requester(ctx, aws),
	})
}

func (a *app) askRetire(ctx context.Context, c *connection, k config.Key, q goBackRequest) (retire.Answer, error) {
	name := a.setting(a.flags.retire, "KEYTURN_RETIRE_FUNCTION", a.installation()+"-retire-"+k.VendorAccount)
	var out retire.Response
	// Asked twice, the second answer would hide what the first request did.
	err := function.Invoke(ctx, c.functions(), name, function.Once, q, &out)
	if err != nil {
		return retire.Answer{Secret: k.Secret}, notInvoked(ctx, err, k.Secret, "--retire-function NAME, or KEYTURN_RETIRE_FUNCTION")
	}
	if out.Answer == nil || out.Answer.Version != 1 || out.Answer.Mode != q.Mode || out.Answer.Status == "" {
		return retire.Answer{}, failed(typeUnclear, "the answer of "+name+" is not what this version of keyturn understands",
			"see whether it did something: keyturn status "+k.Secret, "use a keyturn of the same version as the functions")
	}
	return *out.Answer, nil
}

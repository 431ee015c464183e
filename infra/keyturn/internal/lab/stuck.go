package lab

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/uuid"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/store"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/stack"
)

// halted is the key whose rotation is stuck.
const halted = "prod/mailer"

const adminSecret = "keyturn/admin/" + Account

// ledgerURL is where commands read the ledger.
const ledgerURL = "s3://" + stack.Ledger

func stuck() *Exercise {
	return &Exercise{
		Name: "stuck", Title: "A rotation is stuck", keys: fleet, begin: beginStuck, since: 3 * time.Hour,
		Scenario: `The rotation of prod/mailer failed last night, in a freeze of the organization's
that is over by now, and has not begun again. People have looked around in the
vendor's console since, and nobody is sure what they did there.

The three programs (mailer, billing, newsletter) work. Nothing is broken yet, so
there is no hurry, and a mistake is the greatest danger.

Find out what holds the rotation up: there is more than one thing. Get it going
without losing a key, cutting off a program, or leaving a key at the vendor that
nobody knows. The vendor's console is keyturn lab vendor; let time pass with
keyturn lab wait.`,
		goals: stuckGoals(),
	}
}

func stuckGoals() []goal {
	return []goal{
		{
			"admin", "the vendor accepts the admin credential that is stored", 25,
			[]string{
				"keyturn doctor " + Account + " tries the admin credential. docs/runbooks/admin-credential-lost.md says what then.",
				"Make a new one in the vendor's console, and store it without showing it: keyturn lab vendor new-admin | keyturn admin put " + Account,
			},
			func(_ context.Context, w *world) string {
				_, text := w.region.Cloud.SecretsManager().Peek(adminSecret, store.Current)
				if _, key := keyIn(text); key.Equal(w.vendor.valid()) {
					return ""
				}
				return "the vendor refuses the admin credential in " + adminSecret
			},
		},
		{
			"unblocked", "no unfinished version of prod/mailer has AWSPENDING", 20,
			[]string{
				"keyturn status prod/mailer: a pending version blocks every rotation. docs/heal.md says what is done about it, and after how long.",
				"Do nothing by hand: the hourly sweep takes the label off a day after the version was made. keyturn lab wait 25h",
			},
			func(_ context.Context, w *world) string {
				if w.pending(halted) == w.halted {
					return "AWSPENDING is on a version whose rotation has ended in failure"
				}
				return ""
			},
		},
		{
			"clean", "the key of the failed rotation is dead, and the vendor has no key that nobody knows", 25, []string{
				"A key that was given up is retired like a replaced one (grace.max is 24h), and until then it holds up the next rotation. keyturn status prod/mailer says when.",
				"keyturn lab wait 30h, then compare keyturn lab vendor with keyturn status",
			}, missingClean,
		},
		{
			"rotated", "prod/mailer is rotated, and its program works with the new key", 30,
			[]string{
				"keyturn rotate-now prod/mailer --plan says what would stop a rotation. One that is stopped blocks the next for a day.",
				`When nothing would: keyturn rotate-now prod/mailer --reason "the causes are gone"`,
			},
			func(ctx context.Context, w *world) string {
				version, _ := w.current(halted)
				switch b := w.book(ctx, halted); {
				case version == w.began(halted):
					return "the current version is the one of before"
				case b.Failure != nil:
					return "the last rotation failed: " + b.Failure.ErrorType
				}
				return w.works(halted)
			},
		},
	}
}

// beginStuck has AWS refuse the last act of a rotation until Secrets Manager gives up,
// as a freeze of the organization's would, and ends the admin credential.
func beginStuck(ctx context.Context, w *world) error {
	thaw := w.region.Cloud.Inject(cloud.Fault{
		Service: "secretsmanager", Operation: "UpdateSecretVersionStage",
		Error: &wire.Error{Code: "AccessDeniedException", Message: "with an explicit deny in a service control policy", Status: http.StatusBadRequest},
	})
	defer thaw()
	c := sm.NewFromConfig(w.region.Cloud.Config())
	name, token := halted, uuid.NewString()
	if _, err := c.RotateSecret(ctx, &sm.RotateSecretInput{SecretId: &name, ClientRequestToken: &token}); err != nil {
		return err
	}
	if err := w.settle(ctx); err != nil {
		return err
	}
	thaw()
	if w.halted = w.pending(halted); w.halted == "" {
		return errors.New("the rotation is not stuck")
	}
	w.vendor.renew() // nobody stores it
	return nil
}

// missingClean says which key the vendor should not have.
func missingClean(ctx context.Context, w *world) string {
	if missing := w.ended(ctx, halted, w.halted); missing != "" {
		return missing
	}
	known := map[string]bool{}
	for _, k := range w.file().Keys {
		_, id := w.current(k.Name)
		known[id] = true
		for _, r := range w.book(ctx, k.Name).Keys {
			known[r.KeyID] = known[r.KeyID] || r.State == keyrecord.Grace
		}
	}
	for _, k := range w.vendor.Live() {
		if !known[k.ID] {
			return "the vendor has a key that nobody knows: " + k.Name
		}
	}
	return ""
}

// named reports whether the body of a call to Secrets Manager is about a secret.
func named(body []byte, name string) bool {
	var in struct{ SecretID string }
	return json.Unmarshal(body, &in) == nil && in.SecretID == name
}

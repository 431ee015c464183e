package lab

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	notes "golang.org/x/mod/sumdb/note"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/evidence"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/ledger"
)

// leaked is the secret that the stranger reads.
const leaked = "prod/billing"

func leak() *Exercise {
	return &Exercise{
		Name: "leak", Title: "A key is in the wrong hands", keys: fleet, begin: beginLeak, since: 20 * time.Minute,
		spare: []string{"prod/mailer", "prod/newsletter"},
		Scenario: `A mail from a stranger, this morning: "I found this on a paste site, is it
yours?" It quotes the beginning of a key:

    SG.LEAKED...

Some minutes ago an alert came too. Three programs (mailer, billing, newsletter)
use a key each, the whole time, and must go on.

Find out which key it is and who has it, and how they got it. Shut them out,
replace the key in an emergency, see that the old one is dead, and prove it to
an auditor from the ledger. Those who look after the AWS account end a role's
sessions for you: keyturn lab block ROLE.`,
		goals: leakGoals(),
	}
}

func leakGoals() []goal {
	return []goal{
		{
			"shut-out", "the stranger is shut out of AWS", 20,
			[]string{
				"Read the mail: keyturn lab mail. What a CloudTrail file shows, keyturn detect trail --site keyturn.yaml says too.",
				"The alert names the role whose sessions are in strange hands. No program of ours uses it: keyturn lab block ci-runner",
			},
			func(_ context.Context, w *world) string {
				if w.isBlocked(thiefRole) {
					return ""
				}
				return "somebody who is no reader still reads a secret"
			},
		},
		{
			"taken-on", "the alert is acknowledged, so that nobody else is called", 5,
			[]string{
				`The mail says how, and so does keyturn status: keyturn ack prod/billing --reason TEXT`,
			},
			missingAck,
		},
		{
			"rotated", "the leaked key is replaced in an emergency, with the reason on record", 25, []string{
				"docs/runbooks/leaked-key.md. An ordinary rotation leaves the old key alive for a day.",
				`keyturn rotate-now prod/billing --emergency --reason "read by a stranger"`,
			}, missingEmergency,
		},
		{
			"worthless", "no key that the stranger has read is accepted by the vendor", 15,
			[]string{
				"The order counts: who can still read the secret has the new key too. Then rotate it again.",
				"The old key ends an hour after an emergency (grace.min). Let time pass: keyturn lab wait 3h",
			},
			func(_ context.Context, w *world) string {
				if w.stranger.working() == 0 {
					return ""
				}
				return "the vendor accepts a key that the stranger has"
			},
		},
		{
			"dead", "Keyturn has proven that the leaked key is dead", 10,
			[]string{
				"A revoked key is looked at again, an hour later at most: keyturn lab wait 3h, then keyturn status prod/billing",
			},
			func(ctx context.Context, w *world) string { return w.ended(ctx, leaked, w.began(leaked)) },
		},
		{
			"proven", "evidence about the key, with the proof of its death, lies in the folder", 25, []string{
				"keyturn ledger verify and keyturn evidence read the ledger at " + ledgerURL + "; its public key is in ledger.pub.",
				"keyturn evidence prod/billing --ledger " + ledgerURL + " --key ledger.pub",
			}, missingEvidence,
		},
	}
}

func beginLeak(ctx context.Context, w *world) error {
	w.deny(thief, "prod/mailer") // the local AWS has no IAM
	w.stranger = newStranger(w, leaked)
	if err := w.stranger.read(ctx, "prod/mailer"); err == nil {
		return errors.New("the stranger is not refused")
	}
	if err := w.stranger.read(ctx, leaked); err != nil {
		return err
	}
	_, id := w.current(leaked)
	w.leaked = id[:8]
	return w.settle(ctx)
}

func missingEmergency(ctx context.Context, w *world) string {
	asked := false
	for _, q := range w.book(ctx, leaked).Requests {
		asked = asked || q.Mode == keyrecord.Emergency && q.Reason != ""
	}
	version, _ := w.current(leaked)
	switch {
	case version == w.began(leaked):
		return "the leaked key is still the current one"
	case !asked:
		return "it was replaced, but not in an emergency: the old key lives on"
	}
	return w.works(leaked)
}

// missingAck looks into the ledger: the alert itself goes with its cause.
func missingAck(ctx context.Context, w *world) string {
	found := errors.New("found")
	_, err := w.stack.Verify(ctx, func(_ int64, line []byte) error {
		e, err := ledger.Decode(line)
		if err != nil {
			return err
		}
		f, err := history.Of(e)
		if err == nil && f.Act != nil && f.Act.Act == audit.Ack && f.Act.Secret == leaked {
			return found
		}
		return err
	})
	if errors.Is(err, found) {
		return ""
	}
	return "nobody has acknowledged it"
}

// missingEvidence looks for a pack about the leaked key that proves its death.
func missingEvidence(ctx context.Context, w *world) string {
	text, err := w.stack.VerifierKey(ctx)
	if err != nil {
		return err.Error()
	}
	v, err := notes.NewVerifier(text)
	if err != nil {
		return err.Error()
	}
	files, _ := filepath.Glob(filepath.Join(w.dir, "evidence-*.json")) // the pattern is good
	missing := "there is no evidence about the leaked key in the folder"
	for _, path := range files {
		var p evidence.Pack
		data, err := os.ReadFile(path) //nolint:gosec // G304: in the folder
		if err != nil || json.Unmarshal(data, &p) != nil || p.Secret != leaked {
			continue
		}
		if slices.ContainsFunc(p.Entries, func(e evidence.Entry) bool { return proves(e, v, w.began(leaked)) }) {
			return ""
		}
		missing = "the evidence does not hold the proven death of the leaked key: it was made too early"
	}
	return missing
}

// proves reports whether an entry is in the ledger and says that a version's key is dead.
func proves(e evidence.Entry, v notes.Verifier, version string) bool {
	shown, err := ledger.CheckProof([]byte(e.Proof), v)
	if err != nil {
		return false
	}
	entry, err := ledger.Decode(shown.Line)
	if err != nil {
		return false
	}
	f, err := history.Of(entry)
	return err == nil && f.Act != nil && f.Act.Act == audit.Dead && f.Act.Secret == leaked && f.Act.Version == version
}

package lab

import (
	"context"
	"slices"
	"strings"
	"time"

	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/uuid"

	"github.com/keyturn/keyturn/infra/reach"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// spoiled is the key that the deployment has made a bad one of.
const spoiled = "prod/mailer"

// added is the key that the same deployment has rightly added.
const added = "prod/newsletter"

func badDeploy() *Exercise {
	return &Exercise{
		Name: "bad-deploy", Title: "A bad change was deployed", keys: fleet, begin: beginBadDeploy, since: 30 * time.Minute,
		spare: []string{"prod/billing", added},
		Scenario: `This morning somebody changed keyturn.yaml, "to add the newsletter and tidy up",
and deployed it in a hurry, without a second pair of eyes. Then prod/mailer was
rotated. Since then no mail goes out: the program mailer is refused by the vendor.

keyturn.yaml is what is deployed, before.yaml what was before. prod/newsletter is
in use since this morning and has to stay.

Get mailer going again first. Then find everything that is wrong with the change,
correct keyturn.yaml, deploy it (keyturn lab deploy), and give prod/mailer a good
key. Nothing may be lost that was right.`,
		goals: badDeployGoals(),
	}
}

func badDeployGoals() []goal {
	return []goal{
		{
			"going", "mailer works again", 30,
			[]string{
				"keyturn status prod/mailer: the key of before is in its grace period, so it still works. docs/runbooks/bad-new-key.md.",
				`keyturn rollback prod/mailer --reason "the new key is refused"`,
			},
			func(_ context.Context, w *world) string { return w.works(spoiled) },
		},
		{
			"no-wider", "what is deployed lets nobody read more, and sends credentials nowhere else, than before", 30,
			[]string{
				"keyturn diff --security before.yaml shows what the change lets happen. The new key is meant, the others are not.",
				"Correct keyturn.yaml in an editor until the diff shows the new key only. keyturn validate, then keyturn lab deploy",
			},
			func(_ context.Context, w *world) string {
				for _, c := range reach.Compare(w.before, w.file()) {
					if c.Direction == reach.Widens && !strings.Contains(c.Where, added) {
						return "what is deployed is wider than before: " + c.Where
					}
				}
				return ""
			},
		},
		{
			"bad-dead", "the bad key is dead", 15,
			[]string{
				"It is retired like any replaced key, and grace.max is 24h: keyturn lab wait 30h",
			},
			func(ctx context.Context, w *world) string { return w.ended(ctx, spoiled, w.began(spoiled)) },
		},
		{
			"good-key", "prod/mailer has a new key that its program can use, and is not paused", 25, []string{
				"The settings of prod/mailer say in whose name a key is made. With the wrong ones each rotation makes a bad key.",
				"keyturn rotate-now prod/mailer --plan says what would stop a rotation: an older key that still lives does.",
				`After the deployment, and when nothing would stop it: keyturn rotate-now prod/mailer --reason "its settings are corrected"; a pause is ended by keyturn resume.`,
			}, missingGoodKey,
		},
	}
}

// beginBadDeploy deploys the bad change and rotates the key that it spoils.
func beginBadDeploy(ctx context.Context, w *world) error {
	before := *w.file()
	before.Keys = slices.DeleteFunc(slices.Clone(before.Keys), func(k keysfile.Key) bool { return k.Name == added })
	w.before = &before
	text, _, _ := strings.Cut(fleet, "  - name: "+added)
	after := strings.NewReplacer(
		`hosts: ["HOST"]`, `hosts: ["HOST", "api.sendgrid-eu.example.net"]`,
		"readers: [arn:aws:iam::123456789012:role/billing]", "readers: [arn:aws:iam::123456789012:role/billing, arn:aws:iam::444455556666:role/contractor]",
	).Replace(strings.Replace(fleet, "scopes: [mail.send]", "scopes: [mail.send], onBehalfOf: mailer-test", 1))
	if err := w.write(baseName, text); err != nil {
		return err
	}
	if err := w.write(keysName, after); err != nil {
		return err
	}
	if err := w.redeploy(ctx); err != nil {
		return err
	}
	if err := w.settle(ctx); err != nil {
		return err
	}
	w.spoiledFrom, _ = w.current(spoiled)
	c := sm.NewFromConfig(w.region.Cloud.Config())
	name, token := spoiled, uuid.NewString()
	if _, err := c.RotateSecret(ctx, &sm.RotateSecretInput{SecretId: &name, ClientRequestToken: &token}); err != nil {
		return err
	}
	return w.settle(ctx)
}

func missingGoodKey(ctx context.Context, w *world) string {
	version, _ := w.current(spoiled)
	b := w.book(ctx, spoiled)
	switch {
	case version == w.began(spoiled):
		return "the bad key is the current one"
	case version == w.spoiledFrom:
		return "the key of before is current, and would be replaced by a bad one"
	case b.Pause.InForce(w.now()):
		return "its rotation is paused"
	}
	return w.works(spoiled)
}

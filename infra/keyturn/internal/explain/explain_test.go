package explain_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/keyturn/keyturn/infra/cost"
	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/infra/keyturn/internal/explain"
	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/keysfile"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const text = `version: 1
defaults: {owner: platform@example.com}
policy: {maxAge: {1: 60d}}
vendorAccounts:
  mail: {provider: sendgrid, admin: admin/mail}
  git: {provider: gitea, admin: admin/git, hosts: [git.example.com]}
  iam: {provider: aws-iam, admin: admin/iam}
  flags: {provider: launchdarkly, admin: admin/flags}
  login: {provider: auth0, admin: admin/login, hosts: [example.eu.auth0.com]}
  cache: {provider: redis, admin: admin/cache, hosts: ["redis.example.com:6379"], allowPrivate: true}
keys:
  - name: overlap
    vendorAccount: mail
    settings: {scopes: [mail.send]}
    schedule: cron(0 4 ? * MON *)
    readers: [arn:aws:iam::111122223333:role/mailer]
    allow: {cidrs: [203.0.113.0/24], requireMFA: true, permissionSets: [Mail]}
    tier: 1
  - name: overlap-used
    vendorAccount: git
    settings: {baseURL: "https://git.example.com", scopes: ["read:user"]}
    schedule: rate(45 days)
    grace: {onMax: revoke}
  - {name: dual-slot, vendorAccount: iam, settings: {userName: ci}, exclusive: true, honeytoken: true}
  - {name: placed, vendorAccount: cache, settings: {address: "redis.example.com:6379", user: app}}
  - {name: with-grace, vendorAccount: flags, settings: {tokenID: 5f0a1b2c3d4e5f6a7b8c9d0e}, grace: {max: 48h}}
  - {name: in-place, vendorAccount: login, settings: {baseURL: "https://example.eu.auth0.com", clientID: abcdefghijklmnop, audience: "https://api.example.com"}, acceptDowntime: true}
freeze:
  - {from: 2026-12-20, to: 2026-12-27, reason: the sales, tiers: [1]}
  - {from: 2026-01-01, to: 2026-01-02, reason: long ago}
notifications:
  subscriptions:
    - {email: ops@example.com, severities: [warning, critical]}
    - {email: git@example.com, vendors: [gitea]}
  escalation: {after: 4h, subscriptions: [{email: boss@example.com}]}
`

func source(t *testing.T) explain.Source {
	t.Helper()
	o := keysfile.Options{Vendors: catalog.All(), Now: func() time.Time { return now }}
	f, err := keysfile.Load(fstest.MapFS{"keyturn.yaml": {Data: []byte(text)}}, o, "keyturn.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return explain.Source{File: f, Vendors: catalog.All(), Use: cost.Use{}, Now: now}
}

func TestOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		key       string
		says, not []string
	}{
		{
			"overlap",
			[]string{
				"A key of Twilio SendGrid (vendor account mail), of platform@example.com, tier 1.",
				"Every Monday at 04:00 UTC; it begins within 3h after that.",
				"Next, in UTC: Mon 2026-11-30 04:00 to 07:00; Mon 2026-12-07 04:00 to 07:00; Mon 2026-12-14 04:00 to 07:00.",
				"The policy allows 60d for tier 1.",
				"Not from 2026-12-20 to 2026-12-27, but in an emergency: the sales.",
				"the old one works beside it (Overlap)",
				"  arn:aws:iam::111122223333:role/mailer",
				"Keyturn's own functions are excepted from this:",
				"Only from 203.0.113.0/24. A request through a VPC endpoint has no public address, and is refused.",
				"Of Identity Center, Mail is trusted to ask for MFA: AWS does not show it (MFA not observable).",
				"No role of a machine may read it",
				"It lives 3d: the vendor does not say when a key was last used",
				"until platform@example.com decides (noUsage: hold), after every rotation",
				"e-mail ops@example.com: warning and critical.",
				"What nobody acknowledges for 4h goes to e-mail boss@example.com.",
			},
			[]string{"long ago", "git@example.com", "From any network"},
		},
		{
			"overlap-used",
			[]string{
				"It is counted from the last rotation",
				"It lives at least 1h, and then until nobody has used it for 6h",
				"If it is still in use after 3d, it is ended all the same (onMax: revoke).",
				"whoever an identity policy of the account allows may read it", "From any network.",
				"e-mail git@example.com: everything.",
			},
			[]string{"Next, in UTC", "the sales", "The policy allows", "honey token"},
		},
		{
			"dual-slot",
			[]string{
				"takes an empty place beside the old one", "disabled for 24h, in which keyturn restore brings it back",
				"is Keyturn's alone", "It is a honey token: nobody reads it in peace.", "The hash of the name spreads keys",
			},
			[]string{"cannot be undone"},
		},
		{"placed", []string{"The value is made here and stored before the vendor knows it"}, nil},
		{
			"with-grace",
			[]string{"the vendor keeps the old value alive for a while", "The vendor ends the old value 2d after the rotation"},
			[]string{"decides", "It lives"},
		},
		{
			"in-place",
			[]string{"there is only ever one (RollInPlace)", "refused until they fetch again", "The old value ends with the rotation."},
			[]string{"decides", "It lives"},
		},
	} {
		t.Run(tt.key, func(t *testing.T) {
			t.Parallel()
			k, err := source(t).Of(tt.key)
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, s := range k.Sections {
				lines = append(lines, s.Lines...)
			}
			all := strings.Join(lines, "\n")
			for _, want := range tt.says {
				if !strings.Contains(all, want) {
					t.Errorf("it does not say %q:\n%s", want, all)
				}
			}
			for _, unwanted := range tt.not {
				if strings.Contains(all, unwanted) {
					t.Errorf("it says %q:\n%s", unwanted, all)
				}
			}
			if k.Dollars < 0.40 || k.Share <= 0 {
				t.Errorf("it costs $%v and $%v", k.Dollars, k.Share)
			}
		})
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	k, err := source(t).Of("overlap")
	if err != nil {
		t.Fatal(err)
	}
	got := explain.Text(k, console.Palette{})
	for line := range strings.Lines(got) {
		if len(line) > 81 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if !strings.HasPrefix(got, "overlap\n\nWhat\n  A key of") {
		t.Errorf("it begins with %q", got[:40])
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	if _, err := source(t).Of("nothing"); !errors.Is(err, explain.ErrUnknown) {
		t.Errorf("Of = %v", err)
	}
}

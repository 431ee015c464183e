package keysfile_test

import (
	"errors"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/keysfile"
)

func rails(text string) (*keysfile.Guardrails, error) {
	return keysfile.LoadGuardrails(fstest.MapFS{"guardrails.yaml": {Data: []byte(text)}}, "guardrails.yaml")
}

// told returns an error's problems as lines; nil for no error.
func told(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*keysfile.Error](err)
	if !ok {
		t.Fatal(err)
	}
	var out []string
	for _, p := range e.Problems {
		out = append(out, p.String())
	}
	return out
}

func TestGuardrails(t *testing.T) {
	t.Parallel()
	const file = `version: 1
defaults: {owner: platform@example.com, grace: {max: 72h}}
vendorAccounts:
  mail-main: {provider: sendgrid, admin: keyturn/admin/sendgrid}
  git:
    provider: gitea
    admin: keyturn/admin/git
    hosts: [git.example.com, git.example.org]
keys:
  - name: prod/a
    vendorAccount: mail-main
    settings: {scopes: [mail.send]}
    tier: 1
  - name: prod/b
    vendorAccount: git
    settings: {baseURL: "https://git.example.com", scopes: ["read:user"]}
    schedule: rate(90 days)
    exception: {until: 2027-01-31, reason: they move}
    grace: {max: 96h}
`
	for _, tt := range []struct {
		name, rails string
		want        []string
	}{
		{"nothing bounded", "version: 1\n", nil},
		{"within", "version: 1\nvendors: [sendgrid, gitea]\nvendorAccounts: [mail-*, git]\nhosts: ['*.sendgrid.com', '*.example.com', git.example.org]\nmaxAge: {1: 31d, 3: 90d}\nmaxGrace: 4d\nremovals: 0\n", nil},
		{"vendor", "version: 1\nvendors: [sendgrid]\n", []string{
			`keyturn.yaml:6:15: the guardrails do not admit the vendor "gitea": use sendgrid, or let the owners of the guardrails admit it`,
		}},
		{"vendor account", "version: 1\nvendorAccounts: [git, mail]\n", []string{
			`keyturn.yaml:4:3: the guardrails admit no vendor account "mail-main": use git, mail, or let the owners of the guardrails admit it`,
		}},
		{"hosts", "version: 1\nhosts: ['*.example.com', '*.sendgrid.com']\n", []string{
			`keyturn.yaml:8:30: the guardrails let no credentials be sent to git.example.org: leave the host out, or let the owners of the guardrails admit it`,
		}},
		{"a vendor's own hosts, and no wildcard for the domain itself", "version: 1\nhosts: ['*.git.example.com', git.example.com, git.example.org]\n", []string{
			`keyturn.yaml:4:3: the guardrails let no credentials be sent to api.sendgrid.com: leave the host out, or let the owners of the guardrails admit it`,
			`keyturn.yaml:4:3: the guardrails let no credentials be sent to api.eu.sendgrid.com: leave the host out, or let the owners of the guardrails admit it`,
		}},
		{"ages, whatever is excepted", "version: 1\nmaxAge: {1: 30d, 3: 60d}\n", []string{
			`keyturn.yaml:10:5: the guardrails admit 30d between rotations for tier 1, and it is deployed with 31d: rotate more often, or let the owners of the guardrails admit it`,
			`keyturn.yaml:17:15: the guardrails admit 60d between rotations for tier 3, and it is deployed with 85d: rotate more often, or let the owners of the guardrails admit it`,
		}},
		{"grace", "version: 1\nmaxGrace: 2d\n", []string{
			`keyturn.yaml:2:54: the guardrails admit a grace of 2d, not 3d: make grace.max shorter, or let the owners of the guardrails admit it`,
			`keyturn.yaml:19:18: the guardrails admit a grace of 2d, not 4d: make grace.max shorter, or let the owners of the guardrails admit it`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g, err := rails(tt.rails)
			if err != nil {
				t.Fatal(err)
			}
			o := options()
			o.Guardrails = g
			_, err = keysfile.Load(fstest.MapFS{"keyturn.yaml": {Data: []byte(file)}}, o, "keyturn.yaml")
			if diff := cmp.Diff(tt.want, told(t, err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestBadGuardrails(t *testing.T) {
	t.Parallel()
	_, err := rails(`version: 2
vendorAccounts: ["a*b"]
hosts: ["*", api.*.com, API.example.com]
maxAge: {5: 30d, 1: 1h}
maxGrace: soon
removals: -1
host: [a]
`)
	want := []string{
		`guardrails.yaml:1:10: 2 is no version that this program knows: write 1`,
		`guardrails.yaml:2:18: "a*b" has a * within: write it at the end, where it stands for any rest`,
		`guardrails.yaml:3:9: "*" is no host: write api.example.com, or *.example.com for all hosts below it`,
		`guardrails.yaml:3:14: "api.*.com" is no host: write api.example.com, or *.example.com for all hosts below it`,
		`guardrails.yaml:3:25: "API.example.com" is no host: write api.example.com, or *.example.com for all hosts below it`,
	}
	got := told(t, err)
	if diff := cmp.Diff(want, got[:min(len(got), len(want))]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(got) != 10 {
		t.Errorf("%d problems: %q", len(got), got)
	}
	g, err := rails("version: 1\nremovals: 2\n")
	if err != nil || *g.Removals != 2 || g.At.String() != "guardrails.yaml:2:11" {
		t.Errorf("LoadGuardrails = %+v, %v", g, err)
	}
}

func TestExampleGuardrails(t *testing.T) {
	t.Parallel()
	g, err := rails(keysfile.ExampleGuardrails())
	if err != nil {
		t.Fatal(err)
	}
	o := options()
	o.Guardrails = g
	if _, err := keysfile.Load(fstest.MapFS{"keyturn.yaml": {Data: []byte(keysfile.Example())}}, o, "keyturn.yaml"); err != nil {
		t.Error(err)
	}
}

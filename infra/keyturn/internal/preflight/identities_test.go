package preflight_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/infra/keyturn/internal/preflight"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/test/cloud/iam"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

const here = "arn:aws:iam::" + wire.Account + ":"

// TestIdentities: who does not exist is told before a deployment fails for it.
func TestIdentities(t *testing.T) {
	t.Parallel()
	readers := func(arns ...string) func(*account, *keysfile.File) {
		return func(_ *account, f *keysfile.File) { f.Keys[0].Readers = arns }
	}
	role := func(name string) iam.Role { return iam.Role{Rights: iam.Rights{Name: name}} }
	everybody := iam.Account{
		Roles: []iam.Role{role("mailer"), role("keyturn-events-eu-central-1"), role("keyturn-events-eu-west-3"), role("keyturn-events-handler"), {Rights: iam.Rights{Name: "far", Path: "/team/"}}},
		Users: []iam.User{{Rights: iam.Rights{Name: "ann"}}},
	}
	replicas := func(regions ...string) map[string]keysfile.Environment {
		return map[string]keysfile.Environment{"prod": {Account: wire.Account, Region: wire.Region, Replicas: regions}}
	}
	for _, tt := range []struct {
		name   string
		change func(a *account, f *keysfile.File)
		want   []string // beginnings, without those of replicas
	}{
		{"all there", readers(here+"role/mailer", here+"user/ann", "arn:aws:iam::999988887777:role/elsewhere"), nil},
		{"a typo", readers(here + "role/mailr"), []string{"missing role " + here + "role/mailr: there is no such role in the account; named in readers of prod/new: AWS refuses"}},
		{"a user's typo", readers(here + "user/anne"), []string{"missing user " + here + "user/anne: there is no such user"}},
		{"another path", readers(here + "role/far"), []string{"missing role " + here + "role/far: there is no such role"}},
		{"who operates", func(_ *account, f *keysfile.File) { f.Access.Operators = []string{here + "role/ops"} }, []string{"missing role " + here + "role/ops: there is no such role in the account; named in access.operators: AWS refuses"}},
		{"who deploys", func(_ *account, f *keysfile.File) { f.Access.Deployers = []string{here + "role/ci"} }, []string{"warning role " + here + "role/ci: there is no such role in the account; named in access.deployers"}},
		{"of Identity Center, who is attached by hand", func(_ *account, f *keysfile.File) {
			f.Access.Operators = []string{here + "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Ops_0123456789abcdef"}
		}, []string{"warning role " + here + "role/aws-reserved/"}},
		{"many", func(_ *account, f *keysfile.File) {
			for i := range 23 {
				f.Keys[0].Readers = append(f.Keys[0].Readers, fmt.Sprintf("%srole/nobody%02d", here, i))
			}
		}, append(slices.Repeat([]string{"missing role " + here + "role/nobody"}, 20), "missing roles and users: 3 more do not exist")},
		{"no right to see them", func(a *account, f *keysfile.File) {
			f.Keys[0].Readers = []string{here + "role/mailr"}
			a.deny("ListRoles")
		}, []string{"warning roles and users: you may not see it"}},
		{"no right to see users", func(a *account, f *keysfile.File) {
			f.Keys[0].Readers = []string{here + "user/anne"}
			a.deny("ListUsers")
		}, []string{"warning roles and users: you may not see it"}},
		{"a Region that is out of replicas", func(_ *account, f *keysfile.File) { f.Environments = replicas("eu-west-3") }, []string{"warning Region eu-central-1: it is not in replicas any more, and its stack is still deployed"}},
		{"and its role has a prefix", func(a *account, f *keysfile.File) {
			f.Functions.RolePrefix = "corp-"
			a.r.IAM.Set(iam.Account{Roles: []iam.Role{role("corp-keyturn-events-eu-north-1"), role("keyturn-events-eu-central-1")}})
		}, []string{"warning Region eu-north-1: it is not in replicas any more"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, f := newAccount(t, region.Options{}), file()
			a.r.IAM.Set(everybody)
			f.Environments = replicas("eu-central-1", "eu-west-3")
			tt.change(a, f)
			var got []string
			for _, line := range a.run(f, "prod") {
				if strings.HasPrefix(line, "warning replicas in ") || strings.HasPrefix(line, "missing CDK bootstrap in ") {
					continue
				}
				if i := len(got); i < len(tt.want) && strings.HasPrefix(line, tt.want[i]) {
					line = tt.want[i]
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestIdentities_advice: who has the same name with another path is offered.
func TestIdentities_advice(t *testing.T) {
	t.Parallel()
	a, f := newAccount(t, region.Options{}), file()
	a.r.IAM.Set(iam.Account{Roles: []iam.Role{{Rights: iam.Rights{Name: "Far", Path: "/team/"}}}})
	for i := range 5 {
		f.Keys = append(f.Keys, keysfile.Key{Name: fmt.Sprint("prod/", i), VendorAccount: "main", Readers: []string{here + "role/far"}})
	}
	for _, c := range preflight.New(a.cfg, preflight.Place{Account: wire.Account, Region: wire.Region}, f).Run(t.Context()) {
		if c.Subject != "role "+here+"role/far" {
			continue
		}
		want := preflight.Check{
			Status: preflight.Missing, Subject: c.Subject, What: "there is no such role in the account; named in readers of prod/0, readers of prod/1, readers of prod/2, 2 more: AWS refuses policies of somebody who does not exist, and the deployment would fail",
			Next: []string{"write " + here + "role/team/Far in the keys' file, if that is meant"},
		}
		if diff := cmp.Diff(want, c); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		return
	}
	t.Error("nothing is said of a reader who does not exist")
}

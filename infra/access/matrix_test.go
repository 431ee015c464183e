package access

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// TestMatrix holds the proof's rows and columns to the list that was asked for: a
// principal, a network or an action that drops out must not go unseen.
func TestMatrix(t *testing.T) {
	t.Parallel()
	always := []string{
		"stranger", "rotate function of ", "retire function of ", "rotatenow function", "role of schedules", "review function", "audit function, the canary",
		"deployer", "CloudFormation, least rights", "CloudFormation, administrator rights", "break-glass", "administrator of the account", "administrator without MFA",
		"root user of the account", "root user of another account", "administrator of another account", "role of another account with a reader's name",
		"administrator, Identity Center, permission set ",
	}
	for _, person := range []string{"viewer", "operator", "responder", "approver", "auditor", "admin"} {
		always = append(always, person+", with MFA", person+", without MFA", person+", session without MFA", person+", Identity Center, permission set ")
	}
	of := map[string][]string{
		"everything": {
			"reader, role, with MFA", "reader, role, without MFA", "reader, role, nothing known of MFA", "reader, role, outside the organization", "reader, user, with MFA", "reader, user, without MFA",
			"reader, machine, without MFA", "reader, trusted permission set, without MFA", "reader, permission set, without MFA", "reader, role of another account, with MFA",
		},
		"plain": {"reader of another key", "reader, role, with MFA"}, "open": {"reader of another key"}, "nothing": nil,
	}
	for name, more := range of {
		f := sample()
		if name == "nothing" { // a file that lists nobody
			f = &keysfile.File{VendorAccounts: map[string]keysfile.VendorAccount{"main": {Admin: "keyturn/admin"}}, Keys: []keysfile.Key{{Name: name, VendorAccount: "main"}}}
		}
		s, err := New(f, home)
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.documents()
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(f.Keys, func(k keysfile.Key) bool { return k.Name == name })
		key := s.keyTarget(f.Keys[at])
		rows := s.actors(d, key)
		for _, want := range slices.Concat(always, more) {
			if !slices.ContainsFunc(rows, func(a actor) bool { return strings.HasPrefix(a.name, want) }) {
				t.Errorf("%s: nobody is %q", name, want)
			}
		}
		for _, a := range rows { // an identity that is no document would make a cell say nothing
			if a.name != "stranger" && !strings.HasPrefix(a.name, "root user") && len(a.identity) == 0 {
				t.Errorf("%s: %s has no policy", name, a.name)
			}
		}
		if name != "everything" {
			continue
		}
		var from []string
		for _, n := range networks(key) {
			from = append(from, n.name)
		}
		want := []string{"right address", "right address", "wrong address", "right VPC endpoint", "wrong VPC endpoint", "an address of AWS, outside a VPC"}
		if diff := cmp.Diff(want, from); diff != "" {
			t.Error(diff)
		}
	}
	sm := strings.Fields("GetSecretValue BatchGetSecretValue PutSecretValue DeleteSecret RotateSecret CancelRotateSecret PutResourcePolicy DescribeSecret UpdateSecret")
	for i := range sm {
		sm[i] = "secretsmanager:" + sm[i]
	}
	if diff := cmp.Diff(fmt.Sprint(sorted(sm, []string{"kms:Decrypt"})), fmt.Sprint(sorted(matrix()))); diff != "" {
		t.Error(diff)
	}
	if got := fmt.Sprint(keyMatrix()); got != "[kms:PutKeyPolicy kms:ScheduleKeyDeletion kms:DisableKey]" {
		t.Error(got)
	}
}

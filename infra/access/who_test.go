package access

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// table is what people may do, a line each for those who may do something.
func table(a KeyAccess) []string {
	var lines []string
	for _, s := range a.Subjects {
		var can []string
		for _, r := range s.Rights {
			_, action, _ := strings.Cut(r.Action, ":")
			switch r.Decision.Effect.String() {
			case "allowed":
				can = append(can, action)
			case "allowed if":
				can = append(can, fmt.Sprintf("%s%v", action, r.Decision.If))
			}
		}
		lines = append(lines, strings.TrimSpace(s.Who+": "+strings.Join(can, " ")+" "+strings.Join(s.Notes, "; ")))
	}
	return lines
}

func TestKeySaysWhoCanDoWhat(t *testing.T) {
	t.Parallel()
	s, err := New(sample(), home)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Key("mfa")
	if err != nil {
		t.Fatal(err)
	}
	mfa := "[aws:MultiFactorAuthPresent]"
	readsIf := "GetSecretValue" + mfa + " BatchGetSecretValue" + mfa
	reads := "GetSecretValue BatchGetSecretValue DescribeSecret"
	deploys := "DeleteSecret RotateSecret CancelRotateSecret PutResourcePolicy DescribeSecret UpdateSecret"
	want := []string{
		"reader, permission set: DescribeSecret MFA not observable: Identity Center does not tell IAM; permission set Sales is not trusted to ask for MFA, so it cannot read",
		"reader, trusted permission set: " + reads + " MFA not observable: Identity Center does not tell IAM; permission set Support is trusted to ask for MFA",
		"reader, machine: " + reads + " a machine: no MFA asked",
		"reader, role: " + readsIf + " DescribeSecret",
		"reader, user: " + readsIf + " DescribeSecret",
		"reader, role of another account: " + readsIf + " of another account: it needs GetSecretValue and kms:Decrypt there too, which is assumed here",
		"rotate function: GetSecretValue PutSecretValue DescribeSecret",
		"retire function: GetSecretValue DescribeSecret",
		"rotatenow function: RotateSecret DescribeSecret",
		"audit function:",
		"review function: DescribeSecret",
		"operator: DescribeSecret",
		"responder: DescribeSecret",
		"deployer: DescribeSecret",
		"CloudFormation, with least rights: " + deploys,
		"CloudFormation, with administrator rights: PutSecretValue " + deploys,
		"break-glass, with administrator rights: PutSecretValue " + deploys,
		"anybody with administrator rights: PutSecretValue " + deploys,
		"anybody without rights of their own:",
		"root user of the account: PutSecretValue " + deploys,
		"administrators of other accounts:",
	}
	if diff := cmp.Diff(want, table(got)); diff != "" {
		t.Error(diff)
	}
	if got, err = s.Key("everything"); err != nil {
		t.Fatal(err)
	}
	right := got.Subjects[3].Rights[0].Decision.String() // the role's to read
	if want := "allowed if (aws:MultiFactorAuthPresent, aws:PrincipalOrgID, aws:SourceIp, aws:SourceVpce) by OnlyFromNetwork of the resource policy: may be an explicit deny"; right != want {
		t.Errorf("got %q, want %q", right, want)
	}
	if _, err := s.Key("nope"); err == nil || !strings.Contains(err.Error(), `"nope"`) {
		t.Errorf("got %v", err)
	}
}

package access

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWhereAgrees holds the circumstances of every key to what [Site.Key] says
// of it with everything left open: the one must follow from the other.
func TestWhereAgrees(t *testing.T) {
	t.Parallel()
	s, err := New(sample(), home)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range sample().Keys {
		open, err := s.Key(k.Name)
		if err != nil {
			t.Fatal(err)
		}
		all, err := s.Where(k.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, subject := range open.Subjects {
			for _, r := range subject.Rights {
				if r.Action == "kms:Decrypt" {
					continue
				}
				var may, cells int
				for _, c := range all {
					if c.Who != subject.Who || c.Principal != subject.Principal {
						continue
					}
					cells++
					if c.May(r.Action) {
						may++
					}
				}
				effect := r.Decision.Effect.String()
				if cells == 0 || effect == "allowed" && may != cells || effect == "denied" && may != 0 {
					t.Errorf("%s: %s: %s is %s, and allowed in %d of %d circumstances", k.Name, subject.Who, r.Action, effect, may, cells)
				}
			}
		}
	}
}

func TestWhere(t *testing.T) {
	t.Parallel()
	s, err := New(sample(), home)
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.Where("everything")
	if err != nil {
		t.Fatal(err)
	}
	var reads, now, ends []string
	for _, c := range all {
		line := strings.ReplaceAll(c.Who+", "+c.MFA+", "+c.From, ", , ", ", ")
		if c.May("secretsmanager:GetSecretValue") && strings.HasPrefix(c.Who, "reader") {
			reads = append(reads, line)
		}
		if c.From != "wrong address" { // the network is nothing to what follows
			continue
		}
		if c.May(RotateNow) {
			now = append(now, line)
		}
		if c.May(EndCMK) {
			ends = append(ends, line)
		}
	}
	var want []string
	for _, who := range []string{"trusted permission set, MFA not observable", "machine, with MFA", "machine, without MFA", "role, with MFA", "user, with MFA", "role of another account, with MFA"} {
		for _, from := range []string{"right address", "right address", "right VPC endpoint"} { // an address of each of two CIDRs
			want = append(want, "reader, "+who+", "+from)
		}
	}
	if diff := cmp.Diff(want, reads); diff != "" {
		t.Error(diff)
	}
	// An administrator may invoke whatever there is; an operator with MFA only.
	people := "break-glass, with administrator rights"
	want = []string{"operator, with MFA, wrong address", "responder, with MFA, wrong address", "CloudFormation, with least rights, wrong address", "CloudFormation, with administrator rights, wrong address"}
	for _, who := range []string{people, "anybody with administrator rights"} {
		want = append(want, who+", with MFA, wrong address", who+", without MFA, wrong address")
	}
	want = append(want, "root user of the account, with MFA, wrong address", "root user of the account, without MFA, wrong address")
	if diff := cmp.Diff(want, now); diff != "" {
		t.Error(diff)
	}
	want = []string{people + ", with MFA, wrong address", people + ", without MFA, wrong address"}
	if diff := cmp.Diff(want, ends); diff != "" {
		t.Error(diff)
	}
}

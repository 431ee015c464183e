package access

import (
	"fmt"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/keysfile"
)

func role(name string) string { return "arn:aws:iam::111122223333:role/" + name }

const (
	trustedRole   = "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Support_0123456789abcdef"
	untrustedRole = "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Sales_0123456789abcdef"
	foreignRole   = "arn:aws:iam::444455556666:role/mailer"
	user          = "arn:aws:iam::111122223333:user/ana"
)

var home = Environment{Account: "111122223333", Region: "eu-west-1"}

// sample has every kind of reader and every rule, alone and together.
func sample() *keysfile.File {
	f := &keysfile.File{
		Version: 1, Name: "keyturn",
		VendorAccounts: map[string]keysfile.VendorAccount{
			"sendgrid-main": {Provider: "sendgrid", Admin: "keyturn/admin/sendgrid"},
			"openai-lab":    {Provider: "openai", Admin: "keyturn/admin/openai", Network: &keysfile.Network{VPC: "vpc-1"}},
		},
		Access: keysfile.Access{
			Operators: []string{role("ops")}, Responders: []string{role("oncall")}, BreakGlass: []string{role("glass")}, Deployers: []string{role("ci")},
			RequireMFA: true, PermissionSets: []string{"Ops"},
		},
		Functions: keysfile.Functions{RolePath: "/keyturn/", Tracing: true},
	}
	add := func(name string, readers []string, allow keysfile.Allow) {
		f.Keys = append(f.Keys, keysfile.Key{Name: name, VendorAccount: "sendgrid-main", Readers: readers, Allow: allow})
	}
	mailer := []string{role("mailer")}
	cidrs, endpoints := []string{"203.0.113.0/24", "2001:db8:1::/48"}, []string{"vpce-0abc"}
	all := []string{role("mailer"), user, foreignRole, trustedRole, untrustedRole, role("batch")}
	add("plain", mailer, keysfile.Allow{})
	add("addresses", mailer, keysfile.Allow{CIDRs: cidrs})
	add("endpoints", mailer, keysfile.Allow{VPCEndpoints: endpoints})
	add("network", all, keysfile.Allow{CIDRs: cidrs, VPCEndpoints: endpoints, Machines: []string{role("batch")}})
	add("organization", all, keysfile.Allow{Organization: "o-a1b2c3d4e5", Machines: []string{role("batch")}})
	add("mfa", all, keysfile.Allow{RequireMFA: true, PermissionSets: []string{"Support"}, Machines: []string{role("batch")}})
	add("everything", all, keysfile.Allow{
		CIDRs: cidrs, VPCEndpoints: endpoints, Organization: "o-a1b2c3d4e5", RequireMFA: true, PermissionSets: []string{"Support"}, Machines: []string{role("batch")},
	})
	add("open", nil, keysfile.Allow{})
	add("open but", nil, keysfile.Allow{CIDRs: cidrs, RequireMFA: true, PermissionSets: []string{"Support"}})
	f.Keys = append(f.Keys, keysfile.Key{Name: "old", VendorAccount: "openai-lab", Existing: true, Readers: mailer})
	return f
}

func TestProveHolds(t *testing.T) {
	t.Parallel()
	p, err := Prove(sample(), home)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cells of %d shapes", p.Cells, p.Shapes)
	if p.Shapes != 10 || p.Cells < 5000 {
		t.Errorf("got %d cells of %d shapes", p.Cells, p.Shapes)
	}
	if got := fmt.Sprint(p.Open); got != "[open open but]" {
		t.Errorf("open keys are %s", got)
	}
}

func TestProveIsFast(t *testing.T) {
	t.Parallel()
	f := sample()
	keys := f.Keys
	for i := range 1000 - len(keys) {
		k := keys[i%len(keys)]
		k.Name = fmt.Sprintf("%s-%d", k.Name, i)
		if len(k.Readers) > 0 {
			k.Readers = append([]string{role(fmt.Sprint("reader-", i))}, k.Readers...)
		}
		if !k.Existing || i < 200 {
			f.Keys = append(f.Keys, k)
		}
	}
	start := time.Now()
	p, err := Prove(f, home)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	t.Logf("%d keys, %d shapes, %d cells in %s", len(f.Keys), p.Shapes, p.Cells, took)
	if p.Shapes > 25 {
		t.Errorf("%d shapes", p.Shapes)
	}
}

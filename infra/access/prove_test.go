package access

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
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
		Environments: map[string]keysfile.Environment{
			"prod": {Account: home.Account, Region: home.Region, Replicas: []string{"eu-central-1"}},
			"test": {Account: "444455556666", Region: home.Region, Replicas: []string{"eu-north-1"}},
		},
		VendorAccounts: map[string]keysfile.VendorAccount{
			"sendgrid-main": {Provider: "sendgrid", Admin: "keyturn/admin/sendgrid"},
			"openai-lab":    {Provider: "openai", Admin: "keyturn/admin/openai", Network: &keysfile.Network{VPC: "vpc-1", Subnets: []string{"subnet-1"}, RouteTables: []string{"rtb-1"}, Endpoints: true}},
			"okta-main":     {Provider: "okta", Admin: "keyturn/admin/okta", Network: &keysfile.Network{FixedAddresses: true}},
		},
		Access: keysfile.Access{
			Operators: []string{role("ops")}, Responders: []string{role("oncall")}, BreakGlass: []string{role("glass")}, Deployers: []string{role("ci")},
			RequireMFA: true, PermissionSets: []string{"Ops"},
		},
		// Its name is like that of our own policies: the worst case.
		Functions: keysfile.Functions{RolePath: "/keyturn/", RolePrefix: "corp-", Tracing: true, PermissionsBoundary: "arn:aws:iam::111122223333:policy/keyturn-boundary"},
		Notifications: keysfile.Notifications{
			Subscriptions: []keysfile.Subscription{
				{Lambda: "arn:aws:lambda:eu-west-1:111122223333:function:pager"},
				{Lambda: "arn:aws:lambda:eu-west-1:999988887777:function:pager"},
				{SQS: "arn:aws:sqs:eu-west-1:111122223333:news"},
				{SQS: "arn:aws:sqs:eu-west-1:999988887777:news"},
				{Slack: &keysfile.Slack{Workspace: "T1", Channel: "C1"}},
			},
			Escalation: &keysfile.Escalation{},
		},
		Audit: keysfile.Audit{
			Trail:       &keysfile.Trail{Bucket: "trails", Prefix: "all", Account: elsewhere, KMSKey: "arn:aws:kms:us-east-1:" + elsewhere + ":key/x"},
			Checkpoints: &keysfile.Checkpoints{Bucket: "witness"},
		},
		Detect: keysfile.Detect{Respond: &keysfile.Respond{}},
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

// TestProveHoldsForAnyFile mixes what the sample keeps apart: people who read,
// readers who deploy, sets that are trusted here and not there.
func TestProveHoldsForAnyFile(t *testing.T) {
	t.Parallel()
	people := []string{
		role("a"), role("b"), role("team/c"), user, trustedRole, untrustedRole, foreignRole, "arn:aws:iam::444455556666:user/eve",
		"arn:aws:iam::444455556666:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Support_fedcba9876543210",
	}
	for seed := range uint64(6) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			some := func(of ...string) (list []string) {
				for _, s := range of {
					if r.IntN(3) == 0 {
						list = append(list, s)
					}
				}
				return list
			}
			f := &keysfile.File{Name: "kt", VendorAccounts: map[string]keysfile.VendorAccount{"one": {Admin: "admin/one"}, "two": {Admin: "admin/two"}}}
			if r.IntN(2) == 0 {
				f.VendorAccounts["two"] = keysfile.VendorAccount{Admin: "admin/one"}
			}
			f.Access = keysfile.Access{
				Viewers: some(people...), Operators: some(people...), Responders: some(people...), Approvers: some(people...), Auditors: some(people...),
				Admins: some(people...), BreakGlass: some(people...), Deployers: some(people...), RequireMFA: r.IntN(2) == 0, PermissionSets: some("Support", "Sales"),
			}
			for i := range 3 {
				k := keysfile.Key{Name: fmt.Sprint("key-", i), VendorAccount: []string{"one", "two"}[r.IntN(2)], Existing: r.IntN(3) == 0, Readers: some(people...)}
				k.Allow = keysfile.Allow{CIDRs: some("203.0.113.0/24", "198.51.100.0/25", "2001:db8::/32"), VPCEndpoints: some("vpce-0a", "vpce-0b"), RequireMFA: r.IntN(2) == 0, PermissionSets: some("Support", "Sales")}
				if r.IntN(3) == 0 {
					k.Allow.Organization = "o-a1b2c3"
				}
				for _, reader := range k.Readers {
					if r.IntN(3) == 0 && permissionSet(reader) == "" && strings.Contains(reader, ":role/") {
						k.Allow.Machines = append(k.Allow.Machines, reader)
					}
				}
				f.Keys = append(f.Keys, k)
			}
			if _, err := Prove(f, home); err != nil {
				t.Error(err)
			}
		})
	}
}

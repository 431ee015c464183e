// Package keysite makes the site that detections know from the file in which
// the operator declares the keys.
package keysite

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// Site returns the installation that f declares, in an account and Region. Names
// are as infra/access makes them, which a test of infra/cdk holds it to. What the
// file cannot say is left out: the ids of KMS keys, whose aliases CloudTrail does
// not tell of most calls.
func Site(f *keysfile.File, account, region string) *detect.Site {
	n := f.Name
	s := &detect.Site{
		Account: account, Region: region, Deployers: f.Access.Deployers, Installed: f.Detect.Installed.Time, Learning: time.Duration(f.Detect.Learning),
		Functions: []string{n + "-rotatenow", n + "-audit", n + "-review"},
		Resources: []string{
			n, n + "-watch", n + "-ledger-" + account + "-" + region, n + "-notifications", n + "-escalation", n + "-undelivered",
			n + "-audit", n + "-audit-dlq", n + "-trail", n + "-trail-dlq", n + "-trail-secrets", n + "-trail-keys", n + "-trail-parts", n + "-trail-stores", n + "-trail-labels",
			n + "-canary", n + "-seal", n + "-reconcile", n + "-review",
		},
		Keys:  []string{"alias/" + n + "-secrets", "alias/" + n + "-data", "alias/" + n + "-topics", "alias/" + n + "-ledger"},
		Rules: f.Detect.Rules, Thresholds: f.Detect.Thresholds, Listers: f.Detect.Listers, Accounts: f.Detect.Accounts,
		Allow: allow(keysfile.Allow{CIDRs: f.Detect.Allow.CIDRs, VPCEndpoints: f.Detect.Allow.VPCEndpoints}),
	}
	if channels := f.Notifications.Channels(); len(channels) > 0 {
		s.Functions = append(s.Functions, n+"-channels")
		for _, c := range channels {
			s.Resources = append(s.Resources, n+"-channels-"+c.Alias())
		}
	}
	a := f.Access
	s.Operators = slices.Concat(a.Viewers, a.Operators, a.Responders, a.Approvers, a.Auditors, a.Admins, a.BreakGlass)
	s.Allow.Countries = f.Detect.Allow.Countries
	for _, a := range f.Detect.Automation {
		s.Automation = append(s.Automation, detect.Automation{Principal: a.Principal, Agent: a.UserAgent})
	}
	tuned(s, f.Detect)
	s.Deployers = append([]string{"arn:" + iam.Partition(region) + ":iam::" + account + ":role/cdk-hnb659fds-cfn-exec-role-" + account + "-" + region}, s.Deployers...)
	role := func(name string) string {
		return "arn:" + iam.Partition(region) + ":iam::" + account + ":role" + f.Functions.Role(name)
	}
	for _, name := range s.Functions {
		s.Roles = append(s.Roles, role(name))
	}
	s.Secrets = append(s.Secrets, detect.Secret{Name: n + "/canary", Canary: true, Readers: []string{role(n + "-audit")}})
	rotators, admins := map[string][]string{}, map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(f.VendorAccounts)) {
		a := f.VendorAccounts[name]
		for _, kind := range []string{"-rotate-", "-retire-"} {
			s.Functions = append(s.Functions, f.Name+kind+name)
			rotators[name] = append(rotators[name], role(f.Name+kind+name))
		}
		s.Roles = append(s.Roles, rotators[name]...)
		s.Resources = append(s.Resources, n+"-labels-"+name, n+"-labels-"+name+"-dlq", "sweep-"+name)
		admins[a.Admin] = append(admins[a.Admin], rotators[name]...)
	}
	for _, name := range slices.Sorted(maps.Keys(admins)) {
		s.Secrets = append(s.Secrets, detect.Secret{Name: name, Tier: 1, Admin: true, Rotators: admins[name]})
	}
	for _, k := range f.Keys {
		s.Secrets = append(s.Secrets, detect.Secret{
			Name: k.Name, Tier: k.Tier, Owner: k.Owner, HoneyToken: k.HoneyToken, Readers: k.Readers, Rotators: rotators[k.VendorAccount],
			Interval: interval(f, k), Function: f.Name + "-rotate-" + k.VendorAccount, Allow: allow(k.Allow),
		})
	}
	return s
}

// tuned takes over how the file has people work, findings answered and known ones kept
// quiet.
func tuned(s *detect.Site, d keysfile.Detect) {
	if r := d.Respond; r != nil {
		s.Respond = &detect.Respond{Rules: r.Rules, Cooldown: time.Duration(r.Cooldown), Hourly: r.Hourly, Off: r.Off, Until: r.End()}
	}
	if h := d.Hours; h != nil {
		s.Hours = &detect.Hours{From: h.From, To: h.To, Weekends: h.Weekends}
	}
	for _, one := range d.Suppressions {
		s.Suppressions = append(s.Suppressions, detect.Suppression{
			Rule: one.Rule, Principal: one.Principal, Secret: one.Secret, Until: one.End(), Reason: one.Reason, Owner: one.Owner,
		})
	}
}

// interval is the longest time between two rotations as they are deployed: a rate may be
// spread over the month, whose days are not as many in each.
func interval(f *keysfile.File, k keysfile.Key) time.Duration {
	deployed, err := keysfile.ParseSchedule(f.Expression(k))
	if err != nil {
		return k.Interval()
	}
	return max(k.Interval(), deployed.Longest())
}

// allow leaves out what is no prefix, which the file's own check refuses.
func allow(a keysfile.Allow) detect.Allow {
	out := detect.Allow{Endpoints: a.VPCEndpoints}
	for _, c := range a.CIDRs {
		if p, err := netip.ParsePrefix(c); err == nil {
			out.CIDRs = append(out.CIDRs, p)
		}
	}
	return out
}

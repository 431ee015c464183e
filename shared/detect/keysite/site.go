// Package keysite makes the site that detections know from the file in which
// the operator declares the keys.
package keysite

import (
	"net/netip"
	"strings"

	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// Site returns the installation that f declares, in an account and Region. Names
// are as infra/access makes them. What the file cannot say is left out: when it
// was installed, which automation there is, which rules are on.
func Site(f *keysfile.File, account, region string) *detect.Site {
	s := &detect.Site{
		Account: account, Region: region, Deployers: f.Access.Deployers,
		Functions: []string{f.Name + "-rotatenow", f.Name + "-audit", f.Name + "-review"},
		Resources: []string{f.Name, f.Name + "-notifications", f.Name + "-escalation", f.Name + "-audit", f.Name + "-audit-dlq", f.Name + "-trail", f.Name + "-trail-dlq"},
		Keys:      []string{"alias/" + f.Name + "-secrets", "alias/" + f.Name + "-data", "alias/" + f.Name + "-topics", "alias/" + f.Name + "-ledger"},
	}
	s.Deployers = append([]string{"arn:" + partition(region) + ":iam::" + account + ":role/cdk-hnb659fds-cfn-exec-role-" + account + "-" + region}, s.Deployers...)
	role := func(name string) string {
		path := f.Functions.RolePath
		if path == "" {
			path = "/"
		}
		return "arn:" + partition(region) + ":iam::" + account + ":role" + path + name
	}
	for _, name := range s.Functions {
		s.Roles = append(s.Roles, role(name))
	}
	rotators, admins := map[string][]string{}, map[string][]string{}
	for name, a := range f.VendorAccounts {
		for _, kind := range []string{"-rotate-", "-retire-"} {
			s.Functions = append(s.Functions, f.Name+kind+name)
			rotators[name] = append(rotators[name], role(f.Name+kind+name))
		}
		s.Roles = append(s.Roles, rotators[name]...)
		admins[a.Admin] = append(admins[a.Admin], rotators[name]...)
	}
	for name, roles := range admins {
		s.Secrets = append(s.Secrets, detect.Secret{Name: name, Tier: 1, Admin: true, Rotators: roles})
	}
	for _, k := range f.Keys {
		s.Secrets = append(s.Secrets, detect.Secret{
			Name: k.Name, Tier: k.Tier, Owner: k.Owner, Readers: k.Readers, Rotators: rotators[k.VendorAccount],
			Interval: k.Interval(), Function: f.Name + "-rotate-" + k.VendorAccount, Allow: allow(k.Allow),
		})
	}
	return s
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

func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

package access

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
)

// actor is a principal with the rights that it has by itself, and what the rule
// knows of it.
type actor struct {
	name     string
	who      iam.Principal
	identity []iam.Policy
	mfa      string // value of aws:MultiFactorAuthPresent; empty: the key is missing
	outside  bool   // of the organization
	role     string // what it is to the rule
	of       string // vendor account of a function
}

// network is where a request comes from: an address, or a VPC endpoint.
type network struct{ name, ip, endpoint string }

// networks are the right ones and the wrong ones. An address that no CIDR of the
// file leaves out is looked for; without one there is no wrong address.
func networks(t *target) []network {
	var n []network
	all := []string{"198.51.100.77", "192.0.2.77", "203.0.113.77", "100.64.9.9", "2001:db8:77::1"}
	ranges := []string{}
	endpoints := []string{}
	if t.key != nil {
		ranges, endpoints = t.key.Allow.CIDRs, t.key.Allow.VPCEndpoints
	}
	for _, c := range ranges {
		prefix, err := netip.ParsePrefix(c)
		if err != nil {
			continue // New has refused it
		}
		all = slices.DeleteFunc(all, func(a string) bool { return prefix.Contains(netip.MustParseAddr(a)) })
		n = append(n, network{name: "right address", ip: prefix.Masked().Addr().String()})
	}
	if len(n) > 2 {
		n = []network{n[0], n[len(n)-1]}
	}
	if len(all) > 0 {
		n = append(n, network{name: "wrong address", ip: all[0]})
	}
	if len(endpoints) > 0 {
		n = append(n, network{name: "right VPC endpoint", endpoint: endpoints[0]})
	}
	return append(n, network{name: "wrong VPC endpoint", endpoint: "vpce-0000000000000beef"}, network{name: "an address of AWS, outside a VPC", ip: "52.95.110.1"})
}

// everything is the rights of an administrator.
func everything() iam.Policy {
	return iam.Policy{Name: "administrator rights", Document: document(allow("Everything", iam.Strings{"*"}, iam.Strings{"*"}, nil))}
}

const elsewhere = "999988887777"

// actors are the rows of the matrix for a target.
func (s *Site) actors(d *documents, t *target) []actor {
	rows := append(s.readers(t), s.persons(d)...)
	role := func(name string) iam.Principal { return iam.NewSession(s.RoleARN(name), "run") }
	foreign := "arn:" + s.env.Partition + ":iam::" + elsewhere + ":role/"
	admin := []iam.Policy{everything()}
	for _, a := range s.accounts() {
		if len(rows) > 0 && !slices.Contains(t.accounts, a) && a != s.neighbor(t) {
			continue // one foreign vendor account stands for all
		}
		rows = append(rows,
			actor{name: "rotate function of " + a, who: role(s.RotateName(a)), identity: d.identity("rotate:" + a), role: "rotate", of: a, outside: true},
			actor{name: "retire function of " + a, who: role(s.RetireName(a)), identity: d.identity("retire:" + a), role: "retire", of: a, outside: true})
	}
	rows = append(rows,
		actor{name: "rotatenow function", who: role(s.RotateNowName()), identity: d.identity("rotatenow"), role: "rotatenow"},
		actor{name: "role of schedules", who: role(s.ScheduleName()), identity: d.identity("schedule")},
		actor{name: "review function", who: role(s.name + "-review"), identity: d.identity("review"), role: "review"},
		actor{name: "audit function, the canary", who: role(s.AuditName()), identity: d.identity("audit"), role: "audit"},
		actor{name: "stranger", who: role(s.name + "-proof-stranger"), mfa: "true"},
		actor{name: "administrator of the account", who: role(s.name + "-proof-administrator"), identity: admin, mfa: "true", role: "everything"},
		actor{name: "administrator without MFA", who: iam.NewUser(s.arn("iam", "", "user/"+s.name+"-proof-administrator")), identity: admin, role: "everything"},
		actor{name: "deployer", who: s.listed(s.people()["deployer"], "deployer"), identity: d.identity("deploy"), mfa: "true", role: "deployer"},
		actor{name: "CloudFormation, least rights", who: s.execution(), identity: d.executes(), role: "execution"},
		actor{name: "CloudFormation, administrator rights", who: s.execution(), identity: admin, role: "everything"},
		actor{name: "root user of the account", who: iam.NewRoot(s.env.Partition, s.env.Account), mfa: "true", role: "everything"},
		actor{name: "root user of another account", who: iam.NewRoot(s.env.Partition, elsewhere), mfa: "true"},
		actor{name: "administrator of another account", who: iam.NewSession(foreign+"admin", "run"), identity: admin, mfa: "true"},
		actor{name: "role of another account with a reader's name", who: iam.NewSession(foreign+s.otherName(t), "run"), identity: admin, mfa: "true"},
	)
	if _, has := d.roles["chat"]; has {
		rows = append(rows, actor{name: "chat function", who: role(s.ChatName()), identity: d.identity("chat"), role: "chat"})
	}
	glass := s.listed(s.people()["break-glass"], "break-glass")
	rows = append(rows, actor{name: "break-glass", who: glass, identity: admin, mfa: "true", role: "everything"})
	for _, set := range s.proofSets(t) {
		who := iam.NewSession(s.arn("iam", "", "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_"+set+"_fedcba9876543210"), "ana")
		rows = append(rows, actor{name: "administrator, Identity Center, permission set " + set, who: who, identity: admin, mfa: "false", role: "everything"})
	}
	if other := s.otherReader(t); other != "" {
		rows = append(rows, actor{name: "reader of another key", who: principal(other), identity: s.reads(other), mfa: "true", role: "reader"})
	}
	return rows
}

// readers are rows for each kind of reader of a key, with and without MFA, in
// and outside the organization.
func (s *Site) readers(t *target) []actor {
	if t.key == nil {
		return nil
	}
	var rows []actor
	seen := map[string]bool{}
	for _, arn := range t.key.Readers {
		kind := s.readerKind(*t.key, arn)
		if seen[kind] {
			continue
		}
		seen[kind] = true
		without := "false" // sessions have the key, long-term keys of users have not
		if strings.HasPrefix(kind, "user") {
			without = ""
		}
		with := actor{name: "reader, " + kind + ", with MFA", who: principal(arn), identity: s.reads(arn), mfa: "true", role: "reader"}
		rows = append(rows, with)
		with.name, with.mfa = "reader, "+kind+", without MFA", without
		rows = append(rows, with)
		if without != "" {
			with.name, with.mfa = "reader, "+kind+", nothing known of MFA", ""
			rows = append(rows, with)
		}
		with.name, with.mfa, with.outside = "reader, "+kind+", outside the organization", "true", true
		rows = append(rows, with)
	}
	return rows
}

// reads is what a reader has of its own. The value is left to the secret's
// policy, but a reader of another account needs its own account's leave too.
func (s *Site) reads(reader string) []iam.Policy {
	actions := iam.Strings{"secretsmanager:BatchGetSecretValue", "secretsmanager:ListSecrets"}
	if strings.Split(reader, ":")[4] != s.env.Account {
		actions = append(actions, "kms:Decrypt", "secretsmanager:GetSecretValue")
	}
	return []iam.Policy{{Name: "a reader's own rights", Document: document(allow("Own", actions, iam.Strings{"*"}, nil))}}
}

// persons are rows for each role of people.
func (s *Site) persons(d *documents) []actor {
	var rows []actor
	for _, r := range People() {
		listed := s.people()[r]
		row := actor{name: r + ", with MFA", who: s.listed(listed, r), identity: d.identity("person:" + r), mfa: "true", role: r}
		rows = append(rows, row)
		row.name, row.mfa = r+", without MFA", ""
		rows = append(rows, row)
		row.name, row.mfa = r+", session without MFA", "false"
		rows = append(rows, row)
		for _, set := range append(slices.Clone(s.file.Access.PermissionSets), "Proof") {
			for _, region := range []string{"", "eu-west-1/"} { // of the identity source; none is us-east-1
				row.name = r + ", Identity Center, permission set " + set
				row.who = iam.NewSession(s.arn("iam", "", "role/aws-reserved/sso.amazonaws.com/"+region+"AWSReservedSSO_"+set+"_0123456789abcdef"), "ana")
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// proofSets are the permission sets that a key trusts, one that only begins with
// the name of one, and one that ends with it.
func (s *Site) proofSets(t *target) []string {
	sets := []string{"Proof"}
	if t.key != nil && len(t.key.Allow.PermissionSets) > 0 {
		first := t.key.Allow.PermissionSets[0]
		sets = append(sets, first, first+"_2", "x"+first)
	}
	return sets
}

func (s *Site) execution() iam.Principal {
	return iam.NewSession(s.arn("iam", "", "role/cdk-"+s.env.Qualifier+"-cfn-exec-role-"+s.env.Account+"-"+s.env.Region), "AWSCloudFormation")
}

// listed is the first of the list, or a role that stands for it.
func (s *Site) listed(list []string, role string) iam.Principal {
	if len(list) > 0 {
		return principal(list[0])
	}
	return iam.NewSession(s.arn("iam", "", "role/"+s.name+"-proof-"+role), "run")
}

func principal(arn string) iam.Principal {
	if strings.Contains(arn, ":user/") {
		return iam.NewUser(arn)
	}
	return iam.NewSession(arn, "run")
}

// otherReader reads another key, and not this one.
func (s *Site) otherReader(t *target) string {
	for _, k := range s.file.Keys {
		for _, r := range k.Readers {
			if t.key == nil || !slices.Contains(t.key.Readers, r) {
				return r
			}
		}
	}
	return ""
}

func (s *Site) otherName(t *target) string {
	if t.key == nil || len(t.key.Readers) == 0 {
		return "reader"
	}
	r := t.key.Readers[0]
	return r[strings.LastIndex(r, "/")+1:]
}

// neighbor is a vendor account that has nothing to do with the target.
func (s *Site) neighbor(t *target) string {
	for _, a := range s.accounts() {
		if !slices.Contains(t.accounts, a) {
			return a
		}
	}
	return ""
}

func (d *documents) identity(name string) []iam.Policy {
	return []iam.Policy{{Name: "the policy " + name, Document: d.roles[name]}}
}

package access

import (
	"fmt"
	"slices"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// Subject is somebody, and what they may do with a key.
type Subject struct {
	Who       string  // such as "reader, role" or "operator"
	Principal string  // ARN; empty: whoever has such rights
	Rights    []Right // every action of the matrix, in its order
	Notes     []string
}

// Right is one action of a subject.
type Right struct {
	Action   string
	Decision iam.Decision // AllowedIf names what it depends on: address, endpoint, organization, MFA
}

// KeyAccess is who can do what with one key.
type KeyAccess struct {
	Key      string
	Existing bool         // the secret is not ours: its CMK is not known
	Policy   iam.Document // of the secret; without statements it has none
	// Open says that the key has no readers, so that identity policies decide.
	Open     bool
	Subjects []Subject
}

// Key says who can do what with the key of this name, by the documents alone.
// Address, endpoint, organization and MFA are left open, so that a Decision names
// those that matter.
func (s *Site) Key(name string) (KeyAccess, error) {
	i := slices.IndexFunc(s.file.Keys, func(k keysfile.Key) bool { return k.Name == name })
	if i < 0 {
		return KeyAccess{}, fmt.Errorf("no key %q is declared", name)
	}
	k := s.file.Keys[i]
	d, err := s.documents()
	if err != nil {
		return KeyAccess{}, err
	}
	policy, err := s.Secret(k)
	if err != nil {
		return KeyAccess{}, err
	}
	d.secrets[name] = policy
	t := s.keyTarget(k)
	out := KeyAccess{Key: name, Existing: k.Existing, Policy: policy, Open: len(k.Readers) == 0}
	for _, a := range s.subjects(d, k) {
		subject := Subject{Who: a.name, Principal: arnOf(a.who), Notes: s.notes(k, a)}
		if a.of == anybody {
			subject.Principal = ""
		}
		for _, action := range matrix() {
			got, err := s.askOpen(d, t, a, action)
			if err != nil {
				return KeyAccess{}, fmt.Errorf("%s: %s: %w", a.name, action, err)
			}
			subject.Rights = append(subject.Rights, Right{Action: action, Decision: got})
		}
		out.Subjects = append(out.Subjects, subject)
	}
	return out, nil
}

// anybody stands in an actor's field of for a principal that is an example.
const anybody = "*"

func (s *Site) subjects(d *documents, k keysfile.Key) []actor {
	var all []actor
	for _, r := range sorted(k.Readers) {
		all = append(all, actor{name: "reader, " + s.readerKind(k, r), who: principal(r), identity: s.reads(r), role: "reader"})
	}
	role := func(name string) iam.Principal { return iam.NewSession(s.RoleARN(name), "run") }
	all = append(all,
		actor{name: "rotate function", who: role(s.RotateName(k.VendorAccount)), identity: d.identity("rotate:" + k.VendorAccount)},
		actor{name: "retire function", who: role(s.RetireName(k.VendorAccount)), identity: d.identity("retire:" + k.VendorAccount)},
		actor{name: "rotatenow function", who: role(s.RotateNowName()), identity: d.identity("rotatenow")},
		actor{name: "audit function", who: role(s.AuditName()), identity: d.identity("audit")},
		actor{name: "review function", who: role(s.ReviewName()), identity: d.identity("review")},
	)
	people := s.people()
	for _, r := range People() {
		for _, arn := range sorted(people[r]) {
			all = append(all, actor{name: r, who: principal(arn), identity: d.identity("person:" + r), role: r})
		}
	}
	for _, arn := range sorted(people["deployer"]) {
		all = append(all, actor{name: "deployer", who: principal(arn), identity: d.identity("deploy")})
	}
	admin := []iam.Policy{everything()}
	all = append(all,
		actor{name: "CloudFormation, with least rights", who: s.execution(), identity: d.identity("execution")},
		actor{name: "CloudFormation, with administrator rights", who: s.execution(), identity: admin})
	for _, arn := range sorted(people["break-glass"]) {
		all = append(all, actor{name: "break-glass, with administrator rights", who: principal(arn), identity: admin})
	}
	return append(all,
		actor{name: "anybody with administrator rights", who: s.listed(nil, "administrator"), identity: admin, of: anybody},
		actor{name: "anybody without rights of their own", who: s.listed(nil, "stranger"), of: anybody},
		actor{name: "root user of the account", who: iam.NewRoot(s.env.Partition, s.env.Account)},
		actor{name: "administrators of other accounts", who: iam.NewSession("arn:"+s.env.Partition+":iam::"+elsewhere+":role/admin", "run"), identity: admin, of: anybody},
	)
}

func (s *Site) notes(k keysfile.Key, a actor) (notes []string) {
	set := permissionSet(arnOf(a.who))
	if set != "" {
		notes = append(notes, "MFA not observable: Identity Center does not tell IAM")
	}
	if k.Allow.RequireMFA && a.role == "reader" {
		switch s.readerKind(k, arnOf(a.who)) {
		case "machine", "machine of another account":
			notes = append(notes, "a machine: no MFA asked")
		case "trusted permission set", "trusted permission set of another account":
			notes = append(notes, "permission set "+set+" is trusted to ask for MFA")
		case "permission set", "permission set of another account":
			notes = append(notes, "permission set "+set+" is not trusted to ask for MFA, so it cannot read")
		}
	}
	if a.role == "reader" && a.who.Account() != s.env.Account {
		notes = append(notes, "of another account: it needs GetSecretValue and kms:Decrypt there too, which is assumed here")
	}
	return notes
}

// askOpen is [Site.ask] with everything left open that a request may bring.
func (s *Site) askOpen(d *documents, t *target, a actor, action string) (iam.Decision, error) {
	return s.askWith(d, t, a, network{}, action, func(r *iam.Request) {
		open := []string{"aws:MultiFactorAuthPresent", "aws:PrincipalOrgID", "aws:SourceIp", "aws:SourceVpce"}
		if permissionSet(arnOf(a.who)) != "" { // sessions of Identity Center say false, whatever was asked for
			open, r.Context["aws:MultiFactorAuthPresent"] = open[1:], []string{"false"}
		}
		for _, key := range open {
			delete(r.Context, key)
			r.Absent = slices.DeleteFunc(r.Absent, func(k string) bool { return k == key })
		}
	})
}

// Package access builds every policy of an installation as plain data, and
// proves what they come to.
//
// [New] takes what keyturn.yaml says; the methods of [Site] build one document
// each, and the CDK app puts them where they belong. [Site.Prove] evaluates who
// can do what, before anything is deployed.
package access

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// Environment is where an installation is deployed.
type Environment struct {
	Account   string // 12 digits
	Region    string
	Partition string // empty: the one that Region is in
	Qualifier string // of the CDK bootstrap; empty: hnb659fds
}

// The tags that rights hang on. Nobody but the deployment may set them.
const (
	TagInstallation  = "keyturn:installation"
	TagVendorAccount = "keyturn:vendor-account"
)

// Site is an installation in one environment. It is immutable, and safe for
// concurrent use.
type Site struct {
	file *keysfile.File
	env  Environment
	name string
}

// New says everything that keeps the policies from being built. It does not
// keep the file's own rules: see [keysfile.File].
func New(file *keysfile.File, env Environment) (*Site, error) {
	env.Partition = orElse(env.Partition, iam.Partition(env.Region))
	env.Qualifier = orElse(env.Qualifier, "hnb659fds")
	s := &Site{file: file, env: env, name: orElse(file.Name, "keyturn")}
	var wrong []error
	if !regexp.MustCompile(`^\d{12}$`).MatchString(env.Account) || env.Region == "" {
		wrong = append(wrong, fmt.Errorf("environment: account %q and Region %q: give 12 digits and a Region", env.Account, env.Region))
	}
	for _, account := range s.accounts() {
		if name := s.RotateName(account); len(name) > 64 { // the retire function's is as long
			wrong = append(wrong, fmt.Errorf("vendor account %q: %q is longer than the 64 characters of a role's name: shorten it", account, name))
		}
	}
	for _, k := range file.Keys {
		for _, err := range s.checkKey(k) {
			wrong = append(wrong, fmt.Errorf("key %q: %w", k.Name, err))
		}
	}
	return s, errors.Join(append(wrong, s.checkPeople()...)...)
}

func (s *Site) checkPeople() (wrong []error) {
	people := s.listedPeople()
	for _, role := range slices.Sorted(maps.Keys(people)) {
		for _, who := range people[role] {
			if err := checkPerson(who); err != nil {
				wrong = append(wrong, fmt.Errorf("access: %s: %w", role, err))
			}
		}
	}
	return wrong
}

func (s *Site) checkKey(k keysfile.Key) (wrong []error) {
	if _, ok := s.file.VendorAccounts[k.VendorAccount]; !ok {
		wrong = append(wrong, fmt.Errorf("vendor account %q is not declared", k.VendorAccount))
	}
	for _, r := range k.Readers {
		if err := checkPerson(r); err != nil {
			wrong = append(wrong, fmt.Errorf("reader: %w", err))
		}
	}
	for _, m := range k.Allow.Machines {
		if !slices.Contains(k.Readers, m) || !strings.Contains(m, ":role/") || permissionSet(m) != "" {
			wrong = append(wrong, fmt.Errorf("machine %q: name one of the readers that is a role, and not of Identity Center", m))
		}
	}
	for _, c := range k.Allow.CIDRs {
		if _, err := netip.ParsePrefix(c); err != nil {
			wrong = append(wrong, fmt.Errorf("%q is not a CIDR, such as 203.0.113.0/24", c))
		}
	}
	return wrong
}

var person = regexp.MustCompile(`^arn:[a-z-]+:iam::\d{12}:(role|user)/[\w+=,.@/-]+$`)

// checkPerson refuses what a policy would take in another sense: a pattern, an
// account, a session; and a role of Identity Center without its path, which
// would never match.
func checkPerson(arn string) error {
	if !person.MatchString(arn) {
		return fmt.Errorf("%q is not the ARN of a role or user", arn)
	}
	if strings.Contains(arn, "AWSReservedSSO_") && permissionSet(arn) == "" {
		return fmt.Errorf("%q is of Identity Center: give its whole ARN, with /aws-reserved/sso.amazonaws.com/ and the 16 characters at its end", arn)
	}
	return nil
}

var reserved = regexp.MustCompile(`:role/aws-reserved/sso\.amazonaws\.com/(?:[a-z0-9-]+/)?AWSReservedSSO_([\w+=,.@-]+)_[0-9a-f]{16}$`)

// permissionSet is the permission set whose role this is; empty: of none.
// https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
func permissionSet(role string) string {
	if m := reserved.FindStringSubmatch(role); m != nil {
		return m[1]
	}
	return ""
}

// permissionSetRoles are patterns of the roles of a permission set in the
// account. The suffix has 16 characters, so that a set whose name begins with
// another's is not it.
func (s *Site) permissionSetRoles(sets []string) iam.Strings {
	var patterns iam.Strings
	for _, set := range sorted(sets) {
		for _, path := range []string{"", "*/"} {
			patterns = append(patterns, s.arn("iam", "", "role/aws-reserved/sso.amazonaws.com/"+path+"AWSReservedSSO_"+set+"_"+strings.Repeat("?", 16)))
		}
	}
	return patterns
}

// Name begins the name of everything that is deployed.
func (s *Site) Name() string { return s.name }

// RotateName is the name of a vendor account's rotate function, and of its role.
func (s *Site) RotateName(account string) string { return s.name + "-rotate-" + account }

// RetireName is the name of a vendor account's retire function, and of its role.
func (s *Site) RetireName(account string) string { return s.name + "-retire-" + account }

// RotateNowName is the name of the rotatenow function, and of its role.
func (s *Site) RotateNowName() string { return s.name + "-rotatenow" }

// ScheduleName is the name of the role of schedules.
func (s *Site) ScheduleName() string { return s.name + "-schedule" }

// RoleARN is the ARN of the role that is called name, with path and prefix of the file.
func (s *Site) RoleARN(name string) string {
	return s.arn("iam", "", "role"+s.file.Functions.Role(name))
}

func (s *Site) root() string { return "arn:" + s.env.Partition + ":iam::" + s.env.Account + ":root" }

func (s *Site) arn(service, region, resource string) string {
	return "arn:" + s.env.Partition + ":" + service + ":" + region + ":" + s.env.Account + ":" + resource
}

func (s *Site) here(service, resource string) string { return s.arn(service, s.env.Region, resource) }

func (s *Site) function(name string) string { return s.here("lambda", "function:"+name) }

// secretPattern matches the one secret with this name: the service puts a hyphen and six
// characters behind it.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html
func (s *Site) secretPattern(name string) string {
	return s.here("secretsmanager", "secret:"+name+"-??????")
}

// keysOf are the keys of a vendor account; of all, if account is empty.
func (s *Site) keysOf(account string) []keysfile.Key {
	return slices.DeleteFunc(slices.Clone(s.file.Keys), func(k keysfile.Key) bool {
		return account != "" && k.VendorAccount != account
	})
}

func (s *Site) accounts() []string {
	var names []string
	for name := range s.file.VendorAccounts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// people are who the file lists, by role. One file serves several environments:
// only those of this account are meant here, for policies of people are attached
// in their own account.
func (s *Site) people() map[string][]string {
	all := s.listedPeople()
	for role, list := range all {
		all[role] = slices.DeleteFunc(slices.Clone(list), func(arn string) bool { return strings.Split(arn, ":")[4] != s.env.Account })
	}
	return all
}

func (s *Site) listedPeople() map[string][]string {
	a := s.file.Access
	return map[string][]string{
		"viewer": a.Viewers, "operator": a.Operators, "responder": a.Responders, "approver": a.Approvers,
		"auditor": a.Auditors, "admin": a.Admins, "break-glass": a.BreakGlass, "deployer": a.Deployers,
	}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// sorted is each of the strings once, in order.
func sorted(lists ...[]string) iam.Strings {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

func document(statements ...iam.Statement) iam.Document {
	return iam.Document{Version: iam.Version, Statement: statements}
}

func allow(sid string, actions, resources iam.Strings, conditions iam.Conditions) iam.Statement {
	return iam.Statement{Sid: sid, Effect: iam.Allow, Action: actions, Resource: resources, Condition: conditions}
}

func everyone() *iam.Principals { return &iam.Principals{Everyone: true} }

package access

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
)

// duty is a call that a role has to make, or must not be able to.
type duty struct {
	action, resource string
	context          map[string]string
	want             bool
	whole            bool // every action of the service is ours there
}

// proveDuties looks at what the matrix does not: the functions' own calls, the
// people's, and what AWS's services send.
func (s *Site) proveDuties(d *documents, p *Proof) error {
	for _, prove := range []func(*documents, *Proof) error{s.proveFunctions, s.proveWatch, s.provePeople, s.proveDeployment} {
		if err := prove(d, p); err != nil {
			return err
		}
	}
	return s.proveServices(d, p)
}

func (s *Site) proveFunctions(d *documents, p *Proof) error {
	for _, a := range s.accounts() {
		for _, role := range []string{"rotate", "retire"} {
			who := iam.NewSession(s.RoleARN(s.name+"-"+role+"-"+a), "run")
			if err := s.fulfill(d, p, role+" function of "+a, who, d.identity(role+":"+a), nil, s.functionDuties(role, a)); err != nil {
				return err
			}
		}
		if err := s.fulfillQueue(d, p, "labels:"+a, s.name+"-labels-"+a); err != nil {
			return err
		}
	}
	now := iam.NewSession(s.RoleARN(s.RotateNowName()), "run")
	if err := s.fulfill(d, p, "rotatenow function", now, d.identity("rotatenow"), nil, s.rotateNowDuties()); err != nil {
		return err
	}
	schedule := iam.NewSession(s.RoleARN(s.ScheduleName()), "run")
	return s.fulfill(d, p, "role of schedules", schedule, d.identity("schedule"), nil, []duty{
		do("lambda:InvokeFunction", s.function(s.name+"-retire-x"), nil, true), do("lambda:InvokeFunction", s.function(s.AuditName()), nil, true),
		do("lambda:InvokeFunction", s.function(s.name+"-review"), nil, true),
		do("lambda:InvokeFunction", s.function(s.name+"-rotate-x"), nil, false),
		do("lambda:InvokeFunction", s.function("other"), nil, false),
	})
}

func (s *Site) provePeople(d *documents, p *Proof) error {
	for _, row := range s.persons(d) {
		if err := s.fulfill(d, p, row.name, row.who, row.identity, map[string]string{"aws:MultiFactorAuthPresent": row.mfa},
			slices.Concat(s.personDuties(row), s.verifyDuties(row.role == "auditor"), s.signDuties(row))); err != nil {
			return err
		}
	}
	return s.proveAdmins(d, p)
}

func (s *Site) proveDeployment(d *documents, p *Proof) error {
	if err := s.fulfill(d, p, "deployer", s.listed(s.people()["deployer"], "deployer"), d.identity("deploy"), nil, s.deployDuties()); err != nil {
		return err
	}
	if err := s.fulfill(d, p, "CloudFormation, least rights", s.execution(), d.identity("execution"), nil, s.executionDuties()); err != nil {
		return err
	}
	if _, has := d.roles["execution-networks"]; !has {
		return nil
	}
	return s.fulfill(d, p, "CloudFormation, for networks", s.execution(), d.identity("execution-networks"), nil, s.networkDuties())
}

// proveAdmins asks whether an admin could read a credential by a policy that he
// wrote himself.
func (s *Site) proveAdmins(d *documents, p *Proof) error {
	if d.only != "" && d.only != "role person:admin" {
		return nil
	}
	for _, row := range s.persons(d) {
		if row.role != "admin" {
			continue
		}
		for _, v := range s.file.VendorAccounts {
			if s.isKey(v.Admin) {
				continue
			}
			r := s.request(&target{}, row, network{ip: "52.95.110.1"}, "secretsmanager:GetSecretValue", s.here("secretsmanager", "secret:"+v.Admin+"-AbCdEf"))
			got, err := iam.Evaluate(r, iam.Policies{Identity: row.identity, Resource: &iam.Policy{Name: "a policy that he wrote", Document: document(iam.Statement{
				Sid: "Mine", Effect: iam.Allow, Principal: &iam.Principals{AWS: iam.Strings{arnOf(row.who)}}, Action: iam.Strings{"*"}, Resource: iam.Strings{"*"},
			})}})
			if err != nil {
				return fmt.Errorf("%s: %w", row.name, err)
			}
			p.record(row.name+", by a policy of his own", r.Action, v.Admin, false, got)
		}
	}
	return nil
}

// record puts a decision into the proof.
func (p *Proof) record(actor, action, resource string, want bool, got iam.Decision) {
	p.Cells++
	if c := (Cell{actor, "anywhere", action, resource, want, got}); c.Wrong() {
		p.Wrong = append(p.Wrong, c)
	}
}

func (s *Site) fulfill(d *documents, p *Proof, name string, who iam.Principal, identity []iam.Policy, all map[string]string, duties []duty) error {
	if d.only != "" && "the policy "+strings.TrimPrefix(d.only, "role ") != identity[0].Name {
		return nil
	}
	for _, right := range duties {
		if d.only != "" && len(p.Wrong) > 0 {
			return nil
		}
		for _, d := range append(s.temptations(right), right) {
			got, err := s.askDuty(who, identity, all, d)
			if err != nil {
				return fmt.Errorf("%s: %s of %s: %w", name, d.action, d.resource, err)
			}
			p.record(name, d.action, d.resource, d.want, got)
		}
	}
	return nil
}

func (s *Site) askDuty(who iam.Principal, identity []iam.Policy, all map[string]string, d duty) (iam.Decision, error) {
	r := s.request(&target{}, actor{who: who}, network{ip: "52.95.110.1"}, d.action, d.resource)
	r.Account = "" // the resource's own
	r.Absent = append(r.Absent, "kms:GrantIsForAWSResource", "kms:RequestAlias", "s3:if-none-match")
	for _, context := range []map[string]string{all, d.context} {
		for key, value := range context {
			if value != "" {
				r.Context[key] = []string{value}
			}
		}
	}
	policies := iam.Policies{Identity: identity}
	switch {
	case d.action == "sts:AssumeRole": // a role that trusts the account
		policies.Resource = &iam.Policy{Name: "a trust policy", Document: document(iam.Statement{
			Effect: iam.Allow, Principal: &iam.Principals{AWS: iam.Strings{s.root()}}, Action: iam.Strings{"sts:AssumeRole"},
		})}
	case strings.HasPrefix(d.action, "kms:"): // a key of somebody else, with AWS's default policy
		policies.Resource = &iam.Policy{Name: "a default key policy", Document: document(iam.Statement{
			Effect: iam.Allow, Principal: &iam.Principals{AWS: iam.Strings{s.root()}}, Action: iam.Strings{"kms:*"}, Resource: iam.Strings{"*"},
		})}
	}
	return iam.Evaluate(r, policies)
}

// temptations are what must not be possible beside a right: another action
// there, the same elsewhere, and the same with a part of its context missing.
func (s *Site) temptations(d duty) []duty {
	if !d.want {
		return nil
	}
	service, _, _ := strings.Cut(d.action, ":")
	all := []duty{do("proof:Nothing", d.resource, d.context, false)}
	if !d.whole {
		all = append(all, do(service+":ProofOfNothing", d.resource, d.context, false))
	}
	for key := range d.context {
		rest := maps.Clone(d.context)
		delete(rest, key)
		all = append(all, duty{action: d.action, resource: d.resource, context: rest})
	}
	if part := strings.SplitN(d.resource, ":", 6); len(part) == 6 {
		if part[3] != "" {
			part[3] += "-proof"
		} else {
			part[2] += "-proof"
		}
		all = append(all, duty{action: d.action, resource: strings.Join(part, ":"), context: d.context})
	}
	return all
}

// calls are duties to make all of these calls.
func calls(resource string, context map[string]string, want bool, service string, names ...string) []duty {
	var duties []duty
	for _, name := range names {
		duties = append(duties, duty{action: service + ":" + name, resource: resource, context: context, want: want})
	}
	return duties
}

func do(action, resource string, context map[string]string, want bool) duty {
	return duty{action: action, resource: resource, context: context, want: want}
}

package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
)

// duty is a call that a role has to make, or must not be able to.
type duty struct {
	action, resource string
	context          map[string]string
	want             bool
}

// proveDuties looks at what the matrix does not: the functions' own calls, the
// people's, and what AWS's services send.
func (s *Site) proveDuties(d *documents, p *Proof) error {
	for _, a := range s.accounts() {
		for _, role := range []string{"rotate", "retire"} {
			who := iam.NewSession(s.RoleARN(s.name+"-"+role+"-"+a), "run")
			if err := s.fulfil(p, role+" function of "+a, who, d.identity(role+":"+a), nil, s.functionDuties(role, a)); err != nil {
				return err
			}
		}
		if err := s.fulfilQueue(d, p, "labels:"+a, s.name+"-labels-"+a); err != nil {
			return err
		}
	}
	now := iam.NewSession(s.RoleARN(s.RotateNowName()), "run")
	if err := s.fulfil(p, "rotatenow function", now, d.identity("rotatenow"), nil, s.rotateNowDuties()); err != nil {
		return err
	}
	schedule := iam.NewSession(s.RoleARN(s.ScheduleName()), "run")
	if err := s.fulfil(p, "role of schedules", schedule, d.identity("schedule"), nil, []duty{
		{action: "lambda:InvokeFunction", resource: s.function(s.name + "-retire-x"), want: true},
		{action: "lambda:InvokeFunction", resource: s.function(s.name + "-rotate-x")},
		{action: "lambda:InvokeFunction", resource: s.function("other")},
	}); err != nil {
		return err
	}
	for _, row := range s.persons(d) {
		if err := s.fulfil(p, row.name, row.who, row.identity, map[string]string{"aws:MultiFactorAuthPresent": row.mfa}, s.personDuties(row)); err != nil {
			return err
		}
	}
	if err := s.fulfil(p, "deployer", s.listed(s.file.Access.Deployers, "deployer"), d.identity("deploy"), nil, s.deployDuties()); err != nil {
		return err
	}
	return s.proveServices(d, p)
}

// record puts a decision into the proof.
func (p *Proof) record(actor, action, resource string, want bool, got iam.Decision) {
	p.Cells++
	if c := (Cell{actor, "anywhere", action, resource, want, got}); c.Wrong() {
		p.Wrong = append(p.Wrong, c)
	}
}

func (s *Site) fulfil(p *Proof, name string, who iam.Principal, identity []iam.Policy, all map[string]string, duties []duty) error {
	for _, d := range duties {
		r := s.request(&target{}, actor{who: who}, network{ip: "52.95.110.1"}, d.action, d.resource)
		for _, context := range []map[string]string{all, d.context} {
			for key, value := range context {
				if value != "" {
					r.Context[key] = []string{value}
				}
			}
		}
		policies := iam.Policies{Identity: identity}
		if strings.HasPrefix(d.action, "kms:") { // a key of somebody else, with AWS's default policy
			policies.Resource = &iam.Policy{Name: "a default key policy", Document: document(iam.Statement{
				Effect: iam.Allow, Principal: &iam.Principals{AWS: iam.Strings{s.root()}}, Action: iam.Strings{"kms:*"}, Resource: iam.Strings{"*"},
			})}
		}
		got, err := iam.Evaluate(r, policies)
		if err != nil {
			return fmt.Errorf("%s: %s of %s: %w", name, d.action, d.resource, err)
		}
		p.record(name, d.action, d.resource, d.want, got)
	}
	return nil
}

// functionDuties are the calls that the code of a function makes.
func (s *Site) functionDuties(role, account string) []duty {
	own := map[string]string{"aws:ResourceTag/" + TagInstallation: s.name, "aws:ResourceTag/" + TagVendorAccount: account}
	other := map[string]string{"aws:ResourceTag/" + TagInstallation: s.name, "aws:ResourceTag/" + TagVendorAccount: account + "-2"}
	stranger := map[string]string{"aws:ResourceTag/" + TagInstallation: s.name + "-2", "aws:ResourceTag/" + TagVendorAccount: account}
	secret := s.here("secretsmanager", "secret:proof-AbCdEf")
	group := s.here("logs", "log-group:/aws/lambda/"+s.name+"-"+role+"-"+account+":log-stream:x")
	var duties []duty
	calls := []string{"DescribeSecret", "GetSecretValue", "ListSecretVersionIds", "UpdateSecretVersionStage"}
	tables := []string{"DeleteItem", "PutItem", "Query"}
	if role == "rotate" {
		calls, tables = append(calls, "PutSecretValue"), append(tables, "GetItem")
	}
	for _, c := range append(calls, "PutSecretValue", "DeleteSecret", "RotateSecret", "TagResource", "PutResourcePolicy") {
		action := "secretsmanager:" + c
		duties = append(duties,
			duty{action, secret, own, slices.Contains(calls, c)}, duty{action, secret, other, false}, duty{action, secret, stranger, false}, duty{action, secret, nil, false})
	}
	for _, c := range []string{"DeleteItem", "PutItem", "Query", "GetItem", "Scan", "DeleteTable"} {
		duties = append(duties, duty{"dynamodb:" + c, s.here("dynamodb", "table/"+s.name), nil, slices.Contains(tables, c)})
		duties = append(duties, duty{"dynamodb:" + c, s.here("dynamodb", "table/other"), nil, false})
	}
	duties = append(duties, s.commonDuties(group)...)
	for _, k := range s.keysOf("") {
		if k.Existing {
			foreign := s.here("secretsmanager", "secret:"+k.Name+"-AbCdEf")
			duties = append(duties, duty{"secretsmanager:DescribeSecret", foreign, nil, k.VendorAccount == account})
			duties = append(duties, s.keyDuty(foreign, k.VendorAccount == account))
		}
	}
	admin := s.here("secretsmanager", "secret:"+s.file.VendorAccounts[account].Admin+"-AbCdEf")
	return append(duties,
		duty{"secretsmanager:GetSecretValue", admin, nil, true}, duty{"secretsmanager:PutSecretValue", admin, nil, false}, s.keyDuty(admin, true),
		s.keyDuty(s.here("secretsmanager", "secret:other-AbCdEf"), false),
		duty{"kms:Decrypt", s.here("kms", "key/x"), nil, false},
		duty{"scheduler:CreateSchedule", s.here("scheduler", "schedule/"+s.name+"/x"), nil, role == "retire"},
		duty{"scheduler:CreateSchedule", s.here("scheduler", "schedule/default/x"), nil, false},
		duty{"iam:PassRole", s.RoleARN(s.ScheduleName()), map[string]string{"iam:PassedToService": "scheduler.amazonaws.com"}, role == "retire"},
		duty{"iam:PassRole", s.RoleARN(s.ScheduleName()), map[string]string{"iam:PassedToService": "lambda.amazonaws.com"}, false},
		duty{"iam:PassRole", s.RoleARN("other"), map[string]string{"iam:PassedToService": "scheduler.amazonaws.com"}, false},
		duty{"sqs:ReceiveMessage", s.here("sqs", s.name+"-labels-"+account), nil, role == "retire"},
		duty{"sqs:ReceiveMessage", s.here("sqs", s.name+"-audit"), nil, false},
		duty{"lambda:InvokeFunction", s.function(s.name + "-rotate-" + account), nil, false},
		duty{"ec2:CreateNetworkInterface", "*", nil, s.file.VendorAccounts[account].Network != nil},
		duty{"xray:PutTraceSegments", "*", nil, s.file.Functions.Tracing},
	)
}

// keyDuty is to have Secrets Manager decrypt a secret with a CMK that is not ours.
func (s *Site) keyDuty(secret string, want bool) duty {
	return duty{"kms:Decrypt", s.here("kms", "key/x"), map[string]string{
		"kms:ViaService": s.service("secretsmanager", s.env.Region), "kms:EncryptionContext:SecretARN": secret,
	}, want}
}

func (s *Site) commonDuties(group string) []duty {
	return []duty{
		{"sqs:SendMessage", s.here("sqs", s.name+"-audit"), nil, true},
		{"sqs:SendMessage", s.here("sqs", s.name+"-labels-x"), nil, false},
		{"sns:Publish", s.here("sns", s.name+"-notifications"), nil, true},
		{"sns:Publish", s.here("sns", s.name+"-escalation"), nil, false},
		{"logs:PutLogEvents", group, nil, true},
		{"logs:PutLogEvents", s.here("logs", "log-group:/aws/lambda/other:log-stream:x"), nil, false},
	}
}

func (s *Site) rotateNowDuties() []duty {
	own := map[string]string{"aws:ResourceTag/" + TagInstallation: s.name, "aws:ResourceTag/" + TagVendorAccount: "any"}
	secret := s.here("secretsmanager", "secret:proof-AbCdEf")
	duties := append(s.commonDuties(s.here("logs", "log-group:/aws/lambda/"+s.RotateNowName()+":log-stream:x")),
		duty{"secretsmanager:DescribeSecret", secret, own, true}, duty{"secretsmanager:RotateSecret", secret, own, true},
		duty{"secretsmanager:RotateSecret", secret, nil, false}, duty{"secretsmanager:GetSecretValue", secret, own, false},
		duty{"lambda:InvokeFunction", s.function(s.name + "-rotate-x"), nil, true}, duty{"lambda:InvokeFunction", s.function(s.name + "-retire-x"), nil, false},
		duty{"lambda:InvokeFunction", s.function("other"), nil, false}, duty{"dynamodb:PutItem", s.here("dynamodb", "table/"+s.name), nil, true},
		duty{"dynamodb:Query", s.here("dynamodb", "table/"+s.name), nil, true}, duty{"dynamodb:DeleteItem", s.here("dynamodb", "table/"+s.name), nil, false},
		duty{"dynamodb:PutItem", s.here("dynamodb", "table/other"), nil, false})
	for _, k := range s.keysOf("") {
		if k.Existing {
			duties = append(duties, duty{"secretsmanager:RotateSecret", s.here("secretsmanager", "secret:"+k.Name+"-AbCdEf"), nil, true})
		}
	}
	return duties
}

// personDuties: each role sees; operators and responders invoke, with MFA where
// the file asks for it; nobody invokes the functions' first versions.
func (s *Site) personDuties(row actor) []duty {
	now := s.function(s.RotateNowName())
	operates := (row.role == "operator" || row.role == "responder") && s.proven(row)
	responds := row.role == "responder" && s.proven(row)
	invoke := "lambda:InvokeFunction"
	return []duty{
		{invoke, now + ":rotate", nil, operates}, {invoke, now + ":plan", nil, operates}, {invoke, now + ":control", nil, operates},
		{invoke, now + ":emergency", nil, responds}, {invoke, now, nil, false}, {invoke, s.function("other"), nil, false},
		{invoke, s.function(s.name + "-rotate-x"), nil, operates}, {invoke, s.function(s.name + "-retire-x"), nil, responds},
		{"secretsmanager:ListSecrets", "*", nil, true}, {"secretsmanager:DescribeSecret", s.here("secretsmanager", "secret:x-AbCdEf"), nil, true},
		{"secretsmanager:TagResource", s.here("secretsmanager", "secret:x-AbCdEf"), nil, false},
		{"dynamodb:Query", s.here("dynamodb", "table/"+s.name), nil, true}, {"dynamodb:Query", s.here("dynamodb", "table/other"), nil, false},
		{"dynamodb:PutItem", s.here("dynamodb", "table/"+s.name), nil, false},
		{"logs:StartQuery", s.here("logs", "log-group:/aws/lambda/"+s.RotateNowName()), nil, true}, {"logs:StartQuery", s.here("logs", "log-group:other"), nil, false},
		{"lambda:GetPolicy", now, nil, row.role == "auditor"},
		{"lambda:UpdateFunctionCode", now, nil, false}, {"iam:PassRole", s.RoleARN(s.ScheduleName()), nil, false},
	}
}

func (s *Site) deployDuties() []duty {
	role := func(name, account string) string {
		return "arn:" + s.env.Partition + ":iam::" + account + ":role/cdk-" + s.env.Qualifier + "-" + name + "-role-" + account + "-" + s.env.Region
	}
	return []duty{
		{"cloudformation:CreateStack", "*", nil, false},
		{"cloudtrail:DescribeTrails", "*", nil, true}, {"ssm:GetParameter", s.here("ssm", "parameter/cdk-bootstrap/"+s.env.Qualifier+"/version"), nil, true},
		{"ssm:GetParameter", s.here("ssm", "parameter/other"), nil, false}, {"secretsmanager:DescribeSecret", s.here("secretsmanager", "secret:x-AbCdEf"), nil, true},
		{"iam:PassRole", role("cfn-exec", s.env.Account), nil, false},
	}
}

package access

import (
	"errors"
	"fmt"

	"github.com/keyturn/keyturn/shared/iam"
)

// Rotate is the identity policy of a vendor account's rotate function: the calls
// of package rotation and of what it records and tells, and no other.
func (s *Site) Rotate(account string) (iam.Document, error) {
	const read = "secretsmanager:"
	actions := iam.Strings{
		read + "DescribeSecret", read + "GetSecretValue", read + "ListSecretVersionIds", read + "PutSecretValue", read + "UpdateSecretVersionStage",
	}
	name := s.RotateName(account)
	d := document(s.secrets(account, actions, "kms:Decrypt", "kms:GenerateDataKey")...)
	d.Statement = append(d.Statement, s.admin(account)...)
	d.Statement = append(d.Statement, s.records("DeleteItem", "GetItem", "PutItem", "Query"))
	d.Statement = append(d.Statement, s.tells()...)
	d.Statement = append(d.Statement, s.runs(name, account)...)
	return s.fitsRole(name, account, d)
}

// Retire is the identity policy of a vendor account's retire function.
func (s *Site) Retire(account string) (iam.Document, error) {
	const read = "secretsmanager:"
	actions := iam.Strings{read + "DescribeSecret", read + "GetSecretValue", read + "ListSecretVersionIds", read + "UpdateSecretVersionStage"}
	name := s.RetireName(account)
	d := document(s.secrets(account, actions, "kms:Decrypt")...)
	d.Statement = append(d.Statement, s.admin(account)...)
	d.Statement = append(d.Statement,
		s.records("DeleteItem", "PutItem", "Query"),
		allow("Schedules", iam.Strings{"scheduler:CreateSchedule"}, iam.Strings{s.here("scheduler", "schedule/"+s.name+"/*")}, nil),
		allow("ScheduleRole", iam.Strings{"iam:PassRole"}, iam.Strings{s.RoleARN(s.ScheduleName())},
			iam.Conditions{"StringEquals": {"iam:PassedToService": {"scheduler.amazonaws.com"}}}),
		allow("Labels", iam.Strings{"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}, iam.Strings{s.here("sqs", s.name+"-labels-"+account)}, nil),
	)
	d.Statement = append(d.Statement, s.tells()...)
	if s.file.Notifications.Escalation != nil {
		d.Statement = append(d.Statement, allow("Escalation", iam.Strings{"sns:Publish"}, iam.Strings{s.topic("escalation")}, nil))
	}
	d.Statement = append(d.Statement, s.runs(name, account)...)
	return s.fitsRole(name, account, d)
}

// RotateNow is the identity policy of the rotatenow function. It reads no value.
// Whoever calls RotateSecret must also be allowed to invoke the secret's
// function: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html.
func (s *Site) RotateNow() (iam.Document, error) {
	d := document(s.secrets("", iam.Strings{"secretsmanager:DescribeSecret", "secretsmanager:RotateSecret"})...)
	d.Statement = append(d.Statement,
		allow("Functions", iam.Strings{"lambda:InvokeFunction"}, iam.Strings{s.function(s.name + "-rotate-*")}, nil),
		s.records("PutItem", "Query"),
	)
	d.Statement = append(d.Statement, s.tells()...)
	d.Statement = append(d.Statement, s.runs(s.RotateNowName(), "")...)
	return s.fitsRole(s.RotateNowName(), "", d)
}

// Schedule is the identity policy of the role of schedules: the sweeps, the ones
// that the retire function makes, and those of the audit and review functions.
func (s *Site) Schedule() (iam.Document, error) {
	return document(allow("Retire", iam.Strings{"lambda:InvokeFunction"}, iam.Strings{s.function(s.AuditName()), s.function(s.ReviewName()), s.function(s.name + "-retire-*")}, nil)), nil
}

// LambdaTrust says who may assume a function's role.
func (s *Site) LambdaTrust() iam.Document {
	return document(iam.Statement{
		Sid: "Lambda", Effect: iam.Allow, Principal: &iam.Principals{Service: iam.Strings{"lambda.amazonaws.com"}}, Action: iam.Strings{"sts:AssumeRole"},
	})
}

// ScheduleTrust says who may assume the role of schedules: the Scheduler, for
// schedules of our group.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
func (s *Site) ScheduleTrust() iam.Document {
	return document(iam.Statement{
		Sid: "Scheduler", Effect: iam.Allow, Principal: &iam.Principals{Service: iam.Strings{"scheduler.amazonaws.com"}}, Action: iam.Strings{"sts:AssumeRole"},
		Condition: iam.Conditions{
			"StringEquals": {"aws:SourceAccount": {s.env.Account}},
			"ArnEquals":    {"aws:SourceArn": {s.here("scheduler", "schedule-group/"+s.name)}},
		},
	})
}

// fitsRole says of a role's policy that is too long how many of the secrets that
// are not ours, each by its name, it has room for.
func (s *Site) fitsRole(role, account string, d iam.Document) (iam.Document, error) {
	d, err := fits("the policy of "+role, d, MaxRolePolicies, "")
	size, long := errors.AsType[*SizeError](err)
	if !long {
		return d, err
	}
	foreign := s.foreign(account)
	room, over := len(foreign), size.Size-size.Max
	for ; room > 0 && over > 0; room-- {
		over -= len(foreign[room-1]) + len(`"",`)
	}
	where := "another vendor account"
	if account == "" {
		where = "another installation" // this role is for those of all vendor accounts
	}
	size.Advice = fmt.Sprintf("it has room for about %d of the %d keys with existing: true; put the others into %s, or let Keyturn make their secrets", room, len(foreign), where)
	return d, size
}

// secrets lets a function act on the secrets of a vendor account, or on all: by
// tag, and those that are not ours to tag one by one, with what Secrets Manager
// may do for it with their CMKs.
func (s *Site) secrets(account string, actions iam.Strings, keys ...string) []iam.Statement {
	tags := map[string]iam.Strings{"aws:ResourceTag/" + TagInstallation: {s.name}}
	if account != "" {
		tags["aws:ResourceTag/"+TagVendorAccount] = iam.Strings{account}
	}
	statements := []iam.Statement{allow("Secrets", actions, iam.Strings{s.here("secretsmanager", "secret:*")}, iam.Conditions{"StringEquals": tags})}
	foreign := s.foreign(account)
	if len(foreign) == 0 {
		return statements
	}
	statements = append(statements, allow("ExistingSecrets", actions, foreign, nil))
	if len(keys) > 0 {
		within := foreign
		if len(foreign) > mostNamed {
			within = iam.Strings{s.here("secretsmanager", "secret:*")}
		}
		statements = append(statements, s.decrypt("ExistingSecretsKeys", within, keys...))
	}
	return statements
}

// mostNamed are the secrets that are named once more where their CMKs may be used.
// With more of them a policy would be too long, and what is left is that Secrets
// Manager asks, in the account: it does so only for whom it lets read the secret.
const mostNamed = 25

func (s *Site) foreign(account string) iam.Strings {
	var patterns []string
	for _, k := range s.keysOf(account) {
		if k.Existing {
			patterns = append(patterns, s.secretPattern(k.Name))
		}
	}
	return sorted(patterns)
}

// admin lets a function read its vendor account's admin credential.
func (s *Site) admin(account string) []iam.Statement {
	secret := iam.Strings{s.secretPattern(s.file.VendorAccounts[account].Admin)}
	return []iam.Statement{
		allow("AdminCredential", iam.Strings{"secretsmanager:GetSecretValue"}, secret, nil),
		s.decrypt("AdminCredentialKey", secret, "kms:Decrypt"),
	}
}

// decrypt lets Secrets Manager use a CMK that is not ours for these secrets.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
func (s *Site) decrypt(sid string, secrets iam.Strings, actions ...string) iam.Statement {
	return allow(sid, actions, iam.Strings{s.here("kms", "key/*")}, iam.Conditions{
		"StringEquals": {"kms:ViaService": s.via("secretsmanager")},
		"ArnLike":      {"kms:EncryptionContext:SecretARN": secrets},
	})
}

// service is a service's own name in the partition, as its endpoint has it.
func (s *Site) service(name, region string) string {
	return name + "." + region + "." + suffix(s.env.Partition)
}

func suffix(partition string) string {
	if partition == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// Via are the values of kms:ViaService that mean a service. AWS documents the
// key with amazonaws.com, and the services of China have endpoints that end with
// .cn: which of the two KMS compares there, no page says. Both mean the service,
// and nobody else can send either. A partition that is not known until the
// deployment gets both too.
// https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
func Via(partition, service, region string) iam.Strings {
	name := service + "." + region + ".amazonaws.com"
	switch partition {
	case "aws", "aws-us-gov":
		return iam.Strings{name}
	}
	return iam.Strings{name, name + ".cn"}
}

// via is Via for several services of the environment.
func (s *Site) via(services ...string) (all iam.Strings) {
	for _, name := range services {
		all = append(all, Via(s.env.Partition, name, s.env.Region)...)
	}
	return all
}

func (s *Site) records(operations ...string) iam.Statement {
	var actions iam.Strings
	for _, o := range operations {
		actions = append(actions, "dynamodb:"+o)
	}
	return allow("Records", actions, iam.Strings{s.here("dynamodb", "table/"+s.name)}, nil)
}

// tells are the rights to the audit queue and to the notifications' topic.
func (s *Site) tells() []iam.Statement {
	return []iam.Statement{
		allow("AuditTrail", iam.Strings{"sqs:SendMessage"}, iam.Strings{s.here("sqs", s.name+"-audit")}, nil),
		allow("Notifications", iam.Strings{"sns:Publish"}, iam.Strings{s.here("sns", s.name+"-notifications")}, nil),
	}
}

// runs are the rights that Lambda itself uses: log, network, traces.
func (s *Site) runs(name, account string) []iam.Statement {
	statements := []iam.Statement{
		allow("Log", iam.Strings{"logs:CreateLogStream", "logs:PutLogEvents"}, iam.Strings{s.here("logs", "log-group:/aws/lambda/"+name+":*")}, nil),
	}
	if s.file.VendorAccounts[account].Network != nil {
		// https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html: these know no resource.
		statements = append(statements, allow("Network", iam.Strings{
			"ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces",
			"ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
		}, iam.Strings{"*"}, nil))
	}
	if s.file.Functions.Tracing {
		statements = append(statements, allow("Traces", iam.Strings{"xray:PutTelemetryRecords", "xray:PutTraceSegments"}, iam.Strings{"*"}, nil))
	}
	return statements
}

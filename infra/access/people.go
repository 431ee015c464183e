package access

import (
	"slices"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// People are the roles of people, each with a managed policy of the name
// NAME-role.
func People() []string {
	return []string{"viewer", "operator", "responder", "approver", "auditor", "admin"}
}

// Person is the managed policy of a role of people: one of [People]. None of
// them lets anybody read a value: that is for readers.
//
// Where access.requireMFA is set, what operators, responders and admins do has
// the condition aws:MultiFactorAuthPresent, which is missing from requests with
// long-term keys and then does not hold. Sessions of Identity Center never have
// it: those of trusted permission sets have the same rights without.
func (s *Site) Person(role string) (iam.Document, error) {
	d := document(s.sees()...)
	switch role {
	case "operator":
		d.Statement = append(d.Statement, s.asPerson("Operate", s.operates())...)
	case "responder":
		d.Statement = append(d.Statement, s.asPerson("Operate", s.operates())...)
		d.Statement = append(d.Statement, s.asPerson("Respond", s.responds())...)
	case "approver":
		d.Statement = append(append(d.Statement, s.readsPages()...), s.signs()...)
	case "auditor":
		d.Statement = append(append(d.Statement, s.audits()...), s.signs()...)
	case "admin":
		d.Statement = append(d.Statement, s.asPerson("Admin", s.administers())...)
		d.Statement = append(d.Statement, s.neverReads()...)
	}
	return fits("the managed policy "+s.name+"-"+role, d, MaxManagedPolicy, "let vendor accounts share the secret of an admin credential")
}

// asPerson gives a right with MFA, where the file asks for it.
func (s *Site) asPerson(sid string, right iam.Statement) []iam.Statement {
	right.Sid = sid
	if !s.file.Access.RequireMFA {
		return []iam.Statement{right}
	}
	right.Condition = iam.Conditions{"Bool": {"aws:MultiFactorAuthPresent": {"true"}}}
	all := []iam.Statement{right}
	if sets := s.file.Access.PermissionSets; len(sets) > 0 {
		right.Sid += "TrustedSets"
		right.Condition = iam.Conditions{"ArnLike": {"aws:PrincipalArn": s.permissionSetRoles(sets)}}
		all = append(all, right)
	}
	return all
}

// sees is what every role sees. Secrets Manager lists all secrets or none; so
// their descriptions, which have no values, are no more.
func (s *Site) sees() []iam.Statement {
	return []iam.Statement{
		allow("See", iam.Strings{
			"cloudwatch:DescribeAlarms", "cloudwatch:GetDashboard", "cloudwatch:GetMetricData", "cloudwatch:ListDashboards", "cloudwatch:ListMetrics",
			"logs:DescribeLogGroups", "logs:DescribeQueryDefinitions", "logs:GetQueryResults", "logs:StopQuery", "secretsmanager:ListSecrets",
		}, iam.Strings{"*"}, nil),
		allow("SeeSecrets", iam.Strings{"secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy", "secretsmanager:ListSecretVersionIds"},
			iam.Strings{s.here("secretsmanager", "secret:*")}, nil),
		s.records("GetItem", "Query"),
		allow("SeeLogs", iam.Strings{"logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery"},
			iam.Strings{s.here("logs", "log-group:/aws/lambda/"+s.name+"-*")}, nil),
	}
}

// operates: rotatenow by alias, since IAM cannot see a mode; the rotate
// functions for the first value and for adoption.
func (s *Site) operates() iam.Statement {
	now := s.function(s.RotateNowName())
	return allow("", iam.Strings{"lambda:InvokeFunction"}, iam.Strings{now + ":control", now + ":plan", now + ":rotate", s.function(s.name + "-rotate-*")}, nil)
}

func (s *Site) responds() iam.Statement {
	return allow("", iam.Strings{"lambda:InvokeFunction"}, iam.Strings{s.function(s.RotateNowName()) + ":emergency", s.function(s.name + "-retire-*")}, nil)
}

func (s *Site) audits() []iam.Statement {
	return append(s.verifies(), s.asksRights(),
		allow("Audit", iam.Strings{
			"cloudtrail:DescribeTrails", "cloudtrail:GetEventSelectors", "cloudtrail:GetTrailStatus", "cloudtrail:LookupEvents",
			"events:DescribeRule", "events:ListRules", "events:ListTargetsByRule",
			"iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole", "iam:GetRolePolicy",
			"iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListAliases",
			"lambda:GetFunctionConfiguration", "lambda:GetPolicy", "lambda:ListFunctions", "lambda:ListTags",
			"scheduler:GetSchedule", "scheduler:ListSchedules", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sqs:GetQueueAttributes",
		}, iam.Strings{"*"}, nil),
	)
}

// administers: store admin credentials, and never read one. What
// secretsmanager:UpdateSecret could also change, the CMK, is left out; and none
// but the deployment may tag.
func (s *Site) administers() iam.Statement {
	var secrets []string
	for _, v := range s.file.VendorAccounts {
		secrets = append(secrets, s.secretPattern(v.Admin))
	}
	return allow("", iam.Strings{
		"secretsmanager:CreateSecret", "secretsmanager:PutResourcePolicy", "secretsmanager:PutSecretValue",
	}, sorted(secrets), nil)
}

// neverReads keeps an admin from what he could otherwise do with his right to
// PutResourcePolicy, which "keyturn admin put" needs to protect a secret before
// there is a value in it: let himself read. He could still let somebody else.
func (s *Site) neverReads() []iam.Statement {
	var secrets []string
	for _, v := range s.file.VendorAccounts {
		if !s.isKey(v.Admin) { // a key has readers of its own
			secrets = append(secrets, s.secretPattern(v.Admin))
		}
	}
	if len(secrets) == 0 {
		return nil
	}
	return []iam.Statement{{Sid: "AdminNeverReads", Effect: iam.Deny, Action: valueActions(), Resource: sorted(secrets)}}
}

// isKey says whether a secret is one of the keys, which may be their own admin
// credential.
func (s *Site) isKey(secret string) bool {
	return slices.ContainsFunc(s.file.Keys, func(k keysfile.Key) bool { return k.Name == secret })
}

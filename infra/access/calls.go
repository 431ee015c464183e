package access

import (
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// functionDuties are the calls that the code of a function makes, and what it
// must not be able to. They are written from package store/secretsmanager,
// keyrecord/dynamodb, audit/sqs, notify/sns and schedule/scheduler, not from the
// documents.
func (s *Site) functionDuties(role, account string) []duty {
	const sm = "secretsmanager"
	reads := []string{"DescribeSecret", "GetSecretValue", "ListSecretVersionIds", "UpdateSecretVersionStage"}
	tables, spare := []string{"DeleteItem", "PutItem", "Query"}, []string{"GetItem", "Scan", "DeleteTable"}
	never := []string{"DeleteSecret", "RotateSecret", "TagResource", "PutResourcePolicy", "UpdateSecret"}
	if role == "rotate" {
		reads, tables, spare = append(reads, "PutSecretValue"), append(tables, "GetItem"), spare[1:]
	} else {
		never = append(never, "PutSecretValue")
	}
	tags := func(installation, account string) map[string]string {
		return map[string]string{"aws:ResourceTag/" + TagInstallation: installation, "aws:ResourceTag/" + TagVendorAccount: account}
	}
	secret := s.here(sm, "secret:proof-AbCdEf")
	duties := slices.Concat(
		calls(secret, tags(s.name, account), true, sm, reads...),
		calls(secret, tags(s.name, account), false, sm, never...),
		calls(secret, tags(s.name, account+"-2"), false, sm, reads...),
		calls(secret, tags(s.name+"-2", account), false, sm, reads...),
		calls(s.here("dynamodb", "table/"+s.name), nil, true, "dynamodb", tables...),
		calls(s.here("dynamodb", "table/"+s.name), nil, false, "dynamodb", spare...),
		calls(s.here("dynamodb", "table/other"), nil, false, "dynamodb", tables...),
		s.tellDuties(s.name+"-"+role+"-"+account, role == "retire" && s.file.Notifications.Escalation != nil),
		s.foreignDuties(account, role, reads),
		calls("*", nil, s.file.VendorAccounts[account].Network != nil, "ec2", "AssignPrivateIpAddresses", "CreateNetworkInterface",
			"DeleteNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets", "UnassignPrivateIpAddresses"),
	)
	admin := s.here(sm, "secret:"+s.file.VendorAccounts[account].Admin+"-AbCdEf")
	duties = append(duties,
		do(sm+":GetSecretValue", admin, nil, true), do(sm+":PutSecretValue", admin, nil, false),
		s.keyDuty("kms:Decrypt", admin, true), s.keyDuty("kms:GenerateDataKey", admin, role == "rotate" && len(s.foreign(account)) > mostNamed),
		s.keyDuty("kms:Decrypt", s.here(sm, "secret:other-AbCdEf"), len(s.foreign(account)) > mostNamed),
		do("lambda:InvokeFunction", s.function(s.name+"-rotate-"+account), nil, false),
	)
	return append(duties, s.retireDuties(account, role == "retire")...)
}

// retireDuties are what only a retire function does.
func (s *Site) retireDuties(account string, want bool) []duty {
	to := func(service string) map[string]string { return map[string]string{"iam:PassedToService": service} }
	return append(calls(s.here("sqs", s.name+"-labels-"+account), nil, want, "sqs", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage"),
		do("sqs:ReceiveMessage", s.here("sqs", s.name+"-audit"), nil, false),
		do("sqs:ReceiveMessage", s.here("sqs", s.name+"-labels-"+account+"-2"), nil, false),
		do("scheduler:CreateSchedule", s.here("scheduler", "schedule/"+s.name+"/x"), nil, want),
		do("scheduler:CreateSchedule", s.here("scheduler", "schedule/default/x"), nil, false),
		do("iam:PassRole", s.RoleARN(s.ScheduleName()), to("scheduler.amazonaws.com"), want),
		do("iam:PassRole", s.RoleARN(s.ScheduleName()), to("lambda.amazonaws.com"), false),
		do("iam:PassRole", s.RoleARN("other"), to("scheduler.amazonaws.com"), false),
	)
}

// foreignDuties are about the secrets that are not ours to tag.
func (s *Site) foreignDuties(account, role string, actions []string) []duty {
	var duties []duty
	// With many, a CMK may be used for any secret; the secrets themselves stay shut.
	many := len(s.foreign(account)) > mostNamed
	for _, k := range s.someExisting() {
		secret, ours := s.here("secretsmanager", "secret:"+k.Name+"-AbCdEf"), k.VendorAccount == account
		duties = append(duties, calls(secret, nil, ours, "secretsmanager", actions...)...)
		duties = append(duties,
			do("secretsmanager:DescribeSecret", s.here("secretsmanager", "secret:"+k.Name+"-2-AbCdEf"), nil, false),
			s.keyDuty("kms:Decrypt", secret, ours || many), s.keyDuty("kms:GenerateDataKey", secret, (ours || many) && role == "rotate"))
	}
	return duties
}

// someExisting are three keys of each vendor account whose secrets are not ours:
// all of them are in the same statement.
func (s *Site) someExisting() []keysfile.Key {
	seen := map[string]int{}
	return slices.DeleteFunc(s.keysOf(""), func(k keysfile.Key) bool {
		if k.Existing {
			seen[k.VendorAccount]++
		}
		return !k.Existing || seen[k.VendorAccount] > 3
	})
}

// keyDuty is to have Secrets Manager use a CMK that is not ours.
func (s *Site) keyDuty(action, secret string, want bool) duty {
	return do(action, s.here("kms", "key/x"), map[string]string{
		"kms:ViaService": s.service("secretsmanager", s.env.Region), "kms:EncryptionContext:SecretARN": secret,
	}, want)
}

// tellDuties are what every function does; one escalates too.
func (s *Site) tellDuties(name string, escalates bool) []duty {
	group := "log-group:/aws/lambda/" + name
	return slices.Concat(
		calls(s.here("sqs", s.name+"-audit"), nil, true, "sqs", "SendMessage"), calls(s.here("sqs", s.name+"-labels-x"), nil, false, "sqs", "SendMessage"),
		calls(s.here("sns", s.name+"-notifications"), nil, true, "sns", "Publish"),
		calls(s.here("sns", s.name+"-escalation"), nil, escalates, "sns", "Publish"),
		calls(s.here("logs", group+":log-stream:x"), nil, true, "logs", "CreateLogStream", "PutLogEvents"),
		calls(s.here("logs", group+"-2:log-stream:x"), nil, false, "logs", "CreateLogStream", "PutLogEvents"),
		calls("*", nil, s.file.Functions.Tracing, "xray", "PutTelemetryRecords", "PutTraceSegments"),
	)
}

func (s *Site) rotateNowDuties() []duty {
	own := map[string]string{"aws:ResourceTag/" + TagInstallation: s.name}
	secret, table := s.here("secretsmanager", "secret:proof-AbCdEf"), s.here("dynamodb", "table/"+s.name)
	duties := slices.Concat(
		s.tellDuties(s.RotateNowName(), false),
		calls(secret, own, true, "secretsmanager", "DescribeSecret", "RotateSecret"),
		calls(secret, own, false, "secretsmanager", "GetSecretValue", "PutSecretValue", "CancelRotateSecret", "UpdateSecretVersionStage"),
		calls(table, nil, true, "dynamodb", "PutItem", "Query"), calls(table, nil, false, "dynamodb", "DeleteItem"),
		calls(s.here("dynamodb", "table/other"), nil, false, "dynamodb", "PutItem", "Query"),
		calls(s.function(s.name+"-rotate-x"), nil, true, "lambda", "InvokeFunction"),
		calls(s.function(s.name+"-retire-x"), nil, false, "lambda", "InvokeFunction"),
		calls(s.function("other"), nil, false, "lambda", "InvokeFunction"),
	)
	for _, k := range s.someExisting() {
		existing := s.here("secretsmanager", "secret:"+k.Name+"-AbCdEf")
		duties = append(duties, calls(existing, nil, true, "secretsmanager", "DescribeSecret", "RotateSecret")...)
		duties = append(duties, s.keyDuty("kms:Decrypt", existing, false))
	}
	return duties
}

// personDuties: each role sees; operators and responders invoke, with MFA where
// the file asks for it; nobody invokes the functions' first versions.
func (s *Site) personDuties(row actor) []duty {
	now := s.function(s.RotateNowName())
	operates := (row.role == "operator" || row.role == "responder") && s.proven(row)
	responds := row.role == "responder" && s.proven(row)
	secret, table, logs := s.here("secretsmanager", "secret:x-AbCdEf"), s.here("dynamodb", "table/"+s.name), "log-group:/aws/lambda/"+s.RotateNowName()
	invoke := func(function string, want bool) []duty { return calls(function, nil, want, "lambda", "InvokeFunction") }
	auditor := row.role == "auditor"
	duties := slices.Concat(
		invoke(now+":rotate", operates), invoke(now+":plan", operates), invoke(now+":control", operates), invoke(now+":emergency", responds),
		invoke(now, false), invoke(s.function("other"), false), invoke(s.function(s.name+"-rotate-x"), operates), invoke(s.function(s.name+"-retire-x"), responds),
		calls("*", nil, true, "secretsmanager", "ListSecrets"),
		calls(secret, nil, true, "secretsmanager", "DescribeSecret", "GetResourcePolicy", "ListSecretVersionIds"),
		calls(secret, nil, false, "secretsmanager", "TagResource", "GetSecretValue", "CreateSecret"),
		calls(table, nil, true, "dynamodb", "GetItem", "Query"), calls(table, nil, false, "dynamodb", "PutItem", "Scan"),
		calls(s.here("dynamodb", "table/other"), nil, false, "dynamodb", "GetItem", "Query"),
		calls(s.here("logs", logs), nil, true, "logs", "FilterLogEvents", "GetLogEvents", "StartQuery"),
		calls(s.here("logs", "log-group:other"), nil, false, "logs", "FilterLogEvents", "GetLogEvents", "StartQuery"),
		calls("*", nil, true, "logs", "DescribeLogGroups", "DescribeQueryDefinitions", "GetQueryResults", "StopQuery"),
		calls("*", nil, true, "cloudwatch", "DescribeAlarms", "GetDashboard", "GetMetricData", "ListDashboards", "ListMetrics"),
		calls("*", nil, auditor, "cloudtrail", "DescribeTrails", "GetEventSelectors", "GetTrailStatus", "LookupEvents"),
		calls("*", nil, auditor, "events", "DescribeRule", "ListRules", "ListTargetsByRule"),
		calls("*", nil, auditor, "iam", "GetAccountAuthorizationDetails", "GetPolicy", "GetPolicyVersion", "GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListRolePolicies"),
		calls("*", nil, auditor, "kms", "DescribeKey", "GetKeyPolicy", "ListAliases"),
		calls("*", nil, auditor, "lambda", "GetFunctionConfiguration", "GetPolicy", "ListFunctions", "ListTags"),
		calls("*", nil, auditor, "scheduler", "GetSchedule", "ListSchedules"),
		calls("*", nil, auditor, "sns", "GetTopicAttributes", "ListSubscriptionsByTopic"), calls("*", nil, auditor, "sqs", "GetQueueAttributes"),
		calls(now, nil, false, "lambda", "UpdateFunctionCode", "UpdateFunctionConfiguration"), calls(s.RoleARN(s.ScheduleName()), nil, false, "iam", "PassRole"),
	)
	stores := row.role == "admin" && s.proven(row)
	for _, v := range s.file.VendorAccounts {
		admin := s.here("secretsmanager", "secret:"+v.Admin+"-AbCdEf")
		duties = append(duties, calls(admin, nil, stores, "secretsmanager", "CreateSecret", "PutResourcePolicy", "PutSecretValue")...)
		duties = append(duties, calls(admin, nil, false, "secretsmanager", "GetSecretValue", "TagResource", "DeleteSecret")...)
	}
	return duties
}

func (s *Site) deployDuties() []duty {
	var queues []duty
	for _, sub := range s.subscriptions() {
		if sub.SQS != "" {
			queues = append(queues, calls(sub.SQS, nil, strings.Split(sub.SQS, ":")[4] == s.env.Account, "sqs", "GetQueueAttributes", "GetQueueUrl")...)
			queues = append(queues, calls(sub.SQS, nil, false, "sqs", "SetQueueAttributes", "ReceiveMessage")...)
		}
	}
	var versions []duty
	for _, region := range s.regions() {
		versions = append(versions, do("ssm:GetParameter", s.arn("ssm", region, "parameter/cdk-bootstrap/"+s.env.Qualifier+"/version"), nil, true))
	}
	return slices.Concat(
		s.watchLooks(), queues, calls(s.here("sqs", "other"), nil, false, "sqs", "GetQueueAttributes", "GetQueueUrl"),
		calls("*", nil, true, "cloudtrail", "DescribeTrails", "GetEventSelectors", "GetTrailStatus"), calls("*", nil, true, "iam", "ListRoles", "ListUsers"),
		calls("*", nil, true, "lambda", "GetAccountSettings", "GetFunctionConcurrency"),
		calls("*", nil, true, "secretsmanager", "ListSecrets"), calls("*", nil, true, "scheduler", "ListSchedules"), calls("*", nil, true, "sns", "GetSubscriptionAttributes", "ListSubscriptionsByTopic"),
		calls(s.here("sns", s.name+"-notifications"), nil, true, "sns", "Publish"),
		calls(s.here("sns", s.name+"-escalation"), nil, false, "sns", "Publish"),
		versions,
		calls(s.here("ssm", "parameter/other"), nil, false, "ssm", "GetParameter"),
		calls(s.here("secretsmanager", "secret:x-AbCdEf"), nil, true, "secretsmanager", "DescribeSecret"),
		calls(s.bootstrapRole("deploy"), nil, false, "iam", "DeleteRole"), calls(s.bootstrapRole("cfn-exec"), nil, false, "iam", "PassRole"), calls("*", nil, false, "cloudformation", "CreateStack"),
	)
}

// watchLooks: preflight sees whether what watches is as it was deployed.
func (s *Site) watchLooks() (duties []duty) {
	for _, of := range []string{"keys", "labels", "parts", "secrets", "stores"} {
		duties = append(duties, calls(s.here("events", "rule/"+s.name+"-trail-"+of), nil, true, "events", "DescribeRule")...)
		duties = append(duties, calls(s.here("events", "rule/"+s.name+"-trail-"+of), nil, false, "events", "DisableRule", "PutRule")...)
	}
	for _, purpose := range []string{"data", "ledger", "secrets", "topics"} {
		duties = append(duties, calls(s.here("kms", "key/x"), map[string]string{"kms:RequestAlias": "alias/" + s.name + "-" + purpose}, true, "kms", "DescribeKey")...)
	}
	duties = append(duties, calls(s.here("kms", "key/x"), map[string]string{"kms:RequestAlias": "alias/other"}, false, "kms", "DescribeKey")...)
	duties = append(duties, calls(s.here("events", "rule/other"), nil, false, "events", "DescribeRule")...)
	buckets := []string{s.name + "-ledger-" + s.env.Account + "-" + s.env.Region}
	if t := s.file.Audit.Trail; t != nil {
		buckets = append(buckets, t.Bucket)
	}
	if c := s.file.Audit.Checkpoints; c != nil {
		buckets = append(buckets, c.Bucket)
	}
	for _, b := range buckets {
		duties = append(duties, calls("arn:"+s.env.Partition+":s3:::"+b, nil, true, "s3", "ListBucket")...)
		duties = append(duties, calls("arn:"+s.env.Partition+":s3:::"+b+"/x", nil, false, "s3", "GetObject", "PutObject")...)
	}
	return append(duties, calls("arn:"+s.env.Partition+":s3:::other", nil, false, "s3", "ListBucket")...)
}

// executionDutiesForOthers is to connect those whom the file lists, and nobody
// else.
func (s *Site) executionDutiesForOthers() (duties []duty) {
	ours := map[string]string{"iam:PolicyARN": s.arn("iam", "", "policy/"+s.name+"-operator")}
	foreign := map[string]string{"iam:PolicyARN": "arn:" + s.env.Partition + ":iam::aws:policy/AdministratorAccess"}
	for _, who := range slices.Concat(s.file.Access.Operators, s.file.Access.Auditors) {
		want := strings.Split(who, ":")[4] == s.env.Account && permissionSet(who) == ""
		action := "iam:AttachRolePolicy"
		if strings.Contains(who, ":user/") {
			action = "iam:AttachUserPolicy"
		}
		duties = append(duties, do(action, who, ours, want), do(action, who, foreign, false))
	}
	duties = append(duties, do("iam:AttachRolePolicy", s.RoleARN("other"), ours, false), do("lambda:AddPermission", s.function("other"), nil, false))
	for _, sub := range s.subscriptions() {
		if sub.Lambda != "" {
			duties = append(duties, do("lambda:AddPermission", sub.Lambda, nil, strings.Split(sub.Lambda, ":")[4] == s.env.Account))
		}
		if sub.Slack != nil {
			duties = append(duties, do("chatbot:CreateSlackChannelConfiguration", "*", nil, true))
		}
	}
	return duties
}

// boundaryDuties are to make roles of ours and give them rights, and not beyond
// the boundary, if there is one. Nobody attaches a policy to them, for they have
// their own.
func (s *Site) boundaryDuties() []duty {
	ours, give := s.RoleARN(s.name+"-rotate-x"), []string{"CreateRole", "DeleteRolePolicy", "PutRolePermissionsBoundary", "PutRolePolicy"}
	within := func(boundary string) map[string]string { return map[string]string{"iam:PermissionsBoundary": boundary} }
	boundary := s.file.Functions.PermissionsBoundary
	context := within(boundary)
	if boundary == "" {
		context = nil
	}
	duties := slices.Concat(
		calls(ours, context, true, "iam", give...),
		calls(s.RoleARN("other"), context, false, "iam", give...),
		calls(ours, context, false, "iam", "AttachRolePolicy", "DeleteRolePermissionsBoundary"),
	)
	if boundary != "" {
		duties = append(duties, calls(ours, within(boundary+"-2"), false, "iam", give...)...)
		duties = append(duties, calls(boundary, nil, false, "iam", "CreatePolicyVersion", "DeletePolicy", "DeletePolicyVersion", "SetDefaultPolicyVersion")...)
	}
	return duties
}

// executionDuties has one call at least for each kind of thing; which calls
// CloudFormation makes is not known here.
func (s *Site) executionDuties() []duty {
	tag := func(kind string) map[string]string {
		return map[string]string{"aws:" + kind + "Tag/" + TagInstallation: s.name}
	}
	taking := tag("Request") // what another installation made
	taking["aws:ResourceTag/"+TagInstallation] = s.name + "-2"
	to := map[string]string{"iam:PassedToService": "lambda.amazonaws.com"}
	toScheduler := map[string]string{"iam:PassedToService": "scheduler.amazonaws.com"}
	secret, key, alias := s.here("secretsmanager", "secret:x-AbCdEf"), s.here("kms", "key/x"), s.here("kms", "alias/"+s.name+"-data")
	duties := slices.Concat(
		calls(secret, tag("Request"), true, "secretsmanager", "CreateSecret"), calls("*", nil, true, "secretsmanager", "GetRandomPassword"),
		calls(s.here("secretsmanager", "secret:"+s.name+"/fingerprint-key-AbCdEf"), nil, true, "secretsmanager", "GetSecretValue"),
		calls(secret, tag("Resource"), true, "secretsmanager", "DeleteSecret", "PutResourcePolicy", "RotateSecret", "TagResource", "UpdateSecret"),
		calls(secret, tag("Resource"), false, "secretsmanager", "GetSecretValue", "PutSecretValue"),
		calls(secret, tag("Request"), true, "secretsmanager", "TagResource"), calls(secret, taking, false, "secretsmanager", "TagResource"),
		calls(key, taking, false, "kms", "TagResource"),
		calls("*", tag("Request"), true, "kms", "CreateKey"), calls(key, tag("Resource"), true, "kms", "PutKeyPolicy", "EnableKeyRotation"),
		calls(key, tag("Resource"), false, "kms", "ScheduleKeyDeletion", "DisableKey", "Decrypt"), calls(alias, nil, true, "kms", "CreateAlias"),
		calls(s.here("kms", "alias/other"), nil, false, "kms", "CreateAlias"),
		calls("*", nil, true, "lambda", "CreateEventSourceMapping"), calls("*", nil, true, "logs", "PutQueryDefinition"),
		s.boundaryDuties(),
		calls(s.arn("iam", "", "policy/"+s.name+"-viewer"), nil, true, "iam", "CreatePolicy"), calls(s.arn("iam", "", "user/"+s.name+"-x"), nil, false, "iam", "CreateUser"),
		calls(s.RoleARN(s.name+"-rotate-x"), to, true, "iam", "PassRole"), calls(s.RoleARN(s.ScheduleName()), toScheduler, true, "iam", "PassRole"),
		calls(s.RoleARN("other"), to, false, "iam", "PassRole"),
		calls("arn:"+s.env.Partition+":s3:::cdk-"+s.env.Qualifier+"-assets-"+s.env.Account+"-"+s.env.Region+"/x", nil, true, "s3", "GetObject"),
		calls(s.here("ssm", "parameter/cdk-bootstrap/x"), nil, true, "ssm", "GetParameters"), calls(s.here("ssm", "parameter/x"), nil, false, "ssm", "GetParameters"),
	)
	for _, r := range [][2]string{
		{"cloudwatch:PutMetricAlarm", s.here("cloudwatch", "alarm:"+s.name+"-x")},
		{"cloudwatch:PutDashboard", s.arn("cloudwatch", "", "dashboard/"+s.name)},
		{"dynamodb:CreateTable", s.here("dynamodb", "table/"+s.name)},
		{"ssm:PutParameter", s.here("ssm", "parameter/"+s.name+"/data-key")},
		{"events:PutRule", s.here("events", "rule/"+s.name+"-x")},
		{"lambda:CreateFunction", s.function(s.name + "-x")},
		{"lambda:PublishLayerVersion", s.here("lambda", "layer:"+s.name+"-x")},
		{"logs:CreateLogGroup", s.here("logs", "log-group:/aws/lambda/"+s.name+"-x")},
		{"scheduler:CreateSchedule", s.here("scheduler", "schedule/"+s.name+"/x")},
		{"scheduler:CreateScheduleGroup", s.here("scheduler", "schedule-group/"+s.name)},
		{"sns:CreateTopic", s.here("sns", s.name+"-x")},
		{"sqs:CreateQueue", s.here("sqs", s.name+"-x")},
	} {
		d := do(r[0], r[1], nil, true)
		d.whole = true
		duties = append(duties, d)
	}
	for _, service := range []string{"chatbot", "events"} {
		duties = append(duties, do("iam:PassRole", s.RoleARN(s.name+"-x"), map[string]string{"iam:PassedToService": service + ".amazonaws.com"}, true))
	}
	duties = append(duties, s.executionDutiesForOthers()...)
	for _, k := range s.someExisting() {
		existing := s.here("secretsmanager", "secret:"+k.Name+"-AbCdEf")
		duties = append(duties, calls(existing, nil, true, "secretsmanager", "PutResourcePolicy", "RotateSecret")...)
		duties = append(duties, calls(existing, nil, false, "secretsmanager", "DeleteSecret", "TagResource", "GetSecretValue")...)
	}
	return duties
}

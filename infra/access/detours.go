package access

import (
	"slices"
	"strconv"
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
)

// proveDetours asks whether a role for people, a function or the deployer could come
// to a value, or to more rights, by a way round: by what keeps the values, runs the
// code, gives the roles, or carries the traces. The readers' own way and that of the
// functions is what the matrix is about.
func (s *Site) proveDetours(d *documents, p *Proof) error {
	if d.only != "" && (len(p.Wrong) > 0 || !strings.HasPrefix(d.only, "role ")) {
		return nil
	}
	for _, row := range s.detouring(d) {
		if d.only != "" && "the policy "+strings.TrimPrefix(d.only, "role ") != row.identity[0].Name {
			continue
		}
		if err := s.proveDetour(d, p, row); err != nil {
			return err
		}
	}
	return nil
}

func (s *Site) proveDetour(d *documents, p *Proof, row actor) error {
	return s.fulfill(d, p, row.name+", by a detour", row.who, row.identity, map[string]string{"aws:MultiFactorAuthPresent": row.mfa}, s.detours(row))
}

// detouring are who is asked.
func (s *Site) detouring(d *documents) []actor {
	session := func(name string) iam.Principal { return iam.NewSession(s.RoleARN(name), "run") }
	rows := s.strongest(d)
	rows = append(rows,
		actor{name: "rotatenow function", who: session(s.RotateNowName()), identity: d.identity("rotatenow"), role: "rotatenow"},
		actor{name: "audit function", who: session(s.AuditName()), identity: d.identity("audit"), role: "audit"},
		actor{name: "review function", who: session(s.ReviewName()), identity: d.identity("review"), role: "review"},
		actor{name: "role of schedules", who: session(s.ScheduleName()), identity: d.identity("schedule"), role: "schedule"},
		actor{name: "deployer", who: s.listed(s.people()["deployer"], "deployer"), identity: d.identity("deploy"), role: "deployer", mfa: "true"})
	if _, has := d.roles["chat"]; has {
		rows = append(rows, actor{name: "chat function", who: session(s.ChatName()), identity: d.identity("chat"), role: "chat"})
	}
	for _, a := range s.accounts() {
		rows = append(rows,
			actor{name: "rotate function of " + a, who: session(s.RotateName(a)), identity: d.identity("rotate:" + a), role: "rotate", of: a},
			actor{name: "retire function of " + a, who: session(s.RetireName(a)), identity: d.identity("retire:" + a), role: "retire", of: a})
	}
	return rows
}

// strongest are people with all rights of their roles: with MFA, and from Identity
// Center.
func (s *Site) strongest(d *documents) (rows []actor) {
	seen := map[string]bool{}
	for _, row := range s.persons(d) {
		kind := row.role + " " + row.mfa + " " + strconv.FormatBool(permissionSet(arnOf(row.who)) != "")
		if (row.mfa == "true" || permissionSet(arnOf(row.who)) != "") && !seen[kind] {
			seen[kind], rows = true, append(rows, row)
		}
	}
	return rows
}

// detours are the ways round. Some are the task of one function, in a part.
func (s *Site) detours(row actor) []duty {
	return slices.Concat(s.secretDetours(row), s.codeDetours(), s.roleDetours(row), s.deployDetours(row), s.storeDetours(row), s.traceDetours())
}

// secretDetours: to have a secret's rules changed, a copy made, or its CMK used.
func (s *Site) secretDetours(row actor) (duties []duty) {
	tags := map[string]string{"aws:ResourceTag/" + TagInstallation: s.name, "aws:RequestTag/" + TagInstallation: s.name}
	if accounts := s.accounts(); len(accounts) > 0 {
		tags["aws:ResourceTag/"+TagVendorAccount] = orElse(row.of, accounts[0])
	}
	for _, secret := range []string{"proof-AbCdEf", s.CanaryName() + "-AbCdEf", s.name + "/fingerprint-key-AbCdEf"} {
		duties = append(duties, calls(s.here("secretsmanager", "secret:"+secret), tags, false, "secretsmanager",
			"BatchGetSecretValue", "CancelRotateSecret", "CreateSecret", "DeleteResourcePolicy", "DeleteSecret", "PutResourcePolicy", "RemoveRegionsFromReplication",
			"ReplicateSecretToRegions", "RestoreSecret", "StopReplicationToReplica", "TagResource", "UntagResource", "UpdateSecret")...)
	}
	for _, alias := range []string{"data", "ledger", "secrets", "topics"} {
		use := map[string]string{"kms:RequestAlias": "alias/" + s.name + "-" + alias, "kms:GrantIsForAWSResource": "false"}
		duties = append(duties, calls(s.here("kms", "key/x"), use, false, "kms", "CreateGrant", "Decrypt", "DisableKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
			"PutKeyPolicy", "ReEncryptFrom", "ReEncryptTo", "ReplicateKey", "RetireGrant", "RevokeGrant", "ScheduleKeyDeletion", "UpdateAlias")...)
	}
	if row.role != "rotatenow" { // whose task it is
		duties = append(duties, do("secretsmanager:RotateSecret", s.here("secretsmanager", "secret:proof-AbCdEf"), tags, false))
	}
	return duties
}

// codeDetours: to have other code, another configuration or another caller.
func (s *Site) codeDetours() (duties []duty) {
	for _, name := range []string{s.name + "-rotate-x", s.name + "-retire-x", s.RotateNowName(), s.AuditName(), s.ReviewName(), "other"} {
		duties = append(duties, calls(s.function(name), nil, false, "lambda", "AddPermission", "CreateAlias", "CreateFunction", "CreateFunctionUrlConfig", "DeleteFunction",
			"DeleteFunctionConcurrency", "PublishVersion", "PutFunctionConcurrency", "PutFunctionEventInvokeConfig", "RemovePermission", "UpdateAlias",
			"UpdateFunctionCode", "UpdateFunctionConfiguration")...)
	}
	return append(append(duties, calls(s.here("lambda", "layer:"+s.name+"-x"), nil, false, "lambda", "AddLayerVersionPermission", "PublishLayerVersion")...),
		calls("*", nil, false, "lambda", "CreateEventSourceMapping", "DeleteEventSourceMapping", "UpdateEventSourceMapping")...)
}

// roleDetours: to take a role of ours, to hand it on, or to give oneself rights.
func (s *Site) roleDetours(row actor) (duties []duty) {
	roles := []string{s.RoleARN(s.name + "-rotate-x"), s.RoleARN(s.name + "-retire-x"), s.RoleARN(s.RotateNowName()), s.RoleARN(s.AuditName()), s.RoleARN(s.ReviewName()), s.RoleARN(s.ScheduleName())}
	roles = append(roles, s.someReaders()...)
	for _, role := range append(roles, s.bootstrapRole("cfn-exec"), s.bootstrapRole("image-publishing")) {
		duties = append(duties, do("sts:AssumeRole", role, nil, false))
		for _, service := range []string{"cloudformation", "codebuild", "ec2", "ecs-tasks", "events", "lambda", "scheduler", "states"} {
			schedules := row.role == "retire" && role == s.RoleARN(s.ScheduleName()) && service == "scheduler"
			duties = append(duties, do("iam:PassRole", role, map[string]string{"iam:PassedToService": service + ".amazonaws.com"}, schedules))
		}
		duties = append(duties, calls(role, nil, false, "iam", "AttachRolePolicy", "CreateRole", "DeleteRolePermissionsBoundary", "PutRolePolicy", "UpdateAssumeRolePolicy")...)
	}
	duties = append(duties, calls(s.arn("iam", "", "policy/"+s.name+"-operator"), nil, false, "iam", "CreatePolicyVersion", "SetDefaultPolicyVersion")...)
	return append(duties, calls(s.arn("iam", "", "user/x"), nil, false, "iam", "AddUserToGroup", "AttachUserPolicy", "CreateAccessKey", "CreateLoginProfile", "PutUserPolicy", "UpdateLoginProfile")...)
}

// someReaders are three roles that read.
func (s *Site) someReaders() []string {
	var roles []string
	for _, k := range s.file.Keys {
		for _, r := range k.Readers {
			if principal(r).Kind == iam.Session && principal(r).Account() == s.env.Account && len(roles) < 3 {
				roles = append(roles, r)
			}
		}
	}
	return sorted(roles)
}

// deployDetours: to have somebody stronger do it, now or by a schedule.
func (s *Site) deployDetours(row actor) []duty {
	stack := s.here("cloudformation", "stack/"+s.name+"-platform/x")
	return slices.Concat(
		calls(stack, nil, false, "cloudformation", "CreateChangeSet", "CreateStack", "DeleteStack", "ExecuteChangeSet", "SetStackPolicy", "UpdateStack", "UpdateTerminationProtection"),
		calls(s.here("scheduler", "schedule/"+s.name+"/x"), nil, row.role == "retire", "scheduler", "CreateSchedule"),
		calls(s.here("scheduler", "schedule/"+s.name+"/x"), nil, false, "scheduler", "DeleteSchedule", "UpdateSchedule"),
		calls(s.here("scheduler", "schedule/default/x"), nil, false, "scheduler", "CreateSchedule", "UpdateSchedule"),
		calls(s.here("ssm", "parameter/"+s.name+"/data-key"), nil, false, "ssm", "DeleteParameter", "PutParameter"),
		calls(s.here("ssm", "parameter/cdk-bootstrap/"+s.env.Qualifier+"/version"), nil, false, "ssm", "PutParameter"),
		calls(s.here("ec2", "instance/i-0"), nil, false, "ec2", "RunInstances"), calls("*", nil, false, "ssm", "SendCommand", "StartSession"),
		calls("arn:"+s.env.Partition+":s3:::cdk-"+s.env.Qualifier+"-assets-"+s.env.Account+"-"+s.env.Region+"/x", nil, false, "s3", "PutObject"),
		calls("*", nil, false, "tag", "TagResources", "UntagResources"),
	)
}

// storeDetours: a copy of the table, a message out of a queue, the ledger's bucket.
func (s *Site) storeDetours(row actor) (duties []duty) {
	for _, name := range []string{s.name, s.name + "-watch"} {
		duties = append(duties, calls(s.here("dynamodb", "table/"+name), nil, false, "dynamodb", "CreateBackup", "DeleteTable", "EnableKinesisStreamingDestination", "ExportTableToPointInTime",
			"PutResourcePolicy", "RestoreTableFromBackup", "RestoreTableToPointInTime", "Scan", "UpdateContinuousBackups", "UpdateTable", "UpdateTimeToLive")...)
		duties = append(duties, calls(s.here("dynamodb", "table/"+name+"/stream/x"), nil, false, "dynamodb", "GetRecords", "GetShardIterator")...)
		duties = append(duties, calls(s.here("dynamodb", "table/"+name+"/backup/x"), nil, false, "dynamodb", "RestoreTableFromBackup")...)
	}
	for _, name := range []string{"audit", "audit-dlq", "trail", "trail-dlq", "labels-x", "undelivered"} {
		reads := row.role == "audit" && (name == "audit" || name == "trail")
		duties = append(duties, calls(s.here("sqs", s.name+"-"+name), nil, reads, "sqs", "ReceiveMessage")...)
		duties = append(duties, calls(s.here("sqs", s.name+"-"+name), nil, false, "sqs", "AddPermission", "DeleteQueue", "PurgeQueue", "SetQueueAttributes", "StartMessageMoveTask")...)
	}
	return append(duties, calls(s.ledger(), nil, false, "s3", "DeleteBucketPolicy", "PutBucketNotification", "PutBucketObjectLockConfiguration", "PutBucketPolicy",
		"PutLifecycleConfiguration", "PutReplicationConfiguration")...)
}

// traceDetours: to have news, logs and events told to somebody else, or to nobody.
func (s *Site) traceDetours() (duties []duty) {
	for _, name := range []string{"notifications", "escalation"} {
		duties = append(duties, calls(s.here("sns", s.name+"-"+name), nil, false, "sns", "AddPermission", "DeleteTopic", "SetTopicAttributes", "Subscribe")...)
	}
	return slices.Concat(duties,
		calls(s.here("sns", s.name+"-notifications:x"), nil, false, "sns", "SetSubscriptionAttributes", "Unsubscribe"),
		calls(s.here("events", "rule/"+s.name+"-trail-keys"), nil, false, "events", "DeleteRule", "DisableRule", "PutRule", "PutTargets", "RemoveTargets"),
		calls(s.here("events", "event-bus/default"), nil, false, "events", "CreateArchive", "PutEvents", "PutPermission"),
		calls(s.here("logs", "log-group:/aws/lambda/"+s.RotateNowName()), nil, false, "logs", "CreateExportTask", "DeleteLogGroup", "DisassociateKmsKey",
			"PutRetentionPolicy", "PutSubscriptionFilter", "Unmask"),
		calls(s.here("cloudtrail", "trail/x"), nil, false, "cloudtrail", "DeleteTrail", "PutEventSelectors", "StopLogging", "UpdateTrail"),
		calls(s.here("cloudwatch", "alarm:"+s.name+"-x"), nil, false, "cloudwatch", "DeleteAlarms", "DisableAlarmActions", "PutMetricAlarm", "SetAlarmState"),
	)
}

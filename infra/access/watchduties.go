package access

import (
	"slices"

	"github.com/keyturn/keyturn/shared/iam"
)

// auditDuties are the calls of package function/audit, and what it must not be
// able to: read a secret, or change what it has written.
func (s *Site) auditDuties() []duty {
	alias := func(name string) map[string]string { return map[string]string{"kms:RequestAlias": name} }
	object, key, watch := s.ledger()+"/tile/0/000", s.here("kms", "key/x"), s.here("dynamodb", "table/"+s.name+"-watch")
	return slices.Concat(
		calls(object, nil, true, "s3", "GetObject", "PutObject", "PutObjectRetention"),
		calls(object, nil, false, "s3", "BypassGovernanceRetention", "DeleteObject", "DeleteObjectVersion", "PutObjectLegalHold"),
		calls(s.ledger(), nil, true, "s3", "ListBucket"), calls(s.ledger(), nil, false, "s3", "PutLifecycleConfiguration", "PutBucketPolicy"),
		calls("arn:"+s.env.Partition+":s3:::other/x", nil, false, "s3", "GetObject", "PutObject"),
		calls(key, alias(s.LedgerAlias()), true, "kms", "GetPublicKey", "Sign"),
		calls(key, alias("alias/other"), false, "kms", "GetPublicKey", "Sign"),
		calls(watch, nil, true, "dynamodb", "BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query"),
		calls(s.here("dynamodb", "table/"+s.name), nil, true, "dynamodb", "PutItem"),
		calls(s.here("dynamodb", "table/"+s.name), nil, s.file.Notifications.Escalation != nil, "dynamodb", "Query"),
		calls(s.here("dynamodb", "table/"+s.name), nil, false, "dynamodb", "GetItem", "DeleteItem"),
		calls(s.here("sqs", s.name+"-audit"), nil, true, "sqs", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage"),
		calls(s.here("sqs", s.name+"-trail"), nil, true, "sqs", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage"),
		calls(s.here("sqs", s.name+"-audit"), nil, false, "sqs", "SendMessage"),
		calls(s.here("sqs", s.name+"-labels-x"), nil, false, "sqs", "ReceiveMessage"),
		calls(s.topic("notifications"), nil, true, "sns", "Publish"), calls(s.topic("escalation"), nil, s.file.Notifications.Escalation != nil, "sns", "Publish"),
		calls(s.here("secretsmanager", "secret:"+s.CanaryName()+"-AbCdEf"), nil, true, "secretsmanager", "GetSecretValue"),
		calls(s.here("secretsmanager", "secret:"+s.CanaryName()+"-2-AbCdEf"), nil, false, "secretsmanager", "GetSecretValue"),
		calls(s.here("secretsmanager", "secret:"+s.name+"/fingerprint-key-AbCdEf"), nil, false, "secretsmanager", "GetSecretValue"),
		calls(s.here("logs", "log-group:/aws/lambda/"+s.AuditName()+":log-stream:x"), nil, true, "logs", "CreateLogStream", "PutLogEvents"),
		calls("*", nil, s.file.Functions.Tracing, "xray", "PutTelemetryRecords", "PutTraceSegments"),
		s.compareDuties(), s.respondDuties(),
	)
}

// respondDuties: a finding starts an emergency rotation where the file says so, and
// nothing else, ever.
func (s *Site) respondDuties() []duty {
	now, respond := s.function(s.name+"-rotatenow"), s.file.Detect.Respond
	return slices.Concat(
		calls(now+":emergency", nil, respond != nil && !respond.Off, "lambda", "InvokeFunction"),
		calls(now, nil, false, "lambda", "InvokeFunction"), calls(now+":rotate", nil, false, "lambda", "InvokeFunction"), calls(now+":control", nil, false, "lambda", "InvokeFunction"),
		calls(s.function(s.name+"-rotate-x"), nil, false, "lambda", "InvokeFunction"), calls(s.function(s.name+"-retire-x"), nil, false, "lambda", "InvokeFunction"),
	)
}

// verifyDuties are what an auditor needs for keyturn ledger verify.
func (s *Site) verifyDuties(want bool) []duty {
	return slices.Concat(
		calls(s.ledger()+"/checkpoint", nil, want, "s3", "GetObject", "GetObjectRetention", "GetObjectVersion"),
		calls(s.ledger(), nil, want, "s3", "ListBucketVersions"),
		calls(s.here("kms", "key/x"), map[string]string{"kms:RequestAlias": s.LedgerAlias()}, want, "kms", "GetPublicKey"),
		calls(s.here("kms", "key/x"), map[string]string{"kms:RequestAlias": s.LedgerAlias()}, false, "kms", "Sign"),
		calls(s.ledger()+"/checkpoint", nil, false, "s3", "PutObject", "DeleteObject"),
	)
}

// makeLedgerDuties are CloudFormation's: to make the bucket and the table, and
// to leave what is in the ledger alone.
func (s *Site) makeLedgerDuties() []duty {
	var all []duty
	for action, resource := range map[string]string{"s3:CreateBucket": s.ledger(), "dynamodb:CreateTable": s.here("dynamodb", "table/"+s.name+"-watch")} {
		d := do(action, resource, nil, true)
		d.whole = true
		all = append(all, d)
	}
	return append(all, calls(s.ledger()+"/checkpoint", nil, false, "s3", "PutObject", "DeleteObject", "GetObject")...)
}

func (s *Site) proveWatch(d *documents, p *Proof) error {
	who := iam.NewSession(s.RoleARN(s.AuditName()), "run")
	if err := s.fulfill(d, p, "audit function", who, d.identity("audit"), nil, s.auditDuties()); err != nil {
		return err
	}
	review := iam.NewSession(s.RoleARN(s.ReviewName()), "run")
	if err := s.fulfill(d, p, "review function", review, d.identity("review"), nil, s.reviewDuties()); err != nil {
		return err
	}
	if err := s.proveChat(d, p); err != nil {
		return err
	}
	if err := s.fulfill(d, p, "CloudFormation, least rights", s.execution(), d.identity("execution"), nil, s.makeLedgerDuties()); err != nil {
		return err
	}
	for name, r := range map[string]struct {
		of   string
		doc  iam.Document
		sent []sent
	}{
		"the queue of the trail":          {"queue trail", d.queues["trail"], s.trailQueueRequests("trail")},
		"the trail's dead letters":        {"queue trail-dlq", d.queues["trail-dlq"], s.trailQueueRequests("trail-dlq")},
		"the ledger's bucket":             {"queue ledger", d.queues["ledger"], s.ledgerRequests(d)},
		"the key of the ledger":           {"key ledger", d.keys["ledger"], s.ledgerKeyRequests(d)},
		"the policy of the canary secret": {"secret " + s.CanaryName(), d.secrets[s.CanaryName()], s.canaryRequests(d)},
		"the trail's bucket":              {"queue trail-bucket", d.queues["trail-bucket"], s.trailBucketRequests(d)},
		"the key of the trail":            {"queue trail-key", d.queues["trail-key"], s.trailKeyRequests(d)},
		"the bucket of checkpoints":       {"queue checkpoint-bucket", d.queues["checkpoint-bucket"], s.checkpointRequests(d)},
	} {
		if d.only != "" && d.only != r.of {
			continue
		}
		if err := s.receive(p, name, r.doc, r.sent); err != nil {
			return err
		}
	}
	return nil
}

func (s *Site) trailQueueRequests(name string) []sent {
	queue, events := s.here("sqs", s.name+"-"+name), iam.NewService("events.amazonaws.com")
	from := func(account, rule string) map[string]string {
		return map[string]string{"aws:SourceAccount": account, "aws:SourceArn": s.here("events", "rule/"+rule)}
	}
	plain := from(s.env.Account, s.name+"-trail-secrets")
	plain["aws:SecureTransport"] = "false"
	all := []sent{
		{who: events, action: "sqs:SendMessage", resource: queue, context: plain},
		{who: events, action: "sqs:SendMessage", resource: queue, context: from(s.env.Account, s.name+"-labels-x")},
		{who: events, action: "sqs:SendMessage", resource: queue, context: from(elsewhere, s.name+"-trail-secrets")},
		{who: events, action: "sqs:SendMessage", resource: queue + "-2", context: from(s.env.Account, s.name+"-trail-secrets")},
		{who: events, action: "sqs:PurgeQueue", resource: queue, context: from(s.env.Account, s.name+"-trail-secrets")},
		{who: iam.NewRoot(s.env.Partition, elsewhere), action: "sqs:SendMessage", resource: queue},
	}
	for _, of := range []string{"keys", "labels", "parts", "secrets", "stores"} {
		all = append(all, sent{who: events, action: "sqs:SendMessage", resource: queue, context: from(s.env.Account, s.name+"-trail-"+of), want: true})
	}
	return all
}

// ledgerRequests: the audit function appends, break-glass deletes, and nobody
// else does either.
func (s *Site) ledgerRequests(d *documents) []sent {
	object, admin := s.ledger()+"/checkpoint", []iam.Policy{everything()}
	audit := iam.NewSession(s.RoleARN(s.AuditName()), "run")
	strong := []iam.Principal{
		iam.NewSession(s.arn("iam", "", "role/"+s.name+"-proof-administrator"), "run"), iam.NewRoot(s.env.Partition, s.env.Account), s.execution(),
		iam.NewSession(s.RoleARN(s.RetireName("x")), "run"), iam.NewSession(s.RoleARN(s.RotateNowName()), "run"),
	}
	plain := map[string]string{"aws:SecureTransport": "false"}
	all := []sent{
		{who: audit, action: "s3:PutObject", resource: object, identity: d.identity("audit"), want: true},
		{who: audit, action: "s3:PutObjectRetention", resource: object, identity: d.identity("audit"), want: true},
		{who: audit, action: "s3:GetObject", resource: object, identity: d.identity("audit"), want: true},
		{who: audit, action: "s3:GetObject", resource: object, identity: d.identity("audit"), context: plain},
		{who: audit, action: "s3:ListBucket", resource: s.ledger(), identity: d.identity("audit"), want: true},
		{who: audit, action: "s3:ListBucket", resource: s.ledger(), identity: d.identity("audit"), context: plain},
		{who: audit, action: "s3:DeleteObject", resource: object, identity: d.identity("audit")},
		{who: iam.NewService("s3.amazonaws.com"), action: "s3:PutObject", resource: object},
		{who: iam.NewRoot(s.env.Partition, elsewhere), action: "s3:GetObject", resource: object},
	}
	all = append(all, s.pageRequests(d, strong)...)
	for _, who := range append(strong, iam.NewSession(s.RoleARN(s.ReviewName()), "run")) {
		all = append(all, sent{who: who, action: "s3:GetObject", resource: object, identity: admin, want: true})
		for _, action := range slices.Concat(
			[]string{"s3:PutObject", "s3:PutObjectLegalHold", "s3:PutObjectRetention", "s3:ReplicateObject"},
			[]string{"s3:BypassGovernanceRetention", "s3:DeleteObject", "s3:DeleteObjectVersion"},
		) {
			all = append(all, sent{who: who, action: action, resource: object, identity: admin})
		}
	}
	for _, glass := range s.people()["break-glass"] {
		for _, action := range []string{"s3:BypassGovernanceRetention", "s3:DeleteObject", "s3:DeleteObjectVersion"} {
			all = append(all, sent{who: principal(glass), action: action, resource: object, identity: admin, want: true})
		}
		all = append(all, sent{who: principal(glass), action: "s3:PutObject", resource: object, identity: admin})
	}
	return all
}

func (s *Site) ledgerKeyRequests(d *documents) []sent {
	key, admin := s.here("kms", "key/x"), []iam.Policy{everything()}
	audit := iam.NewSession(s.RoleARN(s.AuditName()), "run")
	with := func(algorithm string) map[string]string {
		return map[string]string{"kms:RequestAlias": s.LedgerAlias(), "kms:SigningAlgorithm": algorithm}
	}
	const ours = "ED25519_SHA_512"
	all := []sent{
		{who: audit, action: "kms:Sign", resource: key, identity: d.identity("audit"), context: with(ours), want: true},
		{who: audit, action: "kms:Sign", resource: key, identity: d.identity("audit"), context: with("ED25519_PH_SHA_512")},
		{who: audit, action: "kms:Sign", resource: key, identity: d.identity("audit"), context: map[string]string{"kms:RequestAlias": s.LedgerAlias()}},
		{who: audit, action: "kms:GetPublicKey", resource: key, identity: d.identity("audit"), context: with(ours), want: true},
		{who: audit, action: "kms:CreateGrant", resource: key, identity: admin, context: with(ours)},
	}
	for _, who := range []iam.Principal{
		iam.NewService("lambda.amazonaws.com"), s.ours(), s.execution(), iam.NewSession(s.arn("iam", "", "role/"+s.name+"-proof-administrator"), "run"), iam.NewRoot(s.env.Partition, s.env.Account),
		iam.NewSession("arn:"+s.env.Partition+":iam::"+elsewhere+":role/"+s.AuditName(), "run"),
	} {
		all = append(all, sent{who: who, action: "kms:Sign", resource: key, identity: admin, context: with(ours)})
	}
	return append(all, s.endKeyRequests(key)...)
}

func (s *Site) canaryRequests(d *documents) []sent {
	secret, admin := s.here("secretsmanager", "secret:"+s.CanaryName()+"-AbCdEf"), []iam.Policy{everything()}
	all := []sent{{
		who: iam.NewSession(s.RoleARN(s.AuditName()), "run"), action: "secretsmanager:GetSecretValue", resource: secret, identity: d.identity("audit"), want: true,
	}}
	for _, who := range []iam.Principal{s.ours(), s.execution(), iam.NewRoot(s.env.Partition, s.env.Account)} {
		all = append(all,
			sent{who: who, action: "secretsmanager:GetSecretValue", resource: secret, identity: admin},
			sent{who: who, action: "secretsmanager:PutResourcePolicy", resource: secret, identity: admin, want: true})
	}
	return all
}

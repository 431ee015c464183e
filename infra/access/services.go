package access

import (
	"fmt"
	"maps"
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
)

// sent is a request to something that has a policy of its own.
type sent struct {
	who      iam.Principal
	action   string
	resource string
	context  map[string]string
	identity []iam.Policy
	account  string // that the resource is in; empty: ours
	want     bool
}

func (s *Site) receive(p *Proof, name string, doc iam.Document, all []sent) error {
	for _, r := range withTemptations(all) {
		q := s.request(&target{}, actor{who: r.who}, network{ip: "52.95.110.1"}, r.action, r.resource)
		q.Absent = append(q.Absent, "aws:SourceAccount", "aws:SourceArn", "kms:GrantIsForAWSResource")
		q.Absent = append(q.Absent, "kms:CallerAccount", "kms:RequestAlias", "kms:SigningAlgorithm")
		q.Absent = append(q.Absent, "s3:if-none-match")
		q.Account = orElse(r.account, q.Account)
		for key, value := range r.context {
			q.Context[key] = []string{value}
		}
		got, err := iam.Evaluate(q, iam.Policies{Identity: r.identity, Resource: &iam.Policy{Name: name, Document: doc}})
		if err != nil {
			return fmt.Errorf("%s: %s: %w", name, r.action, err)
		}
		p.record(fmt.Sprintf("%s %v", r.who.ARN, r.context), r.action, name, r.want, got)
	}
	return nil
}

// withTemptations adds what must not be possible beside a right.
func withTemptations(all []sent) []sent {
	var more []sent
	for i, r := range all {
		all[i].context = keyContext(r)
		if r.want {
			more = append(more, temptations(all[i])...)
		}
	}
	return append(all, more...)
}

// keyContext is a request's context. What an account asks of a KMS key always
// says which account it is.
func keyContext(r sent) map[string]string {
	c := map[string]string{}
	maps.Copy(c, r.context)
	if a := r.who.Account(); a != "" && strings.HasPrefix(r.action, "kms:") {
		c["kms:CallerAccount"] = a
	}
	return c
}

// temptations are another service in the place of one, and, where the policy at
// hand decides alone, another action, and the same with a part of its context
// missing. TLS is never missing.
func temptations(r sent) (more []sent) {
	r.want = false
	if r.who.Kind == iam.Service {
		other := r
		other.who = iam.NewService("proof.amazonaws.com")
		more = append(more, other)
	}
	if r.identity != nil || r.who.Kind == iam.Root {
		return more
	}
	other := r
	other.action = "kms:ProofOfNothing"
	more = append(more, other)
	for key := range r.context {
		if key == "aws:SecureTransport" {
			continue
		}
		less := r
		less.context = maps.Clone(r.context)
		delete(less.context, key)
		more = append(more, less)
	}
	return more
}

// fulfillQueue asks who may send to a queue of label events.
func (s *Site) fulfillQueue(d *documents, p *Proof, name, rule string) error {
	if d.only != "" && d.only != "queue "+name {
		return nil
	}
	queue := s.here("sqs", rule)
	events := iam.NewService("events.amazonaws.com")
	from := func(account, rule string) map[string]string {
		return map[string]string{"aws:SourceAccount": account, "aws:SourceArn": s.here("events", "rule/"+rule)}
	}
	send := func(who iam.Principal, queue string, context map[string]string, want bool) sent {
		return sent{who: who, action: "sqs:SendMessage", resource: queue, context: context, want: want}
	}
	plain := from(s.env.Account, rule)
	plain["aws:SecureTransport"] = "false"
	return s.receive(p, "the queue "+rule, d.queues[name], []sent{
		send(events, queue, from(s.env.Account, rule), true),
		send(events, queue, from(s.env.Account, "other"), false),
		send(events, queue, from(elsewhere, rule), false),
		send(events, queue+"-2", from(s.env.Account, rule), false),
		send(events, queue, plain, false),
		send(iam.NewService("sns.amazonaws.com"), queue, from(s.env.Account, rule), false),
		{who: events, action: "sqs:PurgeQueue", resource: queue, context: from(s.env.Account, rule)},
	})
}

// proveServices asks what is left: queues and topics, who may assume the roles,
// and the CMKs.
func (s *Site) proveServices(d *documents, p *Proof) error {
	for name, r := range map[string]struct {
		of   string
		doc  iam.Document
		sent []sent
	}{
		"the audit queue":                    {"queue audit", d.queues["audit"], s.auditQueueRequests(d)},
		"the topic of notifications":         {"queue notifications", d.queues["notifications"], s.topicRequests(d)},
		"the queue of what is undelivered":   {"queue undelivered", d.queues["undelivered"], s.undeliveredRequests()},
		"the trust of functions' roles":      {"trust lambda", d.trusts["lambda"], s.lambdaTrustRequests()},
		"the trust of the role of schedules": {"trust schedule", d.trusts["schedule"], s.scheduleTrustRequests()},
		"the trust of the bootstrap's roles": {"role deploy", document(iam.Statement{
			Effect: iam.Allow, Principal: &iam.Principals{AWS: iam.Strings{s.root()}}, Action: iam.Strings{"sts:AssumeRole"},
		}), s.bootstrapRequests(d)},
		"the key of values": {"key secrets", d.keys["secrets"], s.secretsKeyRequests()},
		"the key of data":   {"key data", d.keys["data"], s.dataKeyRequests()},
		"the key of topics": {"key topics", d.keys["topics"], s.topicsKeyRequests()},
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

// ours is a function of ours, for what any of them may do.
func (s *Site) ours() iam.Principal { return iam.NewSession(s.RoleARN(s.RotateNowName()), "run") }

func (s *Site) auditQueueRequests(d *documents) []sent {
	queue := s.here("sqs", s.name+"-audit")
	return []sent{
		{who: s.ours(), action: "sqs:SendMessage", resource: queue, identity: d.identity("rotatenow"), want: true},
		{who: s.ours(), action: "sqs:SendMessage", resource: queue, identity: d.identity("rotatenow"), context: map[string]string{"aws:SecureTransport": "false"}},
		{who: iam.NewRoot(s.env.Partition, elsewhere), action: "sqs:SendMessage", resource: queue},
	}
}

func (s *Site) undeliveredRequests() []sent {
	queue, topics := s.here("sqs", s.name+"-undelivered"), iam.NewService("sns.amazonaws.com")
	from := func(name string) map[string]string { return map[string]string{"aws:SourceArn": s.here("sns", name)} }
	plain := from(s.name + "-notifications")
	plain["aws:SecureTransport"] = "false"
	return []sent{
		{who: topics, action: "sqs:SendMessage", resource: queue, context: from(s.name + "-notifications"), want: true},
		{who: topics, action: "sqs:SendMessage", resource: queue, context: from(s.name + "-escalation"), want: true},
		{who: topics, action: "sqs:SendMessage", resource: queue, context: from("other")},
		{who: topics, action: "sqs:SendMessage", resource: queue, context: plain},
		{who: topics, action: "sqs:SendMessage", resource: queue + "-2", context: from(s.name + "-notifications")},
	}
}

func (s *Site) topicRequests(d *documents) []sent {
	topic, alarms := s.here("sns", s.name+"-notifications"), iam.NewService("cloudwatch.amazonaws.com")
	own, foreign := map[string]string{"aws:SourceAccount": s.env.Account}, map[string]string{"aws:SourceAccount": elsewhere}
	plain := map[string]string{"aws:SecureTransport": "false", "aws:SourceAccount": s.env.Account}
	return []sent{
		{who: s.ours(), action: "sns:Publish", resource: topic, identity: d.identity("rotatenow"), want: true},
		{who: alarms, action: "sns:Publish", resource: topic, context: own, want: true},
		{who: iam.NewService("events.amazonaws.com"), action: "sns:Publish", resource: topic, context: own}, // no rule has a topic for its target
		{who: alarms, action: "sns:Publish", resource: topic, context: foreign},
		{who: alarms, action: "sns:Publish", resource: topic, context: plain},
		{who: alarms, action: "sns:Publish", resource: topic + "-2", context: own},
		{who: alarms, action: "sns:DeleteTopic", resource: topic, context: own},
		{who: iam.NewService("s3.amazonaws.com"), action: "sns:Publish", resource: topic, context: own},
	}
}

func (s *Site) lambdaTrustRequests() []sent {
	role := s.RoleARN(s.RotateNowName())
	return []sent{
		{who: iam.NewService("lambda.amazonaws.com"), action: "sts:AssumeRole", resource: role, want: true},
		{who: iam.NewService("ec2.amazonaws.com"), action: "sts:AssumeRole", resource: role},
		{who: s.ours(), action: "sts:AssumeRole", resource: role, identity: []iam.Policy{everything()}},
	}
}

func (s *Site) scheduleTrustRequests() []sent {
	role, scheduler := s.RoleARN(s.ScheduleName()), iam.NewService("scheduler.amazonaws.com")
	group := func(account, name string) map[string]string {
		return map[string]string{"aws:SourceAccount": account, "aws:SourceArn": s.here("scheduler", "schedule-group/"+name)}
	}
	return []sent{
		{who: scheduler, action: "sts:AssumeRole", resource: role, context: group(s.env.Account, s.name), want: true},
		{who: scheduler, action: "sts:AssumeRole", resource: role, context: group(s.env.Account, "default")},
		{who: scheduler, action: "sts:AssumeRole", resource: role, context: group(elsewhere, s.name)},
		{who: s.ours(), action: "sts:AssumeRole", resource: role, identity: []iam.Policy{everything()}},
	}
}

// bootstrapRequests: the bootstrap's roles trust the account.
func (s *Site) bootstrapRequests(d *documents) (all []sent) {
	for name, want := range map[string]bool{"deploy": true, "file-publishing": true, "lookup": true, "cfn-exec": false} {
		for _, region := range s.regions() {
			all = append(all, sent{who: s.ours(), action: "sts:AssumeRole", resource: s.bootstrapRoleIn(region, name), identity: d.identity("deploy"), want: want})
		}
		all = append(all, sent{who: s.ours(), action: "sts:AssumeRole", resource: s.bootstrapRoleIn("nowhere-1", name), identity: d.identity("deploy")})
	}
	return all
}

func (s *Site) bootstrapRole(name string) string { return s.bootstrapRoleIn(s.env.Region, name) }

func (s *Site) bootstrapRoleIn(region, name string) string {
	return s.arn("iam", "", "role/cdk-"+s.env.Qualifier+"-"+name+"-role-"+s.env.Account+"-"+region)
}

func (s *Site) secretsKeyRequests() []sent {
	key := s.here("kms", "key/x")
	own, other := iam.NewSession(s.RoleARN(s.RotateNowName()), "run"), iam.NewSession("arn:"+s.env.Partition+":iam::"+elsewhere+":role/x", "run")
	via := map[string]string{"kms:ViaService": s.service("secretsmanager", s.env.Region)}
	admin := []iam.Policy{everything()}
	var requests []sent
	for _, action := range []string{"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"} {
		requests = append(requests,
			sent{who: own, action: action, resource: key, context: via, want: true},
			sent{who: own, action: action, resource: key, identity: admin},
			sent{who: own, action: action, resource: key, identity: admin, context: map[string]string{"kms:ViaService": s.service("s3", s.env.Region)}},
			sent{who: other, action: action, resource: key, identity: admin, context: via})
	}
	for _, account := range s.readerAccounts() {
		reader := iam.NewSession("arn:"+s.env.Partition+":iam::"+account+":role/x", "run")
		requests = append(requests,
			sent{who: reader, action: "kms:Decrypt", resource: key, identity: admin, context: via, want: true},
			sent{who: reader, action: "kms:GenerateDataKey", resource: key, identity: admin, context: via, want: account == s.env.Account})
	}
	return append(requests, s.endKeyRequests(key)...)
}

func (s *Site) dataKeyRequests() []sent {
	key := s.here("kms", "key/x")
	own, other := iam.NewSession(s.RoleARN(s.RotateNowName()), "run"), iam.NewSession("arn:"+s.env.Partition+":iam::"+elsewhere+":role/x", "run")
	via := func(service string) map[string]string {
		return map[string]string{"kms:ViaService": s.service(service, s.env.Region)}
	}
	grants := func(service, ofAWS string) map[string]string {
		return map[string]string{"kms:ViaService": s.service(service, s.env.Region), "kms:GrantIsForAWSResource": ofAWS}
	}
	admin := []iam.Policy{everything()}
	logs := func(arn string) map[string]string {
		return map[string]string{"kms:EncryptionContext:aws:logs:arn": arn}
	}
	log := iam.NewService(s.service("logs", s.env.Region))
	requests := []sent{
		{who: own, action: "kms:Decrypt", resource: key, context: via("dynamodb"), want: true},
		{who: own, action: "kms:GenerateDataKey", resource: key, context: via("sqs"), want: true},
		{who: own, action: "kms:GenerateDataKey", resource: key, context: via("s3"), want: true},
		{who: own, action: "kms:Decrypt", resource: key, context: via("secretsmanager")},
		{who: own, action: "kms:Decrypt", resource: key, identity: admin},
		{who: other, action: "kms:Decrypt", resource: key, context: via("dynamodb"), identity: admin},
		{who: own, action: "kms:CreateGrant", resource: key, context: grants("dynamodb", "true"), want: true},
		{who: own, action: "kms:CreateGrant", resource: key, context: grants("dynamodb", "false")},
		{who: own, action: "kms:CreateGrant", resource: key, context: grants("sqs", "true")},
		{who: other, action: "kms:CreateGrant", resource: key, context: grants("dynamodb", "true"), identity: admin},
		{who: log, action: "kms:GenerateDataKey", resource: key, context: logs(s.here("logs", "log-group:/aws/lambda/x")), want: true},
		{who: log, action: "kms:GenerateDataKey", resource: key, context: logs("arn:aws:logs:eu-west-1:" + elsewhere + ":log-group:x")},
		{who: log, action: "kms:PutKeyPolicy", resource: key, context: logs(s.here("logs", "log-group:x"))},
	}
	for _, action := range []string{"Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo"} {
		requests = append(requests,
			sent{who: own, action: "kms:" + action, resource: key, context: via("dynamodb"), want: true},
			sent{who: log, action: "kms:" + action, resource: key, context: logs(s.here("logs", "log-group:x")), want: true})
	}
	deploys := s.execution()
	for _, action := range []string{"Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey"} {
		requests = append(requests,
			sent{who: deploys, action: "kms:" + action, resource: key, context: via("lambda"), want: true},
			sent{who: own, action: "kms:" + action, resource: key, context: via("lambda")})
	}
	requests = append(requests,
		sent{who: deploys, action: "kms:CreateGrant", resource: key, context: grants("lambda", "true"), want: true},
		sent{who: own, action: "kms:CreateGrant", resource: key, context: grants("lambda", "true")})
	// Lambda for itself: no principal has asked it.
	alone := grants("lambda", "true")
	alone["kms:CallerAccount"] = s.env.Account
	for _, action := range []string{"kms:Decrypt", "kms:CreateGrant"} {
		requests = append(requests, sent{who: iam.NewService("lambda.amazonaws.com"), action: action, resource: key, context: alone})
	}
	for name, want := range map[string]bool{s.name + "-notifications": true, s.name + "-escalation": true, "other": false} {
		for _, action := range []string{"kms:Decrypt", "kms:GenerateDataKey"} {
			requests = append(requests, sent{who: iam.NewService("sns.amazonaws.com"), action: action, resource: key, context: map[string]string{"aws:SourceArn": s.here("sns", name)}, want: want})
		}
	}
	requests = append(requests, eventsKeyRequests(key)...)
	requests = append(requests, s.serviceKeyRequests("s3.amazonaws.com", key, false)...)
	return append(requests, s.endKeyRequests(key)...)
}

func (s *Site) topicsKeyRequests() []sent {
	key := s.here("kms", "key/x")
	own, other := iam.NewSession(s.RoleARN(s.RotateNowName()), "run"), iam.NewSession("arn:"+s.env.Partition+":iam::"+elsewhere+":role/x", "run")
	via := map[string]string{"kms:ViaService": s.service("sns", s.env.Region)}
	requests := []sent{
		{who: own, action: "kms:GenerateDataKey", resource: key, context: via, want: true},
		{who: own, action: "kms:Decrypt", resource: key, context: via, want: true},
		{who: own, action: "kms:GenerateDataKey", resource: key, context: map[string]string{"kms:ViaService": s.service("sqs", s.env.Region)}},
		{who: own, action: "kms:Decrypt", resource: key, identity: []iam.Policy{everything()}},
		{who: other, action: "kms:Decrypt", resource: key, context: via, identity: []iam.Policy{everything()}},
		{who: own, action: "kms:CreateGrant", resource: key, context: via},
	}
	requests = append(requests, s.serviceKeyRequests("events.amazonaws.com", key, false)...)
	requests = append(requests, s.serviceKeyRequests("cloudwatch.amazonaws.com", key, true)...)
	requests = append(requests, s.serviceKeyRequests("s3.amazonaws.com", key, false)...)
	return append(requests, s.endKeyRequests(key)...)
}

// eventsKeyRequests have no aws:SourceAccount: EventBridge sends none to KMS.
func eventsKeyRequests(key string) []sent {
	events := iam.NewService("events.amazonaws.com")
	return []sent{
		{who: events, action: "kms:Decrypt", resource: key, want: true},
		{who: events, action: "kms:GenerateDataKey", resource: key, want: true},
		{who: events, action: "kms:CreateGrant", resource: key},
	}
}

func (s *Site) serviceKeyRequests(service, key string, want bool) []sent {
	who := iam.NewService(service)
	return []sent{
		{who: who, action: "kms:Decrypt", resource: key, context: map[string]string{"aws:SourceAccount": s.env.Account}, want: want},
		{who: who, action: "kms:GenerateDataKey", resource: key, context: map[string]string{"aws:SourceAccount": s.env.Account}, want: want},
		{who: who, action: "kms:Decrypt", resource: key, context: map[string]string{"aws:SourceAccount": elsewhere}},
		{who: who, action: "kms:CreateGrant", resource: key, context: map[string]string{"aws:SourceAccount": s.env.Account}},
	}
}

// endKeyRequests: who administers a key, and who can bring it to its end.
func (s *Site) endKeyRequests(key string) []sent {
	admin := []iam.Policy{everything()}
	who := iam.NewSession(s.arn("iam", "", "role/"+s.name+"-proof-administrator"), "run")
	requests := []sent{
		{who: who, action: "kms:PutKeyPolicy", resource: key, identity: admin, want: true},
		{who: who, action: "kms:PutKeyPolicy", resource: key},
		{who: who, action: "kms:ScheduleKeyDeletion", resource: key, identity: admin},
		{who: who, action: "kms:DisableKey", resource: key, identity: admin},
		{who: iam.NewRoot(s.env.Partition, s.env.Account), action: "kms:PutKeyPolicy", resource: key, want: true},
		{who: iam.NewRoot(s.env.Partition, s.env.Account), action: "kms:ScheduleKeyDeletion", resource: key},
	}
	for _, action := range []string{
		"CancelKeyDeletion", "CreateAlias", "DeleteAlias", "DescribeKey", "EnableKey", "EnableKeyRotation", "GetKeyPolicy", "ListGrants", "RevokeGrant",
		"TagResource", "UntagResource", "UpdateAlias", "UpdateKeyDescription",
	} {
		requests = append(requests,
			sent{who: who, action: "kms:" + action, resource: key, identity: admin, want: true}, sent{who: who, action: "kms:" + action, resource: key})
	}
	requests = append(requests, sent{who: who, action: "kms:ProofOfNothing", resource: key, identity: admin})
	for _, glass := range s.people()["break-glass"] {
		requests = append(requests,
			sent{who: principal(glass), action: "kms:ScheduleKeyDeletion", resource: key, identity: admin, want: true},
			sent{who: principal(glass), action: "kms:DisableKey", resource: key, identity: admin, want: true},
			sent{who: principal(glass), action: "kms:ScheduleKeyDeletion", resource: key})
	}
	return requests
}

package access

import "github.com/keyturn/keyturn/shared/iam"

// AuditName is the name of the audit function, and of its role.
func (s *Site) AuditName() string { return s.name + "-audit" }

// TrailRules are the names of the EventBridge rules that feed the audit function,
// by what they are about.
func (s *Site) TrailRules() []string {
	var all []string
	for _, of := range []string{"keys", "labels", "parts", "secrets", "stores"} {
		all = append(all, s.name+"-trail-"+of)
	}
	return all
}

// Audit is the identity policy of the audit function: the calls of package
// function/audit, and no other. It reads no secret but the canary's.
func (s *Site) Audit() (iam.Document, error) {
	waiting := []string{"PutItem"}
	if s.file.Notifications.Escalation != nil {
		waiting = append(waiting, "Query")
	}
	d := document(
		allow("Ledger", iam.Strings{"s3:GetObject", "s3:PutObject", "s3:PutObjectRetention"}, iam.Strings{s.ledger() + "/*"}, nil),
		// Without it S3 does not say that there is nothing.
		allow("LedgerNothing", iam.Strings{"s3:ListBucket"}, iam.Strings{s.ledger()}, nil),
		s.useLedgerKey("LedgerKey", "kms:GetPublicKey", "kms:Sign"),
		allow("Watch", iam.Strings{"dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"},
			iam.Strings{s.here("dynamodb", "table/"+s.name+"-watch")}, nil),
		s.records(waiting...), // of what waits for somebody to act
		allow("Queues", iam.Strings{"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
			iam.Strings{s.here("sqs", s.name+"-audit"), s.here("sqs", s.name+"-trail")}, nil),
		allow("Notifications", iam.Strings{"sns:Publish"}, iam.Strings{s.topic("notifications")}, nil),
		allow("Canary", iam.Strings{"secretsmanager:GetSecretValue"}, iam.Strings{s.secretPattern(s.CanaryName())}, nil),
	)
	if s.file.Notifications.Escalation != nil {
		d.Statement = append(d.Statement, allow("Escalation", iam.Strings{"sns:Publish"}, iam.Strings{s.topic("escalation")}, nil))
	}
	d.Statement = append(d.Statement, s.compares()...)
	if s.Responds() {
		d.Statement = append(d.Statement, allow("Respond", iam.Strings{"lambda:InvokeFunction"}, iam.Strings{s.EmergencyARN()}, nil))
	}
	d.Statement = append(d.Statement, s.runs(s.AuditName(), "")...)
	return fits("the policy of "+s.AuditName(), d, MaxRolePolicies, "")
}

// Responds says whether findings start emergency rotations. Where the kill switch
// is on, the right is gone too.
func (s *Site) Responds() bool { return s.file.Detect.Respond != nil && !s.file.Detect.Respond.Off }

// EmergencyARN is the ARN of the alias that starts an emergency rotation.
func (s *Site) EmergencyARN() string { return s.function(s.RotateNowName()) + ":emergency" }

// TrailQueue is the policy of the queue of CloudTrail's records, or of its dead
// letters: our rules send to it, and nobody else.
func (s *Site) TrailQueue(name string) iam.Document {
	queue := s.here("sqs", s.name+"-"+name)
	var rules iam.Strings
	for _, r := range s.TrailRules() {
		rules = append(rules, s.here("events", "rule/"+r))
	}
	d := s.queue(queue)
	d.Statement = append(d.Statement, iam.Statement{
		Sid: "Events", Effect: iam.Allow, Principal: &iam.Principals{Service: iam.Strings{"events.amazonaws.com"}},
		Action: iam.Strings{"sqs:SendMessage"}, Resource: iam.Strings{queue},
		Condition: iam.Conditions{"ArnEquals": {"aws:SourceArn": rules}, "StringEquals": {"aws:SourceAccount": {s.env.Account}}},
	})
	return d
}

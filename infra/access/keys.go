package access

import (
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
)

// SecretsKey is the key policy of the CMK of the values, in this Region or a
// replica's.
//
// Whoever may read a secret may have it decrypted, through Secrets Manager and
// not otherwise: so the secret's policy alone decides who reads, as with AWS's
// own key. Readers of other accounts need kms:Decrypt in their account too.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
func (s *Site) SecretsKey(region string) (iam.Document, error) {
	via := Via(s.env.Partition, "secretsmanager", region)
	d := s.key(
		through("SecretsManagerReads", iam.Strings{"kms:Decrypt"}, s.readerAccounts(), via),
		through("SecretsManagerWrites", iam.Strings{"kms:Encrypt", "kms:GenerateDataKey"}, iam.Strings{s.env.Account}, via),
	)
	return fits("the key policy of "+s.name+"-secrets", d, MaxKeyPolicy, "let readers be of fewer accounts")
}

// readerAccounts are our account and those that readers are of.
func (s *Site) readerAccounts() iam.Strings {
	accounts := []string{s.env.Account}
	for _, k := range s.file.Keys {
		for _, r := range k.Readers {
			accounts = append(accounts, strings.Split(r, ":")[4])
		}
	}
	return sorted(accounts)
}

// DataKey is the key policy of the CMK of table, queues, logs and the functions'
// environment.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html,
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
func (s *Site) DataKey() (iam.Document, error) {
	own := iam.Strings{s.env.Account}
	region := s.env.Region
	grants := through("DynamoDBGrants", iam.Strings{"kms:CreateGrant"}, own, s.via("dynamodb"))
	grants.Condition["Bool"] = map[string]iam.Strings{"kms:GrantIsForAWSResource": {"true"}}
	// The functions' environment holds the key of the fingerprints: whoever may only
	// look at a function must not see it, so CloudFormation alone has Lambda encrypt
	// it. https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
	deploying := func(sid string, actions ...string) iam.Statement {
		st := through(sid, actions, own, s.via("lambda"))
		st.Condition["ArnEquals"] = map[string]iam.Strings{"aws:PrincipalArn": {s.bootstrapRole("cfn-exec")}}
		return st
	}
	environments := deploying("FunctionsGrants", "kms:CreateGrant")
	environments.Condition["Bool"] = map[string]iam.Strings{"kms:GrantIsForAWSResource": {"true"}}
	d := s.key(
		through("DataServices", iam.Strings{"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"}, own,
			s.via("dynamodb", "s3", "sqs")),
		grants,
		iam.Statement{
			Sid: "Logs", Effect: iam.Allow, Principal: &iam.Principals{Service: iam.Strings{s.service("logs", region)}},
			Action: iam.Strings{"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"}, Resource: iam.Strings{"*"},
			Condition: iam.Conditions{"ArnLike": {"kms:EncryptionContext:aws:logs:arn": {s.here("logs", "log-group:*")}}},
		},
		forEvents(),
		deploying("FunctionsEnvironment", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"),
		environments,
		// For the queue of what was not delivered.
		iam.Statement{
			Sid: "Undelivered", Effect: iam.Allow, Principal: &iam.Principals{Service: iam.Strings{"sns.amazonaws.com"}},
			Action: iam.Strings{"kms:Decrypt", "kms:GenerateDataKey"}, Resource: iam.Strings{"*"}, Condition: iam.Conditions{"ArnEquals": {"aws:SourceArn": s.topics()}},
		},
	)
	return fits("the key policy of "+s.name+"-data", d, MaxKeyPolicy, "")
}

// TopicsKey is the key policy of the CMK of the topics.
// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
func (s *Site) TopicsKey() (iam.Document, error) {
	d := s.key(
		through("Publishers", iam.Strings{"kms:Decrypt", "kms:GenerateDataKey"}, iam.Strings{s.env.Account}, s.via("sns")),
		iam.Statement{
			Sid: "Alarms", Effect: iam.Allow, Principal: &iam.Principals{Service: iam.Strings{"cloudwatch.amazonaws.com"}},
			Action: iam.Strings{"kms:Decrypt", "kms:GenerateDataKey"}, Resource: iam.Strings{"*"},
			Condition: iam.Conditions{"StringEquals": {"aws:SourceAccount": {s.env.Account}}},
		},
	)
	return fits("the key policy of "+s.name+"-topics", d, MaxKeyPolicy, "")
}

// key is a key policy with what all of ours have: the account administers it,
// without use of it, and nobody but break-glass can bring it to its end. AWS
// asks that a key never becomes unmanageable; so the account is named, not
// roles that may be deleted.
// https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
func (s *Site) key(use ...iam.Statement) iam.Document {
	end := iam.Statement{
		Sid: "OnlyBreakGlassEnds", Effect: iam.Deny, Principal: everyone(),
		Action: iam.Strings{"kms:DisableKey", "kms:ScheduleKeyDeletion"}, Resource: iam.Strings{"*"},
	}
	if who := s.people()["break-glass"]; len(who) > 0 {
		end.Condition = iam.Conditions{"ArnNotEquals": {"aws:PrincipalArn": sorted(who)}}
	}
	d := document(
		iam.Statement{
			Sid: "AccountAdministers", Effect: iam.Allow, Principal: &iam.Principals{AWS: iam.Strings{s.root()}},
			Action: iam.Strings{
				"kms:CancelKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias", "kms:Describe*", "kms:DisableKey", "kms:EnableKey", "kms:EnableKeyRotation",
				"kms:Get*", "kms:List*", "kms:PutKeyPolicy", "kms:RevokeGrant", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource",
				"kms:UpdateAlias", "kms:UpdateKeyDescription",
			},
			Resource: iam.Strings{"*"},
		}, end,
	)
	d.Statement = append(d.Statement, use...)
	return d
}

// through lets whoever may use the service have it use the key.
func through(sid string, actions, accounts, services iam.Strings) iam.Statement {
	slices.Sort(services)
	return iam.Statement{
		Sid: sid, Effect: iam.Allow, Principal: everyone(), Action: actions, Resource: iam.Strings{"*"},
		Condition: iam.Conditions{"StringEquals": {"kms:CallerAccount": accounts, "kms:ViaService": services}},
	}
}

// forEvents lets EventBridge use the key for its targets. It has no condition:
// EventBridge does not say for whom it asks KMS, and with aws:SourceAccount or
// aws:SourceArn its events would be lost in silence. Which rule may send is for
// the policies of queue and topic to say.
// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
func forEvents() iam.Statement {
	return iam.Statement{
		Sid: "Events", Effect: iam.Allow, Principal: &iam.Principals{Service: iam.Strings{"events.amazonaws.com"}},
		Action: iam.Strings{"kms:Decrypt", "kms:GenerateDataKey"}, Resource: iam.Strings{"*"},
	}
}

package access

import (
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// Deploy is the least policy of who deploys, a person or CI: to take the roles
// of the CDK bootstrap, to look before, and to try the notifications.
// CloudFormation does the rest as its execution role: see [Site.Execution].
// https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
func (s *Site) Deploy() (iam.Document, error) {
	var roles, versions iam.Strings
	for _, region := range s.regions() {
		for _, r := range []string{"deploy", "file-publishing", "lookup"} {
			roles = append(roles, s.bootstrapRoleIn(region, r))
		}
		versions = append(versions, s.arn("ssm", region, "parameter/cdk-bootstrap/"+s.env.Qualifier+"/version"))
	}
	d := document(
		allow("Bootstrap", iam.Strings{"sts:AssumeRole"}, roles, nil),
		allow("BootstrapVersion", iam.Strings{"ssm:GetParameter"}, versions, nil),
		allow("Preflight", iam.Strings{
			"cloudtrail:DescribeTrails", "cloudtrail:GetEventSelectors", "cloudtrail:GetTrailStatus", "iam:ListRoles", "iam:ListUsers",
			"lambda:GetAccountSettings", "lambda:GetFunctionConcurrency", "scheduler:ListSchedules", "secretsmanager:ListSecrets",
			"sns:GetSubscriptionAttributes", "sns:ListSubscriptionsByTopic",
		}, iam.Strings{"*"}, nil),
		allow("TryNotifications", iam.Strings{"sns:Publish"}, iam.Strings{s.here("sns", s.name+"-notifications")}, nil),
		allow("PreflightSecrets", iam.Strings{"secretsmanager:DescribeSecret"}, iam.Strings{s.here("secretsmanager", "secret:*")}, nil),
	)
	d.Statement = append(d.Statement, s.looksAtWatch()...)
	if queues := s.ownQueues(); len(queues) > 0 {
		d.Statement = append(d.Statement, allow("PreflightQueues", iam.Strings{"sqs:GetQueueAttributes", "sqs:GetQueueUrl"}, queues, nil))
	}
	return fits("the policy to deploy", d, MaxManagedPolicy, "")
}

// looksAtWatch is to see whether what watches is as it was deployed.
func (s *Site) looksAtWatch() []iam.Statement {
	var rules iam.Strings
	for _, r := range s.TrailRules() {
		rules = append(rules, s.here("events", "rule/"+r))
	}
	buckets := iam.Strings{s.ledger()}
	if s.Trailed() {
		buckets = append(buckets, s.bucket(s.file.Audit.Trail.Bucket))
	}
	if s.Witnessed() {
		buckets = append(buckets, s.bucket(s.file.Audit.Checkpoints.Bucket))
	}
	var aliases iam.Strings
	for _, purpose := range []string{"data", "ledger", "secrets", "topics"} {
		aliases = append(aliases, "alias/"+s.name+"-"+purpose)
	}
	return []iam.Statement{
		allow("PreflightRules", iam.Strings{"events:DescribeRule"}, rules, nil),
		allow("PreflightBuckets", iam.Strings{"s3:ListBucket"}, buckets, nil), // for HeadBucket
		allow("PreflightKeys", iam.Strings{"kms:DescribeKey"}, iam.Strings{s.here("kms", "key/*")}, iam.Conditions{"StringEquals": {"kms:RequestAlias": aliases}}),
	}
}

// regions are those that stacks go to: the environment's own, and those of its
// replicas.
func (s *Site) regions() []string {
	all := []string{s.env.Region}
	for _, e := range s.file.Environments {
		if e.Account == s.env.Account && e.Region == s.env.Region {
			all = append(all, e.Replicas...)
		}
	}
	return sorted(all)
}

// Operate is the least policy of who operates: that of operators.
func (s *Site) Operate() (iam.Document, error) { return s.Person("operator") }

// Execution is the least policy of CloudFormation's execution role, to give to
// cdk bootstrap --cloudformation-execution-policies instead of administrator
// rights. It reads no value but the key of the audit trail's fingerprints.
//
// It is what the resource types of our stacks ask for by their documentation;
// no deployment with it has been made yet. What networks need is in
// [Site.ExecutionNetworks], for a policy has its limit.
func (s *Site) Execution() (iam.Document, error) {
	mine := iam.Conditions{"StringEquals": {"aws:ResourceTag/" + TagInstallation: {s.name}}}
	// By a tag of ours the other statements and the functions take a thing as ours.
	// IAM cannot ask that a thing be new; that it be nobody else's it can.
	making := iam.Conditions{
		"StringEquals":         {"aws:RequestTag/" + TagInstallation: {s.name}},
		"StringEqualsIfExists": {"aws:ResourceTag/" + TagInstallation: {s.name}},
	}
	secrets := iam.Strings{s.here("secretsmanager", "secret:*")}
	on := iam.Strings{
		"secretsmanager:*ResourcePolicy", "secretsmanager:*TagResource", "secretsmanager:CancelRotateSecret", "secretsmanager:DeleteSecret",
		"secretsmanager:DescribeSecret", "secretsmanager:RemoveRegionsFromReplication", "secretsmanager:ReplicateSecretToRegions",
		"secretsmanager:RotateSecret", "secretsmanager:UpdateSecret",
	}
	d := document(
		allow("MakeSecrets", iam.Strings{"secretsmanager:CreateSecret", "secretsmanager:TagResource"}, secrets, making),
		allow("Secrets", on, secrets, mine),
		allow("Passwords", iam.Strings{"secretsmanager:GetRandomPassword"}, iam.Strings{"*"}, nil),
		// The functions' environment refers to it.
		allow("FingerprintKey", iam.Strings{"secretsmanager:GetSecretValue"}, iam.Strings{s.secretPattern(s.name + "/fingerprint-key")}, nil),
		allow("MakeKeys", iam.Strings{"kms:CreateKey", "kms:TagResource"}, iam.Strings{"*"}, making),
		allow("Keys", iam.Strings{"kms:*Alias", "kms:*TagResource", "kms:Describe*", "kms:EnableKeyRotation", "kms:Get*", "kms:List*", "kms:PutKeyPolicy", "kms:UpdateKeyDescription"},
			iam.Strings{s.here("kms", "key/*")}, mine),
		allow("KeyAliases", iam.Strings{"kms:*Alias"}, iam.Strings{s.here("kms", "alias/"+s.name+"-*")}, nil),
		allow("Resources", iam.Strings{"cloudwatch:*", "dynamodb:*", "events:*", "lambda:*", "logs:*", "s3:*", "scheduler:*", "sns:*", "sqs:*", "ssm:*"}, s.resources(), nil),
		allow("EventSources", iam.Strings{"lambda:*EventSourceMapping", "logs:DescribeLogGroups", "logs:*QueryDefinition*"},
			iam.Strings{"*"}, nil),
		allow("Roles", iam.Strings{
			"iam:DeleteRole", "iam:GetRole", "iam:GetRolePolicy", "iam:TagRole", "iam:UntagRole",
			"iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:*PolicyVersion", "iam:ListPolicyVersions", "iam:CreatePolicy", "iam:DeletePolicy", "iam:GetPolicy",
			"iam:TagPolicy", "iam:UntagPolicy",
		}, iam.Strings{s.RoleARN(s.name + "-*"), s.arn("iam", "", "policy/"+s.name+"-*")}, nil),
		allow("RoleRights", iam.Strings{"iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"},
			iam.Strings{s.RoleARN(s.name + "-*")}, s.bounded()),
		allow("PassRoles", iam.Strings{"iam:PassRole"}, iam.Strings{s.RoleARN(s.name + "-*")},
			iam.Conditions{"StringEquals": {"iam:PassedToService": {"chatbot.amazonaws.com", "events.amazonaws.com", "lambda.amazonaws.com", "scheduler.amazonaws.com"}}}),
		allow("Assets", iam.Strings{"s3:GetObject"}, iam.Strings{"arn:" + s.env.Partition + ":s3:::cdk-" + s.env.Qualifier + "-assets-" + s.env.Account + "-" + s.env.Region + "/*"}, nil),
		allow("BootstrapVersion", iam.Strings{"ssm:GetParameters"}, iam.Strings{s.here("ssm", "parameter/cdk-bootstrap/*")}, nil),
	)
	d.Statement = append(d.Statement, s.keepsBoundary()...)
	d.Statement = append(d.Statement, s.executesForOthers()...)
	if foreign := s.foreign(""); len(foreign) > 0 {
		d.Statement = append(d.Statement, allow("ExistingSecrets", iam.Strings{
			"secretsmanager:*ResourcePolicy", "secretsmanager:CancelRotateSecret", "secretsmanager:DescribeSecret", "secretsmanager:RotateSecret",
		}, foreign, nil))
	}
	return fits("the policy of CloudFormation's execution role", d, MaxManagedPolicy, "keep administrator rights for it, or let Keyturn make the secrets that exist")
}

// bounded keeps the rights of our roles within the boundary of the file, if it
// has one: without it, whoever deploys could give a role of ours any policy.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate
func (s *Site) bounded() iam.Conditions {
	if s.file.Functions.PermissionsBoundary == "" {
		return nil
	}
	return iam.Conditions{"StringEquals": {"iam:PermissionsBoundary": {s.file.Functions.PermissionsBoundary}}}
}

// keepsBoundary keeps the boundary itself from being rewritten, where its name is
// like that of our own policies.
func (s *Site) keepsBoundary() []iam.Statement {
	boundary := s.file.Functions.PermissionsBoundary
	if !strings.HasPrefix(boundary, s.arn("iam", "", "policy/"+s.name+"-")) {
		return nil
	}
	return []iam.Statement{{
		Sid: "Boundary", Effect: iam.Deny, Resource: iam.Strings{boundary},
		Action: iam.Strings{"iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:SetDefaultPolicyVersion"},
	}}
}

// executesForOthers are the rights to connect what is not ours: people's roles,
// subscribed functions, chat.
func (s *Site) executesForOthers() (all []iam.Statement) {
	var people, functions []string
	for role, listed := range s.people() {
		for _, who := range listed {
			if slices.Contains(People(), role) && strings.Split(who, ":")[4] == s.env.Account && permissionSet(who) == "" {
				people = append(people, who)
			}
		}
	}
	chat := false
	for _, sub := range s.subscriptions() {
		chat = chat || sub.Slack != nil
		if sub.Lambda != "" && strings.Split(sub.Lambda, ":")[4] == s.env.Account {
			functions = append(functions, sub.Lambda)
		}
	}
	if len(people) > 0 {
		all = append(all, allow("People", iam.Strings{"iam:Attach*Policy", "iam:Detach*Policy"}, sorted(people),
			iam.Conditions{"ArnLike": {"iam:PolicyARN": {s.arn("iam", "", "policy/"+s.name+"-*")}}}))
	}
	if len(functions) > 0 {
		all = append(all, allow("Subscribers", iam.Strings{"lambda:AddPermission", "lambda:RemovePermission"}, sorted(functions), nil))
	}
	if chat {
		// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awschatbot.html
		all = append(all, allow("Chat", iam.Strings{"chatbot:*SlackChannelConfiguration*", "chatbot:TagResource", "chatbot:UntagResource"}, iam.Strings{"*"}, nil))
	}
	return all
}

func (s *Site) subscriptions() []keysfile.Subscription {
	all := s.file.Notifications.Subscriptions
	if e := s.file.Notifications.Escalation; e != nil {
		all = slices.Concat(all, e.Subscriptions)
	}
	return all
}

// resources are everything of ours that has a name of ours.
func (s *Site) resources() iam.Strings {
	n := s.name
	return iam.Strings{
		s.arn("cloudwatch", "", "dashboard/"+n+"*"), s.here("cloudwatch", "alarm:"+n+"-*"), s.here("dynamodb", "table/"+n), s.here("dynamodb", "table/"+n+"-watch"), s.ledger(),
		s.here("events", "rule/"+n+"-*"), s.function(n + "-*"), s.here("lambda", "layer:"+n+"-*"), s.here("logs", "log-group:/aws/lambda/"+n+"-*"),
		s.here("scheduler", "schedule/"+n+"/*"), s.here("scheduler", "schedule-group/"+n), s.here("sns", n+"-*"), s.here("sqs", n+"-*"), s.here("ssm", "parameter/"+n+"/*"),
	}
}

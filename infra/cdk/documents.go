package cdk

import (
	"slices"

	"github.com/keyturn/keyturn/shared/iam"
)

// rights is what the policies of a vendor account's roles are made of.
type rights struct {
	place
	account, admin               string
	table, topic, queue, labels  string // ARNs
	secretsKey, dataKey          string // ARNs
	scheduleRole, retireFunction string // ARNs
	existing                     []string
	logs                         map[string]string
	network                      bool
	tracing                      bool
}

func allow(sid string, actions, resources iam.Strings, when iam.Conditions) iam.Statement {
	return iam.Statement{Sid: sid, Effect: iam.Allow, Action: actions, Resource: resources, Condition: when}
}

func document(statements ...[]iam.Statement) iam.Document {
	return iam.Document{Version: iam.Version, Statement: slices.Concat(statements...)}
}

// rotateDocument is the policy of a rotate function's role.
func rotateDocument(r rights) iam.Document {
	return document(r.base(r.rotate(r.account)), r.secrets(), []iam.Statement{
		allow("Random", iam.Strings{"secretsmanager:GetRandomPassword"}, iam.Strings{"*"}, nil),
	})
}

// retireDocument is the policy of a retire function's role.
func retireDocument(r rights) iam.Document {
	return document(r.base(r.retire(r.account)), r.secrets(), []iam.Statement{
		allow("Labels", iam.Strings{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"}, iam.Strings{r.labels}, nil),
		allow("Schedules", iam.Strings{"scheduler:CreateSchedule"}, iam.Strings{r.arn("scheduler", "schedule/"+r.name+"/*")}, nil),
		allow("PassRole", iam.Strings{"iam:PassRole"}, iam.Strings{r.scheduleRole}, iam.Conditions{"StringEquals": {"iam:PassedToService": {"scheduler.amazonaws.com"}}}),
	})
}

// rotateNowDocument is the policy of the rotatenow function's role.
func rotateNowDocument(r rights) iam.Document {
	ours := iam.Conditions{"StringEquals": {"aws:ResourceTag/" + TagInstallation: {r.name}}}
	return document(r.base(r.name+"-rotatenow"), []iam.Statement{
		allow("Secrets", iam.Strings{"secretsmanager:DescribeSecret", "secretsmanager:RotateSecret"}, iam.Strings{r.arn("secretsmanager", "secret:*")}, ours),
		allow("Rotate", iam.Strings{"lambda:InvokeFunction"}, iam.Strings{r.functionARN(r.rotate("*"))}, nil),
	})
}

// scheduleDocument is the policy of the role as which EventBridge Scheduler
// starts the retire functions.
func scheduleDocument(r rights) iam.Document {
	return document([]iam.Statement{
		allow("Retire", iam.Strings{"lambda:InvokeFunction"}, iam.Strings{r.functionARN(r.retire("*"))}, nil),
		allow("DeadLetters", iam.Strings{"sqs:SendMessage"}, iam.Strings{r.arn("sqs", r.labels)}, nil),
		allow("DataKey", iam.Strings{"kms:Decrypt", "kms:GenerateDataKey"}, iam.Strings{r.dataKey}, r.via("sqs")),
	})
}

func (r rights) via(service string) iam.Conditions {
	return iam.Conditions{"StringEquals": {"kms:ViaService": {service + "." + r.region + ".amazonaws.com"}}}
}

func (r rights) base(function string) []iam.Statement {
	return []iam.Statement{
		allow("Logs", iam.Strings{"logs:CreateLogStream", "logs:PutLogEvents"}, iam.Strings{r.arn("logs", "log-group:/aws/lambda/"+function+":*")}, nil),
		allow("Records", iam.Strings{"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Query"}, iam.Strings{r.table}, nil),
		allow("Notify", iam.Strings{"sns:Publish"}, iam.Strings{r.topic}, nil),
		allow("Audit", iam.Strings{"sqs:SendMessage"}, iam.Strings{r.queue}, nil),
		allow("DataKey", iam.Strings{"kms:Decrypt", "kms:GenerateDataKey"}, iam.Strings{r.dataKey}, nil),
	}
}

func (r rights) secrets() []iam.Statement {
	actions := iam.Strings{"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage", "secretsmanager:ListSecretVersionIds"}
	out := []iam.Statement{
		allow("Secrets", actions, iam.Strings{r.arn("secretsmanager", "secret:*")}, iam.Conditions{"StringEquals": {
			"aws:ResourceTag/" + TagInstallation: {r.name}, "aws:ResourceTag/" + TagVendorAccount: {r.account},
		}}),
		allow("Admin", iam.Strings{"secretsmanager:GetSecretValue"}, iam.Strings{r.arn("secretsmanager", "secret:"+r.admin+"-??????")}, nil),
		allow("SecretsKey", iam.Strings{"kms:Decrypt", "kms:GenerateDataKey"}, iam.Strings{r.secretsKey}, r.via("secretsmanager")),
	}
	if len(r.existing) > 0 {
		var arns iam.Strings
		for _, name := range r.existing {
			arns = append(arns, r.arn("secretsmanager", "secret:"+name+"-??????"))
		}
		out = append(out, allow("Existing", actions, arns, nil))
	}
	return out
}

func keyDocument(p place, breakGlass []string, more ...iam.Statement) iam.Document {
	own := iam.Statement{
		Sid: "Account", Effect: iam.Allow, Principal: &iam.Principals{AWS: iam.Strings{"arn:" + p.partition + ":iam::" + p.account + ":root"}},
		Action: iam.Strings{"kms:*"}, Resource: iam.Strings{"*"},
	}
	return document([]iam.Statement{own}, more)
}

func serve(sid, service string, actions iam.Strings, when iam.Conditions) iam.Statement {
	return iam.Statement{Sid: sid, Effect: iam.Allow, Principal: &iam.Principals{Service: iam.Strings{service}}, Action: actions, Resource: iam.Strings{"*"}, Condition: when}
}

func secretsKeyDocument(p place, breakGlass []string) iam.Document { return keyDocument(p, breakGlass) }

func dataKeyDocument(p place, breakGlass []string) iam.Document {
	account := iam.Conditions{"StringEquals": {"aws:SourceAccount": {p.account}}}
	return keyDocument(p, breakGlass,
		serve("Logs", "logs."+p.region+".amazonaws.com", iam.Strings{"kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"},
			iam.Conditions{"ArnLike": {"kms:EncryptionContext:aws:logs:arn": {p.arn("logs", "log-group:/aws/lambda/"+p.name+"-*")}}}),
		serve("Events", "events.amazonaws.com", iam.Strings{"kms:Decrypt", "kms:GenerateDataKey*"}, account),
	)
}

func topicsKeyDocument(p place, breakGlass []string) iam.Document {
	account := iam.Conditions{"StringEquals": {"aws:SourceAccount": {p.account}}}
	return keyDocument(p, breakGlass,
		serve("Alarms", "cloudwatch.amazonaws.com", iam.Strings{"kms:Decrypt", "kms:GenerateDataKey*"}, account),
		serve("Events", "events.amazonaws.com", iam.Strings{"kms:Decrypt", "kms:GenerateDataKey*"}, account),
	)
}

package cdk

// trailRule is an EventBridge rule that passes records on to the audit function.
type trailRule struct {
	of, says string
	pattern  map[string]any
}

// trailRules are narrow: the account's every call would cost more than it shows.
// Each pins its sources: PutEvents cannot use one that begins with "aws.", so that
// nobody can make up a record.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
func trailRules(p place) []trailRule {
	const api = "AWS API Call via CloudTrail"
	return []trailRule{
		{"secrets", "Every call to Secrets Manager, for guesses are about secrets that are not there", map[string]any{
			"source": []string{"aws.secretsmanager"}, "detail-type": []string{api, "AWS Service Event via CloudTrail"},
		}},
		{"labels", "Labels that moved, which needs no CloudTrail", map[string]any{
			"source": []string{"aws.secretsmanager"}, "detail-type": []string{"Secret Label Updated"},
		}},
		{"keys", "Changes of KMS keys, and what was decrypted for somebody else or refused", map[string]any{
			"source": []string{"aws.kms"}, "detail-type": []string{api}, "detail": map[string]any{"$or": keyChanges(p)},
		}},
		{"parts", "Changes of what Keyturn runs as, and of trails", map[string]any{
			"source": []string{"aws.cloudtrail", "aws.iam", "aws.lambda"}, "detail-type": []string{api}, "detail": map[string]any{"$or": partChanges(p)},
		}},
		{"stores", "Changes of where Keyturn stores, and by which it tells and is told", map[string]any{
			"source":      []string{"aws.dynamodb", "aws.events", "aws.s3", "aws.scheduler", "aws.sns", "aws.sqs"},
			"detail-type": []string{api}, "detail": map[string]any{"$or": storeChanges(p)},
		}},
	}
}

func match(operator string, value any) map[string]any { return map[string]any{operator: value} }

// keyChanges are those of D-22, and the decryptions of secrets that D-26 looks at.
func keyChanges(p place) []any {
	secret := map[string]any{"encryptionContext": map[string]any{"SecretARN": []any{match("exists", true)}}}
	return []any{
		map[string]any{"eventName": []string{
			"CreateGrant", "DeleteAlias", "DeleteImportedKeyMaterial", "DisableKey", "PutKeyPolicy", "RevokeGrant", "ScheduleKeyDeletion", "UpdateAlias",
		}},
		map[string]any{"eventName": []string{"Decrypt"}, "errorCode": []any{match("exists", true)}, "requestParameters": secret},
		map[string]any{
			"eventName": []string{"Decrypt"}, "requestParameters": secret,
			"userIdentity": map[string]any{"accountId": []any{match("anything-but", p.account)}},
		},
	}
}

// changes are those of a service that name something of ours. A record without
// parameters names nothing, and no detection could say whose it is.
func changes(service, field string, values ...any) map[string]any {
	return map[string]any{
		"eventSource": []string{service + ".amazonaws.com"}, "readOnly": []any{false}, "requestParameters": map[string]any{field: values},
	}
}

// within matches our names after something.
func (p place) within(before string) map[string]any { return match("wildcard", before+p.name+"*") }

// partChanges are those of D-22 and R-04 about functions, roles and trails. With those
// about stores the pattern would be longer than the 2,048 characters that EventBridge
// takes: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html.
func partChanges(p place) []any {
	of, ours, ending := changes, match("prefix", p.name), p.within
	return []any{
		map[string]any{
			"eventSource": []string{"cloudtrail.amazonaws.com"}, "eventName": []string{"DeleteTrail", "PutEventSelectors", "StopLogging", "UpdateTrail"},
		},
		// Lambda's names end with a version. A mapping is named by an id alone.
		of("lambda", "functionName", ours, ending("*:function:")),
		of("lambda", "layerName", ours, ending("*:layer:")),
		of("lambda", "role", ending("*:role*/")),
		map[string]any{"eventSource": []string{"lambda.amazonaws.com"}, "eventName": []any{match("prefix", "DeleteEventSourceMapping"), match("prefix", "UpdateEventSourceMapping")}},
		of("iam", "roleName", ours),
	}
}

// storeChanges are those of D-22 about the rest.
func storeChanges(p place) []any {
	of, ours, ending := changes, match("prefix", p.name), p.within
	return []any{
		of("sqs", "queueUrl", ending("*/")),
		of("sns", "topicArn", ending("*:")),
		of("sns", "subscriptionArn", ending("*:")),
		of("events", "name", ours),
		of("events", "rule", ours),
		of("s3", "bucketName", match("prefix", p.ledgerBucket())),
		of("dynamodb", "tableName", ours, ending("*:table/")),
		of("dynamodb", "resourceArn", ending("*:table/")),
		of("scheduler", "groupName", ours),
		of("scheduler", "name", ours), // a group is named so itself
	}
}

package detect

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/trail"
)

// tampering is D-22: somebody but the deployers changed what Keyturn watches,
// records or rotates with: the trail, our rules, queues, topics, tables,
// buckets, KMS keys and roles, or what starts our functions. Changes of the
// functions themselves are R-04's.
//
// Stopping or deleting any trail, and the disabling or deletion of our KMS keys,
// is nobody's everyday work, so that deployers are no exception there. Which
// things are ours comes from the site; where it lists no secrets and no keys,
// every KMS key counts. Refused attempts are high.
//
// Threshold: one. False positives: a deployment under another role; list it.
func tampering() Rule {
	return Rule{
		ID: "D-22", Title: "what watches or rotates the keys was changed", Severity: Critical, Technique: "T1562.008", Default: true,
		Next: "undo the change, revoke the caller's sessions, and read the ledger and the trail's files for what was not told",
		See: func(s *Site, c *Call) []Finding {
			if c.ReadOnly || c.Result != trail.Succeeded && c.Result != trail.Denied {
				return nil
			}
			what, anybody := touched(s, c)
			if what == "" || !anybody && matches(s.Deployers, c.Who) {
				return nil
			}
			f := c.Finding(apiName(c.Name) + " on " + what)
			f.matter += "\n" + what
			if c.Result == trail.Denied {
				f.Severity, f.Why = High, f.Why+", denied"
			}
			return one(f)
		},
	}
}

// touched says what of ours the call changes, and whether that is worth a
// finding whoever does it.
func touched(s *Site, c *Call) (what string, anybody bool) {
	name := apiName(c.Name)
	switch c.Source {
	case "cloudtrail.amazonaws.com":
		return trailTouched(c, name)
	case trail.KMS:
		if !slices.Contains([]string{"DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "DeleteImportedKeyMaterial", "RevokeGrant", "DeleteAlias", "UpdateAlias"}, name) {
			return "", false
		}
		anybody = name == "DisableKey" || name == "ScheduleKeyDeletion" || name == "DeleteImportedKeyMaterial"
		if len(s.Keys)+len(s.Secrets) == 0 && anybody {
			return "a KMS key", true
		}
		return mentions(c, s.Keys), anybody
	case "lambda.amazonaws.com":
		if slices.Contains([]string{"PutFunctionConcurrency", "UpdateEventSourceMapping", "DeleteEventSourceMapping"}, name) {
			return mentions(c, s.Functions), false
		}
	case "iam.amazonaws.com":
		if containsAny(name, "RolePolicy", "AssumeRolePolicy", "RolePermissionsBoundary") && !strings.HasPrefix(name, "Get") || name == "DeleteRole" {
			return mentions(c, roleNames(s.Roles)), false
		}
	case "events.amazonaws.com", "sns.amazonaws.com", "sqs.amazonaws.com", "s3.amazonaws.com", "dynamodb.amazonaws.com", "scheduler.amazonaws.com":
		if weakens(name) {
			return mentions(c, s.Resources), false
		}
	}
	return "", false
}

// weakens says that a call to a service that stores or delivers takes
// something away or lets somebody in.
func weakens(name string) bool {
	return slices.Contains([]string{
		"DisableRule", "DeleteRule", "PutRule", "RemoveTargets", "PutTargets",
		"Unsubscribe", "DeleteTopic", "SetTopicAttributes", "SetSubscriptionAttributes", "AddPermission", "RemovePermission",
		"DeleteQueue", "SetQueueAttributes", "PurgeQueue",
		"DeleteBucket", "PutBucketPolicy", "DeleteBucketPolicy", "PutBucketLifecycle", "PutBucketLifecycleConfiguration", "PutBucketVersioning",
		"PutBucketObjectLockConfiguration", "PutObjectLockConfiguration", "PutBucketPublicAccessBlock", "DeleteBucketPublicAccessBlock",
		"PutBucketEncryption", "DeleteBucketEncryption",
		"DeleteTable", "UpdateTable", "UpdateTimeToLive", "UpdateContinuousBackups", "PutResourcePolicy", "DeleteResourcePolicy",
		"DeleteSchedule", "UpdateSchedule", "DeleteScheduleGroup",
	}, name)
}

func trailTouched(c *Call, name string) (what string, anybody bool) {
	switch name {
	case "StopLogging", "DeleteTrail":
		return "a trail", true
	case "PutEventSelectors":
		if hidesReads(c) {
			return "a trail, which records no reads of secrets then", true
		}
	case "UpdateTrail":
		return "a trail", false
	}
	return "", false
}

// hidesReads says that the new selectors leave no management events, or writes only.
func hidesReads(c *Call) bool {
	var q struct {
		Selectors []struct {
			Management *bool  `json:"includeManagementEvents"`
			Type       string `json:"readWriteType"`
		} `json:"eventSelectors"`
		Advanced json.RawMessage `json:"advancedEventSelectors"`
	}
	if c.RequestFields(&q) != nil {
		return true
	}
	if len(q.Advanced) > 4 && string(q.Advanced) != "null" {
		return !strings.Contains(string(q.Advanced), "Management")
	}
	for _, one := range q.Selectors {
		if (one.Management == nil || *one.Management) && one.Type != "WriteOnly" {
			return false
		}
	}
	return true
}

// mentions returns the first of the names that the request or the response names.
func mentions(c *Call, names []string) string {
	if len(names) == 0 {
		return ""
	}
	for _, raw := range []json.RawMessage{c.Request, c.Response} {
		var v any
		if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
			continue
		}
		for _, name := range names {
			if anyNamed(v, name) {
				return quoted(name)
			}
		}
	}
	return ""
}

func anyNamed(v any, name string) bool {
	switch v := v.(type) {
	case string:
		return isNamed(v, name)
	case []any:
		return slices.ContainsFunc(v, func(one any) bool { return anyNamed(one, name) })
	case map[string]any:
		for _, one := range v {
			if anyNamed(one, name) {
				return true
			}
		}
	}
	return false
}

// roleNames are the names and ARNs; a pattern that ends with * is left out, for
// requests name one role.
func roleNames(arns []string) []string {
	var out []string
	for _, arn := range arns {
		if !strings.HasSuffix(arn, "*") {
			out = append(out, arn, arn[strings.LastIndex(arn, "/")+1:])
		}
	}
	return out
}

func containsAny(s string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(s, p) })
}

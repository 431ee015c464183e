package cdk

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// suppress says why a finding of cdk-nag does not hold. Patterns are of what it
// found, as regular expressions of JavaScript; none: the whole rule.
func suppress(c constructs.IConstruct, id, reason string, patterns ...string) {
	s := &cdknag.NagPackSuppression{Id: &id, Reason: &reason}
	if len(patterns) > 0 {
		var applies []any
		for _, p := range patterns {
			applies = append(applies, &cdknag.RegexAppliesTo{Regex: text("/%s/", p)})
		}
		s.AppliesTo = &applies
	}
	cdknag.NagSuppressions_AddResourceSuppressions(c, &[]*cdknag.NagPackSuppression{s}, jsii.Bool(false))
}

const nagWildcard = "AwsSolutions-IAM5"

// suppressRole gives the reason of each wildcard that our policies have. Any
// other stays a finding.
func suppressRole(r awsiam.CfnRole) {
	for _, w := range []struct{ pattern, reason string }{
		{`^Resource::.*:log-group:[^:]*:\*$`, "Lambda names the streams of the function's own log group."},
		{`^Resource::.*:secret:\*$`, "Bounded by tags that the deployment alone may set: docs/adr/0013-rights-by-tag.md. Where more secrets exist than a policy can name, the review sees every secret's description and rules, and no value."},
		{`^Resource::.*:kms:.*:key\/\*$`, "CMKs of secrets that are not ours to make: through Secrets Manager only, and for those secrets by the encryption context where a policy has room for them. The key of the ledger, by its alias. The review reads what keys' policies say, and uses no key."},
		{`^Resource::arn:.*:s3:::[^\/]*-ledger-[^\/]*\/(review\/)?\*$`, "Objects of the ledger: S3 locks them, and the bucket's policy keeps everybody else from writing."},
		{`^Resource::arn:.*:s3:::.*AWSLogs\/\*[0-9]{12}\/CloudTrail(-Digest)?\/[a-z0-9-]*\/\*$`, "The trail's files of this account, here and of IAM: read only."},
		{`^Resource::arn:.*:s3:::[^\/]*\/[^\/]*\/checkpoint\/\*$`, "Checkpoints of the ledger: each is added under a name of its own, and none is written over."},
		{`^Resource::.*:schedule\/[^\/]*\/\*$`, "One-time schedules in the group of the installation; each has a name of its own."},
		{`^Resource::.*:function:[^:]*-(rotate|retire)-\*$`, "One function for each vendor account, named by it."},
		{`^Resource::\*$`, "Network interfaces, traces and CloudTrail know no resources here. Which policies the account and its organization have is known only when they are listed; they are read alone."},
	} {
		suppress(r, nagWildcard, w.reason, w.pattern)
	}
}

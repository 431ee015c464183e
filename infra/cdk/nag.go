package cdk

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// suppress says why a finding of cdk-nag does not hold.
func suppress(c constructs.IConstruct, id, reason string) {
	cdknag.NagSuppressions_AddResourceSuppressions(c, &[]*cdknag.NagPackSuppression{{Id: &id, Reason: &reason}}, jsii.Bool(false))
}

const nagWildcard = "AwsSolutions-IAM5"

func suppressFunction(f *function) {
	suppress(f.role, nagWildcard, "Log streams are named by Lambda, and secrets are bounded by their tags: docs/adr/0013-rights-by-tag.md. Package access proves what each role can do.")
}

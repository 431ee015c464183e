// Package cdk has Keyturn's constructs for the AWS CDK, and the stacks of an
// installation that keyturn.yaml declares.
//
// [NewRotatedKey], [NewVendorAccount], [NewPlatform], [NewFoundation] and what
// people see of them, such as [NewSubscriptions] and [NewAlarms], follow the CDK's
// conventions for Go, and work in any app. [Stacks] puts them together for a
// whole file. As everywhere in the CDK, a property that is missing or
// wrong is a panic; [Stacks] returns an error.
//
// The CDK's runtime is not safe for concurrent use, and neither is this package.
package cdk

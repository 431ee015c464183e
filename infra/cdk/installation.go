package cdk

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// DefaultName begins the names of an installation that says no other.
const DefaultName = "keyturn"

// Tags of what belongs to an installation. Roles reach secrets by the first two.
const (
	TagInstallation  = "keyturn:installation"
	TagVendorAccount = "keyturn:vendor-account"
	TagOwner         = "keyturn:owner"
	TagTier          = "keyturn:tier"
)

// place is where an installation is. All that it has is named by name, so that
// stacks find each other's parts without exports. In a stack without an
// environment the other fields are tokens of the CDK.
type place struct {
	name, partition, account, region string

	functions keysfile.Functions // how roles are named
}

func placeOf(scope constructs.Construct, file *keysfile.File) place {
	s := awscdk.Stack_Of(scope)
	p := place{name: file.Name, partition: *s.Partition(), account: *s.Account(), region: *s.Region(), functions: file.Functions}
	if p.name == "" {
		p.name = DefaultName
	}
	return p
}

func (p place) rotate(account string) string { return p.name + "-rotate-" + account }
func (p place) retire(account string) string { return p.name + "-retire-" + account }
func (p place) labels(account string) string { return p.name + "-labels-" + account }

// arn returns the ARN of what belongs to this account and Region.
func (p place) arn(service, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", p.partition, service, p.region, p.account, resource)
}

func (p place) functionARN(name string) string { return p.arn("lambda", "function:"+name) }

// scheduleRole returns the ARN of the role as which EventBridge Scheduler starts
// the retire functions.
func (p place) scheduleRole() string {
	return fmt.Sprintf("arn:%s:iam::%s:role%s", p.partition, p.account, p.functions.Role(p.name+"-schedule"))
}

// Package keysfile is the file in which an operator declares the keys:
// keyturn.yaml, alone or with more files beside it.
//
// [Load] reads and checks all of it; nothing else in Keyturn reads it. What the
// functions need is made from it by [File.Config].
package keysfile

import "time"

// Version is the version of the file's format.
const Version = 1

// File is the whole configuration of one environment: every file read, every
// default filled, every rule kept. It is immutable.
type File struct {
	// Version of the format; 1.
	Version int `yaml:"version" json:"version" doc:"version of this format"`
	// Name begins the name of everything that is deployed. It never changes
	// after the first deployment.
	Name string `yaml:"name" json:"name,omitempty" doc:"begins the name of everything that is deployed; never changes" default:"keyturn"`
	// Shards is how many stacks the keys are spread over, by the hash of their
	// names. It never changes after the first deployment.
	Shards         int                      `yaml:"shards" json:"shards,omitempty" doc:"stacks that the keys are spread over; never changes" default:"32"`
	Environments   map[string]Environment   `yaml:"environments" json:"environments,omitempty" doc:"where this is deployed"`
	Defaults       Defaults                 `yaml:"defaults" json:"defaults,omitzero" doc:"what keys have unless they say otherwise"`
	Policy         Policy                   `yaml:"policy" json:"policy,omitzero" doc:"bounds that no key exceeds without an exception"`
	VendorAccounts map[string]VendorAccount `yaml:"vendorAccounts" json:"vendorAccounts,omitempty" doc:"the vendors' accounts that the keys belong to"`
	Keys           []Key                    `yaml:"keys" json:"keys,omitempty" doc:"the keys, each a secret in Secrets Manager"`
	Freeze         []Freeze                 `yaml:"freeze" json:"freeze,omitempty" doc:"times in which no scheduled rotation starts"`
	Notifications  Notifications            `yaml:"notifications" json:"notifications,omitzero" doc:"who is told what"`
	Access         Access                   `yaml:"access" json:"access,omitzero" doc:"who may operate"`
	Audit          Audit                    `yaml:"audit" json:"audit,omitzero" doc:"the ledger of what happened"`
	Detect         Detect                   `yaml:"detect" json:"detect,omitzero" doc:"how the detections are tuned"`
	Functions      Functions                `yaml:"functions" json:"functions,omitzero" doc:"how the functions are deployed"`
}

// Environment is an AWS account and Region. Every command refuses to work with
// another.
type Environment struct {
	Account  string   `yaml:"account" json:"account" doc:"AWS account, 12 digits"`
	Region   string   `yaml:"region" json:"region" doc:"AWS Region, such as eu-west-1"`
	Replicas []string `yaml:"replicas" json:"replicas,omitempty" doc:"Regions that the secrets are replicated to"`
}

// Defaults are filled into every key that does not say otherwise.
type Defaults struct {
	Schedule string   `yaml:"schedule" json:"schedule,omitempty" doc:"rate(30 days) or cron(0 4 ? * MON *), in UTC" default:"rate(30 days)"`
	Window   Duration `yaml:"window" json:"window,omitempty" doc:"a rotation starts within this time" default:"3h"`
	Owner    string   `yaml:"owner" json:"owner,omitempty" doc:"who is told, such as an e-mail address"`
	Tier     int      `yaml:"tier" json:"tier,omitempty" doc:"1 (the most critical) to 4" default:"3"`
	Grace    Grace    `yaml:"grace" json:"grace,omitzero" doc:"how long a replaced key lives"`
}

// Policy bounds every key. The zero value bounds nothing.
type Policy struct {
	// MaxAge is the longest interval between rotations, by tier.
	MaxAge map[int]Duration `yaml:"maxAge" json:"maxAge,omitempty" doc:"longest time between rotations by tier, such as {1: 30d, 2: 90d}"`
	// MaxGrace is the longest that a replaced key may live.
	MaxGrace Duration `yaml:"maxGrace" json:"maxGrace,omitempty" doc:"longest life of a replaced key"`
}

// VendorAccount is an account at a vendor. Functions that touch it are its own.
type VendorAccount struct {
	Provider     string   `yaml:"provider" json:"provider" doc:"the vendor"`
	Admin        string   `yaml:"admin" json:"admin" doc:"name of the secret with the vendor's admin credential"`
	Hosts        []string `yaml:"hosts" json:"hosts,omitempty" doc:"the only hosts that credentials may be sent to; default: the vendor's own"`
	AllowPrivate bool     `yaml:"allowPrivate" json:"allowPrivate,omitempty" doc:"the vendor is in a private network"`
	Concurrency  int      `yaml:"concurrency" json:"concurrency,omitempty" doc:"reserved concurrency of its rotate function; 0: none reserved"`
	Network      *Network `yaml:"network" json:"network,omitempty" doc:"VPC in which its functions run; default: none"`
}

// Network is a VPC that exists, or one that is made with fixed addresses.
type Network struct {
	VPC            string   `yaml:"vpc" json:"vpc,omitempty" doc:"id of a VPC that exists"`
	Subnets        []string `yaml:"subnets" json:"subnets,omitempty" doc:"ids of its private subnets"`
	SecurityGroups []string `yaml:"securityGroups" json:"securityGroups,omitempty" doc:"ids of security groups for the functions"`
	// FixedAddresses makes a VPC with NAT and Elastic IPs, for vendors that
	// allow-list addresses; instead of VPC.
	FixedAddresses bool `yaml:"fixedAddresses" json:"fixedAddresses,omitempty" doc:"make a VPC whose outgoing addresses never change, instead of vpc"`
	// Endpoints makes VPC endpoints for the AWS services that the functions call.
	// They answer for these services to everything in the VPC. Gateways, for
	// DynamoDB and for what CloudFormation waits for, are put into RouteTables.
	Endpoints   bool     `yaml:"endpoints" json:"endpoints,omitempty" doc:"make VPC endpoints for the AWS services that the functions call; with vpc: one subnet of each zone, and no other endpoints of these services there"`
	RouteTables []string `yaml:"routeTables" json:"routeTables,omitempty" doc:"with endpoints and vpc: ids of the subnets' route tables, for DynamoDB and S3; default: these are reached as they are now"`
}

// Key is one secret and the key in it.
type Key struct {
	Name          string            `yaml:"name" json:"name" doc:"name of the secret"`
	VendorAccount string            `yaml:"vendorAccount" json:"vendorAccount" doc:"one of vendorAccounts"`
	Settings      map[string]any    `yaml:"settings" json:"settings,omitempty" doc:"the vendor's own settings of this key"`
	Existing      bool              `yaml:"existing" json:"existing,omitempty" doc:"the secret exists and is not ours to make: schedule and policy only"`
	Schedule      string            `yaml:"schedule" json:"schedule,omitempty" doc:"rate(30 days) or cron(0 4 ? * MON *), in UTC"`
	Window        Duration          `yaml:"window" json:"window,omitempty" doc:"a rotation starts within this time"`
	RotateNow     bool              `yaml:"rotateImmediatelyOnUpdate" json:"rotateImmediatelyOnUpdate,omitempty" doc:"a deployment that changes the schedule rotates at once"`
	Owner         string            `yaml:"owner" json:"owner,omitempty" doc:"who is told, such as an e-mail address"`
	Tier          int               `yaml:"tier" json:"tier,omitempty" doc:"1 (the most critical) to 4"`
	Readers       []string          `yaml:"readers" json:"readers,omitempty" doc:"ARNs of the roles and users that may read the value"`
	Allow         Allow             `yaml:"allow" json:"allow,omitzero" doc:"from where, and how, readers may read"`
	Grace         Grace             `yaml:"grace" json:"grace,omitzero" doc:"how long a replaced key lives"`
	Value         Value             `yaml:"value" json:"value,omitzero" doc:"shape of the secret's value"`
	Exclusive     bool              `yaml:"exclusive" json:"exclusive,omitempty" doc:"the principal at the vendor is Keyturn's alone: keys of it that no version holds may be ended"`
	AcceptDown    bool              `yaml:"acceptDowntime" json:"acceptDowntime,omitempty" doc:"accept that consumers are cut off until they fetch again, where the vendor offers nothing better"`
	HoneyToken    bool              `yaml:"honeytoken" json:"honeytoken,omitempty" doc:"nobody uses this key: whoever reads it is told of at once"`
	Exception     *Exception        `yaml:"exception" json:"exception,omitempty" doc:"from the policy, dated and reasoned"`
	Tags          map[string]string `yaml:"tags" json:"tags,omitempty" doc:"tags of the secret"`
	At            Position          `yaml:"-" json:"-"` // where it is declared
}

// Allow narrows the readers' access. Everything that is given must hold.
// The zero value narrows nothing.
type Allow struct {
	CIDRs          []string `yaml:"cidrs" json:"cidrs,omitempty" doc:"public addresses that readers come from"`
	VPCEndpoints   []string `yaml:"vpcEndpoints" json:"vpcEndpoints,omitempty" doc:"ids of VPC endpoints that readers come through; with cidrs: either is enough"`
	Organization   string   `yaml:"organization" json:"organization,omitempty" doc:"id of the AWS organization that readers belong to"`
	RequireMFA     bool     `yaml:"requireMFA" json:"requireMFA,omitempty" doc:"people among the readers need MFA"`
	PermissionSets []string `yaml:"permissionSets" json:"permissionSets,omitempty" doc:"Identity Center permission sets that are trusted to ask for MFA, which IAM cannot see"`
	Machines       []string `yaml:"machines" json:"machines,omitempty" doc:"ARNs of readers that are roles of machines (Lambda, EC2, ECS), which have no MFA"`
}

// Grace is how long a replaced key lives: see shared/config.
type Grace struct {
	Min      Duration `yaml:"min" json:"min,omitempty" doc:"at least this long" default:"1h"`
	Quiet    Duration `yaml:"quiet" json:"quiet,omitempty" doc:"and until nobody used it for this long" default:"6h"`
	Max      Duration `yaml:"max" json:"max,omitempty" doc:"time is up" default:"72h"`
	Disabled Duration `yaml:"disabled" json:"disabled,omitempty" doc:"disabled this long before it is revoked, where the vendor can" default:"24h"`
	OnMax    string   `yaml:"onMax" json:"onMax,omitempty" doc:"hold or revoke, if it is still in use when time is up" default:"hold"`
	NoUsage  string   `yaml:"noUsage" json:"noUsage,omitempty" doc:"hold or revoke, at max, where the vendor does not say when keys are used" default:"hold"`
}

// Value is the shape of the secret's value: see shared/config.
type Value struct {
	Plain  bool              `yaml:"plain" json:"plain,omitempty" doc:"the whole string is the key"`
	Field  string            `yaml:"field" json:"field,omitempty" doc:"JSON field with the key" default:"apiKey"`
	Fields map[string]string `yaml:"fields" json:"fields,omitempty" doc:"JSON fields of a key that has several parts"`
	Strict bool              `yaml:"strict" json:"strict,omitempty" doc:"nothing of ours beside the consumer's fields"`
}

// Exception lets a key exceed the policy until a day.
type Exception struct {
	Until  Date   `yaml:"until" json:"until" doc:"last day, such as 2027-03-31"`
	Reason string `yaml:"reason" json:"reason" doc:"why"`
}

// Freeze is a time in which no scheduled rotation starts: createSecret refuses.
// Emergencies go on.
type Freeze struct {
	From   Date   `yaml:"from" json:"from" doc:"first day, in UTC"`
	To     Date   `yaml:"to" json:"to" doc:"last day, in UTC"`
	Reason string `yaml:"reason" json:"reason" doc:"why"`
	Tiers  []int  `yaml:"tiers" json:"tiers,omitempty" doc:"of these keys only; default: all"`
}

// Notifications say who is told what.
type Notifications struct {
	Subscriptions []Subscription `yaml:"subscriptions" json:"subscriptions,omitempty" doc:"who is told"`
	// Escalation is told what nobody has acknowledged after a time.
	Escalation *Escalation `yaml:"escalation" json:"escalation,omitempty" doc:"who is told what nobody acknowledged"`
}

// Subscription is one endpoint, and what it is told. Exactly one of the
// endpoints is given; the filters that are given must all match.
type Subscription struct {
	Email      string   `yaml:"email" json:"email,omitempty" doc:"e-mail address"`
	SQS        string   `yaml:"sqs" json:"sqs,omitempty" doc:"ARN of a queue"`
	Lambda     string   `yaml:"lambda" json:"lambda,omitempty" doc:"ARN of a function"`
	HTTPS      string   `yaml:"https" json:"https,omitempty" doc:"URL that begins with https"`
	Slack      *Slack   `yaml:"slack" json:"slack,omitempty" doc:"Slack channel, through Amazon Q Developer in chat applications"`
	Vendors    []string `yaml:"vendors" json:"vendors,omitempty" doc:"only of these vendors"`
	Keys       []string `yaml:"keys" json:"keys,omitempty" doc:"only of these keys"`
	Owners     []string `yaml:"owners" json:"owners,omitempty" doc:"only of these owners"`
	Severities []string `yaml:"severities" json:"severities,omitempty" doc:"only info, warning or critical"`
}

// Slack is a channel of a workspace that the account has been connected with.
type Slack struct {
	Workspace string `yaml:"workspace" json:"workspace" doc:"workspace id, T..."`
	Channel   string `yaml:"channel" json:"channel" doc:"channel id, C..."`
}

// Escalation is told what is still unacknowledged.
type Escalation struct {
	After         Duration       `yaml:"after" json:"after,omitempty" doc:"unacknowledged for this long" default:"4h"`
	Subscriptions []Subscription `yaml:"subscriptions" json:"subscriptions" doc:"who is told"`
}

// Access says who may operate. Lists are ARNs of roles and users.
type Access struct {
	Viewers    []string `yaml:"viewers" json:"viewers,omitempty" doc:"see states, no values"`
	Operators  []string `yaml:"operators" json:"operators,omitempty" doc:"viewers who may rotate, pause and adopt"`
	Responders []string `yaml:"responders" json:"responders,omitempty" doc:"operators who may act in an emergency and go back"`
	Approvers  []string `yaml:"approvers" json:"approvers,omitempty" doc:"approve what needs a second person"`
	Auditors   []string `yaml:"auditors" json:"auditors,omitempty" doc:"read the ledger and every policy"`
	Admins     []string `yaml:"admins" json:"admins,omitempty" doc:"store admin credentials of vendors"`
	BreakGlass []string `yaml:"breakGlass" json:"breakGlass,omitempty" doc:"may repair policies and delete keys when all else fails"`
	Deployers  []string `yaml:"deployers" json:"deployers,omitempty" doc:"who deploys; CloudFormation's execution role of the CDK bootstrap is always one"`
	RequireMFA bool     `yaml:"requireMFA" json:"requireMFA,omitempty" doc:"operators, responders and admins need MFA"`
	// PermissionSets are of Identity Center, whose MFA IAM cannot see.
	PermissionSets []string `yaml:"permissionSets" json:"permissionSets,omitempty" doc:"Identity Center permission sets that are trusted to ask operators, responders and admins for MFA, which IAM cannot see"`
}

// Functions say how functions are deployed, where the default will not do.
type Functions struct {
	PermissionsBoundary string `yaml:"permissionsBoundary" json:"permissionsBoundary,omitempty" doc:"ARN of a managed policy that bounds every role"`
	RolePath            string `yaml:"rolePath" json:"rolePath,omitempty" doc:"path of every role" default:"/"`
	RolePrefix          string `yaml:"rolePrefix" json:"rolePrefix,omitempty" doc:"before the name of every role, where the account's rules ask for one"`
	LogRetentionDays    int    `yaml:"logRetentionDays" json:"logRetentionDays,omitempty" doc:"days that logs are kept" default:"365"`
	Tracing             bool   `yaml:"tracing" json:"tracing,omitempty" doc:"X-Ray"`
}

// Role is the path and the name of the role that is called name.
func (f Functions) Role(name string) string {
	path := f.RolePath
	if path == "" {
		path = defaultPath
	}
	return path + f.RolePrefix + name
}

// Duration is a time.Duration, written "36h", "90m" or "30d".
type Duration time.Duration

// Date is a day in UTC, written "2027-03-31".
type Date struct{ time.Time }

// Position is where something is in the files.
type Position struct {
	File         string
	Line, Column int // from 1; 0: unknown
}

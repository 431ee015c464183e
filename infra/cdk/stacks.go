package cdk

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// StacksProps configure [Stacks].
type StacksProps struct {
	File        *keysfile.File
	Environment keysfile.Environment
	Code        Code // default: dist, built if it is not there
}

// Stacks adds the stacks of a whole file to an app:
//
//   - NAME-retained has what outlives everything: CMKs, records and ledger; in the
//     Regions of replicas it is NAME-retained-REGION
//   - NAME-platform has what vendor accounts share, what looks at every access,
//     people's policies and who is told
//   - NAME-vendor-ACCOUNT has the functions and alarms of one vendor account
//   - NAME-keys-NN has secrets and their policies, and nothing that can fail
//   - NAME-schedules-NN has their first values and schedules; of a shard without
//     keys both are empty, and are deleted if they are deployed
//   - NAME-watch has alarms, dashboard and saved queries; in the Regions of
//     replicas, NAME-REGION-watch passes their events on
//
// A secret's stack and logical id depend on its name alone. Stacks find each
// other's parts by name, not by exports, and depend on each other in this order.
func Stacks(app constructs.Construct, props StacksProps) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	s := &stacks{StacksProps: props, app: app, accounts: map[string]VendorAccount{}}
	s.retained()
	s.platform()
	for _, name := range slices.Sorted(maps.Keys(props.File.VendorAccounts)) {
		s.vendorAccount(name)
	}
	s.keys()
	s.watch()
	return nil
}

type stacks struct {
	StacksProps
	app      constructs.Construct
	retain   awscdk.Stack
	replicas []awscdk.Stack
	shared   awscdk.Stack
	vendors  []awscdk.Stack
	accounts map[string]VendorAccount
}

func (s *stacks) stack(name, description string, protect bool, after ...awscdk.Stack) awscdk.Stack {
	return s.stackIn(s.Environment.Region, name, description, protect, after...)
}

func (s *stacks) stackIn(region, name, description string, protect bool, after ...awscdk.Stack) awscdk.Stack {
	f := s.File
	all := map[string]*string{TagInstallation: &f.Name}
	if f.Defaults.Owner != "" {
		all[TagOwner] = &f.Defaults.Owner
	}
	st := awscdk.NewStack(s.app, text("%s-%s", f.Name, name), &awscdk.StackProps{
		Description: text("Keyturn: %s", description), TerminationProtection: &protect, Tags: &all,
		Env: &awscdk.Environment{Account: &s.Environment.Account, Region: &region},
	})
	for _, a := range after {
		st.AddStackDependency(a, nil)
	}
	return st
}

func (s *stacks) retained() {
	s.retain = s.stack("retained", "encryption keys and records, which outlive everything else", true)
	props := &FoundationProps{File: s.File}
	NewLedger(s.retain, jsii.String("Ledger"), &LedgerProps{File: s.File, Foundation: NewFoundation(s.retain, jsii.String("Foundation"), props)})
	for _, region := range s.Environment.Replicas {
		st := s.stackIn(region, "retained-"+region, "encryption key of the secrets' replicas", true)
		NewReplicaKey(st, jsii.String("SecretsKey"), props)
		s.replicas = append(s.replicas, st)
	}
}

// platform adds what vendor accounts share, people's policies and who is told.
func (s *stacks) platform() {
	s.shared = s.stack("platform", "what all vendor accounts share", false, s.retain)
	found := importFoundation(s.shared, s.File)
	p := NewPlatform(s.shared, jsii.String("Platform"), &PlatformProps{
		File: s.File, Table: found.table, AuditQueue: found.audit, DataKey: found.data, TopicsKey: found.topics, FingerprintKey: found.fingerprintKey(), Code: s.Code,
	})
	NewWatch(s.shared, jsii.String("Watch"), &WatchProps{
		File: s.File, Platform: p, Table: found.table, AuditQueue: found.audit, DataKey: found.data, FingerprintKey: found.fingerprintKey(), Code: s.Code,
	})
	NewReview(s.shared, jsii.String("Review"), &ReviewProps{
		File: s.File, Platform: p, Table: found.table, AuditQueue: found.audit, DataKey: found.data, FingerprintKey: found.fingerprintKey(), Code: s.Code,
	})
	NewPeople(s.shared, jsii.String("People"), &PeopleProps{File: s.File})
	NewSubscriptions(s.shared, jsii.String("Subscriptions"), &SubscriptionsProps{
		File: s.File, Notifications: p.Notifications(), Escalation: p.Escalation(), DataKey: found.data, TopicsKey: found.topics, Code: s.Code,
	})
}

func (s *stacks) vendorAccount(name string) {
	st := s.stack("vendor-"+name, "functions of the vendor account "+name, false, s.shared)
	found := importFoundation(st, s.File)
	s.accounts[name] = NewVendorAccount(st, jsii.String("Account"), &VendorAccountProps{
		File: s.File, Name: &name, Table: found.table, AuditQueue: found.audit, DataKey: found.data, FingerprintKey: found.fingerprintKey(), Code: s.Code,
		Notifications: s.topic(st, "Notifications"),
	})
	NewAccountAlarms(st, jsii.String("Alarms"), name, s.alarms(st))
	s.vendors = append(s.vendors, st)
}

// watch adds what looks at all of it, after everything that it looks at.
func (s *stacks) watch() {
	st := s.stack("watch", "alarms, dashboard and saved queries", false, append(s.vendors, s.shared)...)
	NewAlarms(st, jsii.String("Alarms"), s.alarms(st))
	NewDashboard(st, jsii.String("Dashboard"), &DashboardProps{File: s.File})
	for _, region := range s.Environment.Replicas {
		if iam.Partition(region) == "aws" { // events go to other Regions in this partition only
			far := s.stackIn(region, region+"-watch", "events of the secrets' replicas", false)
			NewReplicaEvents(far, jsii.String("Events"), &ReplicaEventsProps{File: s.File, Home: &s.Environment.Region})
		}
	}
}

func (s *stacks) alarms(st awscdk.Stack) *AlarmsProps {
	return &AlarmsProps{File: s.File, Notifications: s.topic(st, "Notifications"), Escalation: s.topic(st, "Escalation")}
}

// topic is one of the platform's, as another stack sees it.
func (s *stacks) topic(st awscdk.Stack, id string) awssns.ITopic {
	if t, ok := st.Node().TryFindChild(&id).(awssns.ITopic); ok {
		return t
	}
	at := placeOf(st, s.File)
	return awssns.Topic_FromTopicArn(st, &id, jsii.String(at.arn("sns", at.name+"-"+strings.ToLower(id))))
}

// keys adds each key to the stacks of its shard.
func (s *stacks) keys() {
	shards := map[int][]keysfile.Key{}
	for _, k := range s.File.Keys {
		n := keysfile.Shard(k.Name, s.File.Shards)
		shards[n] = append(shards[n], k)
	}
	for n := range max(s.File.Shards, 1) {
		if keys := len(shards[n]); keys > maxKeys {
			panic(fmt.Sprintf("%d keys in one of %d stacks, which takes %d: shards cannot be changed any more once there are secrets, so put the keys into two installations of different names", keys, s.File.Shards, maxKeys))
		}
		s.shard(n, shards[n])
	}
}

// maxKeys are in one stack: CloudFormation takes 500 resources, and a key has
// two in each of its stacks.
const maxKeys = 500 / 2

func (s *stacks) shard(n int, keys []keysfile.Key) {
	values := s.stack(fmt.Sprintf("keys-%02d", n), "secrets", false, append(s.replicas, s.retain)...)
	schedules := s.stack(fmt.Sprintf("schedules-%02d", n), "first values and schedules", false, values)
	if len(keys) == 0 {
		empty(values)
		empty(schedules)
		return
	}
	found := importFoundation(values, s.File)
	policies := siteOf(values, s.File)
	replicas := jsii.Strings(s.Environment.Replicas...)
	for _, k := range keys {
		NewRotatedKey(values, jsii.String(KeyID(k.Name)), &RotatedKeyProps{
			Account: s.accounts[k.VendorAccount], SecretName: &k.Name, EncryptionKey: found.secrets,
			ReplicaRegions: replicas, ReplicaKey: text("alias/%s-secrets", found.name), Schedules: schedules, policies: &policies,
		})
	}
}

// empty says that a stack is meant to have nothing in it. Such a stack is what
// has the CDK's command delete a deployed one: one that the app does not name
// any more it leaves alone, and the rotation of a shard's last key would go on
// for ever, in a function that does not know the key.
// https://docs.aws.amazon.com/cdk/v2/guide/ref-cli-cmd-deploy.html
func empty(st awscdk.Stack) {
	awscdk.Validations_Of(st).Acknowledge(&awscdk.Acknowledgment{
		Id: jsii.String("CloudFormation-Validate::F0001"), Reason: jsii.String("A shard without keys: the stack is deleted, if it is there."),
	})
}

// imported is a foundation as another stack sees it.
type imported struct {
	place
	secrets, data, topics awskms.IKey
	table                 awsdynamodb.ITable
	audit                 awssqs.IQueue
}

func importFoundation(scope awscdk.Stack, file *keysfile.File) imported {
	p := placeOf(scope, file)
	alias := func(id, purpose string) awskms.IKey {
		return awskms.Alias_FromAliasName(scope, &id, text("alias/%s-%s", p.name, purpose))
	}
	return imported{
		place: p, secrets: alias("SecretsKey", "secrets"), topics: alias("TopicsKey", "topics"),
		// Of such references CloudFormation takes 60 in a template: not for secrets.
		data:  awskms.Key_FromKeyArn(scope, jsii.String("DataKey"), jsii.String(p.arn("kms", "key/{{resolve:ssm:"+p.dataKeyParameter()+"}}"))),
		table: awsdynamodb.Table_FromTableName(scope, jsii.String("Table"), &p.name),
		audit: awssqs.Queue_FromQueueArn(scope, jsii.String("AuditQueue"), jsii.String(p.arn("sqs", p.name+"-audit"))),
	}
}

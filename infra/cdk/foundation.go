package cdk

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// FoundationProps configure a [Foundation].
type FoundationProps struct {
	// File is the whole configuration.
	File *keysfile.File `field:"required"`
}

// Foundation is what outlives everything else: the CMKs, the keys' records and
// the audit trail on its way. All of it is retained.
//
// Three CMKs, for a topic and a queue that is subscribed to it cannot share one
// (each key's policy would name the other's resource), and whoever may read a
// log must not need a right to the key of the secrets.
type Foundation interface {
	constructs.Construct
	SecretsKey() awskms.IKey // of the secrets' values
	DataKey() awskms.IKey    // of records, queues, logs and the functions' environment
	TopicsKey() awskms.IKey  // of the topics
	Table() awsdynamodb.ITable
	AuditQueue() awssqs.Queue
	AuditDeadLetters() awssqs.Queue
	// FingerprintKey returns a dynamic reference to the key of the fingerprints
	// in the audit trail, which CloudFormation resolves.
	FingerprintKey() *string
}

type foundation struct {
	constructs.Construct
	at                    place
	secrets, data, topics awskms.Key
	table                 awsdynamodb.Table
	audit, dead           awssqs.Queue
}

// ToString makes a *foundation a construct to the CDK.
func (f *foundation) ToString() *string { return text("Foundation(%s)", f.at.name) }

func (f *foundation) SecretsKey() awskms.IKey        { return f.secrets }
func (f *foundation) DataKey() awskms.IKey           { return f.data }
func (f *foundation) TopicsKey() awskms.IKey         { return f.topics }
func (f *foundation) Table() awsdynamodb.ITable      { return f.table }
func (f *foundation) AuditQueue() awssqs.Queue       { return f.audit }
func (f *foundation) AuditDeadLetters() awssqs.Queue { return f.dead }
func (f *foundation) FingerprintKey() *string        { return f.at.fingerprintKey() }

// fingerprintKey is a reference, so that no template holds the value.
func (p place) fingerprintKey() *string {
	return text("{{resolve:secretsmanager:%s/fingerprint-key:SecretString}}", p.name)
}

// NewFoundation adds the CMKs, the table and the audit queue.
func NewFoundation(scope constructs.Construct, id *string, props *FoundationProps) Foundation {
	need("FoundationProps", "File", props == nil || props.File == nil)
	this := &foundation{at: placeOf(scope, props.File)}
	constructs.NewConstruct_Override(this, scope, id)
	mark(this, props.File)
	s := siteOf(this, props.File)
	key := func(id, purpose, description string, policy iam.Document) awskms.Key {
		return newKey(this, id, this.at.name+"-"+purpose, description, policy)
	}
	this.secrets = key("SecretsKey", "secrets", "Values of the secrets that Keyturn rotates", s.policy(s.SecretsKey(this.at.region)))
	this.data = key("DataKey", "data", "Keyturn's records, queues, logs and environment", s.policy(s.DataKey()))
	this.topics = key("TopicsKey", "topics", "Keyturn's notifications", s.policy(s.TopicsKey()))
	// Lambda and CloudWatch Logs take no alias for a key.
	awsssm.NewCfnParameter(this, jsii.String("DataKeyId"), &awsssm.CfnParameterProps{
		Name: jsii.String(this.at.dataKeyParameter()), Type: jsii.String("String"), Value: this.data.KeyId(),
		Description: jsii.String("Id of the CMK of Keyturn's data, for its other stacks"),
	})
	this.table = awsdynamodb.NewTable(this, jsii.String("Table"), &awsdynamodb.TableProps{
		TableName:    &this.at.name,
		PartitionKey: &awsdynamodb.Attribute{Name: jsii.String("secret"), Type: awsdynamodb.AttributeType_STRING},
		SortKey:      &awsdynamodb.Attribute{Name: jsii.String("item"), Type: awsdynamodb.AttributeType_STRING},
		BillingMode:  awsdynamodb.BillingMode_PAY_PER_REQUEST, TimeToLiveAttribute: jsii.String("expires"),
		Encryption: awsdynamodb.TableEncryption_CUSTOMER_MANAGED, EncryptionKey: this.data,
		DeletionProtection: jsii.Bool(true), RemovalPolicy: awscdk.RemovalPolicy_RETAIN,
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: jsii.Bool(true)},
	})
	queue := func(id, name string, dead awssqs.Queue) awssqs.Queue {
		return newQueue(this, id, queueProps{
			visible: auditVisible(), name: this.at.name + "-" + name, key: this.data, policy: s.policy(s.Queue(name), nil), dead: dead, removal: awscdk.RemovalPolicy_RETAIN,
		})
	}
	this.dead = queue("AuditDeadLetters", "audit-dlq", nil)
	this.audit = queue("Audit", "audit", this.dead)
	this.newFingerprintKey()
	return this
}

func (f *foundation) newFingerprintKey() {
	s := awssecretsmanager.NewCfnSecret(f, jsii.String("FingerprintKey"), &awssecretsmanager.CfnSecretProps{
		Name: text("%s/fingerprint-key", f.at.name), Description: jsii.String("Key of the fingerprints in Keyturn's audit trail; it opens nothing"),
		KmsKeyId:             f.secrets.KeyArn(),
		GenerateSecretString: map[string]any{"passwordLength": 64, "excludePunctuation": true},
	})
	s.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
	suppress(s, "AwsSolutions-SMG4", "Fingerprints of one value must stay comparable over the years: another key would break the audit trail, and this one opens nothing.")
}

// NewReplicaKey adds the CMK of the secrets' replicas to a stack in another
// Region. It is retained.
func NewReplicaKey(scope constructs.Construct, id *string, props *FoundationProps) awskms.Key {
	need("FoundationProps", "File", props == nil || props.File == nil)
	at, s := placeOf(scope, props.File), siteOf(scope, props.File)
	k := newKey(scope, *id, at.name+"-secrets", "Replicas of the secrets that Keyturn rotates", s.policy(s.SecretsKey(at.region)))
	mark(k, props.File)
	return k
}

func newKey(scope constructs.Construct, id, alias, description string, policy iam.Document) awskms.Key {
	return awskms.NewKey(scope, &id, &awskms.KeyProps{
		Description: &description, EnableKeyRotation: jsii.Bool(true), Alias: &alias,
		RemovalPolicy: awscdk.RemovalPolicy_RETAIN, Policy: awsiam.PolicyDocument_FromJson(plain(policy)),
	})
}

func (p place) dataKeyParameter() string { return "/" + p.name + "/data-key" }

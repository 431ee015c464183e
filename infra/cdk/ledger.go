package cdk

import (
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/ledger"
)

// LedgerProps configure a [Ledger].
type LedgerProps struct {
	// File is the whole configuration.
	File *keysfile.File `field:"required"`
	// Foundation has the CMKs.
	Foundation Foundation `field:"required"`
}

// Ledger is what the audit function writes to and remembers in: the bucket with
// Object Lock, the key that signs, the table NAME-watch, and the canary's secret.
// All of it is retained.
//
// The bucket has no retention of its own: each object brings its own, so that
// what may pass can pass.
type Ledger interface {
	constructs.Construct
	Bucket() awss3.CfnBucket
	Watch() awsdynamodb.ITable // what the detections remember, and the ledger's head
}

type ledgerParts struct {
	constructs.Construct
	at     place
	file   *keysfile.File
	bucket awss3.CfnBucket
	watch  awsdynamodb.Table
}

// ToString makes a *ledgerParts a construct to the CDK.
func (l *ledgerParts) ToString() *string { return text("Ledger(%s)", l.at.name) }

func (l *ledgerParts) Bucket() awss3.CfnBucket   { return l.bucket }
func (l *ledgerParts) Watch() awsdynamodb.ITable { return l.watch }

// NewLedger adds the ledger's parts.
func NewLedger(scope constructs.Construct, id *string, props *LedgerProps) Ledger {
	need("LedgerProps", "File", props == nil || props.File == nil)
	need("LedgerProps", "Foundation", props.Foundation == nil)
	this := &ledgerParts{at: placeOf(scope, props.File), file: props.File}
	constructs.NewConstruct_Override(this, scope, id)
	mark(this, props.File)
	s, f := siteOf(this, props.File), props.Foundation
	this.newBucket(s, f.DataKey())
	key := this.newKey(s)
	this.watch = awsdynamodb.NewTable(this, jsii.String("Watch"), &awsdynamodb.TableProps{
		TableName:    text("%s-watch", this.at.name),
		PartitionKey: &awsdynamodb.Attribute{Name: jsii.String("part"), Type: awsdynamodb.AttributeType_STRING},
		SortKey:      &awsdynamodb.Attribute{Name: jsii.String("name"), Type: awsdynamodb.AttributeType_STRING},
		BillingMode:  awsdynamodb.BillingMode_PAY_PER_REQUEST, TimeToLiveAttribute: jsii.String("expires"),
		Encryption: awsdynamodb.TableEncryption_CUSTOMER_MANAGED, EncryptionKey: f.DataKey(),
		DeletionProtection: jsii.Bool(true), RemovalPolicy: awscdk.RemovalPolicy_RETAIN,
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: jsii.Bool(true)},
	})
	this.newCanary(s, f.SecretsKey())
	// CloudTrail tells of keys by their ids.
	awsssm.NewCfnParameter(this, jsii.String("KeyIds"), &awsssm.CfnParameterProps{
		Name: jsii.String(this.at.keyIDsParameter()), Type: jsii.String("StringList"),
		Value: awscdk.Fn_Join(jsii.String(","), &[]*string{
			f.SecretsKey().KeyId(), f.DataKey().KeyId(), f.TopicsKey().KeyId(), key.AttrKeyId(),
		}),
		Description: jsii.String("Ids of Keyturn's CMKs, for the detections"),
	})
	awscdk.NewCfnOutput(this, jsii.String("VerifierKey"), &awscdk.CfnOutputProps{
		Value:       jsii.String("keyturn ledger key"),
		Description: text("Prints the key that verifies the ledger %s: keep it outside of this account", s.LedgerOrigin()),
	})
	return this
}

// ledgerBucket is what [access.Site.LedgerName] is, with the CDK's tokens in it.
func (p place) ledgerBucket() string { return p.name + "-ledger-" + p.account + "-" + p.region }

func (p place) keyIDsParameter() string { return "/" + p.name + "/key-ids" }

// Days after which S3 takes away what may pass: partial tiles, which can be
// computed again. What is locked stays for as long as it is locked.
const (
	passingDays = 7
	replaced    = 1  // versions that are not the newest any more
	rewritten   = 90 // versions of a review's page
)

func (l *ledgerParts) newBucket(s site, key awskms.IKey) {
	l.bucket = awss3.NewCfnBucket(l, jsii.String("Bucket"), &awss3.CfnBucketProps{
		BucketName: jsii.String(l.at.ledgerBucket()), ObjectLockEnabled: true,
		VersioningConfiguration: map[string]any{"status": "Enabled"},
		BucketEncryption: map[string]any{"serverSideEncryptionConfiguration": []any{map[string]any{
			"bucketKeyEnabled":              true,
			"serverSideEncryptionByDefault": map[string]any{"sseAlgorithm": "aws:kms", "kmsMasterKeyId": key.KeyArn()},
		}}},
		PublicAccessBlockConfiguration: map[string]any{"blockPublicAcls": true, "blockPublicPolicy": true, "ignorePublicAcls": true, "restrictPublicBuckets": true},
		OwnershipControls:              map[string]any{"rules": []any{map[string]any{"objectOwnership": "BucketOwnerEnforced"}}},
		LifecycleConfiguration: map[string]any{"rules": []any{
			map[string]any{
				"id": "passing", "status": "Enabled", "prefix": ledger.PassingDir, "expirationInDays": passingDays,
				"noncurrentVersionExpiration": map[string]any{"noncurrentDays": replaced},
			},
			map[string]any{"id": "markers", "status": "Enabled", "prefix": ledger.PassingDir, "expiredObjectDeleteMarker": true},
			map[string]any{
				"id": "reviews", "status": "Enabled", "prefix": access.ReviewPrefix, "expirationInDays": int(retentionOf(l.file.Audit) / (24 * time.Hour)),
				"noncurrentVersionExpiration": map[string]any{"noncurrentDays": rewritten},
			},
			map[string]any{"id": "unfinished", "status": "Enabled", "abortIncompleteMultipartUpload": map[string]any{"daysAfterInitiation": 1}},
		}},
	})
	l.bucket.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
	suppress(l.bucket, "AwsSolutions-S1", "Access logs would be written by anybody's leave into a bucket that nothing locks. Who reads the ledger is in CloudTrail, where a trail has its data events.")
	awss3.NewCfnBucketPolicy(l, jsii.String("Rules"), &awss3.CfnBucketPolicyProps{
		Bucket: jsii.String(l.at.ledgerBucket()), PolicyDocument: plain(s.policy(s.LedgerBucket(), nil)),
	}).AddResourceDependency(l.bucket, nil)
}

// newKey adds the key that signs. An asymmetric key is not rotated: the verifier
// that auditors keep would be another.
func (l *ledgerParts) newKey(s site) awskms.CfnKey {
	key := awskms.NewCfnKey(l, jsii.String("Key"), &awskms.CfnKeyProps{
		Description: jsii.String("Signs the checkpoints of Keyturn's ledger"), KeySpec: jsii.String("ECC_NIST_EDWARDS25519"), KeyUsage: jsii.String("SIGN_VERIFY"),
		KeyPolicy: plain(s.policy(s.LedgerKey())),
	})
	key.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
	alias := awskms.NewCfnAlias(l, jsii.String("KeyAlias"), &awskms.CfnAliasProps{AliasName: jsii.String(s.LedgerAlias()), TargetKeyId: key.Ref()})
	alias.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
	return key
}

func (l *ledgerParts) newCanary(s site, key awskms.IKey) {
	c := awssecretsmanager.NewCfnSecret(l, jsii.String("Canary"), &awssecretsmanager.CfnSecretProps{
		Name: jsii.String(s.CanaryName()), Description: jsii.String("Read by Keyturn's audit function, to see its own read come back; it opens nothing"),
		KmsKeyId: key.KeyArn(), GenerateSecretString: map[string]any{"passwordLength": 32, "excludePunctuation": true},
	})
	c.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
	suppress(c, "AwsSolutions-SMG4", "It opens nothing, and nobody uses its value.")
	awssecretsmanager.NewCfnResourcePolicy(l, jsii.String("CanaryRules"), &awssecretsmanager.CfnResourcePolicyProps{
		SecretId: c.Ref(), BlockPublicPolicy: true, ResourcePolicy: plain(s.policy(s.Canary(), nil)),
	})
}

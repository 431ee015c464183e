package cdk

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// FirstValueType is the type of the custom resource that makes a key's first
// value: the rotate function answers it.
const FirstValueType = "Custom::KeyturnFirstValue"

// RotatedKeyProps configure a [RotatedKey].
type RotatedKeyProps struct {
	// Account rotates the key.
	Account VendorAccount `field:"required"`
	// SecretName is the secret's name, which is one of the account's keys in its
	// configuration: all else is said there.
	SecretName *string `field:"required"`
	// EncryptionKey encrypts the value; needed, unless the secret exists already.
	EncryptionKey awskms.IKey
	// ReplicaRegions are Regions that the secret is replicated to.
	ReplicaRegions *[]*string
	// ReplicaKey is the alias of the CMK in those Regions, such as
	// "alias/keyturn-secrets"; default: Secrets Manager's own key there.
	ReplicaKey *string
	// Schedules is where the first value and the schedule go; default: the
	// construct itself. In a stack of its own, a first value that cannot be made
	// rolls back no secret: see docs/adr/0014-first-values-apart.md.
	Schedules constructs.Construct

	policies *site // nil: of the scope
}

// RotatedKey is a key at a vendor, its secret, and its rotation.
type RotatedKey interface {
	constructs.Construct
	// SecretName returns the secret's name.
	SecretName() *string
	// Secret returns the secret. It must not be used before the key has its
	// first value: depend on Schedule.
	Secret() awssecretsmanager.ISecret
	// Schedule returns the rotation's schedule, which is there when the secret
	// has a tested value.
	Schedule() awssecretsmanager.CfnRotationSchedule
}

type rotatedKey struct {
	constructs.Construct
	key      keysfile.Key
	made     awssecretsmanager.CfnSecret         // nil: it exists
	policy   awssecretsmanager.CfnResourcePolicy // nil: none
	schedule awssecretsmanager.CfnRotationSchedule
	secret   awssecretsmanager.ISecret
}

// ToString is what makes a *rotatedKey a construct to the CDK, rather than
// something around one.
func (k *rotatedKey) ToString() *string { return text("RotatedKey(%s)", k.key.Name) }

func (k *rotatedKey) SecretName() *string { return &k.key.Name }

func (k *rotatedKey) Schedule() awssecretsmanager.CfnRotationSchedule { return k.schedule }

func (k *rotatedKey) Secret() awssecretsmanager.ISecret {
	if k.secret == nil {
		id := jsii.String("Imported")
		if k.made != nil {
			k.secret = awssecretsmanager.Secret_FromSecretCompleteArn(k, id, k.made.Ref())
		} else {
			k.secret = awssecretsmanager.Secret_FromSecretNameV2(k, id, &k.key.Name)
		}
	}
	return k.secret
}

// KeyID returns the id of a secret's construct: it depends on nothing but the
// secret's name, and so does the logical id.
func KeyID(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return "Key" + hex.EncodeToString(sum[:8])
}

// NewRotatedKey adds a secret, its first value and its schedule. The secret is
// made without a value: the account's rotate function mints one, proves it and
// stores it, and only then is the schedule attached. It is retained when the
// construct is removed.
//
// It makes plain resources and no grants, for there may be thousands.
func NewRotatedKey(scope constructs.Construct, id *string, props *RotatedKeyProps) RotatedKey {
	need("RotatedKeyProps", "Account", props.Account == nil)
	need("RotatedKeyProps", "SecretName", props.SecretName == nil)
	file := props.Account.configuration()
	i := slices.IndexFunc(file.Keys, func(k keysfile.Key) bool {
		return k.Name == *props.SecretName && k.VendorAccount == *props.Account.Name()
	})
	if i < 0 {
		panic(fmt.Sprintf("the configuration has no key %q in the vendor account %q: its functions would refuse it", *props.SecretName, *props.Account.Name()))
	}
	this := &rotatedKey{key: file.Keys[i]}
	constructs.NewConstruct_Override(this, scope, id)
	if !this.key.Existing {
		need("RotatedKeyProps", "EncryptionKey", props.EncryptionKey == nil)
		this.made = this.newSecret(props)
	}
	s := props.policies
	if s == nil {
		own := siteOf(this, file)
		s = &own
		if props.EncryptionKey != nil {
			letThrough(props.EncryptionKey, "secretsmanager")
		}
	}
	if d := s.policy(s.Secret(this.key)); len(d.Statement) > 0 {
		this.policy = awssecretsmanager.NewCfnResourcePolicy(this, jsii.String("Policy"), &awssecretsmanager.CfnResourcePolicyProps{
			SecretId: this.ref(false), ResourcePolicy: plain(d), BlockPublicPolicy: true,
		})
	}
	rotation := constructs.Construct(this)
	if props.Schedules != nil {
		rotation = constructs.NewConstruct(props.Schedules, id)
	}
	first := this.firstValue(rotation, props)
	this.schedule = this.newSchedule(rotation, props, file.Expression(this.key))
	this.schedule.AddResourceDependency(first, nil)
	this.schedule.AddResourceDependency(props.Account.mayInvoke(), nil)
	return this
}

// ref names the secret: by Ref where it is made, so that CloudFormation knows
// the order, and by name in another stack.
func (k *rotatedKey) ref(elsewhere bool) *string {
	if k.made != nil && !elsewhere {
		return k.made.Ref()
	}
	return &k.key.Name
}

func (k *rotatedKey) newSecret(props *RotatedKeyProps) awssecretsmanager.CfnSecret {
	all := maps.Clone(k.key.Tags)
	if all == nil {
		all = map[string]string{}
	}
	all[TagInstallation], all[TagVendorAccount] = props.Account.installation(), *props.Account.Name()
	all[TagOwner] = k.key.Owner
	if k.key.Tier != 0 {
		all[TagTier] = strconv.Itoa(k.key.Tier)
	}
	var replicas []any
	for _, r := range or(props.ReplicaRegions, nil) {
		m := map[string]any{"region": *r}
		if props.ReplicaKey != nil {
			m["kmsKeyId"] = props.ReplicaKey
		}
		replicas = append(replicas, m)
	}
	p := &awssecretsmanager.CfnSecretProps{
		Name: &k.key.Name, Description: text("Key of %s, rotated by Keyturn", *props.Account.Provider()),
		KmsKeyId: props.EncryptionKey.KeyArn(), Tags: tags(all),
	}
	if replicas != nil {
		p.ReplicaRegions = replicas
	}
	s := awssecretsmanager.NewCfnSecret(k, jsii.String("Secret"), p)
	retain := awscdk.RemovalPolicy_RETAIN
	if props.Schedules != nil {
		// The value is made in a later stack, so what a failed creation leaves is
		// always empty, and in the way of the next.
		retain = awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
		suppress(s, "AwsSolutions-SMG4", "Its schedule is in the stack after, behind its first value.")
	}
	s.ApplyRemovalPolicy(retain, nil)
	return s
}

func (k *rotatedKey) firstValue(scope constructs.Construct, props *RotatedKeyProps) awscdk.CfnResource {
	a := props.Account
	// Another account is another resource: CloudFormation refuses to change whom
	// a custom resource asks.
	r := awscdk.NewCfnResource(scope, text("FirstValue-%s", *a.Name()), &awscdk.CfnResourceProps{
		Type: jsii.String(FirstValueType),
		Properties: &map[string]any{
			"ServiceToken": a.RotateFunctionArn(), "Version": "1",
			"Secret": k.ref(props.Schedules != nil), "VendorAccount": a.Name(), "Existing": strconv.FormatBool(k.key.Existing),
		},
	})
	after := a.ready()
	if k.made != nil {
		after = append(after, k.made)
	}
	if k.policy != nil {
		after = append(after, k.policy)
	}
	for _, d := range after {
		r.AddResourceDependency(d, nil)
	}
	return r
}

func (k *rotatedKey) newSchedule(scope constructs.Construct, props *RotatedKeyProps, expression string) awssecretsmanager.CfnRotationSchedule {
	rules := &awssecretsmanager.CfnRotationSchedule_RotationRulesProperty{ScheduleExpression: &expression}
	if k.key.Window != 0 {
		rules.Duration = text("%dh", int(time.Duration(k.key.Window)/time.Hour))
	}
	return awssecretsmanager.NewCfnRotationSchedule(scope, jsii.String("Schedule"), &awssecretsmanager.CfnRotationScheduleProps{
		SecretId: k.ref(props.Schedules != nil), RotationLambdaArn: props.Account.RotateFunctionArn(),
		RotationRules: rules, RotateImmediatelyOnUpdate: k.key.RotateNow,
	})
}

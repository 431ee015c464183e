package cdk

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/iam"
)

// maxReceives is how often a message is tried before it is a dead letter.
const maxReceives = 5

// queueProps configure a queue. What cannot be handled goes to dead, if there
// is one.
type queueProps struct {
	name    string
	key     awskms.IKey
	policy  iam.Document
	dead    awssqs.Queue
	visible awscdk.Duration // after it was received and not deleted
	removal awscdk.RemovalPolicy
}

func newQueue(scope constructs.Construct, id string, p queueProps) awssqs.Queue {
	props := &awssqs.QueueProps{
		QueueName: &p.name, Encryption: awssqs.QueueEncryption_KMS, EncryptionMasterKey: p.key,
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)), VisibilityTimeout: p.visible, RemovalPolicy: p.removal,
	}
	if p.dead != nil {
		props.DeadLetterQueue = &awssqs.DeadLetterQueue{Queue: p.dead, MaxReceiveCount: number(maxReceives)}
	}
	q := awssqs.NewQueue(scope, &id, props)
	awssqs.NewCfnQueuePolicy(q, jsii.String("Rules"), &awssqs.CfnQueuePolicyProps{
		Queues: &[]*string{q.QueueUrl()}, PolicyDocument: plain(p.policy),
	})
	return q
}

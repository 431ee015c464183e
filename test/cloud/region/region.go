// Package region is one Region of the local AWS with all of its services, wired
// together as in AWS: rotations, schedules and topics invoke functions, and
// what functions call is here too.
package region

import (
	"context"
	"crypto/rand"
	"net"
	"sync/atomic"

	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/cloudtrail"
	"github.com/keyturn/keyturn/test/cloud/control"
	"github.com/keyturn/keyturn/test/cloud/dynamodb"
	"github.com/keyturn/keyturn/test/cloud/iam"
	"github.com/keyturn/keyturn/test/cloud/kms"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/organizations"
	"github.com/keyturn/keyturn/test/cloud/rules"
	"github.com/keyturn/keyturn/test/cloud/s3"
	"github.com/keyturn/keyturn/test/cloud/scheduler"
	"github.com/keyturn/keyturn/test/cloud/sns"
	"github.com/keyturn/keyturn/test/cloud/sqs"
	"github.com/keyturn/keyturn/test/cloud/ssm"
	"github.com/keyturn/keyturn/test/cloud/sts"
)

// Options configure a [Region]. The zero value is a safe, empty one.
type Options struct {
	// Cloud is for the whole. An Invoker of nil is the Region's Lambda.
	Cloud    cloud.Options
	DynamoDB dynamodb.Options
	// Lambda's Clock is the Cloud's, and its Endpoint where the Region listens.
	Lambda lambda.Options
}

// Region is the local AWS. Use [New], and Close it; it is safe for concurrent
// use.
type Region struct {
	Cloud    *cloud.Cloud
	Lambda   *lambda.Service
	SNS      *sns.Service
	SQS      *sqs.Service
	DynamoDB *dynamodb.Service
	S3       *s3.Service
	KMS      *kms.Service
	// Scheduler starts functions on the Cloud's clock.
	Scheduler *scheduler.Service
	// STS knows the functions' processes by their access keys.
	STS *sts.Service
	// CloudTrail has no trails until a test sets some, or has some delivered.
	CloudTrail *cloudtrail.Service
	// Events are EventBridge's rules.
	Events *rules.Service
	// IAM knows nobody, and Organizations no organization, until a test says so.
	IAM           *iam.Service
	Organizations *organizations.Service

	endpoint atomic.Value // string: where it listens
}

// New returns a Region without anything in it.
func New(o Options) *Region {
	if o.Cloud.Clock == nil {
		o.Cloud.Clock = clock.New()
	}
	r := &Region{}
	o.Lambda.Clock = o.Cloud.Clock
	if o.Lambda.Endpoint == nil {
		o.Lambda.Endpoint = r.Endpoint
	}
	r.Lambda = lambda.New(o.Lambda)
	if o.Cloud.Invoker == nil {
		o.Cloud.Invoker = r.Lambda
		if o.Cloud.SecretsManager.Invocable == nil {
			o.Cloud.SecretsManager.Invocable = r.Lambda.AllowsSecretsManager
		}
	}
	r.Cloud = cloud.New(o.Cloud)
	r.SQS = sqs.New(o.Cloud.Clock)
	r.DynamoDB = dynamodb.New(o.Cloud.Clock, o.DynamoDB)
	r.SNS = sns.New(sns.Options{Clock: o.Cloud.Clock, Endpoint: r.url, Queues: r.SQS, Functions: r.Lambda})
	r.Scheduler = scheduler.New(scheduler.Options{Clock: o.Cloud.Clock, Functions: r.Lambda, Queues: r.SQS})
	r.STS = sts.New(sts.Options{Caller: r.Lambda.Caller})
	random := o.Cloud.Rand
	if random == nil {
		random = rand.Reader
	}
	r.S3 = s3.New(o.Cloud.Clock, random)
	r.KMS = kms.New()
	r.Cloud.Register("s3", r.S3)
	r.Cloud.Register("kms", r.KMS)
	r.Cloud.Register("lambda", r.Lambda)
	r.Cloud.Register("sns", r.SNS)
	r.Cloud.Register("sqs", r.SQS)
	r.Cloud.Register("dynamodb", r.DynamoDB)
	r.Cloud.Register("scheduler", r.Scheduler)
	r.Cloud.Register("sts", r.STS)
	r.CloudTrail = cloudtrail.New(cloudtrail.Options{
		Now: o.Cloud.Clock.Now, Trail: r.Cloud.Trail, Clock: o.Cloud.Clock, Objects: r.S3, Observe: r.Cloud.Observe,
	})
	r.Cloud.Register("cloudtrail", r.CloudTrail)
	r.Cloud.Register("ssm", ssm.New())
	r.IAM, r.Organizations = iam.New(o.Cloud.Clock.Now()), organizations.New()
	r.Cloud.Register("iam", r.IAM)
	r.Cloud.Register("organizations", r.Organizations)
	r.Events = rules.New(rules.Options{Cloud: r.Cloud, Queues: r.SQS, Functions: r.Lambda})
	r.Cloud.Register("events", r.Events)
	r.Cloud.Mount(control.Prefix, control.New(r.Cloud, r.SNS))
	return r
}

// Listen opens a listener as [cloud.Cloud.Listen] does, and makes it the
// endpoint of the functions' processes.
func (r *Region) Listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := r.Cloud.Listen(ctx, address)
	if err == nil {
		r.endpoint.Store("http://" + l.Addr().String())
	}
	return l, err
}

// Endpoint returns the URL of the last Listen, "" before there was one.
func (r *Region) Endpoint() string {
	url, _ := r.endpoint.Load().(string)
	return url
}

// url is the Endpoint for links, which a Region that does not listen has too.
func (r *Region) url() string {
	if u := r.Endpoint(); u != "" {
		return u
	}
	return "http://127.0.0.1"
}

// Serve answers on l until ctx ends, then closes l.
func (r *Region) Serve(ctx context.Context, l net.Listener) error { return r.Cloud.Serve(ctx, l) }

// Close ends rotations and deliveries, and then the functions' processes.
func (r *Region) Close() error {
	r.Cloud.Close()
	r.SNS.Close()
	r.Scheduler.Close()
	return r.Lambda.Close()
}

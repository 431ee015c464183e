package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"github.com/keyturn/keyturn/shared/awsclock"
	records "github.com/keyturn/keyturn/shared/keyrecord/dynamodb"
	"github.com/keyturn/keyturn/shared/store"
	adapter "github.com/keyturn/keyturn/shared/store/secretsmanager"
)

// connection is AWS, with what was learned on the way.
type connection struct {
	cfg   aws.Config
	clock *awsclock.Clock // AWS's time, by which everything that is late is late

	mu     sync.Mutex
	next   aws.HTTPClient
	broken error // why the last request got no answer; nil: it got one
}

// connect finds Region and credentials. It asks AWS for nothing but whose they
// are, where the keys' file says whose they must be.
func (a *app) connect(ctx context.Context) (*connection, error) {
	options := []func(*awsconfig.LoadOptions) error{
		awsconfig.WithRegion(a.flags.region), awsconfig.WithBaseEndpoint(a.flags.endpoint), awsconfig.WithSharedConfigProfile(a.flags.profile),
		awsconfig.WithLogger(logging.Nop{}), // stderr is for our own words
	}
	if u, err := url.Parse(a.flags.endpoint); a.flags.endpoint != "" && (err != nil || u.Host == "") {
		return nil, usage("--endpoint-url is no URL", "write it whole, such as --endpoint-url http://127.0.0.1:4566")
	}
	place, err := a.place()
	if err != nil {
		return nil, err
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, failed(typeAWS, "the AWS configuration cannot be used: "+err.Error(), "see what is found: aws configure list")
	}
	if cfg.Region == "" {
		cfg.Region = place.Region
	}
	if cfg.Region == "" {
		return nil, failed(typeAWS, "no AWS Region is set", "say which: --region us-east-1, or AWS_REGION")
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, failed(typeAWS, "there are no usable AWS credentials", "see who you are: aws sts get-caller-identity", "choose a profile: --profile NAME, or AWS_PROFILE")
	}
	c := &connection{next: cfg.HTTPClient, clock: awsclock.New(time.Now)}
	if c.next == nil {
		c.next = awshttp.NewBuildableClient()
	}
	cfg.HTTPClient = c
	c.clock.Watch(&cfg)
	c.cfg = cfg
	return c, place.guard(ctx, cfg)
}

// Do implements aws.HTTPClient. It remembers why a request got no answer, which
// the errors of the adapters do not say.
func (c *connection) Do(r *http.Request) (*http.Response, error) {
	answer, err := c.next.Do(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = err
	return answer, err
}

func (c *connection) unreachable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

func (c *connection) secrets() *adapter.Store {
	return adapter.Open(c.cfg)
}

func (c *connection) functions() *lambda.Client { return lambda.NewFromConfig(c.cfg) }

func (a *app) records(c *connection) recordsReader {
	return recordsReader{records.New(dynamodb.NewFromConfig(c.cfg), a.setting(a.flags.table, "KEYTURN_TABLE", a.installation()))}
}

// described makes a failure of an error that no command explained better.
func described(ctx context.Context, err error) *failure {
	if context.Cause(ctx) != nil {
		return failed(typeStopped, "interrupted")
	}
	if s, ok := errors.AsType[*store.Error](err); ok {
		return failed(typeAWS, s.Error(), awsAdvice(s.Code)...)
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return failed(typeAWS, fmt.Sprintf("%s: %s", api.ErrorCode(), api.ErrorMessage()), awsAdvice(api.ErrorCode())...)
	}
	return failed(typeAWS, err.Error(), "try again")
}

func awsAdvice(code string) []string {
	switch code {
	case "AccessDeniedException", "AccessDenied":
		return []string{"see who you are: aws sts get-caller-identity", "the operator needs secretsmanager:DescribeSecret, dynamodb:Query and lambda:InvokeFunction"}
	case "ResourceNotFoundException":
		return []string{"check Region and account: aws sts get-caller-identity, --region, --profile"}
	case "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId":
		return []string{"sign in again: aws sso login"}
	case "":
		return []string{"check the network, --region and --endpoint-url"}
	}
	return []string{"try again"}
}

// Package events sends the samples of events/ to the functions, on a local AWS
// that is in the state they speak of.
package events

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/secretsmanager"
	"github.com/keyturn/keyturn/test/stack"
)

// What the samples speak of.
const (
	Secret  = "prod/mailer/sendgrid"
	Account = "sendgrid-main"
	Token   = "5f0c8a52-1d0b-4c5e-9a57-3b1f6f6f2c11"
	arn     = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/mailer/sendgrid-AbCdEf"
)

// Region returns a local AWS whose rotations begin and go no further, so that a
// sample's step finds its token staged and nothing done.
func Region() *region.Region {
	none := cloud.InvokerFunc(func(context.Context, string, []byte) ([]byte, string, error) { return nil, "Unhandled", nil })
	return region.New(region.Options{Cloud: cloud.Options{Invoker: none, SecretsManager: secretsmanager.Options{Attempts: 1}}})
}

// Options returns a deployment of the samples' one key, with its vendor at base.
func Options(vendor *sendgridtest.Server, base, host string) stack.Options {
	return stack.Options{
		Accounts: map[string]stack.Account{Account: {Provider: "sendgrid", Base: base, Hosts: []string{host}, Admin: vendor.Admin(host)}},
		Keys:     map[string]stack.Key{Secret: {Account: Account, Settings: map[string]any{"scopes": []string{"mail.send"}}, Owner: "mailer@example.com"}},
		Timeout:  30 * time.Second,
	}
}

// Prepare brings the secret into the state that a sample speaks of: it has a
// first value, except for init; and where the sample is a step, a rotation with
// its token has begun, and the steps before it are done.
func Prepare(ctx context.Context, s *stack.Stack, function, sample string) error {
	if function == "rotate" && sample == "init" {
		return nil
	}
	if err := s.Init(ctx, Secret); err != nil {
		return err
	}
	client := sm.NewFromConfig(s.Region.Cloud.Config())
	in := &sm.RotateSecretInput{
		SecretId: aws.String(Secret), RotationLambdaARN: aws.String(lambda.ARN(stack.Rotate(Account))),
		RotationRules: &smtypes.RotationRulesType{ScheduleExpression: aws.String("rate(30 days)")}, RotateImmediately: aws.Bool(false),
	}
	staged := function == "rotate" && sample != "plan"
	if staged {
		in.ClientRequestToken, in.RotateImmediately = aws.String(Token), aws.Bool(true)
	}
	if _, err := client.RotateSecret(ctx, in); err != nil {
		return fmt.Errorf("begin a rotation: %w", err)
	}
	if err := s.Region.Cloud.Rotated(ctx, Secret); err != nil {
		return fmt.Errorf("wait for the rotation: %w", err)
	}
	for _, before := range map[string][]string{
		"test-secret": {"create-secret"}, "odd-unknown-fields": {"create-secret"}, "finish-secret": {"create-secret", "test-secret"},
	}[sample] {
		if !staged {
			break
		}
		if _, failure, err := Send(ctx, s, "rotate", before); err != nil || failure != "" {
			return fmt.Errorf("%s before it: %s %w", before, failure, err)
		}
	}
	return nil
}

// Send invokes a function with a sample, as [lambda.Service.Invoke] does. The
// sample's ARN is replaced by the secret's real one, which AWS chose.
func Send(ctx context.Context, s *stack.Stack, function, sample string) (answer []byte, failure string, err error) {
	event, err := Read(function, sample)
	if err != nil {
		return nil, "", err
	}
	d, err := sm.NewFromConfig(s.Region.Cloud.Config()).DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: aws.String(Secret)})
	if err != nil {
		return nil, "", fmt.Errorf("describe the secret: %w", err)
	}
	event = []byte(strings.ReplaceAll(string(event), arn, aws.ToString(d.ARN)))
	name := map[string]string{"rotate": stack.Rotate(Account), "retire": stack.Retire(Account), "rotatenow": stack.RotateNow}[function]
	return s.Region.Lambda.Invoke(ctx, name, event)
}

// Read returns a sample.
func Read(function, sample string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(folder(), function, sample+".json"))
	if err != nil {
		return nil, fmt.Errorf("read the sample: %w", err)
	}
	if !json.Valid(b) {
		return nil, fmt.Errorf("the sample %s/%s is not JSON", function, sample)
	}
	return b, nil
}

// Samples returns the names of a function's samples.
func Samples(function string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(folder(), function, "*.json"))
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".json")
	}
	return files, err
}

// folder finds events/ from the repository's root and from a test's folder.
func folder() string {
	if _, err := os.Stat("events/rotate"); err == nil {
		return "events"
	}
	return "../../events"
}

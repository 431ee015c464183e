package sts_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/sts"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

func TestCallers(t *testing.T) {
	t.Parallel()
	clk := clock.New()
	s := sts.New(sts.Options{Caller: func(key string) (string, bool) { return "rotate", key == "ASIALOCAL00000000001" }})
	c := sdk.NewFromConfig(wiretest.Config("sts", s, clk))
	out, err := c.GetCallerIdentity(t.Context(), &sdk.GetCallerIdentityInput{})
	if err != nil || *out.Account != "123456789012" || *out.Arn != "arn:aws:iam::123456789012:user/local" || *out.UserId == "" {
		t.Errorf("%+v, %v", out, err)
	}
	role, err := c.AssumeRole(t.Context(), &sdk.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/path/operator"), RoleSessionName: aws.String("me"), DurationSeconds: aws.Int32(900)})
	if err != nil {
		t.Fatal(err)
	}
	const want = "arn:aws:sts::123456789012:assumed-role/operator/me"
	if *role.AssumedRoleUser.Arn != want || role.Credentials.Expiration.Sub(clk.Now()).Round(time.Minute) != 15*time.Minute {
		t.Errorf("%+v", role)
	}
	key := *role.Credentials.AccessKeyId
	if _, err := credentials.NewStaticCredentialsProvider(key, *role.Credentials.SecretAccessKey, *role.Credentials.SessionToken).Retrieve(t.Context()); err != nil {
		t.Error(err)
	}
	if len(key) != 20 || s.ARN(key) != want {
		t.Errorf("%s is %s", key, s.ARN(key))
	}
	if got := s.ARN("ASIALOCAL00000000001"); got != "arn:aws:sts::123456789012:assumed-role/rotate/rotate" {
		t.Errorf("function: %s", got)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	c := sdk.NewFromConfig(wiretest.Config("sts", sts.New(sts.Options{}), clock.New()))
	for _, tt := range []struct {
		name string
		call func() error
		want string
	}{
		{"foreign role", func() error {
			_, err := c.AssumeRole(t.Context(), &sdk.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::999999999999:role/r"), RoleSessionName: aws.String("me")})
			return err
		}, "AccessDenied"},
		{"session", func() error {
			_, err := c.AssumeRole(t.Context(), &sdk.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/r"), RoleSessionName: aws.String("a b")})
			return err
		}, "ValidationError"},
		{"duration", func() error {
			_, err := c.AssumeRole(t.Context(), &sdk.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/r"), RoleSessionName: aws.String("me"), DurationSeconds: aws.Int32(1)})
			return err
		}, "ValidationError"},
		{"not modeled", func() error { _, err := c.GetSessionToken(t.Context(), &sdk.GetSessionTokenInput{}); return err }, "NotImplemented"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if e, ok := errors.AsType[smithy.APIError](tt.call()); !ok || e.ErrorCode() != tt.want {
				t.Errorf("got %v", e)
			}
		})
	}
}

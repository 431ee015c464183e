package ssm_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/ssm"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

const name = "/cdk-bootstrap/hnb659fds/version"

func TestParameter(t *testing.T) {
	t.Parallel()
	clk := clock.New()
	c := sdk.NewFromConfig(wiretest.Config("ssm", ssm.New(), clk))
	for i, value := range []string{"6", "29"} {
		put, err := c.PutParameter(t.Context(), &sdk.PutParameterInput{Name: aws.String(name), Value: &value, Type: types.ParameterTypeString, Overwrite: aws.Bool(i > 0)})
		if err != nil || put.Version != int64(i+1) {
			t.Fatalf("%+v, %v", put, err)
		}
	}
	out, err := c.GetParameter(t.Context(), &sdk.GetParameterInput{Name: aws.String(name)})
	if err != nil {
		t.Fatal(err)
	}
	p := out.Parameter
	if *p.Value != "29" || p.Version != 2 || *p.Name != name || *p.ARN != "arn:aws:ssm:us-east-1:123456789012:parameter"+name || p.LastModifiedDate.Unix() != clk.Now().Unix() {
		t.Errorf("%+v", p)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	c := sdk.NewFromConfig(wiretest.Config("ssm", ssm.New(), clock.New()))
	put := func(name, value string, kind types.ParameterType) error {
		_, err := c.PutParameter(t.Context(), &sdk.PutParameterInput{Name: &name, Value: &value, Type: kind})
		return err
	}
	if err := put("there", "v", types.ParameterTypeString); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		call func() error
		want string
	}{
		{"absent", func() error {
			_, err := c.GetParameter(t.Context(), &sdk.GetParameterInput{Name: aws.String(name)})
			return err
		}, "ParameterNotFound"},
		{"a version of the past", func() error {
			_, err := c.GetParameter(t.Context(), &sdk.GetParameterInput{Name: aws.String("there:1")})
			return err
		}, "ValidationException"},
		{"again", func() error { return put("there", "w", types.ParameterTypeString) }, "ParameterAlreadyExists"},
		{"a secure one", func() error { return put("x", "w", types.ParameterTypeSecureString) }, "ValidationException"},
		{"no type", func() error { return put("x", "w", "") }, "ValidationException"},
		{"a bad name", func() error { return put("x y", "w", types.ParameterTypeString) }, "ValidationException"},
		{"not modeled", func() error {
			_, err := c.DescribeParameters(t.Context(), &sdk.DescribeParametersInput{})
			return err
		}, "NotImplemented"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if e, ok := errors.AsType[smithy.APIError](tt.call()); !ok || e.ErrorCode() != tt.want {
				t.Errorf("got %v, want %s", e, tt.want)
			}
		})
	}
}

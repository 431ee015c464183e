package lambda_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

func TestAccountConcurrency(t *testing.T) {
	t.Parallel()
	clk := clock.New()
	s := lambda.New(lambda.Options{Clock: clk, AccountConcurrency: 50})
	t.Cleanup(func() { _ = s.Close() })
	for name, reserved := range map[string]int{"some": 7, "none": 0} {
		if err := s.Register(lambda.Function{Name: name, ReservedConcurrency: reserved, Handler: func(context.Context, []byte) ([]byte, error) { return nil, nil }}); err != nil {
			t.Fatal(err)
		}
	}
	c := sdk.NewFromConfig(wiretest.Config("lambda", s, clk))
	out, err := c.GetAccountSettings(t.Context(), &sdk.GetAccountSettingsInput{})
	if err != nil {
		t.Fatal(err)
	}
	if out.AccountLimit.ConcurrentExecutions != 50 || *out.AccountLimit.UnreservedConcurrentExecutions != 43 || out.AccountUsage.FunctionCount != 2 {
		t.Errorf("%+v %+v", out.AccountLimit, out.AccountUsage)
	}
	for name, want := range map[string]*int32{"some": aws.Int32(7), "none": nil} {
		f, err := c.GetFunctionConcurrency(t.Context(), &sdk.GetFunctionConcurrencyInput{FunctionName: &name})
		if err != nil || aws.ToInt32(f.ReservedConcurrentExecutions) != aws.ToInt32(want) || (want == nil) != (f.ReservedConcurrentExecutions == nil) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
	_, err = c.GetFunctionConcurrency(t.Context(), &sdk.GetFunctionConcurrencyInput{FunctionName: aws.String("absent")})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "ResourceNotFoundException" {
		t.Errorf("absent: %v", err)
	}
}

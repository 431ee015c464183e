package lambda_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/lambda"
)

// A function's code is replaced for invocations that begin later, and who may invoke it
// stays.
func TestUpdateFunctionCode(t *testing.T) {
	t.Parallel()
	s := lambda.New(lambda.Options{Clock: clock.New(), Dir: t.TempDir()})
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Register(lambda.Function{Name: "f", Handler: shout}); err != nil {
		t.Fatal(err)
	}
	c, ctx, name := client(s), t.Context(), aws.String("f")
	if _, err := c.AddPermission(ctx, &sdk.AddPermissionInput{FunctionName: name, StatementId: aws.String("s"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("events.amazonaws.com")}); err != nil {
		t.Fatal(err)
	}
	code := zipOf(t, "bootstrap", []byte("#!/bin/sh\necho replaced; exit 7\n"))
	shouts := func() bool {
		out, _, err := s.Invoke(ctx, "f", []byte(`"a"`))
		return err == nil && string(out) == `"A"`
	}
	dry, err := c.UpdateFunctionCode(ctx, &sdk.UpdateFunctionCodeInput{FunctionName: name, ZipFile: code, DryRun: true})
	if err != nil || aws.ToString(dry.CodeSha256) == "" || !shouts() {
		t.Errorf("dry: %+v, %v", dry, err)
	}
	for what, bad := range map[string][]byte{"no code": nil, "no zip": []byte("x"), "no program": zipOf(t, "readme", nil)} {
		if _, err := c.UpdateFunctionCode(ctx, &sdk.UpdateFunctionCodeInput{FunctionName: name, ZipFile: bad}); err == nil || !shouts() {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := c.UpdateFunctionCode(ctx, &sdk.UpdateFunctionCodeInput{FunctionName: name, ZipFile: code}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdateFunctionConfiguration(ctx, &sdk.UpdateFunctionConfigurationInput{FunctionName: name, Timeout: aws.Int32(30)}); err != nil {
		t.Fatal(err)
	}
	if out, failure, err := s.Invoke(ctx, "f", []byte(`"a"`)); failure == "" || err != nil || !strings.Contains(strings.Join(s.Logs("f"), " "), "replaced") {
		t.Errorf("the new code answers %s, %v; logs %q", out, err, s.Logs("f"))
	}
	if p, err := c.GetPolicy(ctx, &sdk.GetPolicyInput{FunctionName: name}); err != nil || aws.ToString(p.Policy) == "" {
		t.Errorf("policy %+v, %v", p, err)
	}
	_, err = c.UpdateFunctionCode(ctx, &sdk.UpdateFunctionCodeInput{FunctionName: aws.String("none"), ZipFile: code})
	if err == nil {
		t.Error("a function that is not there is changed")
	}
}

func TestUpdateFunctionConfiguration(t *testing.T) {
	t.Parallel()
	s := lambda.New(lambda.Options{Clock: clock.New()})
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Register(lambda.Function{Name: "f", Handler: shout, Env: map[string]string{"A": "b"}}); err != nil {
		t.Fatal(err)
	}
	c, ctx, name := client(s), t.Context(), aws.String("f")
	in := &sdk.UpdateFunctionConfigurationInput{
		FunctionName: name, Role: aws.String("arn:aws:iam::123456789012:role/other"), Timeout: aws.Int32(60), MemorySize: aws.Int32(512),
		Layers: []string{"arn:aws:lambda:us-east-1:1:layer:x:1"},
	}
	if _, err := c.UpdateFunctionConfiguration(ctx, in); err != nil {
		t.Fatal(err)
	}
	f, err := c.GetFunctionConfiguration(ctx, &sdk.GetFunctionConfigurationInput{FunctionName: name})
	if err != nil || *f.Role != *in.Role || *f.Timeout != 60 || *f.MemorySize != 512 || *f.Layers[0].Arn != in.Layers[0] || f.Environment.Variables["A"] != "b" {
		t.Errorf("%+v, %v", f, err)
	}
	for key, ok := range map[string]bool{"AWS_REGION": false, "C": true} {
		_, err := c.UpdateFunctionConfiguration(ctx, &sdk.UpdateFunctionConfigurationInput{FunctionName: name, Environment: &types.Environment{Variables: map[string]string{key: "d"}}})
		if (err == nil) != ok {
			t.Errorf("environment %s: %v", key, err)
		}
	}
}

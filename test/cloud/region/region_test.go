package region_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	lambdasdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	snssdk "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/sns"
	"github.com/keyturn/keyturn/test/cloud/sqs"
)

// open returns a Region with a function f, and what f is sent.
func open(t *testing.T) (*region.Region, aws.Config, <-chan string) {
	t.Helper()
	r := region.New(region.Options{})
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	got := make(chan string, 20)
	if err := r.Lambda.Register(lambda.Function{Name: "f", Handler: func(_ context.Context, payload []byte) ([]byte, error) {
		got <- string(payload)
		return []byte(`"done"`), nil
	}}); err != nil {
		t.Fatal(err)
	}
	return r, r.Cloud.Config(), got
}

// wants fails the test unless f is sent something with want in it.
func wants(t *testing.T, got <-chan string, want string) {
	t.Helper()
	select {
	case payload := <-got:
		if !strings.Contains(payload, want) {
			t.Errorf("the function got %s, want %s in it", payload, want)
		}
	case <-time.After(time.Minute):
		t.Errorf("the function got nothing, want %s", want)
	}
}

func TestWiring(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		start func(t *testing.T, r *region.Region, cfg aws.Config) error
		want  string
	}{
		{"a call", func(t *testing.T, _ *region.Region, cfg aws.Config) error {
			t.Helper()
			out, err := lambdasdk.NewFromConfig(cfg).Invoke(t.Context(), &lambdasdk.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`{"called":1}`)})
			if err == nil && string(out.Payload) != `"done"` {
				t.Errorf("answer %s", out.Payload)
			}
			return err
		}, `{"called":1}`},
		{"a rotation", func(t *testing.T, _ *region.Region, cfg aws.Config) error {
			t.Helper()
			c := sm.NewFromConfig(cfg)
			_, err := c.CreateSecret(t.Context(), &sm.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("v")})
			if err == nil {
				_, err = c.RotateSecret(t.Context(), &sm.RotateSecretInput{SecretId: aws.String("s"), RotationLambdaARN: aws.String(lambda.ARN("f"))})
			}
			return err
		}, `"Step":"createSecret"`},
		{"a schedule", func(t *testing.T, r *region.Region, cfg aws.Config) error {
			t.Helper()
			_, err := scheduler.NewFromConfig(cfg).CreateSchedule(t.Context(), &scheduler.CreateScheduleInput{
				Name: aws.String("x"), ScheduleExpression: aws.String("at(" + r.Cloud.Clock().Now().Add(240*time.Hour).Format("2006-01-02T15:04:05") + ")"),
				FlexibleTimeWindow: &schedulertypes.FlexibleTimeWindow{Mode: schedulertypes.FlexibleTimeWindowModeOff},
				Target:             &schedulertypes.Target{Arn: aws.String(lambda.ARN("f")), RoleArn: aws.String("arn:aws:iam::123456789012:role/r"), Input: aws.String(`{"scheduled":1}`)},
			})
			r.Cloud.Clock().Advance(240 * time.Hour)
			return err
		}, `{"scheduled":1}`},
		{"a topic", func(t *testing.T, r *region.Region, cfg aws.Config) error {
			t.Helper()
			if _, err := r.SNS.Create("t"); err != nil {
				return err
			}
			if _, _, err := r.SNS.Subscribe("t", "lambda", lambda.ARN("f"), nil); err != nil {
				return err
			}
			_, err := snssdk.NewFromConfig(cfg).Publish(t.Context(), &snssdk.PublishInput{TopicArn: aws.String(sns.ARN("t")), Message: aws.String("published")})
			return err
		}, `"Message":"published"`},
		{"a queue", func(t *testing.T, r *region.Region, _ aws.Config) error {
			t.Helper()
			if _, err := r.SQS.Create("q", nil); err != nil {
				return err
			}
			if err := r.SQS.Map(t.Context(), "q", "f", 1, r.Lambda); err != nil {
				return err
			}
			_, err := r.SQS.Send(sqs.ARN("q"), "me", "queued", nil)
			return err
		}, `"body":"queued"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, cfg, got := open(t)
			if err := tt.start(t, r, cfg); err != nil {
				t.Fatal(err)
			}
			wants(t, got, tt.want)
		})
	}
}

func TestRotation_needsItsFunction(t *testing.T) {
	t.Parallel()
	_, cfg, _ := open(t)
	c := sm.NewFromConfig(cfg)
	if _, err := c.CreateSecret(t.Context(), &sm.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("v")}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.RotateSecret(t.Context(), &sm.RotateSecretInput{SecretId: aws.String("s"), RotationLambdaARN: aws.String(lambda.ARN("absent"))}); err == nil {
		t.Error("a rotation with a function that is not there was not refused")
	}
}

// Secrets Manager may invoke what the function's policy lets it.
func TestRotation_needsPermission(t *testing.T) {
	t.Parallel()
	r, cfg, _ := open(t)
	l, c := lambdasdk.NewFromConfig(cfg), sm.NewFromConfig(cfg)
	made, err := c.CreateSecret(t.Context(), &sm.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("v")})
	if err != nil {
		t.Fatal(err)
	}
	var code bytes.Buffer
	z := zip.NewWriter(&code)
	if _, err := z.Create("bootstrap"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = l.CreateFunction(t.Context(), &lambdasdk.CreateFunctionInput{
		FunctionName: aws.String("made"), Runtime: "provided.al2023", Handler: aws.String("bootstrap"),
		Role: aws.String("arn:aws:iam::123456789012:role/r"), Code: &lambdatypes.FunctionCode{ZipFile: code.Bytes()},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		in   lambdasdk.AddPermissionInput
		want bool
	}{
		{"another service", lambdasdk.AddPermissionInput{Principal: aws.String("sns.amazonaws.com")}, false},
		{"another account", lambdasdk.AddPermissionInput{Principal: aws.String("secretsmanager.amazonaws.com"), SourceAccount: aws.String("999999999999")}, false},
		{"another secret", lambdasdk.AddPermissionInput{Principal: aws.String("secretsmanager.amazonaws.com"), SourceArn: aws.String("arn:aws:secretsmanager:us-east-1:123456789012:secret:t-*")}, false},
		{"another action", lambdasdk.AddPermissionInput{Principal: aws.String("secretsmanager.amazonaws.com"), Action: aws.String("lambda:GetFunction")}, false},
		{"this secret", lambdasdk.AddPermissionInput{Principal: aws.String("secretsmanager.amazonaws.com"), SourceArn: aws.String("arn:aws:secretsmanager:us-east-1:123456789012:secret:s-*")}, true},
		{"this account", lambdasdk.AddPermissionInput{Principal: aws.String("secretsmanager.amazonaws.com"), SourceAccount: aws.String("123456789012")}, true},
		{"all", lambdasdk.AddPermissionInput{Principal: aws.String("secretsmanager.amazonaws.com")}, true},
	} {
		tt.in.FunctionName, tt.in.StatementId = aws.String("made"), aws.String("one")
		if tt.in.Action == nil {
			tt.in.Action = aws.String("lambda:InvokeFunction")
		}
		if !r.Lambda.AllowsSecretsManager("made", *made.ARN) {
			t.Errorf("before %s: not invocable without any policy", tt.name)
		}
		if _, err := l.AddPermission(t.Context(), &tt.in); err != nil {
			t.Fatal(err)
		}
		if got := r.Lambda.AllowsSecretsManager(lambda.ARN("made"), *made.ARN); got != tt.want {
			t.Errorf("%s: invocable %v, want %v", tt.name, got, tt.want)
		}
		if _, err := l.RemovePermission(t.Context(), &lambdasdk.RemovePermissionInput{FunctionName: aws.String("made"), StatementId: aws.String("one")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.AddPermission(t.Context(), &lambdasdk.AddPermissionInput{
		FunctionName: aws.String("made"), StatementId: aws.String("two"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("sns.amazonaws.com"),
	}); err != nil {
		t.Fatal(err)
	}
	_, err = c.RotateSecret(t.Context(), &sm.RotateSecretInput{SecretId: aws.String("s"), RotationLambdaARN: aws.String(lambda.ARN("made"))})
	if err == nil || !strings.Contains(err.Error(), "AccessDeniedException: Secrets Manager cannot invoke the specified Lambda function.") {
		t.Errorf("RotateSecret without a permission: %v", err)
	}
}

// An event that no function takes goes where its schedule says.
func TestDeadLetter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, cfg, _ := open(t)
		if _, err := r.SQS.Create("dead", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := scheduler.NewFromConfig(cfg).CreateSchedule(t.Context(), &scheduler.CreateScheduleInput{
			Name: aws.String("x"), ScheduleExpression: aws.String("at(" + r.Cloud.Clock().Now().Add(time.Hour).Format("2006-01-02T15:04:05") + ")"),
			FlexibleTimeWindow: &schedulertypes.FlexibleTimeWindow{Mode: schedulertypes.FlexibleTimeWindowModeOff},
			Target: &schedulertypes.Target{
				Arn: aws.String(lambda.ARN("absent")), RoleArn: aws.String("arn:aws:iam::123456789012:role/r"), Input: aws.String(`{"n":1}`),
				DeadLetterConfig: &schedulertypes.DeadLetterConfig{Arn: aws.String(sqs.ARN("dead"))},
				RetryPolicy:      &schedulertypes.RetryPolicy{MaximumRetryAttempts: aws.Int32(1)},
			},
		}); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * time.Hour)
		synctest.Wait()
		if m := r.SQS.Messages("dead"); len(m) != 1 || m[0].Body != `{"n":1}` {
			t.Errorf("in the dead-letter queue: %+v", m)
		}
	})
}

func TestCaller(t *testing.T) {
	t.Parallel()
	_, cfg, _ := open(t)
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)
	if err != nil || !strings.HasPrefix(aws.ToString(who.Arn), "arn:aws:iam::123456789012:user/") {
		b, _ := json.Marshal(who)
		t.Errorf("GetCallerIdentity = %s, %v", b, err)
	}
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	r, _, _ := open(t)
	if r.Endpoint() != "" {
		t.Errorf("endpoint %q before Listen", r.Endpoint())
	}
	l, err := r.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if want := "http://" + l.Addr().String(); r.Endpoint() != want {
		t.Errorf("endpoint %q, want %q", r.Endpoint(), want)
	}
}

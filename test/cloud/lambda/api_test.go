package lambda_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

func client(s *lambda.Service) *sdk.Client {
	return sdk.NewFromConfig(wiretest.Config("lambda", s, clock.New()))
}

func shout(_ context.Context, payload []byte) ([]byte, error) {
	if bytes.Contains(payload, []byte("fail")) {
		return nil, &customError{"sorry"}
	}
	return bytes.ToUpper(payload), nil
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	s := newService(t, lambda.Options{}, lambda.Function{Handler: shout, Aliases: []string{"live"}})
	for _, tt := range []struct {
		name    string
		in      sdk.InvokeInput
		status  int32
		failed  string
		payload string
	}{
		{"answer", sdk.InvokeInput{Payload: []byte(`"hello"`)}, 200, "", `"HELLO"`},
		{"alias", sdk.InvokeInput{Payload: []byte(`"hello"`), Qualifier: aws.String("live")}, 200, "", `"HELLO"`},
		{"ARN", sdk.InvokeInput{FunctionName: aws.String(lambda.ARN("f") + ":live"), Payload: []byte(`"hello"`)}, 200, "", `"HELLO"`},
		{"nothing", sdk.InvokeInput{}, 200, "", `{}`},
		{"error", sdk.InvokeInput{Payload: []byte(`"fail"`)}, 200, "Unhandled", `{"errorMessage":"sorry","errorType":"customError"}`},
		{"dry run", sdk.InvokeInput{InvocationType: types.InvocationTypeDryRun}, 204, "", ""},
		{"event", sdk.InvokeInput{InvocationType: types.InvocationTypeEvent}, 202, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.in.FunctionName == nil {
				tt.in.FunctionName = aws.String("f")
			}
			out, err := client(s).Invoke(t.Context(), &tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if out.StatusCode != tt.status || aws.ToString(out.FunctionError) != tt.failed || string(out.Payload) != tt.payload {
				t.Errorf("got %d %q %s", out.StatusCode, aws.ToString(out.FunctionError), out.Payload)
			}
		})
	}
}

func TestLogTail(t *testing.T) {
	t.Parallel()
	s := newService(t, lambda.Options{}, lambda.Function{})
	out, err := client(s).Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("f"), LogType: types.LogTypeTail, Payload: encode(t, request{"echo", "hi"})})
	if err != nil {
		t.Fatal(err)
	}
	tail, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	if err != nil || !strings.Contains(string(tail), "\necho hi\nEND RequestId: ") {
		t.Errorf("%q, %v", tail, err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	s := newService(t, lambda.Options{}, lambda.Function{Handler: shout})
	c := client(s)
	ctx := t.Context()
	for _, tt := range []struct {
		name string
		call func() error
		code string
	}{
		{"unknown function", func() error { _, err := c.Invoke(ctx, &sdk.InvokeInput{FunctionName: aws.String("g")}); return err }, "ResourceNotFoundException"},
		{"unknown alias", func() error {
			_, err := c.Invoke(ctx, &sdk.InvokeInput{FunctionName: aws.String("f"), Qualifier: aws.String("old")})
			return err
		}, "ResourceNotFoundException"},
		{"no JSON", func() error {
			_, err := c.Invoke(ctx, &sdk.InvokeInput{FunctionName: aws.String("f"), Payload: []byte("{")})
			return err
		}, "InvalidRequestContentException"},
		{"no policy", func() error {
			_, err := c.GetPolicy(ctx, &sdk.GetPolicyInput{FunctionName: aws.String("f")})
			return err
		}, "ResourceNotFoundException"},
		{"no zip", func() error {
			_, err := c.CreateFunction(ctx, &sdk.CreateFunctionInput{FunctionName: aws.String("g"), Role: aws.String("r"), Runtime: types.RuntimeProvidedal2023, Code: &types.FunctionCode{ZipFile: []byte("x")}})
			return err
		}, "InvalidParameterValueException"},
		{"same name", func() error {
			_, err := c.CreateFunction(ctx, &sdk.CreateFunctionInput{FunctionName: aws.String("f"), Role: aws.String("r"), Runtime: types.RuntimeProvidedal2023, Code: &types.FunctionCode{ZipFile: []byte("x")}})
			return err
		}, "ResourceConflictException"},
		{"not modeled", func() error {
			_, err := c.ListAliases(ctx, &sdk.ListAliasesInput{FunctionName: aws.String("f")})
			return err
		}, "NotImplemented"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if e, ok := errors.AsType[smithy.APIError](tt.call()); !ok || e.ErrorCode() != tt.code {
				t.Errorf("got %v, want %s", e, tt.code)
			}
		})
	}
	if _, err := c.Invoke(ctx, &sdk.InvokeInput{FunctionName: aws.String("g")}); err != nil {
		if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
			t.Errorf("not typed: %v", err)
		}
	}
	if s.Exists("g") || s.Exists("f:old") || !s.Exists("f") || !s.Exists(lambda.ARN("f")+":$LATEST") || s.Exists("arn:aws:lambda:eu-west-1:123456789012:function:f") {
		t.Error("Exists")
	}
	for name, f := range map[string]lambda.Function{
		"name": {Name: "a b", Handler: shout}, "nothing to run": {Name: "a"}, "missing": {Name: "a", Path: "/nowhere"},
		"variable": {Name: "a", Handler: shout, Env: map[string]string{"AWS_REGION": "eu-west-1"}},
	} {
		if err := s.Register(f); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func zipOf(t *testing.T, name string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	if len(content) > 1<<20 {
		h.Method = zip.Store // under the race detector a program would take 10 s
	}
	h.SetMode(0o755)
	f, err := w.CreateHeader(h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFunctionLife(t *testing.T) {
	t.Parallel()
	s := lambda.New(lambda.Options{Clock: clock.New(), Dir: t.TempDir()})
	t.Cleanup(func() { _ = s.Close() })
	c := client(s)
	ctx := t.Context()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	create := func(name string, code []byte) error {
		_, err := c.CreateFunction(ctx, &sdk.CreateFunctionInput{
			FunctionName: &name, Role: aws.String("arn:aws:iam::123456789012:role/r"), Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"),
			Code: &types.FunctionCode{ZipFile: code}, Timeout: aws.Int32(30), Environment: &types.Environment{Variables: map[string]string{"A": "b"}},
		})
		return err
	}
	if err := create("evil", zipOf(t, "../evil", nil)); err == nil {
		t.Error("a zip may write outside its folder")
	}
	if err := create("empty", zipOf(t, "readme", nil)); err == nil {
		t.Error("a function without a bootstrap")
	}
	if err := create("made", zipOf(t, "bootstrap", binary)); err != nil {
		t.Fatal(err)
	}
	if got := invokeEcho(t, s, "made"); got.Text != "hello" {
		t.Errorf("%+v", got)
	}
	out, err := c.GetFunction(ctx, &sdk.GetFunctionInput{FunctionName: aws.String("made")})
	if err != nil || *out.Configuration.FunctionArn != lambda.ARN("made") || *out.Configuration.Timeout != 30 || out.Configuration.State != types.StateActive || *out.Configuration.CodeSha256 == "" || out.Configuration.Environment.Variables["A"] != "b" {
		t.Errorf("%+v, %v", out, err)
	}
	if err := sdk.NewFunctionActiveV2Waiter(c).Wait(ctx, &sdk.GetFunctionInput{FunctionName: aws.String("made")}, time.Minute); err != nil {
		t.Error(err)
	}
	if list, err := c.ListFunctions(ctx, &sdk.ListFunctionsInput{}); err != nil || len(list.Functions) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := c.DeleteFunction(ctx, &sdk.DeleteFunctionInput{FunctionName: aws.String("made")}); err != nil {
		t.Error(err)
	}
	if s.Exists("made") {
		t.Error("still there")
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	s := newService(t, lambda.Options{}, lambda.Function{Handler: shout})
	c := client(s)
	ctx := t.Context()
	add := &sdk.AddPermissionInput{
		FunctionName: aws.String("f"), StatementId: aws.String("rotation"), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("secretsmanager.amazonaws.com"), SourceAccount: aws.String("123456789012"),
	}
	if _, err := c.AddPermission(ctx, add); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AddPermission(ctx, add); err == nil {
		t.Error("the same statement twice")
	}
	out, err := c.GetPolicy(ctx, &sdk.GetPolicyInput{FunctionName: aws.String("f")})
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal([]byte(*out.Policy), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"Version": "2012-10-17", "Id": "default", "Statement": []any{map[string]any{
		"Sid": "rotation", "Effect": "Allow", "Principal": map[string]any{"Service": "secretsmanager.amazonaws.com"}, "Action": "lambda:InvokeFunction",
		"Resource": lambda.ARN("f"), "Condition": map[string]any{"StringEquals": map[string]any{"AWS:SourceAccount": "123456789012"}},
	}}}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	remove := &sdk.RemovePermissionInput{FunctionName: aws.String("f"), StatementId: aws.String("rotation")}
	if _, err := c.RemovePermission(ctx, remove); err != nil {
		t.Error(err)
	}
	if _, err := c.RemovePermission(ctx, remove); err == nil {
		t.Error("removed twice")
	}
}

func TestEventRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clk := clock.New()
		start := time.Now()
		var at []time.Duration
		dropped := ""
		s := lambda.New(lambda.Options{Clock: clk, OnDropped: func(_ string, payload []byte) { dropped = string(payload) }})
		if err := s.Register(lambda.Function{Name: "f", Handler: func(context.Context, []byte) ([]byte, error) {
			at = append(at, time.Since(start))
			return nil, errors.New("no")
		}}); err != nil {
			t.Fatal(err)
		}
		if err := s.InvokeAsync(t.Context(), "f", []byte(`"x"`)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if diff := cmp.Diff([]time.Duration{0, time.Minute, 3 * time.Minute}, at); diff != "" || dropped != `"x"` {
			t.Errorf("dropped %s, tried at (-want +got):\n%s", dropped, diff)
		}
		_ = s.Close()
	})
}

func TestThrottledEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clk := clock.New()
		s := lambda.New(lambda.Options{Clock: clk, OnDropped: func(string, []byte) { t.Error("dropped") }})
		served := 0
		if err := s.Register(lambda.Function{Name: "f", ReservedConcurrency: 1, Timeout: 15 * time.Minute, Handler: func(context.Context, []byte) ([]byte, error) {
			time.Sleep(10 * time.Minute)
			served++
			return nil, nil
		}}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := s.InvokeAsync(t.Context(), "f", nil); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if served != 3 {
			t.Errorf("served %d", served)
		}
		_ = s.Close()
	})
}

func TestHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := lambda.New(lambda.Options{Clock: clock.New()})
		started := make(chan struct{}, 2)
		if err := s.Register(lambda.Function{Name: "f", Timeout: time.Minute, Handler: func(ctx context.Context, payload []byte) ([]byte, error) {
			if string(payload) == `"panic"` {
				panic(customError{"help"})
			}
			started <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}}); err != nil {
			t.Fatal(err)
		}
		result, _, err := s.Invoke(t.Context(), "f", nil)
		if err != nil || !strings.Contains(string(result), "Task timed out after 60.00 seconds") {
			t.Errorf("late: %s, %v", result, err)
		}
		<-started
		go func() {
			<-started
			s.Kill("f")
		}()
		result, _, err = s.Invoke(t.Context(), "f", nil)
		if err != nil || !strings.Contains(string(result), "signal: killed") {
			t.Errorf("killed: %s, %v", result, err)
		}
		result, _, err = s.Invoke(t.Context(), "f", []byte(`"panic"`))
		if err != nil || !strings.Contains(string(result), "customError") {
			t.Errorf("panic: %s, %v", result, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := s.Invoke(ctx, "f", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("caller gone: %v", err)
		}
		_ = s.Close()
	})
}

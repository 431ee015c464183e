package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	runtime "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// TestMain makes this binary the functions' program as well: a real process
// with the real runtime library, without a build.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		os.Exit(m.Run())
	}
	switch os.Getenv("MODE") {
	case "exit in init":
		fmt.Println("no luck")
		os.Exit(3)
	case "hang in init":
		select {}
	}
	fmt.Println("init done")
	runtime.Start(program)
}

// request tells the program what to do.
type request struct {
	Do   string
	Text string
}

type customError struct{ text string }

func (e *customError) Error() string { return e.text }

func program(ctx context.Context, in request) (any, error) {
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	switch in.Do {
	case "echo":
		fmt.Println("echo", in.Text)
		return map[string]any{
			"text": in.Text, "pid": os.Getpid(), "arn": lc.InvokedFunctionArn, "left": time.Until(deadline).Round(time.Second).String(), "request": lc.AwsRequestID,
		}, nil
	case "environment":
		return os.Environ(), nil
	case "fail":
		return nil, &customError{in.Text}
	case "panic":
		panic(errors.New(in.Text))
	case "exit":
		os.Exit(7)
	case "large":
		return strings.Repeat("x", 7<<20), nil
	case "spawn":
		cmd := exec.Command("sleep", "1000")
		cmd.Stdout = os.Stdout // a child that holds the log
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		fmt.Println("child", cmd.Process.Pid)
		<-time.After(time.Hour)
	case "hang":
		<-time.After(time.Hour)
	case "wait for file":
		for {
			if _, err := os.Stat(in.Text); err == nil {
				return "seen", nil
			}
			<-time.After(time.Millisecond)
		}
	}
	return "", nil
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

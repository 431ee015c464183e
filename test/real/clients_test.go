//go:build real

package real_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/real/apt"
)

// TestRealClients drives the local AWS with clients that nobody here wrote, as
// Debian packages them. The scripts in testdata say what they must see; error
// codes and words are those of AWS's API reference.
func TestRealClients(t *testing.T) {
	t.Parallel()
	if err := errors.Join(
		apt.Need(t.Context(), []string{"/usr/bin/aws"}, "awscli"),
		apt.NeedModule(t.Context(), "boto3", "python3-boto3"),
	); err != nil {
		t.Fatal(err)
	}

	t.Run("aws", func(t *testing.T) {
		t.Parallel()
		t.Logf("%s", output(t, "/usr/bin/aws", "--version"))
		testscript.Run(t, testscript.Params{
			Dir: "testdata/aws",
			Setup: func(e *testscript.Env) error {
				w, err := newWorld(t.Context(), e.WorkDir, e.Defer)
				if err != nil {
					return err
				}
				e.Values["world"] = w
				e.Vars = append(e.Vars, w.env...)
				return nil
			},
			Cmds: map[string]func(*testscript.TestScript, bool, []string){"aws": runAWS, "idle": idle},
		})
	})
	t.Run("boto3", func(t *testing.T) {
		t.Parallel()
		t.Logf("boto3 %s", output(t, "/usr/bin/python3", "-c", "import boto3; print(boto3.__version__)"))
		w, err := newWorld(t.Context(), t.TempDir(), t.Cleanup)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "-B", filepath.Join("testdata", "boto3_client.py"))
		cmd.Env = w.env
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Fatal(err)
		}
	})
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return strings.TrimSpace(string(out))
}

// world is a local AWS on a socket, with a rotation function.
type world struct {
	*cloud.Cloud
	url string
	env []string // of a client: nothing of ours but PATH
}

// newWorld starts one, and hands over what ends it.
func newWorld(ctx context.Context, home string, atEnd func(func())) (*world, error) {
	r := &rotator{}
	c := cloud.New(cloud.Options{Invoker: r})
	atEnd(c.Close)
	r.client = secretsmanager.NewFromConfig(c.Config())
	l, err := c.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- c.Serve(ctx, l) }()
	atEnd(func() {
		stop()
		if err := <-served; err != nil {
			panic(fmt.Sprintf("the local AWS: %v", err))
		}
	})
	url := "http://" + l.Addr().String()
	return &world{Cloud: c, url: url, env: []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + home,
		"ENDPOINT=" + url,
		"FUNCTION=" + function,
		"AWS_ACCESS_KEY_ID=" + cloud.AccessKey,
		"AWS_SECRET_ACCESS_KEY=" + cloud.SecretKey,
		"AWS_DEFAULT_REGION=us-east-1",
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_MAX_ATTEMPTS=1",
		"AWS_PAGER=",
	}}, nil
}

// runAWS is the script command aws. A refusal ends it with status 254.
func runAWS(ts *testscript.TestScript, neg bool, args []string) {
	w := ts.Value("world").(*world)
	err := ts.Exec("/usr/bin/aws", append([]string{"--endpoint-url", w.url, "--output", "json"}, args...)...)
	if exit, refused := errors.AsType[*exec.ExitError](err); neg && refused && exit.ExitCode() == 254 {
		return
	}
	if neg {
		ts.Fatalf("want a refusal (exit status 254), got %v", err)
	}
	ts.Check(err)
}

// idle is a script command: it waits until no rotation is under way.
func idle(ts *testscript.TestScript, _ bool, _ []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ts.Check(ts.Value("world").(*world).Idle(ctx))
}

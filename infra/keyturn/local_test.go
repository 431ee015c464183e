package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/rogpeppe/go-internal/testscript"
)

// server is a keyturn local under test.
type server struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

// cmdLocal starts keyturn local, and asks it for something through Go's SDK.
func cmdLocal(ts *testscript.TestScript, neg bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	ts.Defer(cancel)
	program := ""
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if p := filepath.Join(dir, "keyturn"); program == "" && isFile(p) {
			program = p
		}
	}
	s := &server{cmd: exec.CommandContext(ctx, program, append([]string{"local"}, args...)...)}
	out, err := s.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(s.cmd.Start())
	w, ok := ts.Value(worldKey{}).(*world)
	if !ok || neg {
		ts.Fatalf("wrong use")
	}
	w.server = s
	s.out = bufio.NewReader(out)
	line, err := s.out.ReadString('\n')
	ts.Check(err)
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok || !strings.HasPrefix(url, "http://127.0.0.1:") {
		ts.Fatalf("it began with %q", line)
	}
	ts.Check(ask(ctx, url))
	ts.Setenv("AWS_ENDPOINT_URL", url)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// ask creates and reads a secret, and asks who it is.
func ask(ctx context.Context, url string) error {
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithBaseEndpoint(url), awsconfig.WithRegion("us-east-1"),
		awsconfig.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("AKIA1", "any", "")))
	if err != nil {
		return err
	}
	c := sm.NewFromConfig(cfg)
	if _, err := c.CreateSecret(ctx, &sm.CreateSecretInput{Name: aws.String("prod/mailer"), SecretString: aws.String("{}")}); err != nil {
		return err
	}
	if _, err := c.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: aws.String("prod/mailer")}); err != nil {
		return err
	}
	_, err = sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	return err
}

// cmdEnd ends keyturn local as Ctrl-C or a service manager does. It must end
// well.
func cmdEnd(ts *testscript.TestScript, neg bool, args []string) {
	w, ok := ts.Value(worldKey{}).(*world)
	if !ok || neg || w.server == nil || len(args) != 1 {
		ts.Fatalf("wrong use")
	}
	ts.Check(w.server.cmd.Process.Signal(map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM}[args[0]]))
	rest := new(strings.Builder)
	_, err := w.server.out.WriteTo(rest)
	ts.Check(err)
	ts.Check(w.server.cmd.Wait())
	if n := strings.Count(rest.String(), "\n"); n != 3 {
		ts.Fatalf("%d lines after the first, want 3: %q", n, rest)
	}
}

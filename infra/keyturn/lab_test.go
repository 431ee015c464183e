package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keyturn/keyturn/infra/keyturn/internal/lab"
	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/keyrecord"
	records "github.com/keyturn/keyturn/shared/keyrecord/dynamodb"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/stack"
)

// TestLab holds each exercise in this process and does what docs/lab.md has as its
// model solution, command by command. Besides TestScript's exits there are:
//
//	lab NAME          hold an exercise in the folder lab
//	solution NAME     run the model solution's commands
//	score N           the score must be N, soon
//	reads NAME        a person reads a secret's value
//	ends NAME         somebody revokes the current key of a secret in the vendor's console
func TestLab(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the whole runs without the race detector")
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/lab", RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": cmdExits, "lab": cmdLab, "solution": cmdSolution, "score": cmdScore, "reads": cmdReads, "ends": cmdEnds,
		},
		Setup: func(env *testscript.Env) error {
			env.Values[labKey{}] = new(*lab.Session)
			return nil
		},
	})
}

type labKey struct{}

// session is the exercise of a script.
func session(ts *testscript.TestScript) **lab.Session {
	s, ok := ts.Value(labKey{}).(**lab.Session)
	if !ok {
		ts.Fatalf("wrong use")
	}
	return s
}

func cmdLab(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || lab.Find(args[0]) == nil {
		ts.Fatalf("usage: lab NAME")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := lab.Start(ctx, lab.Find(args[0]), lab.Options{Dir: ts.MkAbs("lab"), Vendors: catalog.All(), Every: 100 * time.Millisecond})
	ts.Check(err)
	*session(ts) = s
	closed := make(chan error, 1)
	go func() {
		<-s.Asked()
		closed <- s.Close()
	}()
	ts.Defer(func() {
		select {
		case <-s.Asked():
		default:
			closed <- s.Close()
		}
		if err := <-closed; err != nil {
			ts.Logf("end: %v", err)
		}
	})
	for _, v := range s.Variables() {
		ts.Setenv(v[0], v[1])
	}
}

func cmdSolution(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: solution NAME")
	}
	lines, err := modelSolution(args[0])
	ts.Check(err)
	for _, line := range lines {
		line, code, found := strings.Cut(line, " # exit ")
		if !found {
			code = "0"
		}
		cmdExits(ts, false, []string{code, "sh", "-c", line})
	}
}

// modelSolution returns the commands that docs/lab.md has for an exercise.
func modelSolution(name string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "lab.md"))
	if err != nil {
		return nil, err
	}
	_, rest, found := strings.Cut(string(text), "\n### "+name+"\n")
	_, rest, fence := strings.Cut(rest, "\n```sh\n")
	block, _, end := strings.Cut(rest, "\n```")
	if !found || !fence || !end {
		return nil, fmt.Errorf("docs/lab.md has no commands for %s", name)
	}
	return strings.Split(block, "\n"), nil
}

func cmdScore(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil {
		ts.Fatalf("usage: score N")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		r := (*session(ts)).Check(ctx)
		if r.Score == want {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			ts.Fatalf("score %d, want %d: %+v", r.Score, want, r)
		}
	}
}

// asPerson is the configuration with which a trainee calls AWS.
func asPerson(ts *testscript.TestScript) aws.Config {
	cfg, err := awsconfig.LoadDefaultConfig(context.Background(), awsconfig.WithBaseEndpoint((*session(ts)).Endpoint), awsconfig.WithRegion(wire.Region),
		awsconfig.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(cloud.AccessKey, cloud.SecretKey, "")))
	ts.Check(err)
	return cfg
}

func cmdReads(ts *testscript.TestScript, _ bool, args []string) {
	_, err := sm.NewFromConfig(asPerson(ts)).GetSecretValue(context.Background(), &sm.GetSecretValueInput{SecretId: &args[0]})
	ts.Check(err)
}

func cmdEnds(ts *testscript.TestScript, _ bool, args []string) {
	book, err := records.New(dynamodb.NewFromConfig(asPerson(ts)), stack.Table).Load(context.Background(), args[0])
	ts.Check(err)
	for _, k := range book.Keys {
		if k.State == keyrecord.Current {
			cmdExits(ts, false, []string{"0", "keyturn", "lab", "vendor", "revoke", "--", k.KeyID})
			return
		}
	}
	ts.Fatalf("%s has no current key", args[0])
}

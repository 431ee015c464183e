// Package leak looks for secrets in everything that Keyturn says.
package leak

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/stack"
)

// all is given by hand, go test ./test/leak -all; make test takes a sample.
var all = flag.Bool("all", false, "every fault at every call, not a sample")

const (
	name = "prod/app/key"
	host = "vendor.test"
)

// Of the long run.
var lives, leaking atomic.Int64

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if *all {
		fmt.Printf("leak_runs %d\nleak_broken %d\n", lives.Load(), leaking.Load())
	}
	os.Exit(code)
}

// No secret and no RotationToken is in any log, error, metric,
// notification, audit record or key record, whatever goes wrong. Whole
// rotations with their retirement run with every fault of the contract suite at
// every call to the vendor, and with every fault of the local AWS at every call
// to it; a sample of them in make test.
//
// A run is lived again with its name:
//
//	go test ./test/leak -all -run 'TestNothingLeaks/okta/vendor_call_3_timeout'
//
// Promise: nothing-printed
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	for _, v := range vendors() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			if *all {
				began := time.Now()
				t.Cleanup(func() {
					fmt.Printf("%-14s %-14s %5.0f s, leaking %d\n", v.name, v.strategy, time.Since(began).Seconds(), leaking.Load())
				})
			}
			testNothingLeaks(t, v)
		})
	}
}

func testNothingLeaks(t *testing.T, v vendor) {
	t.Helper()
	apart := 3
	if testing.Short() {
		apart = 15
	}
	var calls, awsCalls int
	synctest.Test(t, func(t *testing.T) {
		l := start(t, v, providertest.Fault{}, 0)
		l.live()
		calls, awsCalls = l.transport.Requests(), len(l.region.Cloud.Calls())
		l.judge()
		if len(l.tokens) == 0 || len(l.fake.Values()) < 3 || !strings.Contains(l.log.String(), `"step":"finishSecret"`) {
			t.Fatalf("%d RotationTokens and %d values were marked, and the log has %d bytes: this run proves nothing:\n%s",
				len(l.tokens), len(l.fake.Values()), l.log.Len(), l.log)
		}
	})
	for at := 1; at <= calls; at++ {
		for i, f := range providertest.Faults() {
			if !*all && (at*31+i)%(53*apart) != 0 {
				continue
			}
			t.Run(fmt.Sprintf("vendor call %d %s", at, f.Name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { l := start(t, v, f, at); l.live(); l.judge() })
			})
		}
	}
	for at := 1; at <= awsCalls; at++ {
		for effect := cloud.FailBefore; effect <= cloud.Stale; effect++ {
			if !*all && (at*8+int(effect))%(67*apart) != 0 {
				continue
			}
			t.Run(fmt.Sprintf("AWS call %d effect %d", at, effect), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					l := start(t, v, providertest.Fault{}, 0)
					l.region.Cloud.Inject(cloud.Fault{Nth: at, Effect: effect})
					l.live()
					l.judge()
				})
			})
		}
	}
}

// life is one secret from its first key to the death of its second.
type life struct {
	t         *testing.T
	region    *region.Region
	stack     *stack.Stack
	vendor    vendor
	fake      providertest.Fake
	transport *providertest.Transport
	log       *bytes.Buffer // what the functions print
	mu        sync.Mutex
	tokens    []string // RotationTokens
	answers   []string // of functions, errors too
}

func start(t *testing.T, v vendor, f providertest.Fault, at int) *life {
	t.Helper()
	l := &life{t: t, vendor: v, log: &bytes.Buffer{}}
	if n := lives.Add(1); *all && n%500 == 0 {
		fmt.Printf("%d lives, leaking %d\n", n, leaking.Load())
	}
	t.Cleanup(func() {
		if t.Failed() {
			leaking.Add(1)
		}
	})
	l.region = region.New(region.Options{Lambda: lambda.Options{OnInvoke: l.mark}})
	l.fake = v.start(l.region.Cloud.Clock().Now)
	l.transport = &providertest.Transport{Handler: l.fake, Host: host, Fault: f, At: at}
	s, err := stack.Deploy(t.Context(), l.region, stack.Options{
		Accounts: map[string]stack.Account{"main": {Provider: v.name, Base: "https://" + host + v.path, Hosts: []string{host}, Admin: l.fake.Admin(host)}},
		Keys: map[string]stack.Key{name: {
			Account: "main", Settings: v.settings, More: v.more,
			Grace: map[string]any{"min": "1m", "quiet": "1m", "max": "5m", "noUsage": "revoke"},
		}},
		Vendors: l.transport, Log: &locked{w: l.log},
	})
	if err != nil {
		t.Fatal(err)
	}
	l.stack = s
	t.Cleanup(func() { s.Close(); _ = l.region.Close() })
	return l
}

// mark remembers what must not be seen again.
func (l *life) mark(i lambda.Invocation) {
	var e struct{ RotationToken string }
	if json.Unmarshal(i.Payload, &e) == nil && e.RotationToken != "" {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.tokens = append(l.tokens, e.RotationToken)
	}
}

// live goes through a rotation and a retirement, and goes on whatever fails.
func (l *life) live() {
	for range 3 {
		if l.try(l.first) == nil {
			break
		}
	}
	l.ask(stack.Rotate("main"), `"mode":"adopt","observe":true`)
	l.ask(stack.RotateNow, `"mode":"pause","owner":"somebody","until":"`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"`)
	l.ask(stack.RotateNow, `"mode":"resume"`)
	_ = l.try(func(ctx context.Context) error { return l.stack.Enable(ctx, name) })
	l.ask(stack.RotateNow, `"mode":"plan"`)
	_ = l.try(func(ctx context.Context) error {
		_, err := sm.NewFromConfig(l.region.Cloud.Config()).RotateSecret(ctx, &sm.RotateSecretInput{SecretId: aws.String(name)})
		return err
	})
	_ = l.try(func(ctx context.Context) error { return l.region.Cloud.Rotated(ctx, name) })
	for range 6 {
		<-time.After(10 * time.Minute)
		l.invoke(stack.Retire("main"), `{"version":1,"sweep":true}`)
	}
	l.ask(stack.Retire("main"), `"mode":"rollback"`)
	l.ask(stack.Retire("main"), `"mode":"restore"`)
	synctest.Wait()
}

// first has the first key made, or stores and adopts the one that was there.
func (l *life) first(ctx context.Context) error {
	if !l.vendor.given {
		return l.stack.Init(ctx, name)
	}
	value, err := json.Marshal(map[string]string{"apiKey": l.fake.Add("made by hand").Value.Reveal()})
	if err != nil {
		return err
	}
	_, err = sm.NewFromConfig(l.region.Cloud.Config()).PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: aws.String(name), SecretString: aws.String(string(value))})
	l.ask(stack.Rotate("main"), `"mode":"adopt"`)
	return err
}

// ask is an operator who asks for something.
func (l *life) ask(function, what string) {
	l.invoke(function, `{"version":1,"secret":"`+name+`","reason":"a test",`+what+`}`)
}

// try does one thing, and keeps what its error says.
func (l *life) try(f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(l.t.Context(), 5*time.Minute)
	defer cancel()
	err := f(ctx)
	if err != nil {
		l.answers = append(l.answers, err.Error())
	}
	return err
}

func (l *life) invoke(function, event string) {
	_ = l.try(func(ctx context.Context) error {
		out, failure, err := l.region.Lambda.Invoke(ctx, function, []byte(event))
		l.answers = append(l.answers, string(out), failure)
		return err
	})
}

// judge looks at everything that was said.
func (l *life) judge() {
	l.t.Helper()
	secrets := append(l.fake.Values(), l.tokens...)
	secrets = append(secrets, stack.FingerprintKey)
	said := map[string]string{"log": l.log.String(), "answers": strings.Join(l.answers, "\n")}
	for _, m := range l.region.SNS.Inbox(stack.Topic) {
		said["notifications"] += fmt.Sprintln(m)
	}
	for _, m := range l.region.SQS.Messages(stack.Audit) {
		said["audit trail"] += fmt.Sprintln(m)
	}
	for _, item := range l.region.DynamoDB.Items(stack.Table) {
		b, err := json.Marshal(item)
		if err != nil {
			l.t.Fatal(err)
		}
		said["records"] += string(b)
	}
	for where, text := range said {
		if leak := providertest.Leak(text, secrets); leak != "" {
			l.t.Errorf("%s shows %q of a secret", where, leak)
		}
	}
}

type locked struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	records "github.com/keyturn/keyturn/shared/keyrecord/dynamodb"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/secretsmanager"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/demo/internal/consumer"
	"github.com/keyturn/keyturn/test/demo/internal/report"
	"github.com/keyturn/keyturn/test/stack"
)

// The keys that are rotated.
const (
	mailer  = "prod/mailer/sendgrid"
	billing = "prod/billing/sendgrid"
	ci      = "prod/ci/gitea"
	deploy  = "prod/deploy/gitea"
)

// The consumers that use them. The legacy one reads its key once, at its start.
const (
	legacy = "ci-legacy"
	runner = "ci-runner"
)

// What is stolen, and who steals.
const (
	honey = "prod/backup/root" // a honey token
	thief = "thief"

	ledgerKey = "ledger.pub" // file with the ledger's public key
)

const (
	cache = time.Second            // for which a program keeps a key
	every = 125 * time.Millisecond // a program makes a request
)

// demo is one demonstration.
type demo struct {
	options

	screen *screen
	root   string // of the module
	dir    string // temporary: binaries and configuration
	log    *logs
	watch  *watch
	run    report.Run

	region    *region.Region
	vendors   []*vendor
	stack     *stack.Stack
	secrets   *sm.Client
	records   *records.Table
	consumers []*user
	world     sync.RWMutex // held for writing while the clock is moved
	shown     int          // messages
	ledger    string       // its entries, once they are proven
}

// user is a program that uses a key.
type user struct {
	*consumer.Consumer

	name, secret string
}

// logs keeps what the functions print.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// show runs the whole demonstration, and reports whether all promises were
// kept.
func show(ctx context.Context, o options, s *screen) (kept bool, err error) {
	d := &demo{options: o, screen: s, log: &logs{}, watch: newWatch(), run: report.Run{Began: time.Now()}}
	if d.root, err = root(); err != nil {
		return false, err
	}
	if d.dir, err = os.MkdirTemp("", "keyturn-demo-"); err != nil {
		return false, err
	}
	defer os.RemoveAll(d.dir) //nolint:errcheck // temporary
	s.print(bold, "Keyturn: four keys are rotated on this machine.\n")
	s.print(dim, "The functions and the command are the real ones. The AWS is local, and the vendors are simulated:\nnothing leaves this machine, and no key here opens anything.\n")
	s.head("Build")
	if err = d.build(ctx); err != nil {
		return false, err
	}
	s.start()
	began := time.Now()
	life, end := context.WithCancel(ctx)
	defer end()
	s.head("Deploy")
	if err = d.deploy(life); err != nil {
		return false, errors.Join(err, d.close())
	}
	using := d.use(life)
	err = d.acts(ctx)
	if ctx.Err() != nil { // what is not over cannot be judged
		end()
		using.Wait()
		return false, errors.Join(stopped(ctx, err), d.close())
	}
	d.judge(ctx)
	end()
	using.Wait()
	d.counts()
	d.run.Took = time.Since(began)
	return d.finish(errors.Join(err, d.close()))
}

// stopped says why a demonstration ended before its time, and where it was.
func stopped(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return fmt.Errorf("stopped: %w", context.Cause(ctx))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return err
	}
	where, _, _ := strings.Cut(err.Error(), endOfLog)
	return errors.New("stopped in " + where)
}

// close ends the functions' processes and the simulators.
func (d *demo) close() error {
	for _, v := range d.vendors {
		_ = v.server.Close()
	}
	if d.stack != nil {
		d.stack.Close()
	}
	if d.region == nil {
		return nil
	}
	return d.region.Close()
}

// deploy starts the local AWS and the vendors, and deploys the functions.
func (d *demo) deploy(ctx context.Context) error {
	d.region = region.New(region.Options{
		Cloud:  cloud.Options{SecretsManager: secretsmanager.Options{RetryDelay: time.Second}},
		Lambda: lambda.Options{Log: d.log, OnInvoke: d.watch.invoked},
	})
	d.region.Cloud.Subscribe(d.watch.event, func(context.Context, []byte) {})
	l, err := d.region.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = d.region.Serve(ctx, l) }()
	d.run.From = d.now()
	if d.vendors, err = vendors(ctx, d.now); err != nil {
		return err
	}
	o := stack.Options{
		Accounts: map[string]stack.Account{}, Binaries: d.dir, Dir: d.dir, Endpoint: d.region.Endpoint(), Timeout: 30 * time.Second, Sweep: true,
		Keys: map[string]stack.Key{
			mailer:  {Account: sendgridAccount, Owner: "mailer@example.com", Schedule: "rate(30 days)", Grace: map[string]any{"min": "1h", "max": "24h", "noUsage": "revoke"}},
			billing: {Account: sendgridAccount, Owner: "billing@example.com", Schedule: "rate(300 days)", Grace: map[string]any{"min": "1h", "max": "24h", "noUsage": "revoke"}},
			ci:      {Account: giteaAccount, Owner: "ci@example.com", Schedule: "rate(300 days)", Grace: map[string]any{"min": "1h", "quiet": "6h", "max": "24h", "onMax": "hold"}},
			deploy:  {Account: giteaAccount, Owner: "deploy@example.com", Schedule: "rate(300 days)"},
		},
		Watch: &stack.Watch{HoneyToken: honey, Callers: callers(), Deployers: []string{"arn:aws:iam::" + wire.Account + ":user/local"}},
	}
	d.screen.say(plain, "local AWS     %s", d.region.Endpoint())
	for _, v := range d.vendors {
		d.screen.say(plain, "%-13s %s (simulated)", v.title, v.base)
		o.Accounts[v.account] = stack.Account{Provider: v.provider, Base: v.base, Hosts: []string{v.host}, Admin: v.Admin(v.host)}
		for name, k := range o.Keys {
			if k.Account == v.account {
				k.Settings = map[string]any{"scopes": v.scopes}
				o.Keys[name] = k
			}
		}
	}
	if d.stack, err = stack.Deploy(ctx, d.region, o); err != nil {
		return err
	}
	cfg := d.region.Cloud.Config()
	d.secrets, d.records = sm.NewFromConfig(cfg), records.New(dynamodb.NewFromConfig(cfg), stack.Table)
	if err = os.WriteFile(filepath.Join(d.dir, "keyturn.json"), d.stack.Config, 0o600); err != nil {
		return err
	}
	key, err := d.stack.VerifierKey(ctx)
	if err != nil {
		return err
	}
	if err = os.WriteFile(filepath.Join(d.dir, ledgerKey), []byte(key+"\n"), 0o600); err != nil {
		return err
	}
	return d.first(ctx)
}

// first makes each secret's first key, and attaches its schedule.
func (d *demo) first(ctx context.Context) error {
	for _, name := range names() {
		if err := d.keyturn(ctx, "init", name); err != nil {
			return err
		}
		if err := d.stack.Enable(ctx, name); err != nil {
			return err
		}
	}
	// Also the news of them, which the retire function sends last: the clock must
	// not jump under it.
	return d.until(ctx, "the first keys to be recorded and told", func() (bool, error) {
		for _, name := range names() {
			b, err := d.records.Load(ctx, name)
			if err != nil || len(b.Keys) == 0 || len(b.Keys[0].Told) == 0 {
				return false, err
			}
		}
		return true, nil
	})
}

func names() []string { return []string{mailer, billing, ci, deploy} }

// vendor returns the vendor of a secret.
func (d *demo) vendor(name string) *vendor {
	account := sendgridAccount
	if name == ci || name == deploy {
		account = giteaAccount
	}
	return d.vendors[slices.IndexFunc(d.vendors, func(v *vendor) bool { return v.account == account })]
}

// use starts the consumers that use the keys.
func (d *demo) use(ctx context.Context) *sync.WaitGroup {
	var running sync.WaitGroup
	for _, u := range programs() {
		v, client := d.vendor(u.secret), d.client(u.name)
		c := consumer.New(consumer.Options{
			Name: u.name, Stubborn: u.name == legacy, Now: d.now, Cache: cache, Every: every, World: &d.world,
			Want: v.want, Client: &http.Client{Transport: &http.Transport{}},
			Request: func(key secret.Value) (*http.Request, error) { return v.consume(v.base, key) },
			Fetch:   fetch(client, u.secret),
		})
		d.consumers = append(d.consumers, &user{c, u.name, u.secret})
		running.Go(func() { c.Run(ctx) })
	}
	d.screen.say(plain, "%d consumers use the keys from now on, %.0f times a second; %s read its key once, at its start",
		len(d.consumers), float64(len(d.consumers))/every.Seconds(), legacy)
	return &running
}

// program is a consumer's name, and the secret that it reads.
type program struct{ name, secret string }

func programs() []program {
	return []program{{"mailer", mailer}, {"billing", billing}, {runner, ci}, {legacy, ci}, {"deployer", deploy}}
}

// client is Secrets Manager over the network, as a program would call it. The access
// key names who calls; only the local AWS knows it.
func (d *demo) client(accessKey string) *sm.Client {
	return sm.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(d.region.Endpoint()),
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, cloud.SecretKey, ""),
	})
}

// callers are whose the access keys are.
func callers() map[string]cloud.Caller {
	out := map[string]cloud.Caller{thief: {Role: roleOf(runner), Session: "i-0f3c", Address: "203.0.113.66"}}
	for i, p := range programs() {
		out[p.name] = cloud.Caller{Role: roleOf(p.name), Session: p.name, Address: fmt.Sprintf("10.0.0.%d", i+10)}
	}
	return out
}

func roleOf(program string) string { return "arn:aws:iam::" + wire.Account + ":role/" + program }

// fetch reads a secret, as AWS's examples do.
func fetch(client *sm.Client, name string) func(context.Context) (secret.Value, string, error) {
	return func(ctx context.Context) (secret.Value, string, error) {
		out, err := client.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &name})
		if err != nil {
			return secret.Value{}, "", err
		}
		var value struct {
			Key secret.Value `json:"apiKey"`
		}
		if err := json.Unmarshal([]byte(*out.SecretString), &value); err != nil || value.Key.Empty() {
			return secret.Value{}, "", fmt.Errorf("%s holds no key", name)
		}
		return value.Key, *out.VersionId, nil
	}
}

func (d *demo) now() time.Time { return d.region.Cloud.Clock().Now() }

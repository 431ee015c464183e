// Package stack deploys Keyturn to the local AWS the way the CDK app deploys it
// to AWS: the table, the topic, the queues, a rotate and a retire function for
// each vendor account, rotatenow, and the rule for label events; where asked for, also the audit
// function, its ledger, and the rule that brings it CloudTrail's records.
package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	sched "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/function/audit"
	"github.com/keyturn/keyturn/shared/function/retire"
	"github.com/keyturn/keyturn/shared/function/review"
	"github.com/keyturn/keyturn/shared/function/rotate"
	"github.com/keyturn/keyturn/shared/function/rotatenow"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// The names of what is deployed.
const (
	Table     = "keyturn"
	Topic     = "keyturn"
	Audit     = "keyturn-audit"
	RotateNow = "keyturn-rotatenow"
	// FingerprintKey is the functions' key for fingerprints.
	FingerprintKey = "Qx7vZk2mWp9sLr4tBn8cHd3fJg6yUe5a"
)

// Rotate names the rotate function of a vendor account.
func Rotate(account string) string { return "keyturn-rotate-" + account }

// Retire names the retire function of a vendor account.
func Retire(account string) string { return "keyturn-retire-" + account }

// Account is a vendor account.
type Account struct {
	Provider string
	Base     string         // URL of its API; "": keys have none in their settings
	Hosts    []string       // it may be called at
	Admin    provider.Admin // stored as the account's admin secret
}

// Key is a secret to be rotated.
type Key struct {
	Account  string
	Settings map[string]any // without baseURL
	Grace    map[string]any // as in the configuration; nil: the defaults
	Value    map[string]any // as in the configuration; nil: the default shape
	More     map[string]any // of the key's configuration, such as exclusive
	Owner    string
	Schedule string // of the rotation; "": rate(30 days)
}

// Options say what to deploy.
type Options struct {
	Accounts map[string]Account
	Keys     map[string]Key
	// Binaries is a folder with rotate/bootstrap, retire/bootstrap and
	// rotatenow/bootstrap, which run as processes. Empty: the same functions
	// run in this process, and the access key of their calls is their name.
	Binaries string
	// Endpoint of the local AWS, for processes.
	Endpoint string
	// Vendors carries requests to vendors in this process. Nil: the network.
	Vendors http.RoundTripper
	// Answers carries functions' answers to CloudFormation in this process. Nil:
	// the network.
	Answers http.RoundTripper
	// Log gets what functions in this process write. Nil: it is dropped.
	Log io.Writer
	// Dir is where configuration files go, for processes.
	Dir string
	// Timeout of the functions. Zero: 60 s.
	Timeout time.Duration
	// Sweep makes the hourly schedule of the sweep.
	Sweep bool
	// Watch deploys what looks at every access. Nil: nothing does, and nobody takes
	// what is in the audit queue.
	Watch *Watch
	// Channels are chat channels, by the alias that each has, with the filter policy of
	// its subscription, "" for none: see [Stack.Channel].
	Channels map[string]string
	// Env is more of the functions' environment, or other than the usual.
	Env map[string]string
	// Configure returns the configuration of a vendor account's functions, "" for all
	// of them. It is asked at each deployment, see [Stack.Redeploy]. Nil: it is made of
	// Accounts and Keys.
	Configure func(account string) []byte
}

// Stack is a deployment.
type Stack struct {
	Region *region.Region
	Config []byte // the whole configuration, as the operator's command reads it

	opt  Options
	sm   *sm.Client
	stop context.CancelFunc
	cut  func() // of the path of CloudTrail's records
}

// Deploy makes the stack. Secrets are created without a value and without a
// schedule: see [Stack.Enable].
func Deploy(ctx context.Context, r *region.Region, o Options) (*Stack, error) {
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	s := &Stack{Region: r, opt: o, sm: sm.NewFromConfig(r.Cloud.Config())}
	s.Config = s.configuration("")
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	if err := errors.Join(s.shared(ctx), s.channels(ctx), s.watch(ctx, life), s.accounts(ctx, life), s.secrets(ctx)); err != nil {
		stop()
		return nil, fmt.Errorf("deploy: %w", err)
	}
	return s, nil
}

// Close ends what the deployment does by itself.
func (s *Stack) Close() { s.stop() }

// configuration is the configuration of one vendor account's functions, or of
// everything.
func (s *Stack) configuration(account string) []byte {
	if s.opt.Configure != nil {
		return s.opt.Configure(account)
	}
	accounts, keys := map[string]any{}, map[string]any{}
	for name, a := range s.opt.Accounts {
		if account == "" || account == name {
			accounts[name] = map[string]any{"provider": a.Provider, "admin": adminSecret(name), "hosts": a.Hosts, "allowPrivate": true}
		}
	}
	for name, k := range s.opt.Keys {
		if account != "" && account != k.Account {
			continue
		}
		settings := map[string]any{}
		if base := s.opt.Accounts[k.Account].Base; base != "" {
			settings["baseURL"] = base
		}
		maps.Copy(settings, k.Settings)
		entry := map[string]any{"vendorAccount": k.Account, "settings": settings, "owner": k.Owner}
		if k.Owner == "" {
			entry["owner"] = "platform@example.com"
		}
		if k.Grace != nil {
			entry["grace"] = k.Grace
		}
		if k.Value != nil {
			entry["value"] = k.Value
		}
		maps.Copy(entry, k.More)
		keys[name] = entry
	}
	b, err := json.MarshalIndent(map[string]any{"version": 1, "vendorAccounts": accounts, "keys": keys}, "", "  ")
	if err != nil {
		panic(err) // only maps and strings
	}
	return b
}

func adminSecret(account string) string { return "keyturn/admin/" + account }

// shared makes what all vendor accounts have in common.
func (s *Stack) shared(ctx context.Context) error {
	cfg := s.Region.Cloud.Config()
	_, err := dynamodb.NewFromConfig(cfg).CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: aws.String(Table), BillingMode: ddb.BillingModePayPerRequest,
		AttributeDefinitions: []ddb.AttributeDefinition{
			{AttributeName: aws.String("secret"), AttributeType: ddb.ScalarAttributeTypeS},
			{AttributeName: aws.String("item"), AttributeType: ddb.ScalarAttributeTypeS},
		},
		KeySchema: []ddb.KeySchemaElement{
			{AttributeName: aws.String("secret"), KeyType: ddb.KeyTypeHash},
			{AttributeName: aws.String("item"), KeyType: ddb.KeyTypeRange},
		},
	})
	if err != nil {
		return fmt.Errorf("make the table: %w", err)
	}
	if _, err = sns.NewFromConfig(cfg).CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String(Topic)}); err != nil {
		return fmt.Errorf("make the topic: %w", err)
	}
	if _, err = s.Region.SQS.Create(Audit, s.visible(1)); err != nil {
		return fmt.Errorf("make the audit queue: %w", err)
	}
	return s.function(ctx, RotateNow, rotatenow.Name, "", rotatenow.Open, rotatenow.Needs())
}

// accounts makes each vendor account's functions, and lets label events start
// the retire function through a queue.
func (s *Stack) accounts(ctx, life context.Context) error {
	for name := range s.opt.Accounts {
		if err := s.function(ctx, Rotate(name), rotate.Name, name, rotate.Open, rotate.Needs()); err != nil {
			return err
		}
		if err := s.function(ctx, Retire(name), retire.Name, name, retire.Open, retire.Needs()); err != nil {
			return err
		}
		queue := "keyturn-labels-" + name
		if _, err := s.Region.SQS.Create(queue, s.visible(6)); err != nil {
			return fmt.Errorf("make the label queue: %w", err)
		}
		if err := s.Region.SQS.Map(life, queue, Retire(name), 10, s.Region.Lambda); err != nil {
			return fmt.Errorf("map the label queue: %w", err)
		}
		ours := s.keysOf(name)
		s.Region.Cloud.Subscribe(func(e cloud.Event) bool {
			var d struct {
				Name         string `json:"name"`
				LabelUpdated string `json:"labelUpdated"`
			}
			b, err := json.Marshal(e.Detail)
			return err == nil && e.DetailType == "Secret Label Updated" && json.Unmarshal(b, &d) == nil &&
				d.LabelUpdated == "AWSCURRENT" && slices.Contains(ours, d.Name)
		}, func(_ context.Context, event []byte) {
			_, _ = s.Region.SQS.Send(queue, "events.amazonaws.com", string(event), nil)
		})
		if s.opt.Sweep {
			if err := s.sweep(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// visible is for how many of the functions' timeouts messages are hidden from all but
// the function that has them. AWS advises six; with one, what failed comes sooner.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
func (s *Stack) visible(timeouts int) map[string]string {
	return map[string]string{"VisibilityTimeout": strconv.Itoa(timeouts * int(s.opt.Timeout/time.Second))}
}

func (s *Stack) keysOf(account string) (names []string) {
	for name, k := range s.opt.Keys {
		if k.Account == account {
			names = append(names, name)
		}
	}
	return names
}

func (s *Stack) sweep(ctx context.Context, account string) error {
	_, err := scheduler.NewFromConfig(s.Region.Cloud.Config()).CreateSchedule(ctx, &scheduler.CreateScheduleInput{
		Name: aws.String("keyturn-sweep-" + account), ScheduleExpression: aws.String("rate(1 hour)"),
		FlexibleTimeWindow: &sched.FlexibleTimeWindow{Mode: sched.FlexibleTimeWindowModeOff},
		Target: &sched.Target{
			Arn: aws.String(lambda.ARN(Retire(account))), RoleArn: aws.String(role("schedules")), Input: aws.String(`{"version":1,"sweep":true}`),
		},
	})
	if err != nil {
		return fmt.Errorf("schedule the sweep: %w", err)
	}
	return nil
}

func role(name string) string { return "arn:aws:iam::" + wire.Account + ":role/keyturn-" + name }

// function registers one function, as a process or in this one.
func (s *Stack) function(ctx context.Context, name, kind, account string, open boot.Open, needs []boot.Variable) error {
	env := map[string]string{
		"KEYTURN_TABLE":               Table,
		"KEYTURN_TOPIC_ARN":           "arn:aws:sns:" + wire.Region + ":" + wire.Account + ":" + Topic,
		"KEYTURN_AUDIT_QUEUE_URL":     "http://127.0.0.1/" + wire.Account + "/" + Audit,
		"KEYTURN_SCHEDULE_ROLE_ARN":   role("schedules"),
		"KEYTURN_RETIRE_FUNCTION_ARN": lambda.ARN(Retire(account)),
		"KEYTURN_FINGERPRINT_KEY":     FingerprintKey,
	}
	var site []byte
	if kind == audit.Name || kind == review.Name {
		site = s.watching(env)
	}
	maps.Copy(env, s.opt.Env)
	f := lambda.Function{Name: name, Timeout: s.opt.Timeout, MemoryMB: 128, Env: env}
	switch name { // as infra/cdk deploys them
	case RotateNow:
		f.Aliases = []string{"control", "emergency", "plan", "rotate"}
	case Channels:
		f.Aliases = slices.Sorted(maps.Keys(s.opt.Channels))
		delete(env, "KEYTURN_FINGERPRINT_KEY") // it knows no key
	}
	config := s.configuration(account)
	if s.opt.Binaries == "" {
		cfg := s.Region.Cloud.Config()
		cfg.Credentials = credentials.NewStaticCredentialsProvider(name, cloud.SecretKey, "")
		b := boot.Prepare(ctx, boot.System{
			Getenv: func(k string) string { return env[k] },
			ReadFile: func(path string) ([]byte, error) {
				if path == sitePath {
					return site, nil
				}
				return config, nil
			},
			Stdout: s.opt.Log, Now: time.Now, AWS: &cfg, Vendors: s.opt.Vendors, Answers: s.opt.Answers,
		}, kind, open, needs...)
		timeout := s.opt.Timeout
		f.Handler = func(ctx context.Context, event []byte) ([]byte, error) {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			return b.Invoke(ctx, event)
		}
	} else {
		if s.opt.Endpoint != "" {
			env["KEYTURN_AUDIT_QUEUE_URL"] = s.opt.Endpoint + "/" + wire.Account + "/" + Audit
		}
		path := filepath.Join(s.opt.Dir, name+".json")
		if err := os.WriteFile(path, config, 0o600); err != nil {
			return fmt.Errorf("write the configuration: %w", err)
		}
		if site != nil {
			env["KEYTURN_SITE"] = filepath.Join(s.opt.Dir, sitePath)
			if err := os.WriteFile(env["KEYTURN_SITE"], site, 0o600); err != nil {
				return fmt.Errorf("write what the detections know: %w", err)
			}
		}
		env["KEYTURN_CONFIG"], f.Path = path, filepath.Join(s.opt.Binaries, kind)
	}
	if err := s.Region.Lambda.Register(f); err != nil {
		return fmt.Errorf("register %s: %w", name, err)
	}
	return nil
}

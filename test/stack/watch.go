package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/function/audit"
	"github.com/keyturn/keyturn/shared/function/review"
	"github.com/keyturn/keyturn/shared/ledger"
	signer "github.com/keyturn/keyturn/shared/ledger/kms"
	objects "github.com/keyturn/keyturn/shared/ledger/s3"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/rules"
	"github.com/keyturn/keyturn/test/cloud/sqs"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// The names of what watches.
const (
	Auditor      = "keyturn-audit" // the function; the queue has the same name
	Reviewer     = "keyturn-review"
	Trail        = "keyturn-trail"
	WatchTable   = "keyturn-watch"
	Ledger       = "keyturn-ledger-" + wire.Account + "-" + wire.Region
	LedgerKey    = "alias/keyturn-ledger"
	LedgerOrigin = "keyturn.local/" + wire.Account + "/" + wire.Region
	Canary       = "keyturn/canary"

	sitePath = "site.json"
)

// Watch says how accesses are watched.
type Watch struct {
	// Path is what happens to CloudTrail's records on their way.
	Path rules.Path
	// HoneyToken is a secret that nobody reads in peace; "": there is none. It is
	// made with a value that opens nothing.
	HoneyToken string
	// Callers are whose access keys are, beside the functions'.
	Callers map[string]cloud.Caller
	// Deployers are roles and users, by ARN, that change the installation.
	Deployers []string
	// Rules turns detections on or off that are not as by default.
	Rules map[string]bool
	// Review deploys the review function: see [Stack.Review].
	Review bool
	// Know changes what the detections know, at each deployment. Nil: nothing does.
	Know func(*detect.Site)
	// Env are more of the functions' variables, as a trail's bucket.
	Env map[string]string
}

// watch makes the ledger and the function that writes it, and lets CloudTrail's
// records and our own acts start it. There are no schedules: see [Stack.Task].
func (s *Stack) watch(ctx, life context.Context) error {
	w := s.opt.Watch
	if w == nil {
		return nil
	}
	s.Region.Cloud.Introduce(s.introduce())
	if err := s.ledger(ctx); err != nil {
		return err
	}
	if _, err := s.Region.SQS.Create(Trail, s.visible(1)); err != nil {
		return fmt.Errorf("make the trail queue: %w", err)
	}
	if err := s.create(ctx, Canary, "a canary opens nothing", ""); err != nil {
		return err
	}
	if w.HoneyToken != "" {
		if err := s.create(ctx, w.HoneyToken, `{"apiKey":"a honey token opens nothing"}`, ""); err != nil {
			return err
		}
	}
	if err := s.function(ctx, Auditor, audit.Name, "", audit.Open, audit.Needs()); err != nil {
		return err
	}
	if w.Review {
		if err := s.function(ctx, Reviewer, review.Name, "", review.Open, review.Needs()); err != nil {
			return err
		}
	}
	for _, queue := range []string{Trail, Audit} {
		if err := s.Region.SQS.Map(life, queue, Auditor, 100, narrow{s.Region.Lambda, make(chan struct{}, batches)}); err != nil {
			return fmt.Errorf("map the queue %s: %w", queue, err)
		}
	}
	remove, err := rules.Put(s.Region.Cloud, s.Region.SQS, rules.Rule{
		State: rules.EnabledFull, Pattern: `{"source":["aws.secretsmanager"]}`, Queue: Trail,
	}, w.Path)
	if err != nil {
		return fmt.Errorf("make the rule for CloudTrail's records: %w", err)
	}
	s.cut = remove
	context.AfterFunc(life, remove)
	return nil
}

// Cut ends the rule that brings CloudTrail's records, as somebody would who wants to
// be unseen. It needs [Options].Watch.
func (s *Stack) Cut() { s.cut() }

// batches is how many of one queue the function handles at a time, as infra/cdk
// deploys it: with more, writers of the ledger stand in each other's way.
const batches = 2

// narrow lets as many invocations through as its channel holds.
type narrow struct {
	sqs.Invoker

	free chan struct{}
}

// Invoke implements [sqs.Invoker].
func (n narrow) Invoke(ctx context.Context, function string, payload []byte) (result []byte, functionError string, err error) {
	select {
	case n.free <- struct{}{}:
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
	defer func() { <-n.free }()
	return n.Invoker.Invoke(ctx, function, payload)
}

// ledger makes what the ledger is in, and what signs it.
func (s *Stack) ledger(ctx context.Context) error {
	cfg := s.Region.Cloud.Config()
	_, err := s3.NewFromConfig(cfg).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(Ledger), ObjectLockEnabledForBucket: aws.Bool(true)})
	if err != nil {
		return fmt.Errorf("make the ledger's bucket: %w", err)
	}
	keys := kms.NewFromConfig(cfg)
	key, err := keys.CreateKey(ctx, &kms.CreateKeyInput{KeySpec: kmstypes.KeySpecEccNistEdwards25519, KeyUsage: kmstypes.KeyUsageTypeSignVerify})
	if err != nil {
		return fmt.Errorf("make the ledger's key: %w", err)
	}
	if _, err = keys.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String(LedgerKey), TargetKeyId: key.KeyMetadata.KeyId}); err != nil {
		return fmt.Errorf("name the ledger's key: %w", err)
	}
	_, err = dynamodb.NewFromConfig(cfg).CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: aws.String(WatchTable), BillingMode: ddb.BillingModePayPerRequest,
		AttributeDefinitions: []ddb.AttributeDefinition{
			{AttributeName: aws.String("part"), AttributeType: ddb.ScalarAttributeTypeS},
			{AttributeName: aws.String("name"), AttributeType: ddb.ScalarAttributeTypeS},
		},
		KeySchema: []ddb.KeySchemaElement{
			{AttributeName: aws.String("part"), KeyType: ddb.KeyTypeHash},
			{AttributeName: aws.String("name"), KeyType: ddb.KeyTypeRange},
		},
	})
	if err != nil {
		return fmt.Errorf("make the watch's table: %w", err)
	}
	return nil
}

// introduce says whose an access key is. A process that is gone is still known: its
// last call may be recorded after its end.
func (s *Stack) introduce() func(string) (cloud.Caller, bool) {
	var mu sync.Mutex
	known := map[string]cloud.Caller{}
	maps.Copy(known, s.opt.Watch.Callers)
	for _, name := range s.functions() {
		known[name] = ours(name) // of functions in this process
	}
	return func(accessKey string) (cloud.Caller, bool) {
		mu.Lock()
		defer mu.Unlock()
		if who, ok := known[accessKey]; ok {
			return who, true
		}
		name, ok := s.Region.Lambda.Caller(accessKey)
		if ok {
			known[accessKey] = ours(name)
		}
		return known[accessKey], ok
	}
}

// FunctionRole is the ARN of a function's role.
func FunctionRole(function string) string {
	return "arn:aws:iam::" + wire.Account + ":role/" + function
}

func ours(function string) cloud.Caller {
	return cloud.Caller{Role: FunctionRole(function), Session: function}
}

func (s *Stack) functions() []string {
	names := []string{RotateNow, Auditor}
	if s.opt.Watch.Review {
		names = append(names, Reviewer)
	}
	for _, account := range slices.Sorted(maps.Keys(s.opt.Accounts)) {
		names = append(names, Rotate(account), Retire(account))
	}
	return names
}

// watching adds the audit function's variables to env, and returns what the
// detections know.
func (s *Stack) watching(env map[string]string) []byte {
	maps.Copy(env, map[string]string{
		"KEYTURN_ACCOUNT_ID": wire.Account, "KEYTURN_WATCH_TABLE": WatchTable, "KEYTURN_LEDGER_BUCKET": Ledger, "KEYTURN_LEDGER_KEY": LedgerKey,
		"KEYTURN_LEDGER_ORIGIN": LedgerOrigin, "KEYTURN_LEDGER_LOCK": "GOVERNANCE 9600h0m0s", "KEYTURN_TRAIL_QUEUE_ARN": sqs.ARN(Trail),
		"KEYTURN_AUDIT_QUEUE_ARN": sqs.ARN(Audit), "KEYTURN_SITE": sitePath, "KEYTURN_CANARY_SECRET": Canary, "KEYTURN_AUDIT_ROLE_ARN": FunctionRole(Auditor),
	})
	maps.Copy(env, s.opt.Watch.Env)
	b, err := json.Marshal(s.site())
	if err != nil {
		panic(err) // only texts and numbers
	}
	return b
}

func (s *Stack) site() *detect.Site {
	site := &detect.Site{
		Account: wire.Account, Region: wire.Region, Installed: s.Region.Cloud.Clock().Now(), Deployers: s.opt.Watch.Deployers, Rules: s.opt.Watch.Rules,
		Functions: s.functions(), Resources: []string{Table, WatchTable, Topic, Audit, Trail, Ledger}, Keys: []string{LedgerKey},
		Secrets: []detect.Secret{{Name: Canary, Canary: true, Readers: []string{FunctionRole(Auditor)}}},
	}
	for _, name := range site.Functions {
		site.Roles = append(site.Roles, FunctionRole(name))
	}
	rotators := func(account string) []string {
		return []string{FunctionRole(Rotate(account)), FunctionRole(Retire(account))}
	}
	for _, account := range slices.Sorted(maps.Keys(s.opt.Accounts)) {
		site.Secrets = append(site.Secrets, detect.Secret{Name: adminSecret(account), Tier: 1, Admin: true, Rotators: rotators(account)})
	}
	for _, name := range slices.Sorted(maps.Keys(s.opt.Keys)) {
		k := s.opt.Keys[name]
		site.Secrets = append(site.Secrets, detect.Secret{Name: name, Owner: k.Owner, Rotators: rotators(k.Account), Function: Rotate(k.Account)})
	}
	if name := s.opt.Watch.HoneyToken; name != "" {
		site.Secrets = append(site.Secrets, detect.Secret{Name: name, HoneyToken: true})
	}
	if s.opt.Watch.Know != nil {
		s.opt.Watch.Know(site)
	}
	return site
}

// Task runs a task of the audit function, as its schedule does.
func (s *Stack) Task(ctx context.Context, task string) error { return s.task(ctx, Auditor, task) }

// Review makes the week's review, as its schedule does. It needs [Watch].Review.
func (s *Stack) Review(ctx context.Context) error { return s.task(ctx, Reviewer, review.Task) }

func (s *Stack) task(ctx context.Context, function, task string) error {
	event, err := json.Marshal(map[string]string{"task": task})
	if err != nil {
		return fmt.Errorf("encode the task: %w", err)
	}
	out, failure, err := s.Region.Lambda.Invoke(ctx, function, event)
	if err != nil {
		return fmt.Errorf("run the task %s: %w", task, err)
	}
	if failure != "" {
		return fmt.Errorf("run the task %s: %s", task, out)
	}
	return nil
}

// VerifierKey is the ledger's public key, as tools for signed notes take it.
func (s *Stack) VerifierKey(ctx context.Context) (string, error) {
	key, err := signer.New(kms.NewFromConfig(s.Region.Cloud.Config()), LedgerKey).VerifierKey(ctx, LedgerOrigin)
	if err != nil {
		return "", fmt.Errorf("read the ledger's key: %w", err)
	}
	return key, nil
}

// Drained reports whether nothing waits in the queues of what watches.
func (s *Stack) Drained() bool {
	return !slices.ContainsFunc(append(s.Region.SQS.Messages(Trail), s.Region.SQS.Messages(Audit)...), func(m sqs.Message) bool { return !m.Deleted })
}

// Verify proves the whole ledger, and calls each for every entry.
func (s *Stack) Verify(ctx context.Context, each func(int64, []byte) error) (ledger.Report, error) {
	return s.verify(ctx, ledger.Check{Each: each})
}

// Extends proves the whole ledger, and that a checkpoint is of a beginning of it.
func (s *Stack) Extends(ctx context.Context, signed []byte) error {
	_, err := s.verify(ctx, ledger.Check{Against: signed})
	return err
}

func (s *Stack) verify(ctx context.Context, check ledger.Check) (ledger.Report, error) {
	cfg := s.Region.Cloud.Config()
	v, err := signer.New(kms.NewFromConfig(cfg), LedgerKey).Verifier(ctx, LedgerOrigin)
	if err != nil {
		return ledger.Report{}, fmt.Errorf("read the ledger's key: %w", err)
	}
	return ledger.Verify(ctx, objects.New(s3.NewFromConfig(cfg), Ledger, "", objects.Lock{}), v, check)
}

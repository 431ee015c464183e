package boot

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/keyturn/keyturn/shared/alert"
	auditsqs "github.com/keyturn/keyturn/shared/audit/sqs"
	"github.com/keyturn/keyturn/shared/awsclock"
	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/customresource"
	records "github.com/keyturn/keyturn/shared/keyrecord/dynamodb"
	"github.com/keyturn/keyturn/shared/notify"
	notifysns "github.com/keyturn/keyturn/shared/notify/sns"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store/secretsmanager"
)

// Variable is the name of an environment variable.
type Variable string

// The variables that some functions need. Each may also be set where it is not
// needed.
const (
	TableName         Variable = "KEYTURN_TABLE"               // DynamoDB table of the keys' records
	TopicARN          Variable = "KEYTURN_TOPIC_ARN"           // SNS topic of the notifications
	AuditQueueURL     Variable = "KEYTURN_AUDIT_QUEUE_URL"     // SQS queue of the audit trail
	ScheduleGroup     Variable = "KEYTURN_SCHEDULE_GROUP"      // EventBridge Scheduler group of one-time schedules
	ScheduleRoleARN   Variable = "KEYTURN_SCHEDULE_ROLE_ARN"   // role of those schedules
	RetireFunctionARN Variable = "KEYTURN_RETIRE_FUNCTION_ARN" // what they start
	// EscalationTopicARN and EscalateAfter go together: both, or no escalation.
	EscalationTopicARN Variable = "KEYTURN_ESCALATION_TOPIC_ARN" // SNS topic of what nobody has acknowledged
	EscalateAfter      Variable = "KEYTURN_ESCALATE_AFTER"       // after how long: "4h"

	RotateFunctionARN Variable = "KEYTURN_ROTATE_FUNCTION_ARN" // what rotatenow asks for a plan
)

// The variables of the audit function.
const (
	AccountID     Variable = "KEYTURN_ACCOUNT_ID"      // the AWS account that it is in
	WatchTable    Variable = "KEYTURN_WATCH_TABLE"     // DynamoDB table of what it remembers
	LedgerBucket  Variable = "KEYTURN_LEDGER_BUCKET"   // S3 bucket of the ledger
	LedgerKey     Variable = "KEYTURN_LEDGER_KEY"      // KMS key that signs its checkpoints
	LedgerOrigin  Variable = "KEYTURN_LEDGER_ORIGIN"   // name of the log in its checkpoints
	TrailQueueARN Variable = "KEYTURN_TRAIL_QUEUE_ARN" // SQS queue of CloudTrail's records
	AuditQueueARN Variable = "KEYTURN_AUDIT_QUEUE_ARN" // SQS queue of AuditQueueURL
	SitePath      Variable = "KEYTURN_SITE"            // file with what the detections know of the installation
	CanarySecret  Variable = "KEYTURN_CANARY_SECRET"   // name of the secret that only the canary reads
	AuditRoleARN  Variable = "KEYTURN_AUDIT_ROLE_ARN"  // role that reads it
	Countries     Variable = "KEYTURN_COUNTRIES"       // file in MaxMind's format that says where addresses are; not set: what is compiled in
	LedgerLock    Variable = "KEYTURN_LEDGER_LOCK"     // mode and time of Object Lock: "GOVERNANCE 9600h0m0s"; not set: as the bucket says
	SiteKeys      Variable = "KEYTURN_SITE_KEYS"       // ids of our KMS keys, with commas between; not set: none is known by its id
)

// The variables of the audit function that name what is somebody else's. Without
// TrailBucket the ledger is compared with LookupEvents.
const (
	TrailBucket  Variable = "KEYTURN_TRAIL_BUCKET"  // S3 bucket of CloudTrail's files
	TrailPrefix  Variable = "KEYTURN_TRAIL_PREFIX"  // before AWSLogs/ in their names
	TrailAccount Variable = "KEYTURN_TRAIL_ACCOUNT" // AWS account of the bucket

	CheckpointBucket Variable = "KEYTURN_CHECKPOINT_BUCKET" // S3 bucket, best of another account, that gets each checkpoint; not set: none does
	RotateNowARN     Variable = "KEYTURN_ROTATENOW_ARN"     // alias of rotatenow that a finding asks for an emergency rotation
)

// The variables of the review function.
const (
	ReviewBucket Variable = "KEYTURN_REVIEW_BUCKET" // S3 bucket of the pages; not set: the ledger's
)

// NoKeys, among what a function needs, is no variable: it says that the function
// knows no key. It then reads neither their configuration nor the key of
// fingerprints, and has neither.
const NoKeys Variable = "-"

// variables are all that a function may need.
func variables() []Variable {
	return []Variable{
		TableName, TopicARN, AuditQueueURL, ScheduleGroup, ScheduleRoleARN, RetireFunctionARN, RotateFunctionARN, EscalationTopicARN, EscalateAfter,
		AccountID, WatchTable, LedgerBucket, LedgerKey, LedgerOrigin, TrailQueueARN, AuditQueueARN, SitePath, CanarySecret, AuditRoleARN, LedgerLock, SiteKeys, Countries,
		TrailBucket, TrailPrefix, TrailAccount, CheckpointBucket, RotateNowARN, ReviewBucket,
	}
}

// The variables that every function reads; the first two, every one that knows keys.
const (
	configPath     Variable = "KEYTURN_CONFIG"          // default: keyturn.json in LAMBDA_TASK_ROOT
	fingerprintKey Variable = "KEYTURN_FINGERPRINT_KEY" // needed: at least 16 characters, the same for all functions
	installation   Variable = "KEYTURN_INSTALLATION"    // name of the installation in the metrics (default: keyturn)
	logLevel       Variable = "KEYTURN_LOG_LEVEL"       // debug, info (default), warn or error
	taskRoot       Variable = "LAMBDA_TASK_ROOT"
)

const minFingerprintKey = 16

// awsTimeout ends one attempt of one call to AWS, so that an answer that never
// comes leaves time for the next.
const awsTimeout = 10 * time.Second

// System is the world outside the process. Getenv, ReadFile, Stdout and Now are
// needed.
type System struct {
	Getenv   func(string) string
	ReadFile func(string) ([]byte, error)
	Stdout   io.Writer // log and metrics
	Now      func() time.Time
	AWS      *aws.Config // nil: from the environment, as every SDK does
	Vendors  Transport   // nil: the network
	Answers  Transport   // of the answers to CloudFormation; nil: the network
}

// Env is what a function has to work with. It is safe for concurrent use.
type Env struct {
	Function     string         // "rotate"
	Installation string         // its name; never ""
	Config       *config.Config // of the keys that are ours; nil with [NoKeys]
	Log          *slog.Logger
	AWS          aws.Config      // its clients teach Clock
	Clock        *awsclock.Clock // AWS's time
	Fingerprint  secret.Value    // key of the fingerprints in the audit trail

	sys    System
	values map[Variable]string

	escalateAfter time.Duration // 0: never
}

// Error is everything that keeps a function from starting.
type Error struct{ Problems []string }

// Error returns one line per problem.
func (e *Error) Error() string { return strings.Join(e.Problems, "\n") }

// ErrorType is what Lambda reports as errorType.
func (*Error) ErrorType() string { return "ConfigInvalid" }

// New reads the environment. It returns an Env that can log whatever is wrong,
// and an [*Error] with every problem.
func New(ctx context.Context, sys System, name string, needs ...Variable) (*Env, error) {
	sys.Stdout = &oneWriter{w: sys.Stdout}
	e := &Env{Function: name, Installation: cmp.Or(sys.Getenv(string(installation)), "keyturn"), sys: sys, values: map[Variable]string{}, Clock: awsclock.New(sys.Now)}
	var bad []string
	for _, v := range variables() {
		e.values[v] = sys.Getenv(string(v))
		if e.values[v] == "" && slices.Contains(needs, v) {
			bad = append(bad, string(v)+" is not set: set it in the function's environment")
		}
	}
	if after := e.values[EscalateAfter]; after != "" {
		d, err := time.ParseDuration(after)
		if e.escalateAfter = d; err != nil || d <= 0 {
			bad = append(bad, string(EscalateAfter)+" is no duration: write such as 4h, or leave it out and nothing is escalated")
		}
	}
	level, problem := parseLevel(sys.Getenv(string(logLevel)))
	e.Log = newLogger(sys.Stdout, name, level)
	bad = append(bad, problem...)
	if !slices.Contains(needs, NoKeys) {
		bad = append(bad, e.readFingerprintKey()...)
		bad = append(bad, e.readConfig()...)
	}
	if err := e.openAWS(ctx); err != nil {
		bad = append(bad, "the AWS SDK's configuration cannot be read: look at the variables that begin with AWS_")
	}
	if len(bad) > 0 {
		return e, &Error{Problems: bad}
	}
	return e, nil
}

func (e *Env) readFingerprintKey() (bad []string) {
	e.Fingerprint = secret.New(e.sys.Getenv(string(fingerprintKey)))
	if len(e.Fingerprint.Reveal()) < minFingerprintKey {
		bad = append(bad, fmt.Sprintf("%s is not set, or is shorter than %d characters: set the same random text for all functions", fingerprintKey, minFingerprintKey))
	}
	return bad
}

func (e *Env) readConfig() (bad []string) {
	path := e.sys.Getenv(string(configPath))
	if path == "" {
		path = filepath.Join(e.sys.Getenv(string(taskRoot)), "keyturn.json")
	}
	data, err := e.sys.ReadFile(path)
	if err != nil {
		return []string{fmt.Sprintf("the configuration %q cannot be read: put it into the function's asset, or set %s to where it is", path, configPath)}
	}
	if e.Config, err = config.Parse(data, catalog.All()); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			bad = append(bad, path+": "+line)
		}
	}
	return bad
}

func (e *Env) openAWS(ctx context.Context) error {
	if e.sys.AWS != nil {
		e.AWS = e.sys.AWS.Copy()
	} else {
		cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(awsTimeout)))
		if err != nil {
			return err
		}
		e.AWS = cfg
	}
	e.Clock.Watch(&e.AWS)
	return nil
}

// ReadFile reads the file that v names.
func (e *Env) ReadFile(v Variable) ([]byte, error) {
	data, err := e.sys.ReadFile(e.values[v])
	if err != nil {
		return nil, &Error{Problems: []string{fmt.Sprintf("the file %q, which %s names, cannot be read: deploy again", e.values[v], v)}}
	}
	return data, nil
}

// Value returns an environment variable's value, "" if it is not set.
func (e *Env) Value(v Variable) string { return e.values[v] }

// Store returns Secrets Manager.
func (e *Env) Store() *secretsmanager.Store { return secretsmanager.Open(e.AWS) }

// Records returns the keys' records; it needs [TableName].
func (e *Env) Records() *records.Table {
	t := records.New(dynamodb.NewFromConfig(e.AWS), e.Value(TableName))
	t.Now = e.Clock.Now
	return t
}

// Audit returns the audit trail; it needs [AuditQueueURL].
func (e *Env) Audit() *auditsqs.Queue { return auditsqs.Open(e.AWS, e.Value(AuditQueueURL)) }

// Notifier returns the notifications' topic, which keeps what asks somebody to
// act in the records; it needs [TopicARN] and [TableName].
func (e *Env) Notifier() notify.Notifier {
	return &alert.Keeper{Notifier: notifysns.Open(e.AWS, e.Value(TopicARN)), Book: e.Records(), Log: e.Log}
}

// Escalation returns the topic of what nobody has acknowledged, and after how
// long it goes there; nil without [EscalationTopicARN] and [EscalateAfter].
func (e *Env) Escalation() (notify.Notifier, time.Duration) {
	if e.escalateAfter == 0 || e.Value(EscalationTopicARN) == "" {
		return nil, 0
	}
	return notifysns.Open(e.AWS, e.Value(EscalationTopicARN)), e.escalateAfter
}

// Vendors returns the vendors that there are.
func (e *Env) Vendors() *Vendors { return &Vendors{base: e.sys.Vendors} }

// Answers returns what answers CloudFormation.
func (e *Env) Answers() customresource.Sender {
	return customresource.NewSender(e.sys.Answers, e.AWS.Region)
}

// oneWriter keeps the lines of the log and of the metrics apart.
type oneWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (o *oneWriter) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(b)
}

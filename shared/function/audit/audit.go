// Package audit is the audit function: it writes the ledger, runs the detections and
// tells people of what they find. It alone may append to the ledger, and it may read
// no secret but the canary.
package audit

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/keyturn/keyturn/shared/alert"
	"github.com/keyturn/keyturn/shared/boot"
	cells "github.com/keyturn/keyturn/shared/cell/dynamodb"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/ledger"
	heads "github.com/keyturn/keyturn/shared/ledger/dynamodb"
	signer "github.com/keyturn/keyturn/shared/ledger/kms"
	objects "github.com/keyturn/keyturn/shared/ledger/s3"
	"github.com/keyturn/keyturn/shared/metric"
	"github.com/keyturn/keyturn/shared/tally"
	"github.com/keyturn/keyturn/shared/watch"
)

// Name is the function's name in logs and metrics.
const Name = "audit"

// The tasks of the function's schedules. A batch of messages has none.
const (
	TaskCanary    = "canary"    // every 15 minutes
	TaskSeal      = "seal"      // every hour
	TaskReconcile = "reconcile" // every hour
)

// parallel is how many objects of the ledger are read or written at once.
const parallel = 8

// Needs returns the variables that the function cannot do without.
func Needs() []boot.Variable {
	return []boot.Variable{
		boot.TableName, boot.TopicARN, boot.AccountID, boot.WatchTable, boot.LedgerBucket, boot.LedgerKey, boot.LedgerOrigin,
		boot.TrailQueueARN, boot.AuditQueueARN, boot.SitePath, boot.CanarySecret, boot.AuditRoleARN,
	}
}

// event is what the function is invoked with: by a queue, or by a schedule.
type event struct {
	Task    string `json:"task"`
	Records []struct {
		ID         string            `json:"messageId"`
		Body       string            `json:"body"`
		Queue      string            `json:"eventSourceARN"`
		Attributes map[string]string `json:"attributes"`
	} `json:"Records"`
}

// answer tells the queue which messages to give again.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
type answer struct {
	Failures []failure `json:"batchItemFailures"`
}

type failure struct {
	ID string `json:"itemIdentifier"`
}

// function is the function, once it is open.
type function struct {
	watch  *watch.Watch
	canary *watch.Canary
	// changes are looked for before a process does anything, so that none is ever in force
	// unseen, however short, and at each beat.
	changes     *watch.Changes
	noted       atomic.Bool
	escalator   *alert.Escalator
	reconcilers []*watch.Reconciler
	witness     *watch.Witness // nil: there is none
	log         *slog.Logger
}

// Open implements [boot.Open]. It begins the ledger, if there is none, and finishes
// what a crash left of it.
func Open(ctx context.Context, e *boot.Env) (boot.Handler, error) {
	site, err := readSite(e)
	if err != nil {
		return nil, err
	}
	store := dynamodb.NewFromConfig(e.AWS)
	log, err := openLedger(ctx, e, store)
	if err != nil {
		return nil, err
	}
	f := newFunction(e, site, store, log)
	return f.handle, nil
}

func readSite(e *boot.Env) (*detect.Site, error) {
	data, err := e.ReadFile(boot.SitePath)
	if err != nil {
		return nil, err
	}
	var site detect.Site
	if err := json.Unmarshal(data, &site); err != nil {
		return nil, &boot.Error{Problems: []string{"a field of the file that " + string(boot.SitePath) + " names has another type: deploy again"}}
	}
	site.Keys = append(site.Keys, keyIDs(e.Value(boot.SiteKeys))...)
	where, err := locator(e)
	if err != nil {
		return nil, err
	}
	return site.Prepare(where), nil
}

func openLedger(ctx context.Context, e *boot.Env, store *dynamodb.Client) (*ledger.Log, error) {
	sign := signer.New(kms.NewFromConfig(e.AWS), e.Value(boot.LedgerKey))
	verifier, err := sign.Verifier(ctx, e.Value(boot.LedgerOrigin))
	if err != nil {
		return nil, problem("the key that signs the ledger cannot be used", err, "check the KMS key that "+string(boot.LedgerKey)+" names")
	}
	lock, err := lockOf(e.Value(boot.LedgerLock), e.Clock.Now)
	if err != nil {
		return nil, err
	}
	log := ledger.New(ledger.Config{
		Objects: objects.New(s3.NewFromConfig(e.AWS), e.Value(boot.LedgerBucket), "", lock),
		Head:    heads.New(store, e.Value(boot.WatchTable), map[string]string{cells.Part: "ledger", cells.Name: "head"}),
		Signer:  sign, Verifier: verifier, Parallel: parallel, Attempts: attempts, Wait: jitter,
	})
	switch err := log.Create(ctx); {
	case errors.Is(err, ledger.ErrHeadLost):
		return nil, problem("the ledger cannot be written", err, "see docs/runbooks: a ledger that refuses")
	case err != nil:
		return nil, problem("the ledger cannot be opened", err, "check the bucket, the table and the KMS key")
	}
	return log, nil
}

// attempts is how often an append tries. Two batches of each queue, the tasks of the
// schedules and no more write at once.
const attempts = 12

// jitter waits up to 2 s before an attempt, longer with each, so that writers that met
// do not meet again.
func jitter(ctx context.Context, attempt int) error {
	most := min(50*time.Millisecond<<min(attempt, 10), 2*time.Second)
	timer := time.NewTimer(mathrand.N(most)) //nolint:gosec // nobody gains by guessing it
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func problem(what string, err error, next string) error {
	return &boot.Error{Problems: []string{what + ": " + err.Error() + ": " + next}}
}

func newFunction(e *boot.Env, site *detect.Site, store *dynamodb.Client, log *ledger.Log) *function {
	state := cells.New(store, e.Value(boot.WatchTable))
	alerts := &watch.Alerts{Cells: state, Notifier: e.Notifier(), Checkpoint: log.Latest, Key: func(secret string) (vendor, owner string) {
		k, _ := e.Config.Key(secret)
		return k.Vendor, k.Owner
	}}
	secrets := e.Store()
	canary := &watch.Canary{
		Cells: state, Secret: e.Value(boot.CanarySecret), Role: e.Value(boot.AuditRoleARN), Alerts: alerts, Ledger: log, Now: e.Clock.Now,
		Read: func(ctx context.Context) error {
			_, err := secrets.Get(ctx, e.Value(boot.CanarySecret), "", "AWSCURRENT")
			return err
		},
	}
	others, after := e.Escalation()
	escalator := &alert.Escalator{Book: e.Records(), Others: others, After: after, Now: e.Clock.Now, Log: e.Log}
	changes := &watch.Changes{Cells: state, Ledger: log, Notifier: e.Notifier(), Site: site, Now: e.Clock.Now, ID: rand.Text()}
	w := &watch.Watch{
		Respond: responder(e, site, state), Suppressed: watch.Suppressed(site, e.Clock.Now),
		Ledger: log, Counter: &tally.Counter{Cells: state, NewPart: rand.Text},
		Detector: detect.New(site, rules(site), watch.State{Cells: state}), Alerts: alerts, Cells: state, Canary: canary,
		Account: e.Value(boot.AccountID), TrailQueue: e.Value(boot.TrailQueueARN), AuditQueue: e.Value(boot.AuditQueueARN),
		Ours: watch.About(site), Now: e.Clock.Now, Log: e.Log,
	}
	return &function{
		log: e.Log, canary: canary, changes: changes, escalator: escalator, watch: w, reconcilers: newReconcilers(e, w), witness: newWitness(e, log, alerts),
	}
}

// rules are all but D-23: here the canary looks for silence by the clock.
func rules(site *detect.Site) []detect.Rule {
	return slices.DeleteFunc(detect.All(site), func(r detect.Rule) bool { return r.ID == "D-23" })
}

func (f *function) handle(ctx context.Context, raw json.RawMessage) (any, error) {
	ev, err := boot.Decode[event](raw)
	if err != nil {
		return nil, err
	}
	known := []string{TaskCanary, TaskSeal, TaskReconcile}
	if len(ev.Records) == 0 && ev.Task == "" || ev.Task != "" && !slices.Contains(known, ev.Task) {
		return nil, eventError{}
	}
	f.note(ctx)
	m := metric.From(ctx)
	switch ev.Task {
	case TaskCanary:
		m.Label(metric.Labels{Step: ev.Task})
		return f.beat(ctx)
	case TaskSeal:
		m.Label(metric.Labels{Step: ev.Task})
		return f.seal(ctx)
	case TaskReconcile:
		m.Label(metric.Labels{Step: ev.Task})
		out, err := f.reconcile(ctx)
		m.Reconciled(err == nil)
		return out, err
	}
	m.Label(metric.Labels{Step: Name})
	batch := make([]watch.Message, len(ev.Records))
	for i, r := range ev.Records {
		batch[i] = watch.Message{ID: r.ID, Queue: r.Queue, Sender: r.Attributes["SenderId"], Sent: sentAt(r.Attributes["SentTimestamp"]), Body: r.Body}
	}
	again, done := f.watch.Handle(ctx, batch)
	f.log.LogAttrs(ctx, slog.LevelInfo, "batch handled", slog.Int("messages", len(batch)), slog.Int("again", len(again)),
		slog.Int("acts", done.Acts), slog.Int("calls", done.Calls), slog.Int("reads", done.Reads), slog.Int("findings", done.Findings), slog.Int("suppressed", done.Suppressed),
		slog.Int("refused", done.Refused), slog.Int("unreadable", done.Unreadable))
	out := answer{Failures: []failure{}}
	for _, id := range again {
		out.Failures = append(out.Failures, failure{ID: id})
	}
	return out, nil
}

// note looks once for what the deployment changed. That it could not holds nothing up: the
// next call does, and a beat fails by it.
func (f *function) note(ctx context.Context) {
	if f.noted.Load() {
		return
	}
	if _, err := f.changes.Note(ctx); err != nil {
		f.log.LogAttrs(ctx, slog.LevelWarn, "what the deployment changed was not looked for", slog.String("error", err.Error()))
		return
	}
	f.noted.Store(true)
}

// eventError is Lambda's answer to an event that is none.
type eventError struct{}

func (eventError) Error() string { return "neither a batch of messages nor a task: " + tasks }

func (eventError) ErrorType() string { return "BadEvent" }

const tasks = `write {"task":"` + TaskCanary + `"}, {"task":"` + TaskSeal + `"} or {"task":"` + TaskReconcile + `"}`

// sentAt reads SQS's milliseconds; what is none is not known.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
func sentAt(text string) time.Time {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// Package review is the review function: once a week it says who can read each key and
// who did, keeps the page, and tells people of it. It may read no secret.
package review

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/catalog"
	cells "github.com/keyturn/keyturn/shared/cell/dynamodb"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/ledger"
	heads "github.com/keyturn/keyturn/shared/ledger/dynamodb"
	signer "github.com/keyturn/keyturn/shared/ledger/kms"
	objects "github.com/keyturn/keyturn/shared/ledger/s3"
	"github.com/keyturn/keyturn/shared/metric"
	"github.com/keyturn/keyturn/shared/review/gather"
	pages "github.com/keyturn/keyturn/shared/review/s3"
	"github.com/keyturn/keyturn/shared/review/weekly"
)

// Name is the function's name in logs and metrics.
const Name = "review"

// Task is what its schedule asks for: {"task":"review"}.
const Task = "review"

// Prefix is where the reviews are in their bucket.
const Prefix = "review/"

// Needs returns the variables that the function cannot do without.
func Needs() []boot.Variable {
	return []boot.Variable{
		boot.TableName, boot.TopicARN, boot.AccountID, boot.AuditQueueURL, boot.WatchTable, boot.LedgerBucket, boot.LedgerKey, boot.LedgerOrigin, boot.SitePath,
	}
}

// Open implements [boot.Open]. It calls nothing.
func Open(_ context.Context, e *boot.Env) (boot.Handler, error) {
	data, err := e.ReadFile(boot.SitePath)
	if err != nil {
		return nil, err
	}
	var site detect.Site
	if err := json.Unmarshal(data, &site); err != nil {
		return nil, &boot.Error{Problems: []string{"a field of the file that " + string(boot.SitePath) + " names has another type: deploy again"}}
	}
	bucket := e.Value(boot.ReviewBucket)
	if bucket == "" {
		bucket = e.Value(boot.LedgerBucket)
	}
	store := s3.NewFromConfig(e.AWS)
	f := &function{log: e.Log, weekly: &weekly.Weekly{
		Objects: pages.New(store, bucket, Prefix), Gather: gatherer(e, &site, store).Gather,
		Audit: e.Audit(), Notifier: e.Notifier(), Installation: e.Installation, Now: e.Clock.Now,
	}}
	return f.handle, nil
}

func gatherer(e *boot.Env, site *detect.Site, store *s3.Client) *gather.Gatherer {
	g := gather.Open(e.AWS, e.Value(boot.AccountID))
	g.Records, g.Site, g.Keys, g.Now = e.Records(), site, e.Config.Keys(), e.Clock.Now
	g.Limit = func(vendor string) string {
		d, _ := catalog.Get(vendor)
		return d.Limit
	}
	log := objects.New(store, e.Value(boot.LedgerBucket), "", objects.Lock{})
	head := heads.New(dynamodb.NewFromConfig(e.AWS), e.Value(boot.WatchTable), map[string]string{cells.Part: "ledger", cells.Name: "head"})
	sign := signer.New(kms.NewFromConfig(e.AWS), e.Value(boot.LedgerKey))
	g.Ledger = &gather.Ledger{Objects: log, Newest: func(ctx context.Context) (ledger.Checkpoint, error) {
		v, err := sign.Verifier(ctx, e.Value(boot.LedgerOrigin))
		if err != nil {
			return ledger.Checkpoint{}, err
		}
		return ledger.Newest(ctx, log, head, v)
	}}
	return g
}

type function struct {
	weekly *weekly.Weekly
	log    *slog.Logger
}

func (f *function) handle(ctx context.Context, raw json.RawMessage) (any, error) {
	ev, err := boot.Decode[struct {
		Task string `json:"task"`
	}](raw)
	if err != nil {
		return nil, err
	}
	if ev.Task != Task {
		return nil, eventError{}
	}
	metric.From(ctx).Label(metric.Labels{Step: Name})
	done, err := f.weekly.Run(ctx)
	f.log.LogAttrs(ctx, slog.LevelInfo, "review handled", slog.String("week", done.Week), slog.String("page_sha256", done.SHA256),
		slog.Bool("already", done.Already), slog.Int("keys", done.Keys), slog.Int("with_findings", done.Findings), slog.Bool("failed", err != nil))
	return done, err
}

// eventError is Lambda's answer to an event that is none.
type eventError struct{}

func (eventError) Error() string { return `not the task: write {"task":"` + Task + `"}` }

func (eventError) ErrorType() string { return "BadEvent" }

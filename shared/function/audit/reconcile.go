package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/bucket"
	"github.com/keyturn/keyturn/shared/cell"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
	objects "github.com/keyturn/keyturn/shared/ledger/s3"
	"github.com/keyturn/keyturn/shared/tally"
	"github.com/keyturn/keyturn/shared/trail/files"
	"github.com/keyturn/keyturn/shared/trail/lookup"
	"github.com/keyturn/keyturn/shared/watch"
)

// reserve is how long before Lambda ends a run it is to end by itself, but a quarter of
// its time at most: for one more file, the comparison of an hour's reads, and the entry.
const reserve = 45 * time.Second

// newReconcilers returns what compares the ledger with the trail's files, here and in
// the Region of what has none, as IAM, or with the event history where no files are named.
func newReconcilers(e *boot.Env, w *watch.Watch) []*watch.Reconciler {
	client := func(region string) *cloudtrail.Client {
		return cloudtrail.NewFromConfig(e.AWS, func(o *cloudtrail.Options) {
			o.Region, o.RetryMaxAttempts = region, 6 // two requests a second are all that the account has
		})
	}
	var all []*watch.Reconciler
	add := func(name string, s watch.Source) {
		counter := &tally.Counter{Cells: w.Cells, Of: name + " reads", NewPart: rand.Text}
		all = append(all, &watch.Reconciler{Watch: w, Name: name, Source: s, Counter: counter, Abroad: len(all) > 0})
	}
	name, here := e.Value(boot.TrailBucket), e.AWS.Region
	if name == "" {
		add(watch.SourceLookup, &lookup.Source{CloudTrail: client(here)})
		return all
	}
	of := func(region string) *files.Source {
		return &files.Source{
			S3: bucket.New(s3.NewFromConfig(e.AWS)), CloudTrail: client(region), Bucket: name, Prefix: strings.Trim(e.Value(boot.TrailPrefix), "/"),
			Owner: e.Value(boot.TrailAccount), Account: e.Value(boot.AccountID), Region: region,
		}
	}
	add(watch.SourceFiles, of(here))
	if global := globalRegion(here); global != here {
		add(watch.SourceFiles+" "+global, of(global))
	}
	return all
}

// globalRegion is where CloudTrail records calls to services that have no Region.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html#cloudtrail-concepts-global-service-events
func globalRegion(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "cn-north-1"
	case strings.HasPrefix(region, "us-gov-"):
		return "us-gov-west-1"
	}
	return "us-east-1"
}

// newWitness returns what keeps checkpoints elsewhere; nil if no place is named.
func newWitness(e *boot.Env, log *ledger.Log, alerts *watch.Alerts) *watch.Witness {
	name := e.Value(boot.CheckpointBucket)
	if name == "" {
		return nil
	}
	store := objects.New(bucket.New(s3.NewFromConfig(e.AWS)), name, e.Installation+"/", objects.Lock{})
	return &watch.Witness{
		Latest: log.Latest, Put: store.Create, Where: "s3://" + name + "/" + e.Installation + "/", Ledger: log, Alerts: alerts, Now: e.Clock.Now,
	}
}

// beat runs every 15 minutes: the first beat says when the installation began to look.
func (f *function) beat(ctx context.Context) (any, error) {
	silent, err := f.canary.Beat(ctx)
	_, changed := f.changes.Note(ctx)
	errs := []error{err, changed, f.escalator.Run(ctx)}
	for _, r := range f.reconcilers {
		errs = append(errs, r.Begin(ctx))
	}
	return map[string]bool{"silent": silent}, errors.Join(append(errs, f.watch.Settle(ctx))...)
}

// seal runs every hour. A checkpoint is given away here, and not with each entry: the
// ledger cannot wait for another account, and an hour's end is all that could be cut.
func (f *function) seal(ctx context.Context) (any, error) {
	n, err := f.watch.Seal(ctx)
	if f.witness != nil {
		err = errors.Join(err, f.witness.Send(ctx))
	}
	return map[string]int{"tallies": n}, err
}

// reconcile runs every hour. What another run is doing is not done twice.
func (f *function) reconcile(ctx context.Context) ([]history.Reconcile, error) {
	enough := func(context.Context) bool { return false }
	if end, ok := ctx.Deadline(); ok {
		soft, cancel := context.WithDeadline(ctx, end.Add(-min(reserve, time.Until(end)/4)))
		defer cancel()
		enough = func(context.Context) bool { return soft.Err() != nil }
	}
	var all []history.Reconcile
	var errs []error
	for _, r := range f.reconcilers {
		this := *r
		this.Enough = enough
		out, err := this.Run(ctx)
		all = append(all, out)
		if errors.Is(err, cell.ErrConflict) {
			f.log.LogAttrs(ctx, slog.LevelWarn, "another run compares the ledger at this time", slog.String("source", r.Name), slog.String("error", err.Error()))
			continue
		}
		errs = append(errs, err)
		f.log.LogAttrs(ctx, slog.LevelInfo, "ledger compared", slog.String("source", r.Name), slog.Time("from", out.From), slog.Time("to", out.To),
			slog.Int("events", out.Events), slog.Int64("reads", out.Reads), slog.Int("missed", out.Missed), slog.Int("added", out.Added),
			slog.Int("differ", len(out.Differ)), slog.Int("invalid", len(out.Invalid)))
	}
	return all, errors.Join(errs...)
}

package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
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

// newReconciler returns what compares the ledger with the trail's files, or with the
// event history where none are named.
func newReconciler(e *boot.Env, w *watch.Watch) *watch.Reconciler {
	r := &watch.Reconciler{Watch: w, Name: watch.SourceLookup}
	client := cloudtrail.NewFromConfig(e.AWS, func(o *cloudtrail.Options) {
		o.RetryMaxAttempts = 6 // two requests a second are all that the account has
	})
	r.Source = &lookup.Source{CloudTrail: client}
	if name := e.Value(boot.TrailBucket); name != "" {
		r.Name = watch.SourceFiles
		r.Source = &files.Source{
			S3: bucket.New(s3.NewFromConfig(e.AWS)), CloudTrail: client, Bucket: name, Prefix: e.Value(boot.TrailPrefix),
			Owner: e.Value(boot.TrailAccount), Account: e.Value(boot.AccountID), Region: e.AWS.Region,
		}
	}
	r.Counter = &tally.Counter{Cells: w.Cells, Of: r.Name + " reads", NewPart: rand.Text}
	return r
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
	return map[string]bool{"silent": silent}, errors.Join(err, changed, f.escalator.Run(ctx), f.reconciler.Begin(ctx), f.watch.Settle(ctx))
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
func (f *function) reconcile(ctx context.Context) (history.Reconcile, error) {
	r := *f.reconciler
	if end, ok := ctx.Deadline(); ok {
		soft, cancel := context.WithDeadline(ctx, end.Add(-min(reserve, time.Until(end)/4)))
		defer cancel()
		r.Enough = func(context.Context) bool { return soft.Err() != nil }
	}
	out, err := r.Run(ctx)
	if errors.Is(err, cell.ErrConflict) {
		f.log.LogAttrs(ctx, slog.LevelWarn, "another run compares the ledger at this time", slog.String("error", err.Error()))
		return out, nil
	}
	f.log.LogAttrs(ctx, slog.LevelInfo, "ledger compared", slog.String("source", out.Source), slog.Time("from", out.From), slog.Time("to", out.To),
		slog.Int("events", out.Events), slog.Int64("reads", out.Reads), slog.Int("missed", out.Missed), slog.Int("differ", len(out.Differ)), slog.Int("invalid", len(out.Invalid)))
	return out, err
}

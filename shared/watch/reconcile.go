package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/cell"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/tally"
	"github.com/keyturn/keyturn/shared/trail"
	"github.com/keyturn/keyturn/shared/trail/digest"
)

const partReconcile = "reconcile"

// Late is how long ago the newest digest may have ended: CloudTrail delivers one each
// hour.
const Late = 3 * time.Hour

// maxTold bounds how many differences one entry names.
const maxTold = 20

// Files are what CloudTrail itself recorded: see [digest.Trail.Walk].
type Files interface {
	Walk(ctx context.Context, from, to time.Time, f func(digest.File) error) (digest.Report, error)
}

// Reconciler compares the ledger with CloudTrail's own files and adds what it lacks,
// for EventBridge may lose events. All fields are needed. One at a time runs.
type Reconciler struct {
	Watch *Watch
	Files Files
	// Source says what Files are: "files", or "lookup".
	Source string
	// Counter counts the files' reads: of another part than the watch's.
	Counter *tally.Counter
	// Began is when the installation began to look: nothing before is expected.
	Began time.Time
}

// progress is how far the files were read, and what was found since that was told.
type progress struct {
	Through time.Time `json:"through"`
	Missed  []string  `json:"missed,omitempty"` // eventIDs; at most maxMissed
	More    int       `json:"more,omitempty"`   // beyond them
	Differ  []string  `json:"differ,omitempty"`
	Reads   int64     `json:"reads,omitempty"` // that the files have, of hours that were compared
}

// maxMissed keeps the progress below the limit of a cell.
const maxMissed = 5000

// Run goes through the files that came since the last time. What it finds is stored
// before it is acted on, so that a crash hides nothing.
func (r *Reconciler) Run(ctx context.Context) (history.Reconcile, error) {
	now := r.Watch.Now()
	p, at, err := r.load(ctx)
	if err != nil {
		return history.Reconcile{}, err
	}
	out := history.Reconcile{From: p.Through, To: p.Through, Source: r.Source}
	report, err := r.Files.Walk(ctx, p.Through, now, func(f digest.File) error { return r.file(ctx, f, &p, &at, &out) })
	if err != nil {
		return out, fmt.Errorf("read CloudTrail's files: %w", err)
	}
	out.Invalid = append(out.Invalid, report.Problems...)
	if !report.Through.IsZero() {
		out.To = report.Through
	}
	if now.Sub(out.To) > Late {
		out.Invalid = append(out.Invalid, "no digest has come since "+out.To.UTC().Format(time.RFC3339))
	}
	if err := r.compare(ctx, out.To, &p, &at); err != nil {
		return out, err
	}
	out.Missed, out.Reads = len(p.Missed)+p.More, p.Reads
	out.Differ, out.Invalid = some(p.Differ), some(out.Invalid)
	if err := r.tell(ctx, now, out); err != nil {
		return out, err
	}
	return out, r.store(ctx, progress{Through: out.To}, &at)
}

// file adds what of one file the ledger lacks. It is noted and judged first: once it is
// in the ledger, nobody sees any more that it was not.
func (r *Reconciler) file(ctx context.Context, f digest.File, p *progress, at *cell.Cell, out *history.Reconcile) error {
	read, err := trail.ReadFile(bytes.NewReader(f.Data))
	if err != nil || read.Refused > 0 {
		out.Invalid = append(out.Invalid, fmt.Sprintf("%s: %d records cannot be read", f.Key, max(read.Refused, 1)))
	}
	events := slices.DeleteFunc(read.Events, func(e trail.Event) bool {
		return e.Account != "" && e.Account != r.Watch.Account || e.Time.Before(r.Began)
	})
	entries, counted, err := r.Watch.facts(events)
	if err != nil {
		return err
	}
	out.Events += len(entries)
	missing, err := r.missing(ctx, entries)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		p.note(missing)
		if err := r.store(ctx, *p, at); err != nil {
			return err
		}
		late := slices.DeleteFunc(slices.Clone(events), func(e trail.Event) bool { return !missing[e.ID] })
		if err := r.Watch.detect(ctx, late, &Handled{}); err != nil {
			return err
		}
		if err := r.Watch.append(ctx, entries); err != nil {
			return err
		}
	}
	return r.Counter.Add(ctx, counted)
}

// missing returns the IDs of those entries that the ledger does not have.
func (r *Reconciler) missing(ctx context.Context, entries []ledger.Entry) (map[string]bool, error) {
	out := map[string]bool{}
	for batch := range slices.Chunk(entries, ledger.MaxBatch) {
		has, err := r.Watch.Ledger.Has(ctx, batch)
		if err != nil {
			return nil, fmt.Errorf("look into the ledger: %w", err)
		}
		for i, e := range batch {
			if !has[i] {
				out[e.ID] = true
			}
		}
	}
	return out, nil
}

func (p *progress) note(missing map[string]bool) {
	for _, id := range slices.Sorted(maps.Keys(missing)) {
		switch {
		case slices.Contains(p.Missed, id):
		case len(p.Missed) == maxMissed:
			p.More++
		default:
			p.Missed = append(p.Missed, id)
		}
	}
}

// compare compares the reads of the hours that both the files and the ledger are done
// with, and adds to the ledger what it lacks.
func (r *Reconciler) compare(ctx context.Context, through time.Time, p *progress, at *cell.Cell) error {
	before := through.Add(-Settled).Truncate(time.Hour)
	if limit := r.Watch.Now().Add(-2 * Settled).Truncate(time.Hour); limit.Before(before) { // they are sealed by then
		before = limit
	}
	err := r.Counter.Seal(ctx, before, func(ctx context.Context, tallies []tally.Tally) error {
		groups := map[string][]tally.Tally{}
		for _, t := range tallies {
			groups[t.Name()] = append(groups[t.Name()], t)
		}
		for _, name := range slices.Sorted(maps.Keys(groups)) {
			if err := r.compareOne(ctx, groups[name], p, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	// What is left was read, says the ledger, and CloudTrail's files do not.
	return r.Watch.Cells.Walk(ctx, partSealed, tally.Before(before), func(c cell.Cell) error { return r.left(ctx, c, before, p, at) })
}

func (r *Reconciler) left(ctx context.Context, c cell.Cell, before time.Time, p *progress, at *cell.Cell) error {
	s, err := sumOf(c)
	if err != nil {
		return err
	}
	if left, _ := s.open(); left > 0 {
		if err := r.note(ctx, difference(s.Key, s.Count-left, s.Count), p, at); err != nil {
			return err
		}
		s.Compared, s.ComparedDigest = s.Count, s.Digest
		if err := r.Watch.putSum(ctx, s, c); err != nil {
			return err
		}
		c.Revision++
	}
	if s.Hour.Add(keepCompared).After(before) {
		return nil
	}
	if err := r.Watch.Cells.Remove(ctx, c); err != nil && !errors.Is(err, cell.ErrConflict) {
		return fmt.Errorf("remove what was compared: %w", err)
	}
	return nil
}

// keepCompared is how long what was compared is known, for reads that come very late.
const keepCompared = 24 * time.Hour

// compareOne compares the files' tallies of one key, which were not compared before. A
// difference is noted first, then added to the ledger, and then it is compared.
func (r *Reconciler) compareOne(ctx context.Context, files []tally.Tally, p *progress, at *cell.Cell) error {
	s, c, err := r.Watch.sum(ctx, files[0].Key)
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(t tally.Tally) bool { return slices.Contains(s.Files, t.Part) })
	if len(files) == 0 {
		return nil
	}
	f := tally.Totals(files)[0]
	count, digest := s.open()
	p.Reads += f.Count
	if count != f.Count || digest != f.Digest {
		if err := r.note(ctx, difference(f.Key, f.Count, count), p, at); err != nil {
			return err
		}
	}
	if f.Count > count {
		e, err := sealed(tally.Tally{
			Key: f.Key, Part: "missed-" + files[0].Part, Count: f.Count - count, Digest: f.Digest.Minus(digest), First: f.First, Last: f.Last,
		})
		if err != nil {
			return err
		}
		if err := r.Watch.append(ctx, []ledger.Entry{e}); err != nil {
			return err
		}
	}
	s.Compared, s.ComparedDigest = s.Count, s.Digest
	for _, t := range files {
		s.Files = append(s.Files, t.Part)
	}
	return r.Watch.putSum(ctx, s, c)
}

// note notes a difference once, before anything follows from it.
func (r *Reconciler) note(ctx context.Context, d string, p *progress, at *cell.Cell) error {
	if slices.Contains(p.Differ, d) || len(p.Differ) == maxMissed {
		return nil
	}
	p.Differ = append(p.Differ, d)
	return r.store(ctx, *p, at)
}

func difference(k tally.Key, files, ledger int64) string {
	return fmt.Sprintf("%s: %s by %s from %s: %d in the files, %d in the ledger", k.Hour.UTC().Format(time.RFC3339), k.Secret, k.Principal, k.Network, files, ledger)
}

// some keeps the entry below the ledger's limit.
func some(list []string) []string {
	for i := range list {
		list[i] = cut(list[i], 300)
	}
	if len(list) > maxTold {
		list = append(list[:maxTold:maxTold], fmt.Sprintf("and %d more", len(list)-maxTold))
	}
	return list
}

// tell writes down what was found, and tells people if anything was.
func (r *Reconciler) tell(ctx context.Context, now time.Time, out history.Reconcile) error {
	if out.Events == 0 && out.Reads == 0 && len(out.Differ)+len(out.Invalid) == 0 {
		return nil
	}
	e, err := history.Entry(Writer, "reconcile/"+out.From.UTC().Format(time.RFC3339)+"/"+now.UTC().Format(time.RFC3339), now, history.Fact{Kind: history.KindReconcile, Reconcile: &out})
	if err != nil {
		return err
	}
	placed, err := r.Watch.place(ctx, []ledger.Entry{e})
	if err != nil {
		return err
	}
	if out.Missed == 0 && len(out.Differ)+len(out.Invalid) == 0 {
		return nil
	}
	why := fmt.Sprintf("%d events were missed, %d counts of reads differ, %d files or digests are not in order", out.Missed, len(out.Differ), len(out.Invalid))
	f := detect.Finding{
		ID: e.ID, Group: "reconcile", Rule: "D-23", Title: "the ledger had gaps", Severity: detect.High, Technique: "T1562.008", Time: now, Count: 1, Why: why,
		Next: "see the entry in the ledger: what was missed is in it now; if files or digests are not in order, see docs/runbooks/silent-log.md",
	}
	return r.Watch.Alerts.Tell(ctx, []told{{Finding: f, index: placed[0].Index}})
}

func (r *Reconciler) load(ctx context.Context) (progress, cell.Cell, error) {
	at := cell.Cell{Part: partReconcile, Name: r.Source}
	p := progress{Through: r.Began}
	cells, err := r.Watch.Cells.Load(ctx, at.Part, []string{at.Name})
	if err != nil {
		return p, at, fmt.Errorf("load how far CloudTrail's files were read: %w", err)
	}
	if len(cells) == 0 {
		return p, at, nil
	}
	if err := json.Unmarshal(cells[0].Data, &p); err != nil { // everything is looked at again
		p = progress{Through: r.Began}
	}
	return p, cells[0], nil
}

// store stores p over at, which becomes what is stored.
func (r *Reconciler) store(ctx context.Context, p progress, at *cell.Cell) error {
	data, err := json.Marshal(p)
	if err != nil {
		return errors.New("store how far CloudTrail's files were read: a time that JSON does not know")
	}
	at.Data = data
	if err := r.Watch.Cells.Put(ctx, *at); err != nil {
		return fmt.Errorf("store how far CloudTrail's files were read: %w", err)
	}
	at.Revision++
	return nil
}

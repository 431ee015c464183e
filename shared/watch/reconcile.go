package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/cell"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/tally"
	"github.com/keyturn/keyturn/shared/trail"
)

const partReconcile = "reconcile"

// Late is how long ago the newest digest may have ended: CloudTrail delivers one each
// hour.
const Late = 3 * time.Hour

// maxTold bounds how many differences one entry names.
const maxTold = 20

// Source is what CloudTrail itself recorded: its files, or its event history.
type Source interface {
	// Walk goes on at a position, and gives what came until to, each step once.
	// Whoever keeps the Next of the last step that f took misses nothing.
	Walk(ctx context.Context, at trail.Position, to time.Time, f func(trail.Step) error) error
}

// Reconciler compares the ledger with what CloudTrail itself recorded and adds what it
// lacks, for EventBridge may lose events. All fields but Enough are needed. Of several
// that run at once, all but one end with an error that is cell.ErrConflict.
type Reconciler struct {
	Watch  *Watch
	Source Source
	// Name says what Source is: [SourceFiles] or [SourceLookup].
	Name string
	// Counter counts the source's reads: of another part than the watch's.
	Counter *tally.Counter
	// Abroad says that Source is of another Region, which EventBridge brings nothing
	// of: nothing is missed, reads are not compared, and there need not be a trail.
	Abroad bool
	// Enough reports whether a run is to end: the next one goes on. Nil: none is.
	Enough func(context.Context) bool
}

// expected reports whether EventBridge should have brought e: every call to Secrets
// Manager. Of other services our rules bring what the detections need, and no more.
func (r *Reconciler) expected(e *trail.Event) bool {
	return !r.Abroad && e.Source == trail.SecretsManager
}

// The names of sources, in the ledger.
const (
	SourceFiles  = "files"  // whose digests were validated
	SourceLookup = "lookup" // which nothing validates
)

// progress is how far the source was read, and what was found since that was told.
type progress struct {
	trail.Position

	Began   time.Time `json:"began"`            // nothing before is expected
	Missed  []string  `json:"missed,omitempty"` // eventIDs; at most maxMissed
	More    int       `json:"more,omitempty"`   // beyond them
	Added   int       `json:"added,omitempty"`  // that were not expected
	Differ  []string  `json:"differ,omitempty"`
	Gap     bool      `json:"gap,omitempty"` // one of them lacks reads
	Invalid []string  `json:"invalid,omitempty"`
	Events  int       `json:"events,omitempty"` // about us, that are kept one by one
	Reads   int64     `json:"reads,omitempty"`  // that the files have, of hours that were compared
	Late    bool      `json:"late,omitempty"`   // it was told that nothing comes
	Cut     bool      `json:"cut,omitempty"`    // the run ended before its work
}

// What keeps the progress below the limit of a cell: eventIDs, and sentences of up to
// maxText bytes.
const maxMissed, maxTexts, maxText = 4000, 200, 300

var errEnough = errors.New("enough")

// run is one run of a Reconciler.
type run struct {
	*Reconciler
	progress

	at cell.Cell // where the progress is stored
}

// Begin notes that events are expected from now on, if none were before.
func (r *Reconciler) Begin(ctx context.Context) error {
	_, err := r.load(ctx)
	if errors.Is(err, cell.ErrConflict) { // another was first
		return nil
	}
	return err
}

// Run goes through what came since the last time. What it finds is stored before it is
// acted on, so that a crash hides nothing.
func (r *Reconciler) Run(ctx context.Context) (history.Reconcile, error) {
	now := r.Watch.Now()
	run, err := r.load(ctx)
	if err != nil {
		return history.Reconcile{}, err
	}
	from := run.Through
	if run.Cut {
		if err := run.compare(ctx); err != nil {
			return history.Reconcile{}, err
		}
	}
	err = r.Source.Walk(ctx, run.Position, now, func(s trail.Step) error { return run.step(ctx, s) })
	if run.Cut = errors.Is(err, errEnough); err != nil && !run.Cut {
		return history.Reconcile{}, fmt.Errorf("read what CloudTrail recorded: %w", err)
	}
	run.overdue(now)
	if !run.Cut {
		if err := run.compare(ctx); err != nil {
			return history.Reconcile{}, err
		}
	}
	out := history.Reconcile{
		From: from, To: run.Through, Source: r.Name, Events: run.Events, Missed: len(run.Missed) + run.More, Added: run.Added, Reads: run.Reads,
		Differ: some(run.Differ), Invalid: some(run.Invalid),
	}
	if err := r.tell(ctx, now, out, run.Gap || out.Missed > 0); err != nil {
		return out, err
	}
	run.progress = progress{Position: run.Position, Began: run.Began, Late: run.Late, Cut: run.Cut}
	return out, run.store(ctx)
}

// overdue notes, once, that nothing came for long.
func (r *run) overdue(now time.Time) {
	late := now.Sub(r.Through) > Late && (!r.Abroad || len(r.Rest) > 0)
	if late && !r.Late {
		what := "no digest has come since "
		if r.Cut || r.Name == SourceLookup {
			what = "there is more than a run can read: it was read only until "
		}
		r.wrong(what + r.Through.UTC().Format(time.RFC3339))
	}
	r.Late = late
}

// step takes one step of the source. It is done once the position after it is stored.
func (r *run) step(ctx context.Context, s trail.Step) error {
	if s.Problem != "" {
		r.wrong(s.Problem)
	}
	if s.Data != nil {
		if err := r.file(ctx, s); err != nil {
			return err
		}
	}
	r.Position = s.Next
	if err := r.store(ctx); err != nil {
		return err
	}
	if r.Enough != nil && r.Enough(ctx) {
		return errEnough
	}
	return nil
}

// file adds what of one file the ledger lacks. It is noted and judged first: once it is
// in the ledger, nobody sees any more that it was not.
func (r *run) file(ctx context.Context, s trail.Step) error {
	read, err := trail.ReadData(s.Data)
	if err != nil || read.Refused > 0 {
		r.wrong(fmt.Sprintf("%s: %d records cannot be read", s.Name, max(read.Refused, 1)))
	}
	events := slices.DeleteFunc(read.Events, func(e trail.Event) bool {
		return e.Account != "" && e.Account != r.Watch.Account || e.Time.Before(r.Began)
	})
	known := len(events)
	events = slices.DeleteFunc(events, func(e trail.Event) bool { return r.Watch.ahead(&e, time.Time{}) })
	if n := known - len(events); n > 0 {
		r.wrong(fmt.Sprintf("%s: %d records are of a time to come", s.Name, n))
	}
	entries, counted, err := r.Watch.facts(events)
	if err != nil {
		return err
	}
	missing, err := r.missing(ctx, entries)
	if err != nil {
		return err
	}
	unknown, err := r.unknown(ctx, counted)
	if err != nil {
		return err
	}
	expected := r.note(events, missing)
	if expected > 0 {
		if err := r.store(ctx); err != nil {
			return err
		}
	}
	late := slices.DeleteFunc(events, func(e trail.Event) bool { return !missing[e.ID] && !unknown[e.ID] })
	if err := r.add(ctx, late, entries, len(missing)); err != nil {
		return err
	}
	r.Events, r.Added = r.Events+len(entries), r.Added+len(missing)-expected
	return r.count(ctx, counted)
}

// add runs the detections over what came late, and appends entries if any are missing.
func (r *Reconciler) add(ctx context.Context, late []trail.Event, entries []ledger.Entry, missing int) error {
	if len(late) > 0 {
		if err := r.Watch.detect(ctx, late, &Handled{}); err != nil {
			return err
		}
	}
	if missing == 0 {
		return nil
	}
	return r.Watch.append(ctx, entries)
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

// wrong keeps what is wrong with the source until it is told.
func (p *progress) wrong(why string) { p.Invalid, _ = once(p.Invalid, why) }

// once adds a sentence that list does not have, and reports whether it did. A list that
// is full says so.
func once(list []string, text string) ([]string, bool) {
	if len(list) == maxTexts {
		text = "there is more, which is not named"
	}
	if text = cut(text, maxText); len(list) > maxTexts || slices.Contains(list, text) {
		return list, false
	}
	return append(list, text), true
}

// note notes what is missing that was expected, and returns how much that is.
func (r *run) note(events []trail.Event, missing map[string]bool) int {
	seen := map[string]bool{}
	for i := range events {
		id := events[i].ID
		if !missing[id] || seen[id] || !r.expected(&events[i]) {
			continue
		}
		seen[id] = true
		switch {
		case slices.Contains(r.Missed, id):
		case len(r.Missed) == maxMissed:
			r.More++
		default:
			r.Missed = append(r.Missed, id)
		}
	}
	return len(seen)
}

// some keeps the entry below the ledger's limit.
func some(list []string) []string {
	if len(list) > maxTold {
		list = append(list[:maxTold:maxTold], fmt.Sprintf("and %d more", len(list)-maxTold))
	}
	return list
}

// tell writes down what was found, and tells people if anything was.
func (r *Reconciler) tell(ctx context.Context, now time.Time, out history.Reconcile, gap bool) error {
	if out.Events == 0 && out.Reads == 0 && len(out.Differ)+len(out.Invalid) == 0 {
		return nil
	}
	id := r.Name + "/" + out.From.UTC().Format(time.RFC3339) + "/" + now.UTC().Format(time.RFC3339)
	e, err := history.Entry(Writer, "reconcile/"+id, now, history.Fact{Kind: history.KindReconcile, Reconcile: &out})
	if err != nil {
		return err
	}
	if out.Missed == 0 && len(out.Differ)+len(out.Invalid) == 0 {
		return r.Watch.append(ctx, []ledger.Entry{e})
	}
	f := detect.Finding{
		ID: "D-23-reconcile-" + strings.ReplaceAll(r.Name, " ", "-") + "-" + now.UTC().Format("20060102T150405"), Group: "reconcile", Rule: "D-23", Title: "the ledger had gaps", Severity: detect.High,
		Technique: "T1562.008", Time: now, Count: 1,
		Why:  fmt.Sprintf("%d events were missed, %d counts of reads differ, %d files or digests are not in order", out.Missed, len(out.Differ), len(out.Invalid)),
		Next: "see the entry in the ledger: what was missed is in it now; if files or digests are not in order, see docs/runbooks/silent-log.md",
	}
	switch {
	case len(out.Invalid) > 0: // events that are lost every day do not hide it
		f.Group = "reconcile-invalid"
	case !gap:
		f.Group, f.Title, f.Severity = "reconcile-more", "the ledger has more reads than CloudTrail", detect.Low
		f.Next = "EventBridge gave some twice, or CloudTrail's files lack some: the entry in the ledger says of which hours"
	}
	alert, err := alertEntry(f, "", "")
	if err != nil {
		return err
	}
	placed, err := r.Watch.place(ctx, []ledger.Entry{e, alert})
	if err != nil {
		return err
	}
	return r.Watch.Alerts.Tell(ctx, []told{{Finding: f, index: placed[0].Index}})
}

// load returns a run that goes on where the last one ended, and stores where the first
// one begins.
func (r *Reconciler) load(ctx context.Context) (*run, error) {
	out := &run{Reconciler: r, at: cell.Cell{Part: partReconcile, Name: r.Name}}
	cells, err := r.Watch.Cells.Load(ctx, partReconcile, []string{r.Name})
	if err != nil {
		return nil, fmt.Errorf("load how far CloudTrail's records were read: %w", err)
	}
	if len(cells) > 0 {
		out.at = cells[0]
		if err := json.Unmarshal(out.at.Data, &out.progress); err != nil {
			return nil, errors.New("load how far CloudTrail's records were read: it is not as it was stored")
		}
		return out, nil
	}
	out.Began = r.Watch.Now().UTC()
	out.Through = out.Began
	return out, out.store(ctx)
}

// store stores the progress.
func (r *run) store(ctx context.Context) error {
	data, err := json.Marshal(r.progress)
	if err != nil {
		return errors.New("store how far CloudTrail's records were read: a time that JSON does not know")
	}
	r.at.Data = data
	if err := r.Watch.Cells.Put(ctx, r.at); err != nil {
		return fmt.Errorf("store how far CloudTrail's records were read: %w", err)
	}
	r.at.Revision++
	return nil
}

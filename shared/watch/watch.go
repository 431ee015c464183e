// Package watch is what stands between the queues and the ledger: it believes or
// refuses messages, writes what happened, counts reads, runs the detections, and
// tells people.
//
// Messages come at least once, in any order, and the process may end anywhere: an
// entry's ID is made of what it is about, so that nothing is written twice, and a
// message is done only when all that follows from it is.
package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/cell"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/tally"
	"github.com/keyturn/keyturn/shared/trail"
)

// Ledger is what a Watch needs of the log.
type Ledger interface {
	Append(ctx context.Context, entries []ledger.Entry) ([]ledger.Placed, error)
	Has(ctx context.Context, entries []ledger.Entry) ([]bool, error)
}

// Detector runs the detections: see [detect.Engine.Process].
type Detector interface {
	Process(ctx context.Context, now time.Time, events []trail.Event, deliver func(context.Context, []detect.Finding) error) error
}

// Watch handles the messages of the two queues. All fields are needed but Respond and Canary.
// It is safe for concurrent use.
type Watch struct {
	Ledger   Ledger
	Counter  *tally.Counter
	Detector Detector
	Alerts   *Alerts
	Cells    cell.Store // of what is to be compared with CloudTrail's files
	// Account is the only one whose records are believed.
	Account string
	// TrailQueue and AuditQueue are the ARNs of the queues.
	TrailQueue, AuditQueue string
	// Ours reports whether an event is about the installation.
	Ours func(*trail.Event) bool
	// Respond starts what a finding asks for, and says what it started, "" if
	// nothing. It is called again after a crash. Nil: findings start nothing.
	Respond func(context.Context, detect.Finding) (string, error)
	// Suppressed says why a finding is not told, "" if it is. Nil: all are.
	Suppressed func(detect.Finding) string
	Canary     *Canary // nil: there is none
	Now        func() time.Time
	Log        *slog.Logger
}

// Handled counts what became of a batch of messages.
type Handled struct {
	Acts, Calls, Reads, Findings int
	Suppressed                   int // of Findings: not told
	Refused                      int // not believed: done
	Unreadable                   int // kept for a person: failed
}

// Message is one message of a queue.
type Message struct {
	ID     string    // of this message, to name it in the answer
	Queue  string    // its ARN
	Sender string    // SQS's SenderId: who sent it, as AWS vouches for it
	Sent   time.Time // SQS's SentTimestamp, by AWS's clock; zero: not known
	Body   string
}

// record is a message that was read.
type record struct {
	id    string
	event trail.Event
}

// Handle handles a batch of either queue, or both. It returns the IDs of the messages
// that are not done, which the queue is to give again, in the order of the batch.
func (w *Watch) Handle(ctx context.Context, batch []Message) (again []string, done Handled) {
	var b sorted
	for _, m := range batch {
		w.sort(m, &b)
	}
	failed := map[string]bool{}
	for _, id := range b.unreadable {
		failed[id] = true
	}
	if err := w.append(ctx, b.acts); err != nil {
		w.Log.LogAttrs(ctx, slog.LevelError, "acts were not written to the ledger", slog.String("error", err.Error()))
		fail(failed, b.actIDs)
	}
	if err := w.events(ctx, &b); err != nil {
		w.Log.LogAttrs(ctx, slog.LevelError, "events were not handled to their end", slog.String("error", err.Error()))
		for _, m := range b.events {
			failed[m.id] = true
		}
	}
	for _, m := range batch {
		if failed[m.ID] {
			again = append(again, m.ID)
		}
	}
	return again, b.done
}

// sorted is a batch by what is to be done with it.
type sorted struct {
	acts       []ledger.Entry
	actIDs     []string
	events     []record
	unreadable []string
	done       Handled
}

// sort reads one message.
func (w *Watch) sort(m Message, b *sorted) {
	switch m.Queue {
	case w.AuditQueue:
		e, err := act(m.Body, m.Sender)
		if err != nil {
			w.keep(m, "audit", "it "+err.Error(), b)
			return
		}
		b.done.Acts++
		b.acts, b.actIDs = append(b.acts, e), append(b.actIDs, m.ID)
	case w.TrailQueue:
		e, err := trail.Parse([]byte(m.Body))
		switch why := w.forged(m.Sender, &e, err); {
		case why != "":
			w.refuse(m, "trail", why, b)
			b.done.Refused++
		case err != nil:
			w.keep(m, "trail", err.Error(), b)
		case w.ahead(&e, m.Sent):
			w.keep(m, "trail", "its time is more than "+maxAhead.String()+" ahead", b)
		default:
			b.events = append(b.events, record{m.ID, e})
		}
	default:
		w.keep(m, "unknown", "it came from a queue that is not ours", b)
	}
}

// forged says why a record is not EventBridge's word about our account.
func (w *Watch) forged(sender string, e *trail.Event, err error) string {
	switch {
	case errors.Is(err, trail.ErrForged):
		return "its source is not AWS"
	case strings.Contains(sender, ":"): // a role's session: EventBridge has none
		return "it was sent by a role, not by EventBridge"
	case err != nil:
		return ""
	case e.Envelope.Account != w.Account:
		return "its envelope is of another account"
	case e.Account != "" && e.Account != w.Account:
		return "its record is of another account"
	}
	return ""
}

// maxAhead is how much later than now an event's time may be.
const maxAhead = time.Hour

// ahead says that an event's time is not to be used: what was seen then would stand for
// all that comes before it, so that nothing was found or told, or no silence noticed.
// What was sent by then is not ahead: it is our clock that is behind.
func (w *Watch) ahead(e *trail.Event, sent time.Time) bool {
	now := w.Now()
	if sent.After(now) {
		now = sent
	}
	return e.Time.Sub(now) > maxAhead
}

// refuse writes down that m was not believed.
func (w *Watch) refuse(m Message, queue, why string, b *sorted) {
	e, err := refused(queue, m.Sender, m.Body, why, w.Now())
	if err != nil {
		b.unreadable = append(b.unreadable, m.ID)
		return
	}
	b.acts, b.actIDs = append(b.acts, e), append(b.actIDs, m.ID)
}

// keep writes down that m could not be read, and leaves it to the queue, which gives
// it to the dead letters in the end: there a person finds it.
func (w *Watch) keep(m Message, queue, why string, b *sorted) {
	w.refuse(m, queue, why, b)
	b.unreadable = append(b.unreadable, m.ID)
	b.done.Unreadable++
}

// events handles what CloudTrail recorded.
func (w *Watch) events(ctx context.Context, b *sorted) error {
	all := make([]trail.Event, len(b.events))
	for i, r := range b.events {
		all[i] = r.event
		if w.Canary != nil {
			if err := w.Canary.Seen(ctx, &all[i]); err != nil {
				return err
			}
		}
	}
	entries, counted, err := w.facts(all)
	if err != nil {
		return err
	}
	b.done.Calls, b.done.Reads = len(entries), len(counted)
	if err := w.append(ctx, entries); err != nil {
		return err
	}
	if err := w.Counter.Add(ctx, counted); err != nil {
		return err
	}
	return w.detect(ctx, all, &b.done)
}

// Settle finds what no event but the time shows: that something did not happen.
func (w *Watch) Settle(ctx context.Context) error {
	return w.detect(ctx, nil, &Handled{})
}

// facts returns what of all goes into the ledger one by one, and what is counted.
func (w *Watch) facts(all []trail.Event) (entries []ledger.Entry, counted []tally.Read, err error) {
	for i := range all {
		switch e := &all[i]; {
		case !w.Ours(e):
		case read(e):
			counted = append(counted, reads(e)...)
		case kept(e):
			entry, err := call(e)
			if err != nil {
				return nil, nil, err
			}
			entries = append(entries, entry)
		}
	}
	return entries, counted, nil
}

// Seal writes the reads of all hours that ended before Settled into the ledger.
func (w *Watch) Seal(ctx context.Context) (int, error) {
	n := 0
	err := w.Counter.Seal(ctx, w.Now().Add(-Settled).Truncate(time.Hour), func(ctx context.Context, tallies []tally.Tally) error {
		entries := make([]ledger.Entry, len(tallies))
		for i, t := range tallies {
			e, err := sealed(t)
			if err != nil {
				return err
			}
			entries[i] = e
		}
		n += len(entries)
		if err := w.append(ctx, entries); err != nil {
			return err
		}
		return w.remember(ctx, tallies)
	})
	return n, err
}

// Settled is how long after its end an hour's reads are still counted: nearly all
// records have come by then.
const Settled = 2 * time.Hour

func (w *Watch) append(ctx context.Context, entries []ledger.Entry) error {
	_, err := w.place(ctx, entries)
	return err
}

func (w *Watch) place(ctx context.Context, entries []ledger.Entry) ([]ledger.Placed, error) {
	var out []ledger.Placed
	for len(entries) > 0 {
		n := min(len(entries), ledger.MaxBatch)
		placed, err := w.Ledger.Append(ctx, entries[:n])
		if err != nil {
			return nil, fmt.Errorf("write to the ledger: %w", err)
		}
		out, entries = append(out, placed...), entries[n:]
	}
	return out, nil
}

func fail(failed map[string]bool, ids []string) {
	for _, id := range ids {
		failed[id] = true
	}
}

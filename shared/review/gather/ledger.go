package gather

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/review"
)

// late is the longest time that an entry comes after what it is about: the log is
// read back so far beyond the time that is looked at. Assumed: what is written live
// comes within minutes, and the reconciler looks back over days.
const late = 30 * 24 * time.Hour

// ledger reads who did read, what the last rotations made, and what became of the
// reviews before.
func (c *collection) ledger(ctx context.Context) {
	if c.Ledger == nil {
		return // the review says what follows
	}
	s := newScan(c)
	checkpoint, err := c.Ledger.Newest(ctx)
	if err == nil {
		err = ledger.Backwards(ctx, c.Ledger.Objects, checkpoint, s.entry)
	}
	if err != nil {
		c.missing("The ledger could not be read (%s): who did read is not known.", c.ledgerWhy(err))
		return
	}
	s.done(checkpoint)
}

func (c *collection) ledgerWhy(err error) string {
	if bad, ok := errors.AsType[*ledger.TamperError](err); ok {
		return "it is not as it was signed: " + bad.Error()
	}
	if errors.Is(err, ledger.ErrNoLog) {
		return "there is none"
	}
	code := c.why(err)
	if e, ok := errors.AsType[*awserror.Error](err); ok {
		return e.Error()
	}
	return code
}

// watcher is the writer of what CloudTrail recorded: only of its entries the time is
// not what a sender says.
const watcher = "keyturn/audit"

// scan is what is read of the ledger, the newest first.
type scan struct {
	*collection
	arns    map[string]string // of the secrets, by name
	ours    map[string]bool
	since   time.Time
	first   time.Time         // of the oldest entry of the watcher that was reached
	begun   bool              // the log's first entry was reached
	ids     map[string]string // ARNs of users and roles, by unique id
	reads   map[[2]string]*review.Read
	made    map[string]time.Time // of InLedger, by the secret's name
	last    map[string]string
	reviews map[string]string // where each is, by its hash
	signed  []review.SignOff
	checked time.Time // up to when the ledger was compared with CloudTrail
	unread  int
}

func newScan(c *collection) *scan {
	s := &scan{
		collection: c, arns: map[string]string{}, ours: map[string]bool{}, since: c.in.Now.Add(-lookback), reads: map[[2]string]*review.Read{},
		made: map[string]time.Time{}, last: map[string]string{}, reviews: map[string]string{},
		ids: map[string]string{},
	}
	for _, p := range c.in.Principals {
		s.ids[p.ID] = p.ARN
	}
	for _, one := range c.in.Secrets {
		s.arns[one.Name], s.ours[one.ARN] = one.ARN, true
	}
	return s
}

func (s *scan) entry(index int64, line []byte) (bool, error) {
	e, err := ledger.Decode(line)
	s.begun = s.begun || index == 0
	if err == nil && e.Writer == watcher {
		s.first = e.Time
		if e.Time.Before(s.since.Add(-late)) {
			return false, nil
		}
	}
	var f history.Fact
	if err == nil {
		f, err = history.Of(e)
	}
	switch {
	case err == nil && e.Time.Before(s.since.Add(-late)): // so says its writer: the entries before it may be newer
	case err != nil: // it is in the log as it was written; the review says how many there are
		s.unread++
	case f.Reads != nil:
		s.read(f.Reads)
	case f.Act != nil && s.ourOwn(e.Writer):
		s.act(f.Act)
	case f.SignOff != nil:
		s.signOff(e, f.SignOff)
	case f.Change != nil:
		s.change(e.Time, f.Change)
	case f.Reconcile != nil && f.Reconcile.To.After(s.checked):
		s.checked = f.Reconcile.To
	}
	return true, nil
}

func (s *scan) read(r *history.Reads) {
	arn := r.Secret
	if !s.ours[arn] {
		name := config.Name(arn)
		if _, rest, ok := strings.Cut(name, ":secret:"); ok {
			name = rest // an ARN without its last six characters
		}
		if arn = s.arns[name]; arn == "" {
			return
		}
	}
	if r.Last.Before(s.since) {
		return
	}
	key := [2]string{arn, r.Principal}
	sum := s.reads[key]
	if sum == nil {
		sum = &review.Read{Secret: arn, Principal: r.Principal}
		s.reads[key] = sum
	}
	sum.Count += r.Count
	if r.Last.After(sum.Last) {
		sum.Last = r.Last
	}
}

func (s *scan) act(r *audit.Record) {
	switch {
	case r.Act == audit.Review:
		s.reviews[r.Detail["sha256"]] = r.Detail["report"]
	case r.Act == audit.Promote && r.Phase != audit.Intent && r.Result != audit.Failed && r.Result != audit.Unknown && r.KeyID != "":
		if name := config.Name(r.Secret); r.Time.After(s.made[name]) {
			s.made[name], s.last[name] = r.Time, r.KeyID
		}
	}
}

// ourOwn reports whether nothing speaks against that Keyturn wrote it. People who sign
// off may send to the queue too, and can say there that they are a review.
func (s *scan) ourOwn(writer string) bool {
	id, _, _ := strings.Cut(writer, ":")
	arn := s.ids[id]
	return arn == "" || len(s.in.OwnRoles) == 0 || slices.Contains(s.in.OwnRoles, arn)
}

func (s *scan) signOff(e ledger.Entry, f *history.SignOff) {
	if e.Time.Before(s.since) {
		return
	}
	s.signed = append(s.signed, review.SignOff{
		SHA256: f.SHA256, Report: f.Report, At: e.Time, Writer: e.Writer, By: f.By, Decision: f.Decision, Note: f.Note, Each: f.Each,
	})
}

// change notes one that heads the page, for a month: one that people were told of, for
// less is noticed since.
func (s *scan) change(at time.Time, f *history.Change) {
	if s.in.Now.Sub(at) > late || !f.Told && !slices.Contains([]string{"suppression", "honeytoken", "respond"}, f.What) {
		return
	}
	text := f.Name + " was changed on " + at.UTC().Format(time.DateOnly)
	switch {
	case f.After == "":
		text = f.Name + " was removed on " + at.UTC().Format(time.DateOnly)
	case f.Before == "":
		text = f.Name + " was added on " + at.UTC().Format(time.DateOnly)
	}
	s.notice(review.Notice{Kind: f.What, Text: text})
}

// done puts what was found into the input.
func (s *scan) done(c ledger.Checkpoint) {
	in := &s.in
	in.Checkpoint, in.Since = string(c.Signed), s.since
	if s.begun && s.first.After(s.since) {
		in.Since = s.first // it began then
	}
	if s.first.IsZero() {
		in.Since = in.Now
	}
	for _, r := range s.reads {
		in.Reads = append(in.Reads, *r)
	}
	slices.SortFunc(in.Reads, func(a, b review.Read) int {
		return strings.Compare(a.Secret+"\x00"+a.Principal, b.Secret+"\x00"+b.Principal)
	})
	for i := range in.Secrets {
		in.Secrets[i].InLedger = s.last[in.Secrets[i].Name]
	}
	s.signOffs()
	if s.unread > 0 {
		s.missing("%d entries of the ledger could not be understood.", s.unread)
	}
	if s.checked.IsZero() {
		s.missing("The ledger was not compared with CloudTrail's own files: a read that did not reach it is missing here.")
	} else {
		s.missing("The ledger was compared with CloudTrail up to %s: a later read may be missing here.", s.checked.UTC().Format("2006-01-02 15:04"))
	}
}

func (s *scan) signOffs() {
	for _, one := range s.signed {
		id, session, _ := strings.Cut(one.Writer, ":")
		if arn := s.ids[id]; arn != "" {
			if one.Writer = arn; session != "" {
				one.Writer += " as " + session
			}
			if slices.Contains(s.in.OwnRoles, arn) {
				one.Void = "a role of Keyturn's wrote it, not a person"
			}
		}
		if _, ok := s.reviews[one.SHA256]; !ok {
			one.Void = "the ledger has no review of Keyturn's with this page, in 120 days"
		}
		s.in.SignOffs = append(s.in.SignOffs, one)
	}
	slices.SortStableFunc(s.in.SignOffs, func(a, b review.SignOff) int { return b.At.Compare(a.At) })
}

package watch_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
	"github.com/keyturn/keyturn/shared/tally"
	"github.com/keyturn/keyturn/shared/trail"
	"github.com/keyturn/keyturn/shared/watch"
)

var all = flag.Bool("all", false, "fail every call of the reconciler, not a fifth of them")

// files are what CloudTrail delivered, one file for each hour.
type files struct {
	w        *world
	hours    map[int][]string // records, without envelopes
	problems map[int]string
}

// Walk implements watch.Source.
func (f *files) Walk(_ context.Context, at trail.Position, to time.Time, give func(trail.Step) error) error {
	if f.w.ask("files") != ledgertest.None {
		return ledgertest.ErrFault
	}
	for h := range 48 {
		end := start.Add(time.Duration(h+1) * time.Hour)
		if !end.After(at.Through) || end.After(to) {
			continue
		}
		s := trail.Step{Name: fmt.Sprintf("hour-%d", h), Next: trail.Position{Through: end}, Problem: f.problems[h]}
		if len(f.hours[h]) > 0 {
			s.Data = []byte(`{"Records":[` + strings.Join(f.hours[h], ",") + `]}`)
		}
		if err := give(s); err != nil {
			return err
		}
	}
	return nil
}

// bare is a record as files have it.
func bare(envelope string) string {
	_, rest, _ := strings.Cut(envelope, `"detail":`)
	depth := 0
	for i, c := range rest {
		switch c {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 {
			return rest[:i+1]
		}
	}
	panic("no record")
}

func (w *world) reconciler(t *testing.T, f *files) *watch.Reconciler {
	t.Helper()
	part := 0
	r := &watch.Reconciler{
		Watch: w.Watch, Source: f, Name: watch.SourceFiles,
		Counter: &tally.Counter{Cells: w.cells, Of: "file reads", NewPart: func() string { part++; return fmt.Sprintf("file-%d", part) }},
	}
	fault, now := w.fault, w.now
	w.fault, w.now = nil, start
	if err := r.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.fault, w.now = fault, now
	return r
}

// lossy is an hour of which EventBridge lost one read, one denial and a touch of the
// honey token.
func lossy(t *testing.T, w *world) *files {
	t.Helper()
	f := &files{w: w, hours: map[int][]string{}}
	denied := map[string]any{"errorCode": "AccessDenied"}
	records := []string{
		record("policy", 5, "PutResourcePolicy", mailer, nil), record("lost-denial", 6, "GetSecretValue", mailer, denied),
		record("lost-honey", 7, "GetSecretValue", "prod/honey", denied), record("foreign", 8, "DeleteSecret", "others", nil),
	}
	for i := range 6 {
		records = append(records, record(fmt.Sprintf("read-%d", i), 10+i, "GetSecretValue", mailer, nil))
	}
	records = append(records, record("lost-read", 30, "GetSecretValue", mailer, nil))
	for i := range 3 { // nothing of this one was lost
		records = append(records, record(fmt.Sprintf("other-%d", i), 40, "GetSecretValue", "prod/other", nil))
	}
	var ms []watch.Message
	for _, r := range records {
		f.hours[0] = append(f.hours[0], bare(r))
		if !strings.Contains(r, "lost-") {
			ms = append(ms, sqs(trailQ, bridge, r))
		}
	}
	if again, _ := w.Handle(t.Context(), batch(ms...)); len(again) > 0 {
		t.Fatal("not done")
	}
	return f
}

// hourly is what the schedule does.
func (w *world) hourly(t *testing.T, r *watch.Reconciler, hours int) (runs []history.Reconcile) {
	t.Helper()
	for range hours {
		w.now = w.now.Add(time.Hour)
		for try := 0; ; try++ {
			_, err := w.Seal(t.Context())
			var out history.Reconcile
			if err == nil {
				out, err = r.Run(t.Context())
			}
			if err == nil {
				runs = append(runs, out)
				break
			}
			if try == 4 {
				t.Fatal(err)
			}
		}
	}
	return runs
}

// checkReconciled says that what was lost is in the ledger now, once, and was told.
func (w *world) checkReconciled(t *testing.T) {
	t.Helper()
	var got []string
	reads, others, gaps := int64(0), int64(0), 0
	for id, f := range w.entries(t) {
		switch {
		case f.Call != nil:
			got = append(got, f.Call.EventID)
		case f.Alert != nil && f.Alert.Rule == "D-23":
			gaps++
		case f.Alert != nil:
			got = append(got, "alert "+f.Alert.Rule)
		case f.Reads != nil && f.Reads.Secret == mailer:
			reads += f.Reads.Count
		case f.Reads != nil && f.Reads.Secret == "prod/other":
			others += f.Reads.Count
		case f.Reads != nil:
			t.Errorf("%s: %+v", id, f.Reads)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"alert D-01", "lost-denial", "lost-honey", "policy"}, got); diff != "" || reads != 7 || others != 3 {
		t.Errorf("%d reads, %d of the other, entries (-want +got):\n%s", reads, others, diff)
	}
	if gaps == 0 {
		t.Error("the gap is no alert in the ledger")
	}
	rules := map[string]bool{}
	for _, m := range w.told {
		rules[m.Detail["rule"]] = true
		if m.Detail["rule"] == "D-23" && !strings.Contains(m.Summary, "2 events were missed") && !strings.Contains(m.Summary, "1 counts of reads differ") {
			t.Errorf("told %q", m.Summary)
		}
	}
	if !rules["D-01"] || !rules["D-23"] {
		t.Errorf("told of %v", rules)
	}
}

func TestReconciler(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.reconciler(t, lossy(t, w))
	runs := w.hourly(t, r, 10)
	w.checkReconciled(t)
	events, missed, differ := 0, 0, 0
	for _, out := range runs {
		events, missed, differ = events+out.Events, missed+out.Missed, differ+len(out.Differ)
		if len(out.Invalid) > 0 {
			t.Errorf("%+v", out)
		}
	}
	if events != 3 || missed != 2 || differ != 1 {
		t.Errorf("%d events, %d missed, %d differ", events, missed, differ)
	}
	told := len(w.told)
	w.hourly(t, r, 10)
	w.checkReconciled(t)
	if len(w.told) != told {
		t.Errorf("told again: %v", w.told[told:])
	}
}

// Whatever call fails, what was lost is added once.
func TestReconciler_crash(t *testing.T) {
	t.Parallel()
	calls := 0
	w := newWorld(t)
	f := lossy(t, w)
	w.fault = func(string) ledgertest.Fault { calls++; return ledgertest.None }
	w.hourly(t, w.reconciler(t, f), 10)
	if calls < 60 {
		t.Fatalf("only %d calls", calls)
	}
	step := 11 // with -all, every call
	if *all {
		step = 1
	}
	for at := 0; at < calls; at += step {
		for _, fault := range []ledgertest.Fault{ledgertest.Before, ledgertest.After} {
			w := newWorld(t)
			f := lossy(t, w)
			n, which := 0, ""
			w.fault = func(call string) ledgertest.Fault {
				if n++; n == at+1 {
					which = call
					return fault
				}
				return ledgertest.None
			}
			w.hourly(t, w.reconciler(t, f), 10)
			w.fault = nil
			if w.checkReconciled(t); t.Failed() {
				t.Fatalf("fault %d at call %d, %s", fault, at, which)
			}
		}
	}
}

// Files that are not in order, and digests that stop, are told.
// TestReconciler_hidden: files that are not in order are told while events are lost day
// by day, and so are those of two sources at the same second.
func TestReconciler_hidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := lossy(t, w)
	f.problems = map[int]string{5: "x.json.gz: the file is missing"}
	w.hourly(t, w.reconciler(t, f), 10)
	if n := len(w.told); n == 0 || !strings.Contains(w.told[n-1].Summary, "1 files or digests are not in order") {
		t.Errorf("told %+v", w.told)
	}
	w = newWorld(t)
	f = &files{w: w, hours: map[int][]string{}, problems: map[int]string{0: "x.json.gz: the file is missing"}}
	for _, name := range []string{watch.SourceFiles, watch.SourceFiles + " us-east-1"} {
		r := w.reconciler(t, f)
		r.Name, r.Abroad = name, name != watch.SourceFiles
		w.now = start
		if err := r.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.now = start.Add(time.Hour)
		if _, err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	alerts, runs := 0, 0
	for _, one := range w.entries(t) {
		if one.Alert != nil {
			alerts++
		}
		if one.Reconcile != nil {
			runs++
		}
	}
	if alerts != 2 || runs != 2 {
		t.Errorf("%d alerts and %d runs in the ledger, want 2 of each", alerts, runs)
	}
}

func TestReconciler_problems(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := &files{w: w, hours: map[int][]string{0: {`{"eventVersion":"9.0"}`}}, problems: map[int]string{0: "x.json.gz: the file is missing"}}
	runs := w.hourly(t, w.reconciler(t, f), 1)
	if runs[0].Invalid[1] != "hour-0: 1 records cannot be read" || runs[0].Invalid[0] != "x.json.gz: the file is missing" || len(w.told) != 1 {
		t.Errorf("%+v, told %v", runs, w.told)
	}
	f.problems = nil
	f.hours[1] = []string{bare(record("ahead", 9*3600, "DeleteSecret", mailer, nil))}
	if runs = w.hourly(t, w.reconciler(t, f), 1); len(runs[0].Invalid) != 1 || runs[0].Invalid[0] != "hour-1: 1 records are of a time to come" {
		t.Errorf("%+v", runs)
	}
	w.now = start.Add(60 * time.Hour) // files end at 48 hours
	runs = w.hourly(t, w.reconciler(t, f), 1)
	if len(runs[0].Invalid) != 1 || !strings.Contains(runs[0].Invalid[0], "no digest has come since 2026-11-26") {
		t.Errorf("%+v", runs)
	}
}

package watch_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/trail"
	"github.com/keyturn/keyturn/shared/watch"
)

// A run that is cut after each step, as Lambda's time does, adds and tells the same.
func TestReconciler_cut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := lossy(t, w)
	f.hours[1], f.hours[2] = []string{bare(record("later", 80, "PutResourcePolicy", mailer, nil))}, f.hours[0] // files come twice
	f.problems = map[int]string{1: "x.json.gz: the file is missing"}
	r := w.reconciler(t, f)
	r.Enough = func(context.Context) bool { return true }
	runs := w.hourly(t, r, 20)
	missed, invalid, differ := 0, 0, 0
	for _, out := range runs {
		missed, invalid, differ = missed+out.Missed, invalid+len(out.Invalid), differ+len(out.Differ)
	}
	if missed != 3 || invalid != 1 || differ != 1 {
		t.Errorf("%d missed, %d invalid, %d differ", missed, invalid, differ)
	}
	if runs[0].To.Sub(runs[0].From) != time.Hour || runs[1].From != runs[0].To {
		t.Errorf("%+v", runs[:2])
	}
}

// A read of a honey token of which EventBridge brought nothing is detected, once.
func TestReconciler_lostReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := &files{w: w, hours: map[int][]string{0: {
		bare(record("lost-honey", 7, "GetSecretValue", "prod/honey", nil)), bare(record("lost-honey-2", 8, "GetSecretValue", "prod/honey", nil)),
	}}}
	w.hourly(t, w.reconciler(t, f), 10)
	alerts, reads := 0, int64(0)
	for _, f := range w.entries(t) {
		if f.Alert != nil && f.Alert.Rule == "D-01" {
			alerts++
		}
		if f.Reads != nil {
			reads += f.Reads.Count
		}
	}
	if alerts == 0 || reads != 2 {
		t.Errorf("%d alerts, %d reads", alerts, reads)
	}
	first := len(w.told)
	if first == 0 || !strings.Contains(w.told[0].Summary, "prod/honey") {
		t.Errorf("told %v", w.told)
	}
	// The same records over EventBridge, days late, tell nothing new.
	w.Handle(t.Context(), batch(sqs(trailQ, bridge, record("lost-honey", 7, "GetSecretValue", "prod/honey", nil))))
	for _, m := range w.told[first:] {
		if m.Detail["rule"] == "D-01" {
			t.Errorf("told again: %+v", m)
		}
	}
}

// What came before the reconciler began is no gap, and the hour that it began in is
// not compared.
func TestReconciler_begin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := lossy(t, w)
	r := &watch.Reconciler{Watch: w.Watch, Source: f, Name: watch.SourceFiles, Counter: w.reconciler(t, f).Counter}
	r.Name = "begun later"
	w.now = start.Add(20 * time.Minute)
	if err := r.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.now = start.Add(2 * time.Hour)
	if err := r.Begin(t.Context()); err != nil { // begins once
		t.Fatal(err)
	}
	for _, out := range w.hourly(t, r, 10) {
		if out.Missed+len(out.Differ)+len(out.Invalid) > 0 {
			t.Errorf("%+v", out)
		}
	}
	if len(w.told) > 0 {
		t.Errorf("told %v", w.told)
	}
}

// What no rule of ours brings is added and detected, and is no gap: other services'
// calls, and all of another Region, of which no trail need be there.
func TestReconciler_added(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kms := strings.ReplaceAll(bare(record("kms", 5, "EnableKey", mailer, nil)), "secretsmanager.amazonaws.com", "kms.amazonaws.com")
	w.Ours = func(*trail.Event) bool { return true }
	f := &files{w: w, hours: map[int][]string{0: {kms}}}
	here := w.reconciler(t, f)
	there := *here
	there.Name, there.Abroad = "files us-east-1", true
	there.Source = &files{w: w, hours: map[int][]string{0: {
		bare(record("abroad", 6, "PutResourcePolicy", mailer, nil)), bare(record("read-abroad", 7, "GetSecretValue", "prod/honey", nil)),
	}}}
	now := w.now
	w.now = start
	if err := there.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.now = now
	for _, r := range []*watch.Reconciler{here, &there} {
		runs := w.hourly(t, r, 1)
		if out := runs[0]; out.Added != 1 || out.Missed+len(out.Differ)+len(out.Invalid) > 0 {
			t.Errorf("%s: %+v", r.Name, out)
		}
	}
	there.Source = &files{w: w}
	w.now = start.Add(60 * time.Hour)
	if runs := w.hourly(t, &there, 1); len(runs[0].Invalid) > 0 {
		t.Errorf("%+v", runs)
	}
	got := map[string]bool{}
	for _, f := range w.entries(t) {
		if f.Call != nil {
			got[f.Call.EventID] = true
		}
	}
	if !got["kms"] || !got["abroad"] || len(w.told) > 0 {
		t.Errorf("the ledger has %v, told %v", got, w.told)
	}
}

// A clock that runs backwards, and one that jumps, change nothing of what is found.
func TestReconciler_clock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.reconciler(t, lossy(t, w))
	for _, jump := range []time.Duration{0, -3 * time.Hour, 0, 5 * time.Hour, -26 * time.Hour, 0, 24 * time.Hour, 0, 0, 0} {
		w.now = w.now.Add(jump)
		w.hourly(t, r, 1)
	}
	w.hourly(t, r, 6)
	w.checkReconciled(t)
	for _, m := range w.told {
		if m.Detail["rule"] == "D-23" && strings.Contains(m.Summary, "digest") && !strings.Contains(m.Summary, "0 files or digests") {
			t.Errorf("told %q", m.Summary)
		}
	}
}

// Reads that the files do not have are told as what they are: nothing is missing in the
// ledger.
func TestReconciler_more(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := lossy(t, w)
	f.hours[0] = slices.DeleteFunc(f.hours[0], func(s string) bool { return strings.Contains(s, `"lost-`) || strings.Contains(s, `"read-3"`) })
	w.hourly(t, w.reconciler(t, f), 10)
	if len(w.told) != 1 || w.told[0].Severity != notify.Warning || !strings.Contains(w.told[0].Summary, "more reads than CloudTrail") {
		t.Errorf("told %+v", w.told)
	}
}

package retire_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/store"
)

func TestLabels(t *testing.T) {
	t.Parallel()
	t.Run("left behind on the current version", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w, _ := steady(t)
			w.stages(map[string][]string{token(1): {store.Current, store.Pending}})
			time.Sleep(59 * time.Minute)
			_, _, _ = w.run(w.engine())
			if !w.secret.Has(token(1), store.Pending) {
				t.Error("removed within the hour")
			}
			w.live(w.engine(), key(), 2*time.Hour, never)
			if w.secret.Has(token(1), store.Pending) || w.count(audit.Unstage, audit.Intent) != 1 || w.count(audit.Unstage, audit.Outcome) != 1 {
				t.Errorf("labels %v, trail %+v", w.secret.Stages, w.trail)
			}
		})
	})
	t.Run("stuck on another version", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w, current := steady(t)
			id := w.mint(token(2))
			w.put(token(2), w.keys[id].value)
			w.stages(map[string][]string{token(1): {store.Current}, token(2): {store.Pending}})
			w.live(w.engine(), key(), 23*time.Hour, never)
			if !w.secret.Has(token(2), store.Pending) || w.state(id) != "" {
				t.Errorf("taken off within a day, %+v", w.record(id))
			}
			w.live(w.engine(), key(), 2*time.Hour, never)
			if w.secret.Has(token(2), store.Pending) || w.told(notify.Failed) != 1 || w.count(audit.Unstage, audit.Intent) != 1 || w.count(audit.Unstage, audit.Outcome) != 1 {
				t.Errorf("labels %v, %d messages", w.secret.Stages, w.told(notify.Failed))
			}
			if !w.live(w.engine(), key(), weeks, w.is(id, keyrecord.Dead)) || w.state(current) != keyrecord.Current {
				t.Errorf("its key: %+v", w.record(id))
			}
			w.check()
		})
	})
	t.Run("the operator's own, on the old version", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w, old, _ := replaced(t)
			w.secret.Stages[token(1)] = []string{store.Previous, "blue"}
			w.live(w.engine(), key(), 5*24*time.Hour, never)
			if w.keys[old].revoked || w.state(old) != keyrecord.Held || !strings.Contains(w.record(old).Why, "blue") {
				t.Errorf("%+v", w.record(old))
			}
			w.secret.Stages[token(1)] = []string{store.Previous}
			if !w.live(w.engine(), key(), 2*time.Hour, w.is(old, keyrecord.Dead)) {
				t.Errorf("%+v", w.record(old))
			}
		})
	})
	t.Run("AWSCURRENT is moving", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w, old, _ := replaced(t)
			w.onList = func() { w.secret.Stages = map[string][]string{token(1): {store.Current}} }
			r, _, err := w.run(w.engine())
			if err != nil || r.Skipped == "" || len(w.schedules) != 1 || w.state(old) != keyrecord.Current {
				t.Errorf("report %+v, %v, %d schedules", r, err, len(w.schedules))
			}
		})
	})
}

func TestOverdueRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := steady(t)
		w.secret.NextRotation = time.Now().Add(time.Hour)
		w.live(w.engine(), key(), 24*time.Hour, never)
		if len(w.news) != 1 {
			t.Errorf("%d messages within a day", len(w.news)-1)
		}
		w.live(w.engine(), key(), 73*time.Hour, never)
		if got := w.told(notify.Overdue); got != 3 {
			t.Errorf("%d alerts in three days more, want 3", got)
		}
	})
}

func TestFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := steady(t)
		time.Sleep(time.Minute)
		w.book.Failure = &keyrecord.Failure{Secret: name, Version: token(2), Step: "testSecret", ErrorType: "KeyRejected", Text: "no", At: time.Now()}
		w.live(w.engine(), key(), 50*time.Hour, never)
		if w.told(notify.Overdue) != 2 || !strings.Contains(fmt.Sprint(w.news), "testSecret (KeyRejected)") {
			t.Errorf("%d alerts in 50 hours: %v", w.told(notify.Overdue), w.news)
		}
		w.rotate(token(2))
		if _, _, _ = w.run(w.engine()); w.book.Failure != nil {
			t.Error("a failure that was mended is still there")
		}
	})
}

// Nobody promises more than one notification of a piece of news, so a message
// that did not go out goes out later.
func TestNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, _ := replaced(t)
		w.fail["Notify"] = errRecords
		if _, _, err := w.run(w.engine()); err == nil {
			t.Error("the caller is not told")
		}
		w.live(w.engine(), key(), 10*time.Hour, never)
		if w.state(old) != keyrecord.Dead {
			t.Errorf("that nobody can be told stops a retirement: %+v", w.record(old))
		}
		delete(w.fail, "Notify")
		w.live(w.engine(), key(), time.Hour, never)
		var kinds []string
		for _, m := range w.news[1:] {
			kinds = append(kinds, string(m.Kind))
		}
		slices.Sort(kinds)
		if got := strings.Join(kinds, " "); got != "retired rotated" {
			t.Errorf("told later: %s", got)
		}
	})
}

// A rotation that was due in a freeze is late only a day after it.
func TestOverdue_frozen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := steady(t)
		k, due := key(), time.Now().Add(time.Hour)
		w.secret.NextRotation = due
		k.Freeze = []config.Freeze{{From: due.Add(-time.Hour), Until: due.Add(72 * time.Hour), Reason: "the big sale"}}
		for _, tt := range []struct {
			after time.Duration
			late  bool
		}{{48 * time.Hour, false}, {95 * time.Hour, false}, {97 * time.Hour, true}} {
			time.Sleep(time.Until(due.Add(tt.after)))
			if _, err := w.engine().Reconcile(t.Context(), k); err != nil {
				t.Fatal(err)
			}
			if got := w.told(notify.Overdue) > 0; got != tt.late {
				t.Errorf("%s after it was due: late %v", tt.after, got)
			}
		}
	})
}

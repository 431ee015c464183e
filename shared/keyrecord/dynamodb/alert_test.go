package dynamodb_test

import (
	"errors"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
)

// An alert that is open stays as it is, acknowledged or not; a closed or an old
// one begins anew. Nobody overwrites a change that he has not seen.
func TestAlerts(t *testing.T) {
	t.Parallel()
	table, _ := newTable(t)
	now := time.Now()
	table.Now = func() time.Time { return now }
	load := func() []keyrecord.Alert {
		t.Helper()
		b, err := table.Load(t.Context(), "s")
		if err != nil {
			t.Fatal(err)
		}
		return b.Open(now)
	}
	open := func(summary string) {
		t.Helper()
		if err := table.OpenAlert(t.Context(), keyrecord.Alert{Secret: "s", ID: "a", Summary: summary, At: now}); err != nil {
			t.Fatal(err)
		}
	}
	open("first")
	a := load()[0]
	a.Acked, a.By = now, "me"
	acked, err := table.PutAlert(t.Context(), a)
	if err != nil || acked.Revision != 2 {
		t.Fatalf("%+v, %v", acked, err)
	}
	if _, err = table.PutAlert(t.Context(), a); !errors.Is(err, keyrecord.ErrConflict) {
		t.Errorf("an old revision: %v", err)
	}
	open("second")
	if got := load(); len(got) != 1 || got[0].By != "me" || got[0].Summary != "first" {
		t.Errorf("the same news again: %+v", got)
	}
	now = now.Add(keyrecord.AlertFor)
	if got := load(); len(got) != 0 {
		t.Errorf("open after a month: %+v", got)
	}
	open("third")
	if got := load(); len(got) != 1 || got[0].By != "" || got[0].Summary != "third" {
		t.Errorf("after a month: %+v", got)
	}
	for range 2 {
		if err = table.CloseAlert(t.Context(), "s", "a"); err != nil || len(load()) != 0 {
			t.Errorf("%v, %+v", err, load())
		}
	}
}

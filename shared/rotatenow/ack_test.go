package rotatenow_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/rotatenow"
	"github.com/keyturn/keyturn/shared/rotation"
)

var taken = rotatenow.Request{Version: 1, Mode: rotatenow.Ack, Secret: name, Reason: "I call the vendor", Requester: "me"}

// alarmed has an alert that nobody has acknowledged, one that somebody else has,
// and one that is a month old.
func alarmed() *world {
	w := newWorld()
	a := func(id string, ago time.Duration) keyrecord.Alert {
		return keyrecord.Alert{Secret: name, ID: id, Kind: "failed", Severity: "critical", Summary: "It failed.", At: w.now.Add(-ago), Revision: 1}
	}
	w.alerts = []keyrecord.Alert{a("one", time.Hour), a("two", 2*time.Hour), a("old", keyrecord.AlertFor)}
	w.alerts[1].Acked, w.alerts[1].By, w.alerts[1].Reason = w.now.Add(-time.Minute), "you", "mine"
	return w
}

func TestAck(t *testing.T) {
	t.Parallel()
	for title, tt := range map[string]struct {
		id, status, acts string
		shown            []string
	}{
		"all":               {"", "acknowledged", "audit ack one", []string{"one by me: I call the vendor"}},
		"one":               {"one", "acknowledged", "audit ack one", []string{"one by me: I call the vendor"}},
		"somebody else's":   {"two", "already_acknowledged", "", []string{"two by you: mine"}},
		"of long ago":       {"old", "", "", nil},
		"that never was":    {"three", "", "", nil},
		"somebody's prefix": {"on", "", "", nil},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			w, q := alarmed(), taken
			q.Alert = tt.id
			a, err := w.engine().Do(t.Context(), q)
			if (err != nil) != (tt.status == "") || err != nil && (typeOf(err) != rotation.BadEvent || !strings.Contains(err.Error(), "no alert")) {
				t.Fatal(err)
			}
			var shown []string
			for _, s := range a.Alerts {
				shown = append(shown, s.ID+" by "+s.By+": "+s.Reason)
			}
			if diff := cmp.Diff(tt.shown, shown); diff != "" || err == nil && a.Status != tt.status {
				t.Errorf("status %q; %s", a.Status, diff)
			}
			if got := strings.Join(w.did, " "); got != tt.acts {
				t.Errorf("did %q, want %q", got, tt.acts)
			}
			if tt.acts == "" {
				return
			}
			if r := w.record; r.Act != audit.Ack || r.Phase != audit.Intent || r.Detail["alerts"] != "one" || r.Detail["reason"] != taken.Reason || r.Detail["requester_says"] != "me" {
				t.Errorf("intent %+v", r)
			}
			if len(w.outcomes) != 1 || w.outcomes[0].Result != audit.Done || !w.alerts[0].Acked.Equal(w.now) || w.alerts[1].By != "you" {
				t.Errorf("outcomes %+v, alerts %+v", w.outcomes, w.alerts)
			}
		})
	}
	w := newWorld()
	if a, err := w.engine().Do(t.Context(), taken); err != nil || a.Status != "none_open" || len(w.did) > 0 {
		t.Errorf("nothing open: %+v, %v", a, err)
	}
}

// Nothing is done that is not recorded, and what is not known is said.
func TestAck_errors(t *testing.T) {
	t.Parallel()
	bad := errors.New("no answer")
	for title, tt := range map[string]struct {
		change func(*world)
		want   rotation.Type
		result string
	}{
		"the records":     {func(w *world) { w.load = bad }, rotation.StoreUnavailable, ""},
		"the audit trail": {func(w *world) { w.sink = bad }, rotation.AuditUnavailable, ""},
		"the write":       {func(w *world) { w.put = bad }, rotation.StoreUnavailable, audit.Unknown},
		"a race":          {func(w *world) { w.race = func() { w.alerts[0].Revision++ } }, rotation.InProgress, audit.Unknown},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			w := alarmed()
			tt.change(w)
			if _, err := w.engine().Do(t.Context(), taken); typeOf(err) != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
			if len(w.outcomes) != 0 != (tt.result != "") || tt.result != "" && w.outcomes[0].Result != tt.result || !w.alerts[0].Acked.IsZero() {
				t.Errorf("outcomes %+v, alert %+v", w.outcomes, w.alerts[0])
			}
		})
	}
}

func TestParse_ack(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"version":1,"mode":"ack","secret":"x","reason":"why","alert":"a"}`: "",
		`{"version":1,"mode":"ack","secret":"x","reason":"why"}`:             "",
		`{"version":1,"mode":"ack","secret":"x"}`:                            "reason is missing",
		`{"version":1,"mode":"plan","secret":"x","alert":"a"}`:               "alert is for ack",
		`{"version":1,"mode":"ack","secret":"x","reason":"w","until":"1h"}`:  "are for a pause",
	} {
		if _, err := rotatenow.Parse([]byte(raw)); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", raw, err, want)
		}
	}
}

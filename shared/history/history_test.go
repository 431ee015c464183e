package history_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
)

var at = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// What was written is what is read, through the ledger's own encoding.
func TestEntry(t *testing.T) {
	t.Parallel()
	for _, f := range []history.Fact{
		{Kind: history.KindAct, Act: &audit.Record{ID: "create-x", Time: at, Act: audit.Create, Phase: audit.Intent, Secret: "mailer", Detail: map[string]string{"a": "b"}}},
		{Kind: history.KindCall, Call: &history.Call{EventID: "e", Time: at, Service: "secretsmanager.amazonaws.com", Name: "GetSecretValue", Principal: "p", Secrets: []string{"s"}, Error: "AccessDenied", SHA256: "00"}},
		{Kind: history.KindReads, Reads: &history.Reads{Hour: at, Principal: "p", Secret: "s", Network: "192.0.2.0/24", Count: 7, First: at, Last: at.Add(time.Minute), Digest: "00"}},
		{Kind: history.KindAlert, Alert: &history.Alert{Rule: "D-01", Severity: "critical", Why: "w", Events: []string{"e"}, First: at, Last: at}},
		{Kind: history.KindChange, Change: &history.Change{What: "suppression", Name: "n", Before: "b"}},
		{Kind: history.KindReconcile, Reconcile: &history.Reconcile{From: at, To: at, Source: "files", Events: 3, Missed: 1}},
		{Kind: history.KindSignOff, SignOff: &history.SignOff{Report: "r", SHA256: "00", By: "ann"}},
		{Kind: history.KindRefused, Refused: &history.Refused{Queue: "q", Sender: "s", Why: "w", Bytes: 1, SHA256: "00"}},
	} {
		e, err := history.Entry("writer", "id", at, f)
		if err != nil {
			t.Fatal(err)
		}
		line, err := e.Encode()
		if err != nil {
			t.Fatalf("%s: %v", f.Kind, err)
		}
		if e, err = ledger.Decode(line); err != nil {
			t.Fatal(err)
		}
		got, err := history.Of(e)
		if diff := cmp.Diff(f, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-wrote +read):\n%s", f.Kind, err, diff)
		}
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	for act, want := range map[string]string{
		`{"kind":"of-tomorrow","more":{"x":1}}`: "",
		`{}`:                                    "does not say its kind",
		`{"kind":"act","record":"sk-live-123"}`: "another type",
	} {
		_, err := history.Of(ledger.Entry{ID: "id", Act: json.RawMessage(act)})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", act, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sk-live")):
			t.Errorf("%s: %v, want %q", act, err, want)
		}
	}
}

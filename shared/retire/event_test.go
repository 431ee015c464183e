package retire_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/retire"
)

const (
	labelEvent = `{"version":"0","id":"x","detail-type":"Secret Label Updated","source":"aws.secretsmanager",
		"account":"123456789012","time":"2026-11-23T12:00:00Z","region":"us-east-1","resources":["` + arn + `"],
		"detail":{"name":"prod/mailer","labelUpdated":"AWSCURRENT","versionId":"v"}}`
	noName      = `{"detail-type":"Secret Label Updated","source":"aws.secretsmanager","resources":["` + arn + `"],"detail":{"labelUpdated":"AWSCURRENT"}}`
	otherLabel  = `{"detail-type":"Secret Label Updated","source":"aws.secretsmanager","detail":{"name":"prod/mailer","labelUpdated":"blue"}}`
	otherSecret = `{"detail-type":"Secret Label Updated","source":"aws.secretsmanager","detail":{"name":"prod/other","labelUpdated":"AWSCURRENT"}}`
	wakeup      = `{"version":1,"secret":"prod/mailer"}`
)

func batch(t *testing.T, bodies ...string) string {
	t.Helper()
	type m struct {
		ID   string `json:"messageId"`
		Body string `json:"body"`
	}
	ms := []m{}
	for i, b := range bodies {
		ms = append(ms, m{string(rune('a' + i)), b})
	}
	b, err := json.Marshal(map[string]any{"Records": ms})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHandle(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		raw      string
		fail     bool
		looks    int
		failures string // message IDs
		err      error
	}{
		{"a label event", labelEvent, false, 1, "", nil},
		{"a label event without a name", noName, false, 1, "", nil},
		{"another label", otherLabel, false, 0, "", nil},
		{"another secret", otherSecret, false, 0, "", nil},
		{"our own schedule", wakeup, false, 1, "", nil},
		{"our own schedule for another secret", `{"version":1,"secret":"prod/other"}`, false, 0, "", nil},
		{"the sweep", `{"version":1,"sweep":true}`, false, 1, "", nil},
		{"a batch about one secret", batch(t, labelEvent, otherLabel, otherSecret, wakeup), false, 1, "", nil},
		{"a batch that fails", batch(t, labelEvent, otherSecret, noName), true, 1, "a c", nil},
		{"a message that nobody knows", batch(t, labelEvent, "hello", `{"version":2,"secret":"prod/mailer"}`), false, 1, "b c", nil},
		{"an empty batch", `{"Records":[]}`, false, 0, "", nil},
		{"a version to come", `{"version":2,"sweep":true}`, false, 0, "", retire.ErrEvent},
		{"the version of another kind of event", `{"version":"1","secret":"prod/mailer"}`, false, 0, "", retire.ErrEvent},
		{"another event of Secrets Manager", `{"source":"aws.secretsmanager","detail-type":"AWS API Call via CloudTrail"}`, false, 0, "", retire.ErrEvent},
		{"no object", `[]`, false, 0, "", retire.ErrEvent},
		{"no JSON", `x`, false, 0, "", retire.ErrEvent},
		{"nothing", `{}`, false, 0, "", retire.ErrEvent},
		{"a sweep that fails", `{"version":1,"sweep":true}`, true, 1, "", errRecords},
		{"a schedule that fails", wakeup, true, 1, "", errRecords},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.rotate(token(1))
			if tt.fail {
				w.fail["Load"] = errRecords
			}
			h := &retire.Handler{Engine: w.engine(), Keys: []config.Key{key()}, Log: slog.New(slog.DiscardHandler)}
			got, err := h.Handle(t.Context(), json.RawMessage(tt.raw))
			if !errors.Is(err, tt.err) || tt.err == nil && err != nil {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if len(got.Reports) != tt.looks {
				t.Errorf("%d looks, want %d", len(got.Reports), tt.looks)
			}
			var ids []string
			for _, f := range got.Failures {
				ids = append(ids, f.ID)
			}
			if s := strings.Join(ids, " "); s != tt.failures {
				t.Errorf("failures %q, want %q", s, tt.failures)
			}
		})
	}
}

// The names are Lambda's.
func TestResponse_wire(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(retire.Response{Failures: []retire.Failure{{ID: "a"}}, Reports: []retire.Report{{Secret: "not for the caller"}}})
	if err != nil || string(b) != `{"batchItemFailures":[{"itemIdentifier":"a"}]}` {
		t.Errorf("%s, %v", b, err)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, current := steady(t)
		keys := make([]config.Key, 9)
		for i := range keys {
			keys[i] = key()
			keys[i].VendorAccount = "main"
		}
		keys[3].Secret = "prod/missing"
		for range 5 { // at other hours: a sweep begins at another key each time
			w.calls = nil
			reports, err := w.engine().Sweep(t.Context(), keys)
			if err == nil || !strings.Contains(err.Error(), "prod/missing") || strings.Contains(err.Error(), name) {
				t.Errorf("error %v, want only that of prod/missing", err)
			}
			if len(reports) != 9 || reports[8].Current != current || reports[3].Current != "" {
				t.Errorf("reports %+v", reports)
			}
			lists := 0
			for _, c := range w.calls {
				if c == "List" {
					lists++
				}
			}
			if lists != 1 {
				t.Errorf("one vendor account was listed %d times", lists)
			}
			time.Sleep(time.Hour)
		}
		if _, err := w.engine().Sweep(t.Context(), nil); err != nil {
			t.Error(err)
		}
	})
}

func TestReport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, current := replaced(t)
		orphan := w.mint(token(9))
		got, _, err := w.run(w.engine())
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		want := retire.Report{
			Secret: name, Vendor: "acme", Current: current, Next: now.Add(time.Hour),
			Keys: []retire.KeyReport{
				{ID: old, Name: w.keys[old].name, Role: "replaced", State: keyrecord.Grace, Next: now.Add(time.Hour), Why: w.record(old).Why},
				{ID: current, Name: w.keys[current].name, Role: "current", State: keyrecord.Current},
				{ID: orphan, Name: w.keys[orphan].name, Role: "lost", State: keyrecord.Lost, Next: now.Add(24 * time.Hour), Why: "no version of the secret has ever held it"},
			},
			Calls: got.Calls,
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if got.Held() != 0 || got.Lost() != 1 || got.Calls["secretsmanager"] != 3 || got.Calls["vendor"] != 1 {
			t.Errorf("%d held, %d lost, calls %v", got.Held(), got.Lost(), got.Calls)
		}
	})
}

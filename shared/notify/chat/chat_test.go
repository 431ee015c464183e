package chat_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/notify/chat"
)

func message() notify.Message {
	return notify.Message{
		Version: 1, ID: "failed-t1", Time: time.Date(2026, 11, 23, 4, 5, 6, 0, time.UTC), Kind: notify.Failed, Severity: notify.Critical,
		Secret: "prod/my_mailer_", Vendor: "acme", Owner: "mailer@example.com", Step: "createSecret", ErrorType: "AdminRefused",
		Summary: "The rotation of prod/my_mailer failed in createSecret.",
		Known:   []string{"AWSCURRENT has not moved.", "The vendor said <!channel> *act* at https://evil.example now, @here."},
		Next:    []string{"Check the admin credential: https://github.com/keyturn/keyturn/blob/main/docs/runbook.md#failures"},
		Alert:   "failed-t1", Detail: map[string]string{"error": "not shown"},
	}
}

const want = `{
  "version": "1.0",
  "source": "custom",
  "id": "failed-t1",
  "content": {
    "textType": "client-markdown",
    "title": ":rotating_light: Keyturn critical: failed: prod/my_mailer＿",
    "description": "The rotation of prod/my_mailer failed in createSecret.\n• AWSCURRENT has not moved.\n• The vendor said ‹!channel› ∗act∗ at https:∕∕evil.example now, ＠here.\n*key*: ` + "`prod/my_mailer_`" + `\n*vendor*: ` + "`acme`" + `\n*owner*: ` + "`mailer@example.com`" + `\n*step*: ` + "`createSecret`" + `\n*error type*: ` + "`AdminRefused`" + `\n*time*: ` + "`2026-11-23T04:05:06Z`" + `\n*message id*: ` + "`failed-t1`" + `",
    "nextSteps": [
      "Check the admin credential: https://github.com/keyturn/keyturn/blob/main/docs/runbook.md#failures",
      "To say that you are at it: ` + "`keyturn ack prod/my_mailer_ --id failed-t1 --reason TEXT`" + `"
    ],
    "keywords": [
      "critical",
      "acme",
      "mailer@example.com"
    ]
  },
  "metadata": {
    "threadId": "prod/my_mailer_",
    "summary": "The rotation of prod/my_mailer failed in createSecret.",
    "eventType": "keyturn-failed",
    "relatedResources": [
      "prod/my_mailer_"
    ]
  }
}`

func indented(t *testing.T, b []byte, err error) string {
	t.Helper()
	var v any
	if err != nil || json.Unmarshal(b, &v) != nil {
		t.Fatalf("%v: %s", err, b)
	}
	var raw strings.Builder
	e := json.NewEncoder(&raw)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return raw.String()
}

func TestRender(t *testing.T) {
	t.Parallel()
	got, err := chat.Render(message())
	if diff := cmp.Diff(indented(t, []byte(want), nil), indented(t, got, err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is about a key is of one thread, and the same news has the same id.
func TestRender_threads(t *testing.T) {
	t.Parallel()
	type seen struct {
		ID       string
		Metadata struct{ ThreadID, EventType string }
	}
	of := func(m notify.Message) (s seen) {
		b, err := chat.Render(m)
		if err != nil || json.Unmarshal(b, &s) != nil {
			t.Fatalf("%v: %s", err, b)
		}
		return s
	}
	failed, later, other := message(), message(), message()
	later.ID, later.Kind = "retired-t1", notify.Retired
	other.Secret, other.Kind = "", notify.OrphanFound
	if a, b := of(failed), of(later); a.Metadata.ThreadID != b.Metadata.ThreadID || a.ID == b.ID {
		t.Errorf("two messages about one key: %v and %v", a, b)
	}
	if a := of(other); a.Metadata.ThreadID == "" || a.Metadata.ThreadID == message().Secret || a.Metadata.EventType != "keyturn-orphan-found" {
		t.Errorf("a message about no key: %v", a)
	}
	if of(failed) != of(message()) {
		t.Error("the same message differs")
	}
}

// Whatever is in a message, its notification is small, and has no more steps than
// a person reads.
func TestRender_bounded(t *testing.T) {
	t.Parallel()
	m, long := message(), strings.Repeat("é<@_`", 1000)
	m.ID, m.Secret, m.Vendor, m.Owner, m.Step, m.ErrorType, m.Summary, m.Alert = long, long, long, long, long, long, long, long
	for range 50 {
		m.Known, m.Next = append(m.Known, long), append(m.Next, long)
	}
	text, err := chat.RenderText(long, long, long)
	if err != nil {
		t.Fatal(err)
	}
	alarm, err := chat.RenderAlarm(chat.Alarm{AlarmName: long, AlarmDescription: long, NewStateValue: long, NewStateReason: long, Region: long})
	if err != nil {
		t.Fatal(err)
	}
	ours, err := chat.Render(m)
	for _, b := range [][]byte{ours, text, alarm} {
		var n struct {
			ID      string
			Content struct {
				Title, Description  string
				NextSteps, Keywords []string
			}
			Metadata struct{ ThreadID, Summary string }
		}
		if err != nil || !utf8.Valid(b) || json.Unmarshal(b, &n) != nil {
			t.Fatalf("%v: %.200s", err, b)
		}
		count := utf8.RuneCountInString
		if count(n.Content.Title) > 250 || count(n.Content.Description) > 8000 || len(n.Content.NextSteps) > 10 || len(b) > 32<<10 ||
			count(n.ID) > 250 || count(n.Metadata.ThreadID) > 250 || count(n.Metadata.Summary) > 250 {
			t.Errorf("too long, in %d bytes: %.100s", len(b), b)
		}
		if strings.Contains(n.Content.Title+n.Content.Description, "<") {
			t.Errorf("what a chat takes for a link or a mention is left: %.300s", b)
		}
	}
}

func TestRenderAlarm(t *testing.T) {
	t.Parallel()
	got, err := chat.RenderAlarm(chat.Alarm{
		AlarmName: "keyturn-overdue", NewStateValue: "ALARM", StateChangeTime: "2026-11-23T04:05:06.000+0000", Region: "EU (Ireland)",
		AlarmDescription: "A key was not rotated. Owner: ops@example.com. What to do: https://github.com/keyturn/keyturn/blob/main/docs/runbook.md#overdue",
		NewStateReason:   "Threshold Crossed: 1 datapoint [1.0] was greater.",
	})
	const want = `{"version":"1.0","source":"custom","id":"keyturn-overdue 2026-11-23T04:05:06.000+0000","content":{"textType":"client-markdown",` +
		`"title":":rotating_light: Alarm ALARM: keyturn-overdue",` +
		`"description":"A key was not rotated. Owner: ops@example.com. What to do: https://github.com/keyturn/keyturn/blob/main/docs/runbook.md#overdue\nThreshold Crossed: 1 datapoint (1.0) was greater.",` +
		`"keywords":["alarm","EU (Ireland)"]},"metadata":{"threadId":"keyturn-overdue","summary":"keyturn-overdue is ALARM","eventType":"keyturn-alarm"}}`
	if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

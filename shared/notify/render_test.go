package notify_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/notify"
)

func message() notify.Message {
	return notify.Message{
		Version: 1, ID: "failed-t1", Time: time.Date(2026, 11, 23, 4, 5, 6, 0, time.UTC), Kind: notify.Failed, Severity: notify.Critical,
		Secret: "prod/mailer", Vendor: "acme", Owner: "mailer@example.com", Step: "createSecret", ErrorType: "AdminRefused",
		Summary: "The rotation of prod/mailer failed in createSecret.",
		Known:   []string{"AWSCURRENT has not moved.", "No new key was stored."},
		Next:    []string{"Check the admin credential."},
		Alert:   "failed-t1",
		Detail:  map[string]string{"key_id": "id1", "error": "GET /keys: refused\nSubject: forged\u2028", "none": ""},
	}
}

const want = `The rotation of prod/mailer failed in createSecret.

What is known
  - AWSCURRENT has not moved.
  - No new key was stored.

What to do
  - Check the admin credential.

To say that you are at it, so that nobody else is called
  keyturn ack prod/mailer --id failed-t1 --reason TEXT

Details
  severity:   critical
  key:        prod/mailer
  vendor:     acme
  owner:      mailer@example.com
  step:       createSecret
  error type: AdminRefused
  time:       2026-11-23T04:05:06Z
  error:      GET /keys: refused Subject: forged
  key id:     id1
  message id: failed-t1

To receive fewer of these messages, give your subscription to this topic a
filter policy on the attributes kind, severity, vendor, key or owner.
`

func TestText(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(want, notify.Text(message())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSubject(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, secret, want string }{
		{"as it is", "prod/mailer", "Keyturn critical: failed: prod/mailer"},
		{"no lines of its own", "a\r\nBcc: x", "Keyturn critical: failed: a??Bcc: x"},
		{"ASCII", "caf\u00e9", "Keyturn critical: failed: caf?"},
		{"about no key", "", "Keyturn critical: failed"},
		{"long", strings.Repeat("x", 200), "Keyturn critical: failed: " + strings.Repeat("x", 70) + "..."},
	} {
		m := message()
		m.Secret = tt.secret
		if got := notify.Subject(m); got != tt.want || len(got) >= 100 {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	b, err := notify.JSON(message())
	if err != nil {
		t.Fatal(err)
	}
	var got notify.Message
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(message(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		6 * time.Hour: "6h", 90 * time.Minute: "1h30m", 10 * time.Minute: "10m", 20 * time.Second: "20s", time.Hour + time.Second: "1h0m1s", 0: "0s",
	} {
		if got := notify.Duration(d); got != want {
			t.Errorf("Duration(%d) = %q, want %q", d, got, want)
		}
	}
}

// Only what asks somebody to act who does not know of it is to be acknowledged.
func TestMessage_Asks(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kind     notify.Kind
		severity notify.Severity
		next     []string
		want     bool
	}{
		"a failure":                {notify.Failed, notify.Warning, []string{"Check it."}, true},
		"an emergency":             {notify.Emergency, notify.Critical, []string{"See to it."}, true},
		"something, then nothing":  {notify.Held, notify.Warning, []string{"Find out.", "Nothing else."}, true},
		"nothing to do":            {notify.OrphanFound, notify.Warning, []string{"Nothing: it is revoked."}, false},
		"nothing said":             {notify.Overdue, notify.Warning, nil, false},
		"news":                     {notify.Paused, notify.Info, []string{"End it."}, false},
		"what somebody asked for":  {notify.RolledBack, notify.Warning, []string{"Read it again."}, false},
		"what somebody asked for2": {notify.Restored, notify.Warning, []string{"Move."}, false},
	} {
		if got := (notify.Message{Kind: tt.kind, Severity: tt.severity, Next: tt.next}).Asks(); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

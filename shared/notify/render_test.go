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
		Detail:  map[string]string{"key_id": "id1", "error": "GET /keys: refused\nSubject: forged\u2028", "none": ""},
	}
}

const want = `The rotation of prod/mailer failed in createSecret.

What is known
  - AWSCURRENT has not moved.
  - No new key was stored.

What to do
  - Check the admin credential.

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

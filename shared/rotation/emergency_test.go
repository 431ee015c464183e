package rotation_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

const urgentToken = "22222222-2222-4222-8222-222222222222"

// urgent is a rotation that somebody asked for in an emergency.
func (w *world) urgent() {
	w.t.Helper()
	w.urgentAs([]keyrecord.Request{{
		Secret: name, Rotation: keyname.Rotation(urgentToken), Mode: keyrecord.Emergency, Reason: "the key is on the web", Requester: "eve",
	}})
}

func (w *world) urgentAs(asked []keyrecord.Request) {
	w.t.Helper()
	w.records.book.Requests = append(w.records.book.Requests, asked...)
	if _, err := w.sm.RotateSecret(w.t.Context(), &sm.RotateSecretInput{SecretId: aws.String(name), ClientRequestToken: aws.String(urgentToken)}); err != nil {
		w.t.Fatal(err)
	}
	w.idle()
}

// signed is a line of the log about an act that the audit trail did not take.
type signed struct {
	Level  string `json:"level"`
	Msg    string `json:"msg"`
	Record string `json:"record"`
	HMAC   string `json:"hmac_sha256"`
}

func (w *world) signed() (lines []signed) {
	for line := range strings.Lines(w.log.String()) {
		var s signed
		if json.Unmarshal([]byte(line), &s) == nil && s.HMAC != "" {
			lines = append(lines, s)
		}
	}
	return lines
}

// An emergency goes on where the audit trail takes nothing: each act stands in
// the log, signed, and people are told once. No other rotation does.
// Promise: audited-first
func TestEmergency_unrecorded(t *testing.T) {
	t.Parallel()
	for kind, acts := range map[string][]string{
		"fill":  {"request intent", "create intent", "create outcome", "promote fact"},
		"place": {"request intent", "create fact", "create intent", "create outcome", "promote fact"},
		"set":   {"request intent", "create fact", "roll intent", "roll outcome", "promote fact"},
		"roll":  {"request intent", "roll intent", "roll outcome", "promote fact"},
		"grace": {"request intent", "roll intent", "roll outcome", "promote fact"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
				w.first()
				w.enable()
				old := w.value(store.Current)
				w.audit.refuse = func(audit.Record) error { return errors.New("queue gone") }
				w.urgent()
				if cur := w.value(store.Current); cur == old || !f.accepts(cur) {
					t.Fatalf("not rotated: %q", w.steps)
				}
				var got []string
				for _, s := range w.signed() {
					var r audit.Record
					if err := json.Unmarshal([]byte(s.Record), &r); err != nil {
						t.Fatal(err)
					}
					if _, mac := audit.Signed(r, secret.New("fingerprint-key")); mac != s.HMAC || s.Level != "ERROR" || r.Secret != name || r.Time.IsZero() {
						t.Errorf("%+v is not signed, or not loud", s)
					}
					got = append(got, string(r.Act)+" "+string(r.Phase))
				}
				if !slices.Equal(got, acts) {
					t.Errorf("signed %q, want %q", got, acts)
				}
				if n := len(w.inbox.messages); n != 1 || w.inbox.messages[0].Kind != notify.Emergency || w.inbox.messages[0].Severity != notify.Critical {
					t.Errorf("told %+v", w.inbox.messages)
				}
				for _, v := range []string{old, w.value(store.Current)} {
					if strings.Contains(w.log.String(), v) {
						t.Error("a value is in the log")
					}
				}
			})
		})
	}
}

// What is no emergency is not done without its record, and where the records do
// not tell, it is none.
// Promise: audited-first
func TestEmergency_onlyIfAsked(t *testing.T) {
	t.Parallel()
	for what, mode := range map[string]string{"rotate": keyrecord.Asked, "none": "", "another rotation": keyrecord.Emergency} {
		bubble(t, func(t *testing.T, w *world) {
			w.first()
			w.enable()
			w.records.book.Requests = []keyrecord.Request{{Secret: name, Rotation: keyname.Rotation(urgentToken), Mode: mode}}
			w.audit.refuse = func(audit.Record) error { return errors.New("queue gone") }
			keys := len(w.vendor.live())
			token := urgentToken
			if what == "another rotation" {
				token = w.rotate()
			} else if _, err := w.sm.RotateSecret(t.Context(), &sm.RotateSecretInput{SecretId: aws.String(name), ClientRequestToken: aws.String(token)}); err != nil {
				t.Fatal(err)
			}
			w.idle()
			if _, err := w.step(rotation.CreateSecret, token); errorTypeOf(err) != "AuditUnavailable" || len(w.vendor.live()) != keys || len(w.signed()) > 0 {
				t.Errorf("%s: %v, %d keys", what, err, len(w.vendor.live())-keys)
			}
		})
	}
}

// An emergency does not wait for an older key that is held, and says again who
// asked for it.
func TestEmergency_held(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		w.rotate()
		old := w.value(store.Current)
		if token := w.rotate(); w.value(store.Current) != old || token == "" {
			t.Fatalf("the older key holds nothing: %q", w.steps)
		}
		// That rotation is skipped, and its label goes when Secrets Manager gives up.
		if _, err := w.sm.UpdateSecretVersionStage(t.Context(), &sm.UpdateSecretVersionStageInput{
			SecretId: aws.String(name), VersionStage: aws.String(store.Pending), RemoveFromVersionId: aws.String(w.pendingToken()),
		}); err != nil {
			t.Fatal(err)
		}
		w.urgent()
		if cur := w.value(store.Current); cur == old || !w.vendor.accepts(cur) || !w.vendor.accepts(old) {
			t.Errorf("%q", w.steps)
		}
		i := slices.IndexFunc(w.audit.records, func(r audit.Record) bool { return r.ID == "request-"+urgentToken })
		if i < 0 || w.audit.records[i].Detail["reason"] != "the key is on the web" || w.audit.records[i].Detail["requester_says"] != "eve" {
			t.Errorf("audit %+v", w.audit.records)
		}
	})
}

// Where the vendor keeps the replaced value alive, an emergency gives it the
// least that the configuration calls safe, and comes even inside a grace.
func TestEmergency_grace(t *testing.T) {
	t.Parallel()
	fewBubble(t, "grace", func(t *testing.T, w *world, f *few) {
		w.key.Grace.Min, w.key.Grace.Max = 2*time.Hour, 20*time.Hour
		w.first()
		w.enable()
		w.rotate()
		old := w.value(store.Current)
		w.urgent()
		if cur := w.value(store.Current); cur == old || !f.accepts(cur) || !f.accepts(old) {
			t.Fatalf("%q", w.steps)
		}
		time.Sleep(2*time.Hour - time.Minute)
		if !f.accepts(old) {
			t.Error("consumers had less than the least grace")
		}
		if time.Sleep(2 * time.Minute); f.accepts(old) {
			t.Error("the value outlives an emergency's grace")
		}
	})
}

// Where both slots are ours, an emergency ends neither: it says which key takes
// the room.
func TestEmergency_noSlot(t *testing.T) {
	t.Parallel()
	fewBubble(t, "fill", func(t *testing.T, w *world, f *few) {
		w.key.Exclusive = true
		w.first()
		w.enable()
		w.rotate()
		old := w.value(store.Current)
		w.urgent()
		_, err := w.step(rotation.CreateSecret, urgentToken)
		if errorTypeOf(err) != "VendorFull" || !strings.Contains(nextOf(err), "1 older key of this secret takes room too") || len(f.keys) != 2 || w.value(store.Current) != old || f.count("revoke") > 0 {
			t.Errorf("%v; next %q; calls %q", err, nextOf(err), f.calls)
		}
	})
}

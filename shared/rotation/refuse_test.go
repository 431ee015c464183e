package rotation_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// fails makes every vendor call of one kind fail.
func fails(call string, kind provider.Kind) func(*world) {
	return func(w *world) {
		w.vendor.fail = func(c string) (before, after error) {
			if c == call {
				return &provider.Error{Op: call, Kind: kind, RetryAfter: 24 * time.Hour}, nil
			}
			return nil, nil
		}
	}
}

func (w *world) putAdmin(value string) {
	w.t.Helper()
	if _, err := w.sm.PutSecretValue(w.t.Context(), &sm.PutSecretValueInput{SecretId: aws.String(admin), SecretString: &value}); err != nil {
		w.t.Fatal(err)
	}
}

// What stands against a rotation stops it with its own type, a sentence that
// says what to do, no new key, and AWSCURRENT where it was.
func TestRefuse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		spoil   func(*world)
		want    rotation.Type
		minted  bool // a key was made, and revoked again
		noAlert bool
	}{
		{name: "admin credential refused", spoil: fails("list", provider.KindAuth), want: rotation.AdminRefused},
		{name: "admin credential empty", spoil: func(w *world) { w.putAdmin(`{"hosts":["api.acme.test"],"apiKey":""}`) }, want: rotation.AdminMissing},
		{name: "admin credential without hosts", spoil: func(w *world) { w.putAdmin(`{"apiKey":"acme-admin"}`) }, want: rotation.AdminMissing},
		{name: "admin credential is not JSON", spoil: func(w *world) { w.putAdmin(`acme-admin`) }, want: rotation.AdminMissing},
		{name: "no admin secret", spoil: func(w *world) { w.key.Admin = "nowhere" }, want: rotation.AdminMissing},
		{name: "vendor is down", spoil: fails("list", provider.KindUnknown), want: rotation.VendorUnavailable},
		{name: "vendor limits the rate for a day", spoil: fails("list", provider.KindRateLimited), want: rotation.VendorRateLimited},
		{name: "rate limit on the create", spoil: fails("create", provider.KindRateLimited), want: rotation.VendorRateLimited},
		{name: "vendor refuses the create", spoil: fails("create", provider.KindPermanent), want: rotation.VendorRefused},
		{name: "host not allowed", spoil: fails("list", provider.KindBlocked), want: rotation.HostNotAllowed},
		{name: "no room, by the list", spoil: func(w *world) { w.vendor.max = 2 }, want: rotation.VendorFull},
		{name: "no room, by the vendor", spoil: fails("create", provider.KindFull), want: rotation.VendorFull},
		{name: "a value of another shape", spoil: func(w *world) { w.vendor.odd = "<html>" }, want: rotation.UnexpectedValue, minted: true},
		{name: "no id", spoil: func(w *world) { w.vendor.issue = func(i *provider.Issued) { i.ID = "" } }, want: rotation.CreateOutcomeUnknown, minted: true},
		{name: "another name than it was given", spoil: func(w *world) { w.vendor.issue = func(i *provider.Issued) { i.Name = i.Name[:32] } }, want: rotation.UnexpectedValue, minted: true},
		{name: "other rights than before", spoil: func(w *world) { w.vendor.scopes = []string{"mail.send", "admin"} }, want: rotation.ScopesDiffer, minted: true},
		{name: "fewer rights than before", spoil: func(w *world) { w.vendor.scopes = nil }, want: rotation.ScopesDiffer, minted: true},
		{name: "the value has another field", spoil: func(w *world) { w.key.Value.Field = "token" }, want: rotation.WrongShape},
		{name: "the value has no room for our notes", spoil: func(w *world) {
			w.putValue(`{"apiKey":"acme-0-aaaaaaaaaaaaaaaaaaaaaaaa","x":"` + strings.Repeat("x", 65450) + `"}`)
		}, want: rotation.WrongShape},
		{name: "the value has a field of our name", spoil: func(w *world) {
			w.putValue(`{"apiKey":"acme-0-aaaaaaaaaaaaaaaaaaaaaaaa","keyturn":"theirs"}`)
		}, want: rotation.WrongShape},
		{name: "the value is a plain string", spoil: func(w *world) { w.putValue("plain") }, want: rotation.WrongShape},
		{name: "the audit trail refuses", spoil: func(w *world) {
			w.audit.refuse = func(audit.Record) error { return errors.New("queue gone") }
		}, want: rotation.AuditUnavailable},
		{name: "the records cannot be read", spoil: func(w *world) { w.records.err = errors.New("table gone") }, want: rotation.StoreUnavailable},
		{name: "no right to store", spoil: func(w *world) {
			w.cloud.Inject(cloud.Fault{Service: "secretsmanager", Operation: "PutSecretValue", Nth: 1, Count: 1 << 20, Error: &wire.Error{Code: "AccessDeniedException"}})
		}, want: rotation.StoreDenied, minted: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.first()
				w.enable()
				old, keys, mark := w.value("AWSCURRENT"), w.vendor.live(), len(w.vendor.creates)
				raw := w.rawValue()
				tt.spoil(w)
				if w.rawValue() != raw {
					old = ""
				}
				w.rotate()
				if !slices.Contains(w.steps, "createSecret: "+string(tt.want)) {
					t.Errorf("steps %v, want createSecret: %s", w.steps, tt.want)
				}
				if diff := cmp.Diff(keys, w.vendor.live()); diff != "" {
					t.Errorf("keys at the vendor (-want +got):\n%s", diff)
				}
				if got := len(w.vendor.creates) > mark; got != tt.minted && w.vendor.fail == nil {
					t.Errorf("minted: %v, want %v", got, tt.minted)
				}
				if old != "" {
					w.key.Value.Field = "apiKey"
					if got := w.value("AWSCURRENT"); got != old {
						t.Errorf("AWSCURRENT is %q, want it where it was", got)
					}
				}
				if len(w.inbox.messages) != 1 {
					t.Fatalf("%d notifications, want 1 for one token", len(w.inbox.messages))
				}
				m := w.inbox.messages[0]
				if m.ErrorType != string(tt.want) || m.Step != "createSecret" || len(m.Next) == 0 || len(m.Known) < 2 {
					t.Errorf("the notification does not help: %+v", m)
				}
			})
		})
	}
}

func (w *world) rawValue() string {
	out, err := w.sm.GetSecretValue(w.t.Context(), &sm.GetSecretValueInput{SecretId: aws.String(name)})
	if err != nil {
		w.t.Fatal(err)
	}
	return aws.ToString(out.SecretString)
}

func (w *world) putValue(v string) {
	w.t.Helper()
	if _, err := w.sm.PutSecretValue(w.t.Context(), &sm.PutSecretValueInput{SecretId: aws.String(name), SecretString: &v}); err != nil {
		w.t.Fatal(err)
	}
}

// An event that no rotation of ours sent changes nothing, whatever the step.
func TestRefuse_event(t *testing.T) {
	t.Parallel()
	const stranger = "99999999-9999-4999-8999-999999999999"
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		keys, stages := w.vendor.live(), w.stages()
		for _, tt := range []struct {
			name string
			ev   rotation.Event
			want rotation.Type
		}{
			{"unknown step", rotation.Event{Step: "create_secret", SecretID: name, Token: stranger}, rotation.UnknownStep},
			{"no step", rotation.Event{SecretID: name, Token: stranger}, rotation.UnknownStep},
			{"no secret", rotation.Event{Step: rotation.CreateSecret, Token: stranger}, rotation.BadEvent},
			{"short token", rotation.Event{Step: rotation.CreateSecret, SecretID: name, Token: "t"}, rotation.BadEvent},
			{"not ours", rotation.Event{Step: rotation.CreateSecret, SecretID: "prod/other", Token: stranger}, rotation.NotOurs},
			{"rotation is off", rotation.Event{Step: rotation.CreateSecret, SecretID: name, Token: stranger}, rotation.RotationDisabled},
			{"test, not staged", rotation.Event{Step: rotation.TestSecret, SecretID: name, Token: stranger}, rotation.NotStaged},
			{"finish, not staged", rotation.Event{Step: rotation.FinishSecret, SecretID: name, Token: stranger}, rotation.NotStaged},
		} {
			if _, err := w.engine.Rotate(t.Context(), tt.ev); errorType(err) != string(tt.want) {
				t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
			}
		}
		w.enable()
		if _, err := w.step(rotation.CreateSecret, stranger); errorType(err) != string(rotation.NotStaged) {
			t.Errorf("create, not staged: %v", err)
		}
		if diff := cmp.Diff(keys, w.vendor.live()); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(stages, w.stages()); diff != "" {
			t.Errorf("stages (-want +got):\n%s", diff)
		}
	})
}

func TestParseRequest(t *testing.T) {
	t.Parallel()
	const marked = "rotation-token-marked"
	q, err := rotation.ParseRequest([]byte(`{"Step":"createSecret","SecretId":"s","ClientRequestToken":"t","RotationToken":"` + marked + `"}`))
	if err != nil || q.Step != rotation.CreateSecret || q.RotationToken.Reveal() != marked {
		t.Errorf("%+v, %v", q, err)
	}
	if q, err = rotation.ParseRequest([]byte(`null`)); err != nil || q.Step != "" || q.Mode != "" { // its step is refused next
		t.Errorf("null: %+v, %v", q, err)
	}
	for _, raw := range []string{
		``, `[]`, `"` + marked + `"`, `{"RotationToken":{"` + marked + `":1}}`,
		`{"mode":"plan","secret":"s"}`, `{"mode":"drop","version":1,"secret":"s"}`, `{"mode":"init","version":1}`,
		`{"mode":"plan","version":1,"secret":"s","Step":"createSecret"}`,
	} {
		q, err := rotation.ParseRequest([]byte(raw))
		if errorType(err) != "BadEvent" || strings.Contains(err.Error(), marked) {
			t.Errorf("ParseRequest(%s) = %+v, %v", raw, q, err)
		}
	}
}

// Only where the vendor is full, and nobody stores a value meanwhile, do
// earlier attempts of the same rotation make room.
// Promise: put-is-arbiter
func TestMakeRoom(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		w.vendor.max = 3
		lost := 0
		w.vendor.fail = func(call string) (before, after error) {
			switch {
			case call == "create" && lost == 0: // made, its answer lost, and so is the list that would find it
				lost = 1
				return nil, &provider.Error{Op: "create"}
			case call == "list" && lost == 1:
				lost = 2
				return &provider.Error{Op: "list"}, nil
			}
			return nil, nil
		}
		w.rotate()
		if last := w.steps[len(w.steps)-1]; !strings.HasSuffix(last, "promoted") {
			t.Errorf("steps %v", w.steps)
		}
		if got := w.vendor.ours(); len(got) != 2 {
			t.Errorf("the vendor holds %v, want the old key and the new one", got)
		}
	})
}

// A notification that was not accepted is sent with the next failure, and once.
func TestNotifyAgain(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		fails("list", provider.KindUnknown)(w)
		w.inbox.refuse = 2
		w.rotate()
		if len(w.steps) < 4 || len(w.inbox.messages) != 1 {
			t.Errorf("%d notifications after %d steps, want 1", len(w.inbox.messages), len(w.steps))
		}
	})
}

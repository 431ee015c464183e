package doctor_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/infra/keyturn/internal/doctor"
	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/auth0/auth0test"
	"github.com/keyturn/keyturn/shared/provider/cloudflare/cloudflaretest"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/secret"
)

type vendor interface {
	http.Handler
	Admin(host string) provider.Admin
}

const marked = "VALUE-TO-HIDE"

// subject is a vendor's simulator on a loopback socket.
func subject(t *testing.T, name string, v http.Handler, settings string) doctor.Subject {
	t.Helper()
	s := httptest.NewServer(v)
	t.Cleanup(s.Close)
	d, ok := catalog.Get(name)
	if !ok {
		t.Fatal(name)
	}
	raw := json.RawMessage(strings.ReplaceAll(settings, "BASE", s.URL))
	if p := d.Check(raw); len(p) > 0 {
		t.Fatalf("settings: %+v", p)
	}
	return doctor.Subject{
		Account: "main", Secret: "admin", Definition: d, AllowPrivate: true,
		Hosts: []string{strings.TrimPrefix(s.URL, "http://")}, Settings: []json.RawMessage{raw},
	}
}

const mailer = `{"baseURL":"BASE","scopes":["mail.send"]}`

func TestTry(t *testing.T) {
	t.Parallel()
	full := sendgridtest.New(time.Now, sendgridtest.Options{})
	for range 100 {
		full.Add("somebody's")
	}
	fails := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, marked, http.StatusBadGateway) })
	for _, tt := range []struct {
		name   string
		vendor string
		server http.Handler
		set    string
		admin  func(v http.Handler, host string) provider.Admin
		want   doctor.State
		room   string
		says   string // in the problems
	}{
		{"accepted", "sendgrid", sendgridtest.New(time.Now, sendgridtest.Options{}), mailer, nil, doctor.Accepted, "0 of 100 keys", ""},
		{"full", "sendgrid", full, mailer, nil, doctor.Accepted, "100 of 100 keys", "no room"},
		{
			"another vendor", "cloudflare", cloudflaretest.New(time.Now, cloudflaretest.Options{}),
			`{"baseURL":"BASE/client/v4","policies":[{"effect":"allow","permission_groups":[{"id":"c8fed203ed3043cba015a93ad1616f1f"}],"resources":{"com.cloudflare.api.account.zone.*":"*"}}]}`,
			nil, doctor.Accepted, "keys", "",
		},
		{"wrong", "sendgrid", sendgridtest.New(time.Now, sendgridtest.Options{}), mailer, func(_ http.Handler, host string) provider.Admin {
			return provider.Admin{Hosts: []string{host}, Fields: map[string]secret.Value{"apiKey": secret.New("SG." + marked)}}
		}, doctor.Refused, "", "does not accept it"},
		{"a key without the right", "sendgrid", sendgridtest.New(time.Now, sendgridtest.Options{}), mailer, func(v http.Handler, host string) provider.Admin {
			s, _ := v.(*sendgridtest.Server)
			return provider.Admin{Hosts: []string{host}, Fields: map[string]secret.Value{"apiKey": s.Add("weak").Value}}
		}, doctor.Refused, "", "lacks a right"},
		{"another host", "sendgrid", sendgridtest.New(time.Now, sendgridtest.Options{}), mailer, func(v http.Handler, _ string) provider.Admin {
			s, _ := v.(vendor)
			return s.Admin("api.example.com")
		}, doctor.Refused, "", "none in common"},
		{"no answer", "sendgrid", fails, mailer, func(_ http.Handler, host string) provider.Admin {
			return provider.Admin{Hosts: []string{host}, Fields: map[string]secret.Value{"apiKey": secret.New(marked)}}
		}, doctor.Unknown, "", "is not known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := subject(t, tt.vendor, tt.server, tt.set)
			var admin provider.Admin
			if tt.admin != nil {
				admin = tt.admin(tt.server, s.Hosts[0])
			} else {
				v, _ := tt.server.(vendor)
				admin = v.Admin(s.Hosts[0])
			}
			f := doctor.Try(t.Context(), s, admin, time.Now)
			said, err := json.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			if f.State != tt.want || !strings.Contains(f.Room(), tt.room) || !strings.Contains(fmt.Sprint(f.Wrong), tt.says) || tt.says == "" && len(f.Wrong) > 0 {
				t.Errorf("%s", said)
			}
			if strings.Contains(string(said)+fmt.Sprintf("%+v", f), marked) {
				t.Errorf("leaked: %s", said)
			}
		})
	}
}

// TestTry_auth0 reads, where nothing can be listed.
func TestTry_auth0(t *testing.T) {
	t.Parallel()
	v := auth0test.New(time.Now, auth0test.Options{})
	s := subject(t, "auth0", v, `{"baseURL":"BASE","clientID":"`+v.Add("app").ID+`","audience":"https://api.example.com"}`)
	if f := doctor.Try(t.Context(), s, v.Admin(s.Hosts[0]), time.Now); f.State != doctor.Accepted || f.Keys != nil {
		t.Errorf("%+v", f)
	}
}

func TestTry_untried(t *testing.T) {
	t.Parallel()
	asked := false
	s := subject(t, "adyen", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }), `{"baseURL":"BASE","merchantID":"m","credentialID":"S2-1"}`)
	f := doctor.Try(t.Context(), s, provider.Admin{Hosts: s.Hosts, Fields: map[string]secret.Value{"apiKey": secret.New(marked)}}, time.Now)
	if f.State != doctor.Unknown || asked || len(f.Wrong) != 1 || !strings.Contains(f.Wrong[0].What, "replaces a key") {
		t.Errorf("asked %t: %+v", asked, f)
	}
	s.Settings = nil
	if f := doctor.Try(t.Context(), s, provider.Admin{Hosts: s.Hosts}, time.Now); f.State != doctor.Unknown || !strings.Contains(f.Wrong[0].What, "no key") {
		t.Errorf("no settings: %+v", f)
	}
}

func TestTry_clock(t *testing.T) {
	t.Parallel()
	for late, want := range map[time.Duration]int{0: 0, 10 * time.Second: 0, 10 * time.Minute: 1, -10 * time.Minute: 1} {
		v := sendgridtest.New(time.Now, sendgridtest.Options{})
		s := subject(t, "sendgrid", v, mailer)
		f := doctor.Try(t.Context(), s, v.Admin(s.Hosts[0]), func() time.Time { return time.Now().Add(-late) })
		if f.State != doctor.Accepted || f.Skew == nil || len(f.Wrong) != want || (f.Skew.Seconds > 5) != (late > 0) {
			t.Errorf("late %s: %+v %+v", late, f, f.Skew)
		}
	}
}

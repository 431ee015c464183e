package sendgrid_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/sendgrid"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/shared/secret"
)

const host = "api.sendgrid.com"

func client(h http.Handler, admin provider.Admin) *sendgrid.Client {
	hc := &http.Client{Transport: &providertest.Transport{Handler: h, Host: host}}
	return sendgrid.New(sendgrid.Settings{Scopes: []string{"mail.send"}, OnBehalfOf: "subuser"}, admin, hc)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, raw string
		fields    []string // with problems
	}{
		{"least", `{"scopes": ["mail.send"]}`, nil},
		{"all", `{"baseURL": "https://api.eu.sendgrid.com", "scopes": ["mail.send", "alerts.read"], "onBehalfOf": "account-id 123"}`, nil},
		{"nothing: full access", ``, []string{"scopes"}},
		{"no scope", `{"scopes": []}`, []string{"scopes"}},
		{"an odd scope", `{"scopes": ["mail send"]}`, []string{"scopes"}},
		{"a scope twice", `{"scopes": ["mail.send", "mail.send"]}`, []string{"scopes"}},
		{"everything wrong", `{"baseURL": "ftp://x", "onBehalfOf": "a\r\nX: y"}`, []string{"baseURL", "scopes", "onBehalfOf"}},
		{"another type", `{"scopes": "mail.send"}`, []string{"scopes"}},
		{"unknown", `{"scope": ["mail.send"]}`, []string{"scope"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range sendgrid.Definition().Check(json.RawMessage(tt.raw)) {
				if p.What == "" || p.Hint == "" {
					t.Errorf("%+v: want what is wrong and what to do", p)
				}
				got = append(got, p.Field)
			}
			if d := cmp.Diff(tt.fields, got); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
		})
	}
	if got := sendgrid.Definition().BaseURL(json.RawMessage(`{"scopes": ["mail.send"]}`)); got != "https://api.sendgrid.com" {
		t.Errorf("default base = %q", got)
	}
}

// The subuser's name goes with the admin key only: a key that is not the
// parent's is refused with it.
func TestOnBehalfOf(t *testing.T) {
	t.Parallel()
	sg := sendgridtest.New(time.Now, sendgridtest.Options{})
	var with, without []string
	c := client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("on-behalf-of") == "subuser" {
			with = append(with, r.Method+" "+r.URL.Path)
		} else {
			without = append(without, r.Method+" "+r.URL.Path)
		}
		sg.ServeHTTP(w, r)
	}), sg.Admin(host))
	is, err := c.Create(t.Context(), "k")
	_, lerr := c.List(t.Context())
	if err := errors.Join(err, lerr, c.Verify(t.Context(), is.Value)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"POST /v3/api_keys", "GET /v3/api_keys"}, with); d != "" {
		t.Errorf("with the header (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"GET /v3/scopes"}, without); d != "" {
		t.Errorf("without (-want +got):\n%s", d)
	}
}

// 403 is what a full account, a lack of rights and a temporary block have in
// common; only the first may be KindFull.
func TestCreate_forbidden(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		held int
		list int // status of the list
		want provider.Kind
	}{
		{"full", 100, 200, provider.KindFull},
		{"room", 99, 200, provider.KindAuth},
		{"cannot count", 100, 403, provider.KindAuth},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sg := sendgridtest.New(time.Now, sendgridtest.Options{})
			for range tt.held {
				sg.Add("k")
			}
			c := client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost || tt.list != 200 {
					w.WriteHeader(http.StatusForbidden)
					_, _ = w.Write([]byte(`{"errors":[{"message":"access forbidden"}]}`))
					return
				}
				sg.ServeHTTP(w, r)
			}), sg.Admin(host))
			if _, err := c.Create(t.Context(), "k"); provider.KindOf(err) != tt.want || err == nil {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// A create that leaves the scopes out makes a key that may do everything.
func TestCreate_scopes(t *testing.T) {
	t.Parallel()
	sg := sendgridtest.New(time.Now, sendgridtest.Options{})
	c := client(sg, sg.Admin(host))
	is, err := c.Create(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Scopes(t.Context(), is.ID)
	if d := cmp.Diff([]string{"mail.send"}, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

// The reference wraps one key in a list; clients in use read it bare.
func TestScopes_shapes(t *testing.T) {
	t.Parallel()
	const k = `{"api_key_id":"id1","name":"n","scopes":["mail.send","alerts.read","2fa_required","sender_verification_eligible"]}`
	for _, body := range []string{k, `{"result":[` + k + `]}`} {
		c := client(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }),
			provider.Admin{Fields: map[string]secret.Value{"apiKey": secret.New("SG.admin")}})
		got, err := c.Scopes(t.Context(), "id1")
		if d := cmp.Diff([]string{"alerts.read", "mail.send"}, got); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", body, err, d)
		}
	}
	for _, body := range []string{`{"result":[]}`, `{"result":[` + k + `,` + k + `]}`, strings.Replace(k, "id1", "id2", 1), `{"api_key_id":"id1","name":"n"}`} {
		synctest.Test(t, func(t *testing.T) {
			c := client(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }),
				provider.Admin{Fields: map[string]secret.Value{"apiKey": secret.New("SG.admin")}})
			if got, err := c.Scopes(t.Context(), "id1"); err == nil {
				t.Errorf("%s: scopes %v of another key", body, got)
			}
		})
	}
}

// The shape must not refuse a real key: SendGrid's own documentation shows ids
// of 22 characters, and the secret scanners look for 22 and 43.
func TestShape(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile("^(?:" + sendgrid.Definition().Shape + ")$")
	for v, ok := range map[string]bool{
		"SG.qfTQ6KG0QBiwWdJ0-pCLCA." + strings.Repeat("a_-Z", 10) + "xyz": true,
		"SG.qfTQ6KG0QBiwWdJ0-pCLCA." + strings.Repeat("a", 42):            false,
		"SG.xxxxxxxx.yyyyyyyy": false,
		"":                     false,
	} {
		if shape.MatchString(v) != ok {
			t.Errorf("%q fits: %v, want %v", v, !ok, ok)
		}
	}
}

// The stand-in's own behavior that the contract does not ask for.
func TestFake(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	sg := sendgridtest.New(func() time.Time { return now }, sendgridtest.Options{Settle: 5 * time.Second, Linger: 7 * time.Second})
	send := func(v secret.Value) int {
		req, err := sendgridtest.Consume("https://"+host, v)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		sg.ServeHTTP(w, req.WithContext(context.WithoutCancel(t.Context())))
		return w.Code
	}
	c := client(sg, sg.Admin(host))
	is, err := c.Create(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	step := func(d time.Duration) { now = now.Add(d); got = append(got, send(is.Value)) }
	step(4 * time.Second) // not yet known
	step(time.Second)     // known
	if err := c.Revoke(t.Context(), is.ID); err != nil {
		t.Fatal(err)
	}
	step(6 * time.Second) // still known
	step(time.Second)     // gone
	sg.FailNext(1, 500)
	step(0)
	step(0)
	sg.FailUntil(now.Add(time.Hour), 503)
	step(time.Minute)
	step(time.Hour)
	got = append(got, send(sg.Add("reader", "alerts.read").Value), sg.Uses(is.ID), sg.Refused())
	if want := []int{401, 202, 202, 401, 500, 401, 503, 401, 401, 2, 5}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

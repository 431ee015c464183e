package okta_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/okta"
	"github.com/keyturn/keyturn/shared/provider/okta/oktatest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/shared/secret"
)

const host = "example.okta.com"

func settings() okta.Settings {
	return okta.Settings{URL: "https://" + host, AppID: oktatest.AppID, ClientID: oktatest.ClientID}
}

func client(h http.Handler, s okta.Settings, admin provider.Admin) *okta.Client {
	return okta.New(s, admin, &http.Client{Transport: &providertest.Transport{Handler: h, Host: host}})
}

// org returns an org whose app has n secrets, and its client.
func org(n int) (*oktatest.Server, *okta.Client, []provider.Issued) {
	o := oktatest.New(time.Now, oktatest.Options{})
	var there []provider.Issued
	for range n {
		there = append(there, o.Add(""))
	}
	return o, client(o, settings(), o.Admin(host)), there
}

func TestSettings(t *testing.T) {
	t.Parallel()
	const ids = `"appID": "0oa1gjh63g214q0Hq0g4", "clientID": "0oa1gjh63g214q0Hq0g4"`
	for _, tt := range []struct {
		name, raw string
		fields    []string // with problems
	}{
		{"least", `{"baseURL": "https://example.okta.com", ` + ids + `}`, nil},
		{"all", `{"baseURL": "https://login.example.com/", ` + ids + `, "authorizationServer": "aus9o8wvkhockw9TL0h7", "authMethod": "client_secret_post"}`, nil},
		{"nothing", ``, []string{"baseURL", "appID", "clientID"}},
		{"a path", `{"baseURL": "https://example.okta.com/oauth2/default", ` + ids + `}`, []string{"baseURL"}},
		{"another path", `{"baseURL": "https://example.okta.com", "appID": "../users/me", "clientID": "a:bcdef"}`, []string{"appID", "clientID"}},
		{"everything wrong", `{"baseURL": "x", "appID": "", "clientID": "", "authorizationServer": "a/b", "authMethod": "private_key_jwt"}`, []string{"baseURL", "appID", "clientID", "authorizationServer", "authMethod"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range okta.Definition().Check(json.RawMessage(tt.raw)) {
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
}

// What Okta refuses keeps its kind, and says why in words of our own.
func TestRefusals(t *testing.T) {
	t.Parallel()
	value := secret.New(strings.Repeat("v", 64))
	place := func(t *testing.T, c *okta.Client, _ string) error {
		t.Helper()
		k, err := c.Place(t.Context(), value)
		if k.ID != "" && err != nil {
			t.Errorf("a key %q and an error", k.ID)
		}
		return err
	}
	revoke := func(t *testing.T, c *okta.Client, id string) error { t.Helper(); return c.Revoke(t.Context(), id) }
	disable := func(t *testing.T, c *okta.Client, id string) error { t.Helper(); return c.Disable(t.Context(), id) }
	for _, tt := range []struct {
		name    string
		secrets int
		app     string
		do      func(*testing.T, *okta.Client, string) error
		kind    provider.Kind
		says    string
	}{
		{"a third secret", 2, oktatest.AppID, place, provider.KindFull, "two client secrets"},
		{"the only active secret disabled", 1, oktatest.AppID, disable, provider.KindPermanent, "only active"},
		{"the only active secret revoked", 1, oktatest.AppID, revoke, provider.KindPermanent, "only active"},
		{"place in no app", 2, "0oaNoSuchApp00000000", place, provider.KindPermanent, "no app"},
		{"revoke in no app", 2, "0oaNoSuchApp00000000", revoke, provider.KindPermanent, "no app"},
		{"disable in no app", 2, "0oaNoSuchApp00000000", disable, provider.KindPermanent, "no app"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, _, there := org(tt.secrets)
			s := settings()
			s.AppID = tt.app
			err := tt.do(t, client(o, s, o.Admin(host)), there[0].ID)
			if err == nil || provider.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %v that says %q", err, tt.kind, tt.says)
			}
			for _, is := range there {
				if !o.Works(is.Value) {
					t.Error("a secret does not work any more")
				}
			}
		})
	}
}

func TestPlace_values(t *testing.T) {
	t.Parallel()
	o, c, _ := org(1)
	for _, v := range []string{"", strings.Repeat("v", 13), strings.Repeat("v", 101), strings.Repeat("v", 20) + "\n", strings.Repeat("ж", 20)} {
		if _, err := c.Place(t.Context(), secret.New(v)); provider.KindOf(err) != provider.KindPermanent || err == nil {
			t.Errorf("%d bytes: %v, want it refused", len(v), err)
		}
	}
	if o.Refused() > 0 || len(o.Live()) != 1 {
		t.Errorf("%d requests were refused, %d secrets", o.Refused(), len(o.Live()))
	}
}

// A secret whose fate is unknown is not sent again; one that was refused is.
func TestPlace_again(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{429: 2, 500: 1, 503: 1, 403: 1, 400: 1} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, _, _ := org(1)
				n := 0
				c := client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPost {
						if n++; n == 1 {
							w.WriteHeader(status)
							return
						}
					}
					o.ServeHTTP(w, r)
				}), settings(), o.Admin(host))
				_, err := c.Place(t.Context(), secret.New(strings.Repeat("v", 64)))
				if n != want || (err == nil) != (want == 2) {
					t.Errorf("sent %d times, want %d; %v", n, want, err)
				}
			})
		})
	}
}

// A value that is there already is not sent, an inactive one neither: who has
// deactivated it had a reason.
func TestPlace_there(t *testing.T) {
	t.Parallel()
	o, c, there := org(2)
	if err := c.Disable(t.Context(), there[1].ID); err != nil {
		t.Fatal(err)
	}
	for _, is := range there {
		k, err := c.Place(t.Context(), is.Value)
		if err != nil || k.ID != is.ID || k.Created.IsZero() {
			t.Errorf("got %+v and %v, want %s", k, err, is.ID)
		}
	}
	if !o.Works(there[0].Value) || o.Works(there[1].Value) {
		t.Error("a secret's status has changed")
	}
}

// An answer that shows another secret than ours, or one that is not active,
// proves nothing.
func TestPlace_another(t *testing.T) {
	t.Parallel()
	value := strings.Repeat("v", 64)
	for body, want := range map[string]bool{
		`{"id":"ocs2f4zrZbs8nUa7p0g4","status":"ACTIVE","client_secret":"` + value + `"}`:   true,
		`{"id":"ocs2f4zrZbs8nUa7p0g4","status":"ACTIVE","client_secret":"of Okta's own"}`:   false,
		`{"id":"ocs2f4zrZbs8nUa7p0g4","status":"INACTIVE","client_secret":"` + value + `"}`: false,
		`{"status":"ACTIVE","client_secret":"` + value + `"}`:                               false,
	} {
		o, _, _ := org(1)
		c := client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				w.WriteHeader(http.StatusCreated)
				_, _ = io.WriteString(w, body)
				return
			}
			o.ServeHTTP(w, r)
		}), settings(), o.Admin(host))
		k, err := c.Place(t.Context(), secret.New(value))
		if (err == nil) != want || err == nil && k.ID == "" || err != nil && provider.KindOf(err) != provider.KindUnknown {
			t.Errorf("%s: %+v and %v", body, k, err)
		}
	}
}

// Whether a change is sent again after an answer that was lost, and refused
// then, the secret is what was asked for.
func TestDisable_answerLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, _, there := org(2)
		lost := map[string]bool{}
		c := client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet || lost[r.URL.Path] {
				o.ServeHTTP(w, r)
				return
			}
			lost[r.URL.Path] = true
			o.ServeHTTP(httptest.NewRecorder(), r)
			w.WriteHeader(http.StatusBadGateway)
		}), settings(), o.Admin(host))
		disabled := c.Disable(t.Context(), there[0].ID)
		worked := o.Works(there[0].Value)
		enabled := c.Enable(t.Context(), there[0].ID)
		if disabled != nil || worked || enabled != nil || !o.Works(there[0].Value) {
			t.Errorf("disable: %v, worked then: %v; enable: %v", disabled, worked, enabled)
		}
		if err := c.Revoke(t.Context(), there[1].ID); err != nil || len(o.Live()) != 1 {
			t.Errorf("revoke: %v, %d secrets are left", err, len(o.Live()))
		}
		if len(lost) != 4 {
			t.Errorf("lost the answers of %v", lost)
		}
	})
}

func TestSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c, there := org(2)
		got, err := c.Slots(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(got)
		want := []provider.Key{{ID: there[0].ID, Created: time.Now()}, {ID: there[1].ID, Created: time.Now()}}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("slots (-want +got):\n%s", d)
		}
	})
}

// A list that says less than Okta does must not make a secret look gone.
func TestList_less(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`[]`, `null`, `{}`, `[{}]`, `[null]`,
		`[{"id":"ocs2f4zrZbs8nUa7p0g4","status":"ACTIVE"}]`,
		`[{"id":"ocs2f4zrZbs8nUa7p0g4","client_secret":"","status":"ACTIVE"}]`,
		`[{"id":"ocs2f4zrZbs8nUa7p0g4","client_secret":"v","status":"EXPIRED"}]`,
		`[{"id":"../me","client_secret":"v","status":"ACTIVE"}]`,
	} {
		synctest.Test(t, func(t *testing.T) {
			c := client(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }), settings(), adminOf("00token"))
			_, slots := c.Slots(t.Context())
			_, identify := c.Identify(t.Context(), secret.New("w"))
			for what, err := range map[string]error{"Slots": slots, "Identify": identify, "Revoke": c.Revoke(t.Context(), "ocs2f4zrZbs8nUa7p0g5")} {
				if err == nil || provider.KindOf(err) != provider.KindUnknown {
					t.Errorf("%s: %s: %v", body, what, err)
				}
			}
		})
	}
}

func adminOf(token string) provider.Admin {
	return provider.Admin{Hosts: []string{host}, Fields: map[string]secret.Value{"apiToken": secret.New(token)}}
}

// An answer that shows another secret, or the status that it had, is no change.
func TestDisable_another(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `{"id":"ocs2f4zrZbs8nUa7p0g4","status":"INACTIVE"}`, `{"id":"ID","status":"ACTIVE"}`} {
		synctest.Test(t, func(t *testing.T) {
			o, _, there := org(2)
			c := client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					_, _ = io.WriteString(w, strings.Replace(body, "ID", there[0].ID, 1))
					return
				}
				o.ServeHTTP(w, r)
			}), settings(), o.Admin(host))
			if err := c.Disable(t.Context(), there[0].ID); err == nil || provider.KindOf(err) != provider.KindUnknown {
				t.Errorf("%s: %v", body, err)
			}
		})
	}
}

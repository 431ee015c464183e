package auth0_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/auth0"
	"github.com/keyturn/keyturn/shared/provider/auth0/auth0test"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/shared/secret"
)

const host = "example.eu.auth0.com"

var settings = auth0.Settings{URL: "https://" + host, ClientID: auth0test.ClientID, Audience: auth0test.Audience}

func client(h http.Handler, admin provider.Admin) *auth0.Client {
	return auth0.New(settings, admin, &http.Client{Transport: &providertest.Transport{Handler: h, Host: host}}, time.Now)
}

func choose(t *testing.T, c *auth0.Client, seed byte) secret.Value {
	t.Helper()
	v, err := c.Choose(rand.NewChaCha8([32]byte{seed}))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, raw string
		fields    []string // with problems
	}{
		{"all", `{"baseURL": "https://example.eu.auth0.com/", "clientID": "AaiyAPdpYdesoKnqjj8HJqRn4T5titww", "audience": "https://api.example.com/"}`, nil},
		{"nothing", ``, []string{"baseURL", "clientID", "audience"}},
		{"the API's base", `{"baseURL": "https://example.eu.auth0.com/api/v2", "clientID": "a", "audience": "urn:x"}`, []string{"baseURL"}},
		{"everything wrong", `{"baseURL": "x", "clientID": "../users", "audience": "a b"}`, []string{"baseURL", "clientID", "audience"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range auth0.Definition().Check(json.RawMessage(tt.raw)) {
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

func TestChoose(t *testing.T) {
	t.Parallel()
	c := client(http.NotFoundHandler(), provider.Admin{})
	if a, b := choose(t, c, 1), choose(t, c, 2); a.Equal(b) || len(a.Reveal()) != 64 {
		t.Errorf("two values alike: %v; %d characters", a.Equal(b), len(a.Reveal()))
	}
	for _, r := range []io.Reader{iotest.ErrReader(errors.New("x")), bytes.NewReader(make([]byte, 47))} {
		if v, err := c.Choose(r); err == nil || !v.Empty() {
			t.Errorf("without randomness: %v", err)
		}
	}
}

// Some applications have no secret to replace; they are left alone.
func TestSet_noSecret(t *testing.T) {
	t.Parallel()
	for want, opts := range map[string]auth0test.Options{
		"proves itself with a private key": {PrivateKey: true},
		"is public":                        {Public: true},
	} {
		a := auth0test.New(time.Now, opts)
		var changes int
		c := client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPatch {
				changes++
			}
			a.ServeHTTP(w, r)
		}), a.Admin(host))
		err := c.Set(t.Context(), auth0test.ClientID, choose(t, c, 1))
		if provider.KindOf(err) != provider.KindPermanent || !strings.Contains(err.Error(), want) || changes > 0 {
			t.Errorf("%d changes, got %v, want %q", changes, err, want)
		}
	}
}

func TestSet_others(t *testing.T) {
	t.Parallel()
	a := auth0test.New(time.Now, auth0test.Options{})
	c := client(a, a.Admin(host))
	other, v := a.Add("other"), choose(t, c, 1)
	for _, id := range []string{"", other.ID, "..", auth0test.ClientID + "/credentials"} {
		if err := c.Set(t.Context(), id, v); provider.KindOf(err) != provider.KindPermanent {
			t.Errorf("%q: %v, want it refused", id, err)
		}
		if got, err := c.Read(t.Context(), id); err == nil || !got.Empty() {
			t.Errorf("%q was read: %v", id, err)
		}
	}
	if err := c.Set(t.Context(), auth0test.ClientID, secret.Value{}); provider.KindOf(err) != provider.KindPermanent {
		t.Errorf("an empty secret: %v", err)
	}
	if !a.Works(other.Value) || a.Works(v) {
		t.Error("another application's secret was set")
	}
}

// An answer that shows another secret than ours is no success.
func TestSet_unproven(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `{"client_id":"x"}`, `{"client_id":"` + auth0test.ClientID + `","client_secret":"another"}`} {
		synctest.Test(t, func(t *testing.T) {
			a := auth0test.New(time.Now, auth0test.Options{})
			c := client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPatch {
					_, _ = io.WriteString(w, body)
					return
				}
				a.ServeHTTP(w, r)
			}), a.Admin(host))
			if err := c.Set(t.Context(), auth0test.ClientID, choose(t, c, 1)); err == nil || provider.KindOf(err) != provider.KindUnknown {
				t.Errorf("%s: %v", body, err)
			}
		})
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, hidden := range []bool{false, true} {
		a := auth0test.New(time.Now, auth0test.Options{NoKeys: hidden})
		c := client(a, a.Admin(host))
		v := choose(t, c, 1)
		if err := c.Set(t.Context(), auth0test.ClientID, v); err != nil {
			t.Fatal(err)
		}
		got, err := c.Read(t.Context(), auth0test.ClientID)
		if hidden {
			if provider.KindOf(err) != provider.KindAuth || !strings.Contains(err.Error(), "read:client_keys") {
				t.Errorf("without the scope: %v", err)
			}
		} else if err != nil || !got.Equal(v) {
			t.Errorf("read: %v, ours: %v", err, got.Equal(v))
		}
	}
}

// One management token serves many calls; another is asked for near its end, and
// when it was refused.
func TestToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := auth0test.New(time.Now, auth0test.Options{})
		asked := 0
		c := client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/oauth/token" {
				asked++
			}
			a.ServeHTTP(w, r)
		}), a.Admin(host))
		read := func(want int) {
			t.Helper()
			if _, err := c.Read(t.Context(), auth0test.ClientID); err != nil {
				t.Error(err)
			}
			if asked != want {
				t.Errorf("%d tokens, want %d", asked, want)
			}
		}
		read(1)
		read(1)
		<-time.After(24*time.Hour - 61*time.Second)
		read(1)
		<-time.After(2 * time.Second)
		read(2)
		a.EndTokens()
		if _, err := c.Read(t.Context(), auth0test.ClientID); provider.KindOf(err) != provider.KindAuth || err == nil {
			t.Errorf("with a token that was ended: %v", err)
		}
		read(3)
	})
}

func TestVerify_undecided(t *testing.T) {
	t.Parallel()
	a := auth0test.New(time.Now, auth0test.Options{Forbidden: true})
	c := client(a, a.Admin(host))
	v := choose(t, c, 1)
	if err := c.Set(t.Context(), auth0test.ClientID, v); err != nil {
		t.Fatal(err)
	}
	err := c.Verify(t.Context(), v)
	if provider.KindOf(err) != provider.KindPermanent || !strings.Contains(err.Error(), "audience") {
		t.Errorf("a right secret without rights: %v", err)
	}
}

// Both codes that Auth0 has for a wrong secret are a rejection, and a 401 that
// it did not send is not.
func TestVerify_refused(t *testing.T) {
	t.Parallel()
	for body, dead := range map[string]bool{
		`{"error":"invalid_client","error_description":"x"}`:           true,
		`{"error":"access_denied","error_description":"Unauthorized"}`: true,
		`<html>401</html>`: false,
	} {
		synctest.Test(t, func(t *testing.T) {
			c := client(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(w, body)
			}), provider.Admin{})
			if err := c.Verify(t.Context(), secret.New("x")); err == nil || errors.Is(err, provider.ErrRejected) != dead {
				t.Errorf("%s: %v", body, err)
			}
		})
	}
}

// For thirty seconds either secret may be accepted, and then only the new one.
func TestVerify_spread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := auth0test.New(time.Now, auth0test.Options{Spread: 30 * time.Second})
		c := client(a, a.Admin(host))
		before, after := choose(t, c, 1), choose(t, c, 2)
		for _, v := range []secret.Value{before, after} {
			if err := c.Set(t.Context(), auth0test.ClientID, v); err != nil {
				t.Fatal(err)
			}
			if v.Equal(before) {
				<-time.After(time.Hour)
			}
		}
		type count struct{ Old, New int }
		try := func(n int, every time.Duration) (got count) {
			for range n {
				for v, into := range map[secret.Value]*int{before: &got.Old, after: &got.New} {
					switch err := c.Verify(t.Context(), v); {
					case err == nil:
						*into++
					case !errors.Is(err, provider.ErrRejected):
						t.Error(err)
					}
				}
				<-time.After(every)
			}
			return got
		}
		if got := try(30, time.Second); got.Old == 0 || got.Old == 30 || got.New == 0 || got.New == 30 {
			t.Errorf("within 30 s of 30 tries accepted: %+v, want some of each", got)
		}
		if d := cmp.Diff(count{0, 10}, try(10, time.Second)); d != "" {
			t.Errorf("after 30 s (-want +got):\n%s", d)
		}
	})
}

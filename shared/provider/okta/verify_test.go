package okta_test

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/okta"
	"github.com/keyturn/keyturn/shared/provider/okta/oktatest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/shared/secret"
)

// A secret is tried the way the app sends it, at the server that it uses.
func TestVerify_ways(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ method, server string }{
		{"", ""}, {"client_secret_basic", oktatest.AuthorizationServer}, {"client_secret_post", ""}, {"client_secret_post", oktatest.AuthorizationServer},
	} {
		o := oktatest.New(time.Now, oktatest.Options{AuthMethod: tt.method})
		there := []provider.Issued{o.Add(""), o.Add("")}
		s := settings()
		s.Method, s.Server = tt.method, tt.server
		c := client(o, s, o.Admin(host))
		if err := c.Disable(t.Context(), there[1].ID); err != nil {
			t.Fatal(err)
		}
		if err := c.Verify(t.Context(), there[0].Value); err != nil {
			t.Errorf("%+v: an active secret: %v", tt, err)
		}
		if err := c.Verify(t.Context(), there[1].Value); !errors.Is(err, provider.ErrRejected) {
			t.Errorf("%+v: an inactive secret: %v", tt, err)
		}
		if n := o.Uses(there[0].ID); n != 0 {
			t.Errorf("%+v: trying a secret counts as %d uses", tt, n)
		}
	}
}

// What says nothing about the secret is no rejection.
func TestVerify_elsewhere(t *testing.T) {
	t.Parallel()
	o, _, there := org(1)
	for what, change := range map[string]func(*okta.Settings){
		"clientID":            func(s *okta.Settings) { s.ClientID = "another-client" },
		"authorizationServer": func(s *okta.Settings) { s.Server = "aus9o8wvkhockw9TL0h7" },
	} {
		s := settings()
		change(&s)
		err := client(o, s, o.Admin(host)).Verify(t.Context(), there[0].Value)
		if err == nil || provider.KindOf(err) != provider.KindPermanent || !strings.HasSuffix(err.Error(), what) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

func TestVerify_answers(t *testing.T) {
	t.Parallel()
	const invalid = `{"error":"invalid_client","error_description":"The client secret supplied for a confidential client is invalid."}`
	for _, tt := range []struct {
		status   int
		body     string
		rejected bool
	}{
		{401, invalid, true},
		{200, invalid, false},
		{400, invalid, false},
		{403, invalid, false},
		{500, invalid, false},
		{401, invalid[:40], false},
		{401, `{"errorCode":"invalid_client","errorSummary":"Invalid value for 'client_id' parameter."}`, false},
		{401, `{"errorCode":"E0000011","error":"invalid_client"}`, false},
		{401, `{"error":"invalid_token"}`, false},
		{401, `{"error":"access_denied"}`, false},
		{401, ``, false},
		{401, `<html>invalid_client</html>`, false},
		{403, `{"error":"access_denied"}`, false},
		{404, `{"errorCode":"E0000007"}`, false},
		{200, `{}`, false},
		{200, `{"active":null}`, false},
		{200, `{"active":true}`, false},
		{200, `{"active":"false"}`, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := client(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}), settings(), provider.Admin{})
			err := c.Verify(t.Context(), secret.New("a secret of fourteen and more"))
			if err == nil || errors.Is(err, provider.ErrRejected) != tt.rejected {
				t.Errorf("%d %s: %v", tt.status, tt.body, err)
			}
			if !tt.rejected && provider.KindOf(err) == provider.KindAuth {
				t.Errorf("%d %s: it is not the admin credential that was refused", tt.status, tt.body)
			}
		})
	}
}

// Okta tells with a 429 when its window ends, and nothing else.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, _, there := org(1)
		end := time.Now().Add(9 * time.Second).Truncate(time.Second)
		early := 0
		c := client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if time.Now().Before(end) {
				early++
				w.Header().Set("X-Rate-Limit-Limit", "25")
				w.Header().Set("X-Rate-Limit-Remaining", "0")
				w.Header().Set("X-Rate-Limit-Reset", strconv.FormatInt(end.Unix(), 10))
				w.WriteHeader(http.StatusTooManyRequests)
				_, _ = io.WriteString(w, `{"errorCode":"E0000047","errorSummary":"API call exceeded rate limit due to too many requests.","errorLink":"E0000047","errorId":"oaeSimulator","errorCauses":[]}`)
				return
			}
			o.ServeHTTP(w, r)
		}), settings(), o.Admin(host))
		if id, err := c.Identify(t.Context(), there[0].Value); err != nil || id != there[0].ID || early != 1 {
			t.Errorf("%q and %v after %d requests in the window, want one", id, err, early)
		}
	})
}

// The stand-in counts a consumer's use, and lets none in with a secret that is
// not active.
func TestFake_consume(t *testing.T) {
	t.Parallel()
	o, c, there := org(2)
	send := func(v secret.Value) int {
		req, err := oktatest.Consume("https://"+host, v)
		if err != nil {
			t.Fatal(err)
		}
		res, err := (&providertest.Transport{Handler: o, Host: host}).RoundTrip(req.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	before := send(there[0].Value)
	if err := c.Disable(t.Context(), there[0].ID); err != nil {
		t.Fatal(err)
	}
	if after := send(there[0].Value); before != 200 || after != 401 || o.Uses(there[0].ID) != 1 {
		t.Errorf("%d, disabled %d, %d uses", before, after, o.Uses(there[0].ID))
	}
}

package cloudflare_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/cloudflare"
	"github.com/keyturn/keyturn/shared/provider/cloudflare/cloudflaretest"
	"github.com/keyturn/keyturn/shared/providertest"
)

// rolled returns a handler that may answer a roll in f's place.
func rolled(next http.Handler, n *int, f func(w http.ResponseWriter) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/value") {
			if *n++; f != nil && f(w) {
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// A roll gives the token another value and ends the old one; id, name and rights
// stay.
func TestRoll(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", account} {
		cf := cloudflaretest.New(time.Now, cloudflaretest.Options{AccountID: id})
		n := 0
		hc := &http.Client{Transport: &providertest.Transport{Handler: rolled(cf, &n, nil), Host: host}}
		c := cloudflare.New(settings(t, `{"accountID":"`+id+`",`+rights+"}"), cf.Admin(host), hc)
		old, err := c.Create(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		before, _ := c.Scopes(t.Context(), old.ID)
		is, err := c.Roll(t.Context(), old.ID, time.Hour)
		if err != nil || is.ID != old.ID || is.Value.Equal(old.Value) || n != 1 {
			t.Fatalf("%+v, %v after %d requests", is.Key, err, n)
		}
		if err := c.Verify(t.Context(), is.Value); err != nil {
			t.Error(err)
		}
		if err := c.Verify(t.Context(), old.Value); !errors.Is(err, provider.ErrRejected) {
			t.Errorf("the old value: %v", err)
		}
		if got, err := c.Identify(t.Context(), is.Value); got != old.ID || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if after, err := c.Scopes(t.Context(), old.ID); err != nil || strings.Join(before, "\n") != strings.Join(after, "\n") {
			t.Errorf("%q after %q, %v", after, before, err)
		}
	}
}

// A roll is sent once, whatever comes back, and says so where it may have taken
// effect.
func TestRoll_faults(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		answer func(w http.ResponseWriter) bool
		id     string
		want   provider.Kind
		sent   int
	}{
		"no answer that is understood": {func(w http.ResponseWriter) bool { w.WriteHeader(http.StatusBadGateway); return true }, "", provider.KindUnknown, 1},
		"no value":                     {func(w http.ResponseWriter) bool { _, _ = w.Write([]byte(`{"success":true,"result":""}`)); return true }, "", provider.KindUnknown, 1},
		"no such token":                {nil, "0123456789abcdef0123456789abcdef", provider.KindNotFound, 1},
		"no id":                        {nil, "verify", provider.KindPermanent, 0},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			cf := cloudflaretest.New(time.Now, cloudflaretest.Options{})
			n := 0
			c := client(t, rolled(cf, &n, tt.answer), cf.Admin(host))
			is, err := c.Create(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			if tt.id == "" {
				tt.id = is.ID
			}
			if _, err := c.Roll(t.Context(), tt.id, 0); err == nil || provider.KindOf(err) != tt.want || n != tt.sent {
				t.Errorf("%v (%v) after %d requests, want %v after %d", err, provider.KindOf(err), n, tt.want, tt.sent)
			}
		})
	}
}

// What a roll sends, and what the fake answers, is what Cloudflare describes.
func TestRoll_openAPI(t *testing.T) {
	t.Parallel()
	spec, ok := providertest.Reference(t, "cloudflare-user-tokens.json")
	if !ok {
		return
	}
	const described = "api.vendor.test" // where the suite has every vendor
	cf := cloudflaretest.New(time.Now, cloudflaretest.Options{})
	hc := &http.Client{Transport: spec.Wrap(&providertest.Transport{Handler: cf, Host: described}, func(err error) { t.Error(err) })}
	c := cloudflare.New(settings(t, `{"baseURL":"https://`+described+`/client/v4",`+rights+"}"), cf.Admin(described), hc)
	is, err := c.Create(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Roll(t.Context(), is.ID, 0); err != nil {
		t.Error(err)
	}
}

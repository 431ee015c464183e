package cloudflare_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider/cloudflare"
	"github.com/keyturn/keyturn/shared/provider/cloudflare/cloudflaretest"
	"github.com/keyturn/keyturn/shared/providertest"
)

const (
	account = "023e105f4ecef8ad9ca31a8372d0c353"
	rights  = `"policies": [
  {"effect": "allow", "permission_groups": [{"id": "c8fed203ed3043cba015a93ad1616f1f", "name": "Zone Read"}, {"id": "82e64a83756745bbbb1c9c2701bf816b"}], "resources": {"com.cloudflare.api.account.zone.22b1de5f1c0e4b3ea97bb1e963b06a43": "*"}},
  {"effect": "deny", "permission_groups": [{"id": "6d7f2f5f5b1d4a0e9081fdc98d432fd1"}], "resources": {"com.cloudflare.api.account.zone.*": "*"}}],
  "condition": {"request_ip": {"in": ["203.0.113.0/24", "2001:db8::/32"]}}`
)

func subject(accountID string) providertest.Subject {
	return providertest.Subject{
		Definition: cloudflare.Definition(),
		Settings: func(base string) json.RawMessage {
			return json.RawMessage(`{"baseURL": "` + base + `/client/v4", "accountID": "` + accountID + `", ` + rights + `}`)
		},
		New: func(clock func() time.Time) providertest.Fake {
			return cloudflaretest.New(clock, cloudflaretest.Options{AccountID: accountID, PageSize: 10})
		},
		Consume: cloudflaretest.Consume,
	}
}

// Promise: create-once
func TestContract(t *testing.T) {
	t.Parallel()
	providertest.Run(t, subject(""))
}

// An account's tokens differ in their paths and in nothing else.
func TestAccount(t *testing.T) {
	t.Parallel()
	providertest.Lived(t, subject(account), func(next http.RoundTripper) http.RoundTripper {
		return paths(func(r *http.Request) (*http.Response, error) {
			if !strings.HasPrefix(r.URL.Path, "/client/v4/accounts/"+account+"/tokens") {
				t.Errorf("a request to %s", r.URL.Path)
			}
			return next.RoundTrip(r)
		})
	})
}

type paths func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (p paths) RoundTrip(r *http.Request) (*http.Response, error) { return p(r) }

// What we send, and what the fake answers, is what Cloudflare describes. The
// description that there is knows a user's tokens only.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	spec, ok := providertest.Reference(t, "cloudflare-user-tokens.json")
	n := providertest.Lived(t, subject(""), func(next http.RoundTripper) http.RoundTripper {
		if !ok {
			return next
		}
		return spec.Wrap(next, func(err error) { t.Error(err) })
	})
	if n < 8 {
		t.Errorf("a life took %d requests, want every kind of request in it", n)
	}
}

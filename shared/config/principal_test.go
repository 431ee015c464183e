package config_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/provider"
)

type appSettings struct {
	App   string `json:"app" doc:"the application" principal:"true"`
	Quick bool   `json:"quick" doc:"of no matter here"`
}

func (appSettings) Problems() []provider.Problem { return nil }
func (appSettings) BaseURL() string              { return "https://api.acme.example" }

// Two secrets with one key at the vendor would end each other's.
func TestParse_onePrincipalEach(t *testing.T) {
	t.Parallel()
	defs := func(strategy string) []provider.Definition {
		return []provider.Definition{provider.Define(provider.Info{Name: "acme", Strategy: strategy},
			func(appSettings, provider.Admin, *http.Client) provider.Strategy { return nil })}
	}
	const file = `{"version": 1,
  "vendorAccounts": {"a": {"provider": "acme", "admin": "admin", "hosts": ["api.acme.example"]}},
  "keys": {
    "one": {"vendorAccount": "a", "owner": "o", "settings": {"app": "x"}},
    "two": {"vendorAccount": "a", "owner": "o", "settings": {"app": "OTHER", "quick": true}}}}`
	if _, err := config.Parse([]byte(strings.Replace(file, "OTHER", "y", 1)), defs("DualSlot")); err != nil {
		t.Errorf("two applications: %v", err)
	}
	same := []byte(strings.Replace(file, "OTHER", "x", 1))
	for strategy, want := range map[string]bool{"DualSlot": true, "RollInPlace": true, "RollWithGrace": true, "Overlap": false} {
		_, err := config.Parse(same, defs(strategy))
		if got := err != nil && strings.Contains(err.Error(), `same key at the vendor as those of "one"`); got != want {
			t.Errorf("%s: %v", strategy, err)
		}
	}
}

// A key may be its own admin credential where the vendor allows it, and nobody
// else's.
func TestParse_self(t *testing.T) {
	t.Parallel()
	const file = `{"version": 1,
  "vendorAccounts": {
    "a": {"provider": "acme", "admin": "one", "hosts": ["api.acme.example"]},
    "b": {"provider": "acme", "admin": "ADMIN", "hosts": ["api.acme.example"]}},
  "keys": {
    "one": {"vendorAccount": "a", "owner": "o", "settings": {"app": "x"}},
    "two": {"vendorAccount": "b", "owner": "o", "settings": {"app": "y"}}}}`
	for _, tt := range []struct {
		self  bool
		other string // the admin of account b
		want  int    // problems
	}{{true, "two", 0}, {true, "one", 1}, {false, "admin", 1}} {
		defs := []provider.Definition{provider.Define(provider.Info{Name: "acme", Strategy: "DualSlot", Self: tt.self},
			func(appSettings, provider.Admin, *http.Client) provider.Strategy { return nil })}
		_, err := config.Parse([]byte(strings.Replace(file, "ADMIN", tt.other, 1)), defs)
		got := 0
		if err != nil {
			got = strings.Count(err.Error(), "is also one of the keys")
		}
		if got != tt.want || tt.want == 0 && err != nil {
			t.Errorf("self %v, admin of b %q: %v", tt.self, tt.other, err)
		}
	}
}

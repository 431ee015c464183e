package config_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/provider"
)

func parseFreeze(freeze string) (*config.Config, error) {
	defs := []provider.Definition{provider.Define(provider.Info{Name: "acme"}, func(settings, provider.Admin, *http.Client) provider.Strategy { return nil })}
	return config.Parse([]byte(`{"version": 1,
  "vendorAccounts": {"a": {"provider": "acme", "admin": "admin", "hosts": ["api.acme.example"]}},
  "keys": {"k": {"vendorAccount": "a", "owner": "o", "settings": {"scopes": ["x"]}, "freeze": `+freeze+`}}}`), defs)
}

func TestKey_Frozen(t *testing.T) {
	t.Parallel()
	c, err := parseFreeze(`[{"from": "2026-12-20T00:00:00Z", "until": "2027-01-03T00:00:00Z", "reason": "year end"},
		{"from": "2027-06-30T00:00:00Z", "until": "2027-07-01T00:00:00Z", "reason": "audit"}]`)
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{
		"2026-12-19T23:59:59Z": "", "2026-12-20T00:00:00Z": "year end", "2027-01-02T23:59:59Z": "year end", "2027-01-03T00:00:00Z": "",
		"2027-06-30T12:00:00Z": "audit", "2027-06-30T23:30:00-01:00": "",
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if f, ok := c.Keys()[0].Frozen(when); f.Reason != want || ok != (want != "") {
			t.Errorf("at %s: %q, %v; want %q", at, f.Reason, ok, want)
		}
	}
}

func TestParse_freezeProblems(t *testing.T) {
	t.Parallel()
	for freeze, want := range map[string]string{
		`{}`:   `.freeze: not a list`,
		`[{}]`: ".freeze[0].from: missing|.freeze[0].until: missing|.freeze[0].reason: missing",
		`[{"from": "tomorrow", "until": 7, "reason": " "}]`:                                           `.from: "tomorrow" is no time|.until: not a time|.reason: missing`,
		`[{"from": "2027-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z", "reason": "x", "to": 1}]`: `.to: unknown field|.until: not after from`,
	} {
		_, err := parseFreeze(freeze)
		if err == nil {
			t.Errorf("%s is accepted", freeze)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		var missing []string
		for w := range strings.SplitSeq(want, "|") {
			if !strings.Contains(err.Error(), w) {
				missing = append(missing, w)
			}
		}
		if len(lines) != strings.Count(want, "|")+1 || len(missing) > 0 {
			t.Errorf("%s: %s", freeze, cmp.Diff(missing, lines))
		}
	}
}

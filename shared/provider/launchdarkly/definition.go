package launchdarkly

import (
	"net/http"
	"regexp"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
)

// Settings are LaunchDarkly's own settings for one access token.
type Settings struct {
	URL     string `json:"baseURL" doc:"where the API is; default https://app.launchdarkly.com; https://app.launchdarkly.us and https://app.eu.launchdarkly.com are the federal and the EU instance"`
	TokenID string `json:"tokenID" principal:"true" doc:"the access token whose value is replaced: its _id in GET /api/v2/tokens, 24 hex digits; required; it keeps its name and its rights"`
}

// BaseURL returns where the API is.
func (s Settings) BaseURL() string {
	if s.URL == "" {
		return "https://app.launchdarkly.com"
	}
	return s.URL
}

var idForm = regexp.MustCompile(`^[0-9a-f]{24}$`)

// Problems returns everything that is wrong with the settings.
func (s Settings) Problems() []provider.Problem {
	var out []provider.Problem
	if p := httpapi.CheckBase(s.BaseURL()); p != "" {
		out = append(out, provider.Problem{Field: "baseURL", What: "baseURL " + p, Hint: "leave it out"})
	}
	if !idForm.MatchString(s.TokenID) {
		out = append(out, provider.Problem{Field: "tokenID", What: `tokenID "` + httpapi.Safe(s.TokenID) + `" is not an access token's id`, Hint: "write the token's _id, 24 hex digits, never its value"})
	}
	return out
}

// Definition describes LaunchDarkly to the engine, the infrastructure and the
// documentation.
func Definition() provider.Definition {
	return provider.Define(provider.Info{
		Name:  "launchdarkly",
		Title: "LaunchDarkly access tokens",
		Links: []string{
			"https://launchdarkly.com/docs/api/access-tokens/reset-token",
			"https://launchdarkly.com/docs/api/other/get-caller-identity",
			"https://launchdarkly.com/docs/api/access-tokens",
			"https://launchdarkly.com/docs/api",
		},
		Strategy: "RollWithGrace",
		Hosts:    []string{"app.launchdarkly.com", "app.launchdarkly.us", "app.eu.launchdarkly.com"},
		Admin:    []provider.Field{{Name: "accessToken", Doc: "another access token with the role Admin, or with a custom role that may reset the token; better a service token, which stays when its maker goes"}},
		// No delay is documented for new values; this bound is ours.
		Settle: provider.Settle{Within: 30 * time.Second, Every: 5 * time.Second, Successes: 1},
		// Not documented; secret scanners look for api- and a UUID.
		Shape: `api-[0-9A-Za-z-]{32,64}`,
	}, func(s Settings, admin provider.Admin, hc *http.Client) provider.Strategy {
		return New(s, admin, hc, time.Now).Strategy()
	})
}

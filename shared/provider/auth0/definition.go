package auth0

import (
	"net/http"
	"regexp"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
)

// Settings are Auth0's own settings for one application.
type Settings struct {
	URL      string `json:"baseURL"  doc:"the tenant's own domain, such as https://example.eu.auth0.com, not a custom one; required"`
	ClientID string `json:"clientID" principal:"true" doc:"the application whose client secret is replaced: its Client ID; required; one that proves itself with a private key or a certificate has no secret to replace"`
	Audience string `json:"audience" doc:"the identifier of an API for which the application may get a token with client_credentials: how a secret is tried; required; each try counts as a machine-to-machine token"`
}

// BaseURL returns where the API is.
func (s Settings) BaseURL() string { return s.URL }

var (
	clientForm   = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
	audienceForm = regexp.MustCompile(`^[!-~]{1,600}$`)
	tenantForm   = regexp.MustCompile(`^https?://[^/]+/?$`)
)

// Problems returns everything that is wrong with the settings.
func (s Settings) Problems() []provider.Problem {
	var out []provider.Problem
	add := func(field, what, hint string) {
		out = append(out, provider.Problem{Field: field, What: what, Hint: hint})
	}
	if p := httpapi.CheckBase(s.URL); p != "" {
		add("baseURL", "baseURL "+p, "write the tenant's domain: https://example.eu.auth0.com")
	} else if !tenantForm.MatchString(s.URL) {
		add("baseURL", "baseURL has a path", "write the tenant's domain only: https://example.eu.auth0.com")
	}
	if !clientForm.MatchString(s.ClientID) {
		add("clientID", `clientID "`+httpapi.Safe(s.ClientID)+`" is not an application's Client ID`, "write the Client ID that the application's settings show")
	}
	if !audienceForm.MatchString(s.Audience) {
		add("audience", `audience "`+httpapi.Safe(s.Audience)+`" is not an API's identifier`, "write the identifier of an API that the application is authorized for")
	}
	return out
}

// Definition describes Auth0 to the engine, the infrastructure and the
// documentation.
func Definition() provider.Definition {
	return provider.Define(provider.Info{
		Name:  "auth0",
		Title: "Auth0 client secrets",
		Links: []string{
			"https://auth0.com/docs/get-started/applications/rotate-client-secret",
			"https://auth0.com/docs/api/management/v2/clients/patch-clients-by-id",
			"https://auth0.com/docs/api/management/v2/clients/get-clients-by-id",
			"https://auth0.com/docs/api/authentication/client-credential-flow/get-token",
		},
		Strategy: "RollInPlace",
		Admin: []provider.Field{
			{Name: "clientID", Doc: "the Client ID of a machine-to-machine application that is authorized for the Auth0 Management API with read:clients, update:clients, read:client_keys and update:client_keys"},
			{Name: "clientSecret", Doc: "that application's client secret"},
		},
		// "Up to thirty seconds" in which either secret may be accepted: a single
		// success proves little. The time above that is ours.
		Settle: provider.Settle{Within: 45 * time.Second, Every: 3 * time.Second, Successes: 2},
		// No rule is documented for a secret of one's own choosing.
		Shape: `[!-~]{16,}`,
	}, func(s Settings, admin provider.Admin, hc *http.Client) provider.Strategy {
		return New(s, admin, hc, time.Now).Strategy()
	})
}

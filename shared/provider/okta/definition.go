package okta

import (
	"net/http"
	"regexp"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
)

// How a client proves itself, as the app's token_endpoint_auth_method has it.
const (
	basic = "client_secret_basic"
	post  = "client_secret_post"
)

// Settings are Okta's own settings for one app.
type Settings struct {
	URL      string `json:"baseURL"  doc:"the org's URL, such as https://example.okta.com, not the one with -admin; required"`
	AppID    string `json:"appID"    principal:"true" doc:"the app whose client secrets are rotated: its id in the Apps API; required; it must have a secret already"`
	ClientID string `json:"clientID" doc:"the app's Client ID, often the same as appID; required: a secret is tried with it"`
	Server   string `json:"authorizationServer" doc:"the custom authorization server where a secret is tried: its id, or default; leave it out for the org's own server"`
	Method   string `json:"authMethod" doc:"the app's token_endpoint_auth_method: client_secret_basic (default) or client_secret_post"`
}

// BaseURL returns where the API is.
func (s Settings) BaseURL() string { return s.URL }

func (s Settings) method() string {
	if s.Method == "" {
		return basic
	}
	return s.Method
}

var (
	orgForm    = regexp.MustCompile(`^https?://[^/]+/?$`)
	idForm     = regexp.MustCompile(`^[0-9A-Za-z]{8,64}$`)
	clientForm = regexp.MustCompile(`^[0-9A-Za-z$_.+!*'(),-]{6,100}$`)
	serverForm = regexp.MustCompile(`^[0-9A-Za-z]{1,64}$`)
)

// Problems returns everything that is wrong with the settings.
func (s Settings) Problems() []provider.Problem {
	var out []provider.Problem
	add := func(field, what, hint string) {
		out = append(out, provider.Problem{Field: field, What: what, Hint: hint})
	}
	if p := httpapi.CheckBase(s.URL); p != "" {
		add("baseURL", "baseURL "+p, "write the org's URL: https://example.okta.com")
	} else if !orgForm.MatchString(s.URL) {
		add("baseURL", "baseURL has a path", "write the org's URL only: https://example.okta.com")
	}
	if !idForm.MatchString(s.AppID) {
		add("appID", `appID "`+httpapi.Safe(s.AppID)+`" is not an app's id`, "write the app's id, such as 0oa1gjh63g214q0Hq0g4")
	}
	if !clientForm.MatchString(s.ClientID) {
		add("clientID", `clientID "`+httpapi.Safe(s.ClientID)+`" is not a Client ID`, "write the Client ID that the app's settings show")
	}
	if s.Server != "" && (s.Server == "v1" || !serverForm.MatchString(s.Server)) {
		add("authorizationServer", `authorizationServer "`+httpapi.Safe(s.Server)+`" is not an authorization server's id`, "write its id, or default, or leave it out")
	}
	if m := s.method(); m != basic && m != post {
		add("authMethod", `authMethod "`+httpapi.Safe(m)+`" is not a way to send a client secret`, "write client_secret_basic or client_secret_post")
	}
	return out
}

// Definition describes Okta to the engine, the infrastructure and the
// documentation.
func Definition() provider.Definition {
	return provider.Define(provider.Info{
		Name:  "okta",
		Title: "Okta client secrets",
		Links: []string{
			"https://developer.okta.com/docs/guides/client-secret-rotation-key/main/",
			"https://developer.okta.com/docs/api/openapi/okta-management/management/tag/ApplicationSSOCredentialOAuth2ClientAuth/",
			"https://developer.okta.com/docs/api/openapi/okta-oauth/oauth/tag/OrgAS/",
			"https://developer.okta.com/docs/reference/rl-best-practices/",
		},
		Strategy: "DualSlot",
		Admin:    []provider.Field{{Name: "apiToken", Doc: "an API token of an administrator who may manage the app; it ends when it is not used for 30 days"}},
		Limit:    "2 client secrets of an app, inactive ones too",
		// No delay is documented for new secrets; this bound is ours.
		Settle: provider.Settle{Within: 30 * time.Second, Every: 5 * time.Second, Successes: 1},
		Shape:  `[ -~]{14,100}`,
	}, func(s Settings, admin provider.Admin, hc *http.Client) provider.Strategy {
		return New(s, admin, hc).Strategy()
	})
}

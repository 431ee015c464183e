package sendgrid

import (
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
)

// Settings are SendGrid's own settings for one key.
type Settings struct {
	URL        string   `json:"baseURL"    doc:"where the API is; default https://api.sendgrid.com, for EU subusers https://api.eu.sendgrid.com"`
	Scopes     []string `json:"scopes"     doc:"what each new key may do, at least one, such as mail.send; required, for a key made without scopes has full access"`
	OnBehalfOf string   `json:"onBehalfOf" doc:"the subuser whose keys these are (or \"account-id <id>\"); default the account itself"`
}

// BaseURL returns where the API is.
func (s Settings) BaseURL() string {
	if s.URL == "" {
		return "https://api.sendgrid.com"
	}
	return s.URL
}

var (
	scopeForm   = regexp.MustCompile(`^[0-9A-Za-z_.-]+$`)
	subuserForm = regexp.MustCompile(`^[!-~]+( [!-~]+)*$`)
)

// Problems returns everything that is wrong with the settings.
func (s Settings) Problems() []provider.Problem {
	var out []provider.Problem
	add := func(field, what, hint string) {
		out = append(out, provider.Problem{Field: field, What: what, Hint: hint})
	}
	if p := httpapi.CheckBase(s.BaseURL()); p != "" {
		add("baseURL", "baseURL "+p, "leave it out, or write https://api.eu.sendgrid.com")
	}
	if len(s.Scopes) == 0 {
		add("scopes", "no scopes", "SendGrid gives a key without scopes full access; name what the consumer needs, such as mail.send")
	}
	seen := map[string]bool{}
	for _, sc := range s.Scopes {
		switch {
		case !scopeForm.MatchString(sc):
			add("scopes", `scope "`+httpapi.Safe(sc)+`" is not a scope's name`, "write it as SendGrid does: mail.send")
		case seen[sc]:
			add("scopes", fmt.Sprintf("scope %q twice", sc), "remove one")
		}
		seen[sc] = true
	}
	if s.OnBehalfOf != "" && !subuserForm.MatchString(s.OnBehalfOf) {
		add("onBehalfOf", "onBehalfOf holds a character that a header cannot carry", "write the subuser's name")
	}
	return out
}

// Definition describes SendGrid to the engine, the infrastructure and the
// documentation.
func Definition() provider.Definition {
	return provider.Define(provider.Info{
		Name:  "sendgrid",
		Title: "Twilio SendGrid",
		Links: []string{
			"https://www.twilio.com/docs/sendgrid/api-reference/api-keys",
			"https://www.twilio.com/docs/sendgrid/api-reference/api-key-permissions/retrieve-a-list-of-scopes-for-which-this-user-has-access",
			"https://support.sendgrid.com/hc/en-us/articles/18322114821403-4XX-API-Errors-and-Troubleshooting-Suggestions",
		},
		Strategy: "Overlap",
		Hosts:    []string{"api.sendgrid.com", "api.eu.sendgrid.com"},
		Admin:    []provider.Field{{Name: "apiKey", Doc: "an API key that may create, read and delete API keys, and that holds every scope it is to give; made once in SendGrid's user interface"}},
		Limit:    "100 keys an account",
		// No delay is documented for new keys; this bound is ours.
		Settle: provider.Settle{Within: 30 * time.Second, Every: 10 * time.Second, Successes: 1},
		// Not documented by SendGrid; what the secret scanners look for agrees.
		Shape: `SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}`,
	}, func(s Settings, admin provider.Admin, hc *http.Client) provider.Strategy {
		return New(s, admin, hc).Strategy()
	})
}

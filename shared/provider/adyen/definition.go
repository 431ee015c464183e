package adyen

import (
	"net/http"
	"regexp"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
)

// Settings are Adyen's own settings for one API credential.
type Settings struct {
	URL          string `json:"baseURL"      doc:"where the Management API is; default https://management-live.adyen.com/v3; https://management-test.adyen.com/v3 for the test environment"`
	MerchantID   string `json:"merchantID"   doc:"the merchant account that the API credential belongs to; this or companyID is required"`
	CompanyID    string `json:"companyID"    doc:"the company account that the API credential belongs to; this or merchantID is required"`
	CredentialID string `json:"credentialID" principal:"true" doc:"the id of the API credential whose API key is replaced, such as S2-6262224667; required; it needs a role of the Management API, or its key cannot be tried"`
}

// BaseURL returns where the API is.
func (s Settings) BaseURL() string {
	if s.URL == "" {
		return "https://management-live.adyen.com/v3"
	}
	return s.URL
}

var (
	accountForm    = regexp.MustCompile(`^[0-9A-Za-z_-]{1,80}$`)
	credentialForm = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
)

// Problems returns everything that is wrong with the settings.
func (s Settings) Problems() []provider.Problem {
	var out []provider.Problem
	add := func(field, what, hint string) {
		out = append(out, provider.Problem{Field: field, What: what, Hint: hint})
	}
	if p := httpapi.CheckBase(s.BaseURL()); p != "" {
		add("baseURL", "baseURL "+p, "leave it out, or write https://management-test.adyen.com/v3")
	}
	const account = "write the account's code as the Customer Area shows it"
	switch {
	case s.MerchantID == "" && s.CompanyID == "":
		add("merchantID", "neither a merchantID nor a companyID", "write the account that the API credential belongs to")
	case s.MerchantID != "" && s.CompanyID != "":
		add("companyID", "both a merchantID and a companyID", "write the one that the API credential belongs to")
	case s.CompanyID == "" && !accountForm.MatchString(s.MerchantID):
		add("merchantID", `merchantID "`+httpapi.Safe(s.MerchantID)+`" is not a merchant account`, account)
	case s.MerchantID == "" && !accountForm.MatchString(s.CompanyID):
		add("companyID", `companyID "`+httpapi.Safe(s.CompanyID)+`" is not a company account`, account)
	}
	if !credentialForm.MatchString(s.CredentialID) {
		add("credentialID", `credentialID "`+httpapi.Safe(s.CredentialID)+`" is not an API credential's id`, "write its id as GET /me or the list of API credentials shows it, not its username")
	}
	return out
}

// Definition describes Adyen to the engine, the infrastructure and the
// documentation.
func Definition() provider.Definition {
	return provider.Define(provider.Info{
		Name:  "adyen",
		Title: "Adyen API keys",
		Links: []string{
			"https://docs.adyen.com/api-explorer/Management/3/post/merchants/_merchantId_/apiCredentials/_apiCredentialId_/generateApiKey",
			"https://docs.adyen.com/api-explorer/Management/3/post/companies/_companyId_/apiCredentials/_apiCredentialId_/generateApiKey",
			"https://docs.adyen.com/api-explorer/Management/3/get/me",
			"https://docs.adyen.com/development-resources/api-credentials",
		},
		Strategy: "RollWithGrace",
		Hosts:    []string{"management-live.adyen.com", "management-test.adyen.com"},
		Admin:    []provider.Field{{Name: "apiKey", Doc: "the API key of another API credential, with the role Management API - API credentials read and write"}},
		// A new key can be used "a few minutes after generating it"; how many, and
		// whether it is accepted everywhere at once then, is not documented.
		Settle: provider.Settle{Within: 10 * time.Minute, Every: 15 * time.Second, Successes: 2},
		// Not documented; the keys that the documentation shows are longer, and
		// hold punctuation of every kind.
		Shape: `[!-~]{32,}`,
	}, func(s Settings, admin provider.Admin, hc *http.Client) provider.Strategy {
		return New(s, admin, hc).Strategy()
	})
}

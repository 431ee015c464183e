package openai

import (
	"net/http"
	"regexp"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
)

// Settings are OpenAI's own settings for one key.
type Settings struct {
	URL       string `json:"baseURL"   doc:"where the API is; default https://api.openai.com/v1"`
	ProjectID string `json:"projectID" doc:"the project that the key is for, such as proj_abc; required; not the Default project, which takes no service accounts; a key may do in the project what a member may"`
}

// BaseURL returns where the API is.
func (s Settings) BaseURL() string {
	if s.URL == "" {
		return "https://api.openai.com/v1"
	}
	return s.URL
}

var projectForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,128}$`)

// Problems returns everything that is wrong with the settings.
func (s Settings) Problems() []provider.Problem {
	var out []provider.Problem
	if p := httpapi.CheckBase(s.BaseURL()); p != "" {
		out = append(out, provider.Problem{Field: "baseURL", What: "baseURL " + p, Hint: "leave it out"})
	}
	if !projectForm.MatchString(s.ProjectID) {
		out = append(out, provider.Problem{Field: "projectID", What: `projectID "` + httpapi.Safe(s.ProjectID) + `" is not a project's id`, Hint: "write it as OpenAI shows it: proj_..."})
	}
	return out
}

// Definition describes OpenAI to the engine, the infrastructure and the
// documentation.
func Definition() provider.Definition {
	return provider.Define(provider.Info{
		Name:  "openai",
		Title: "OpenAI",
		Links: []string{
			"https://platform.openai.com/docs/api-reference/project-service-accounts",
			"https://platform.openai.com/docs/api-reference/project-api-keys",
			"https://platform.openai.com/docs/guides/error-codes/api-errors",
			"https://help.openai.com/en/articles/9186755-managing-your-work-in-the-api-platform-with-projects",
		},
		Strategy: "Overlap",
		Hosts:    []string{"api.openai.com"},
		Admin:    []provider.Field{{Name: "adminKey", Doc: "an Admin API key of the organization, made by an owner in the platform's settings"}},
		LastUsed: true,
		// How late last_used_at may be is not documented; this bound is ours.
		UsageLag: 24 * time.Hour,
		// No delay is documented for new keys; this bound is ours.
		Settle: provider.Settle{Within: 30 * time.Second, Every: 10 * time.Second, Successes: 1},
		// Not documented; the reference's examples begin so.
		Shape: `sk-[0-9A-Za-z_-]{16,}`,
	}, func(s Settings, admin provider.Admin, hc *http.Client) provider.Strategy {
		return New(s, admin, hc).Strategy()
	})
}

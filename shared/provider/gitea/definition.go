package gitea

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
)

// Settings are Gitea's own settings for one key.
type Settings struct {
	URL      string   `json:"baseURL"  doc:"where Gitea is, such as https://git.example.com (without /api/v1); required"`
	Username string   `json:"username" doc:"whose token this is; default the admin credential's user; another user's needs a site administrator"`
	Scopes   []string `json:"scopes"   doc:"what each new token may do, such as read:user and write:repository; one of read:user, write:user and all is required, for without it a token cannot be verified; who holds a token with write:user or all can make further tokens, which outlive it"`
}

// BaseURL returns where Gitea is.
func (s Settings) BaseURL() string { return s.URL }

var (
	// https://github.com/go-gitea/gitea/blob/v1.25.2/models/auth/access_token_scope.go
	scopeForm = regexp.MustCompile(`^(all|public-only|(read|write):(activitypub|admin|misc|notification|organization|package|issue|repository|user))$`)
	userForm  = regexp.MustCompile(`^[0-9A-Za-z._-]{1,255}$`)
)

// Problems returns everything that is wrong with the settings.
func (s Settings) Problems() []provider.Problem {
	var out []provider.Problem
	add := func(field, what, hint string) {
		out = append(out, provider.Problem{Field: field, What: what, Hint: hint})
	}
	if s.URL == "" {
		add("baseURL", "no baseURL", "write where Gitea is: https://git.example.com")
	} else if p := httpapi.CheckBase(s.URL); p != "" {
		add("baseURL", "baseURL "+p, "write where Gitea is: https://git.example.com")
	}
	if s.Username != "" && !userForm.MatchString(s.Username) {
		add("username", `username "`+httpapi.Safe(s.Username)+`" is not a Gitea user's name`, "write the login name, not the e-mail address")
	}
	for i, sc := range s.Scopes {
		switch {
		case !scopeForm.MatchString(sc):
			add("scopes", `scope "`+httpapi.Safe(sc)+`" is not one of Gitea's`, "write it as Gitea does: read:user, write:repository, all")
		case slices.Contains(s.Scopes[:i], sc):
			add("scopes", fmt.Sprintf("scope %q twice", sc), "remove one")
		}
	}
	if !slices.ContainsFunc(s.Scopes, func(sc string) bool { return sc == "all" || sc == "read:user" || sc == "write:user" }) {
		add("scopes", "scopes have neither read:user nor a wider one", "add read:user: Gitea answers 403 to a token without it, and a key that cannot be verified is not rotated")
	}
	return out
}

// Definition describes Gitea to the engine, the infrastructure and the
// documentation.
func Definition() provider.Definition {
	return provider.Define(provider.Info{
		Name:  "gitea",
		Title: "Gitea",
		Links: []string{
			"https://docs.gitea.com/api/1.25/#tag/user/operation/userCreateToken",
			"https://docs.gitea.com/development/oauth2-provider#scopes",
			"https://github.com/go-gitea/gitea/blob/v1.25.2/routers/api/v1/user/app.go",
			"https://github.com/go-gitea/gitea/blob/v1.25.2/services/auth/basic.go",
		},
		Strategy: "Overlap",
		Admin: []provider.Field{
			{Name: "username", Doc: "the login name of the user whose tokens are rotated, or of a site administrator"},
			{Name: "password", Doc: "that user's password; or a token of that user's with the scope write:user, which a user with two-factor authentication needs"},
		},
		LastUsed: true,
		UsageLag: 2 * time.Second, // measured: about 1 s
		Shape:    `[0-9a-f]{40}`,
	}, func(s Settings, admin provider.Admin, hc *http.Client) provider.Strategy {
		return New(s, admin, hc).Strategy()
	})
}

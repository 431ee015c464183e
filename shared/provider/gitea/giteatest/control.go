package giteatest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// categories are what Gitea's scopes are about, in the order in which it shows
// them.
func categories() []string {
	return []string{"activitypub", "admin", "misc", "notification", "organization", "package", "issue", "repository", "user"}
}

// normalize drops what a wider scope holds already, as Gitea does, and returns
// the first scope that it does not know.
func normalize(scopes []string) (out []string, bad string) {
	level := map[string]int{}
	public := false
	for _, sc := range scopes {
		i := slices.IndexFunc(categories(), func(c string) bool { return sc == "read:"+c || sc == "write:"+c })
		switch {
		case sc == "":
		case sc == "all":
			for _, c := range categories() {
				level[c] = 2
			}
		case sc == "public-only":
			public = true
		case i < 0:
			return nil, sc
		default:
			level[categories()[i]] = max(level[categories()[i]], 1+strings.Count(sc[:1], "w"))
		}
	}
	if public {
		out = append(out, "public-only")
	}
	if !slices.ContainsFunc(categories(), func(c string) bool { return level[c] < 2 }) {
		return append(out, "all"), ""
	}
	for _, c := range categories() {
		switch level[c] {
		case 1:
			out = append(out, "read:"+c)
		case 2:
			out = append(out, "write:"+c)
		}
	}
	return out, ""
}

// Admin returns the admin credential for a server that is reached at host.
func (s *Server) Admin(host string) provider.Admin {
	return provider.Admin{Hosts: []string{host}, Fields: map[string]secret.Value{
		"username": secret.New(s.opts.Username), "password": secret.New(s.password),
	}}
}

// Add makes a token that is not ours, as the user in the browser would; no
// scopes: read:user. It pays no heed to names that are taken.
func (s *Server) Add(name string, scopes ...string) provider.Issued {
	s.Lock()
	defer s.Unlock()
	if len(scopes) == 0 {
		scopes = []string{"read:user"}
	}
	t := s.add(name, scopes)
	return provider.Issued{Key: t.Public(), Value: secret.New(t.Value)}
}

// Live returns the tokens that there are, the newest first, as Gitea lists them.
func (s *Server) Live() []provider.Key {
	out := s.Account.Live()
	slices.Reverse(out)
	return out
}

// Works reports whether value is accepted now. It is no use of the token.
func (s *Server) Works(value secret.Value) bool {
	s.Lock()
	defer s.Unlock()
	return slices.ContainsFunc(s.held(), func(t *token) bool { return t.Value == value.Reveal() })
}

// Consume returns the request with which a consumer uses a token at base; 200
// means that it worked.
func Consume(base string, value secret.Value) (*http.Request, error) {
	req, err := http.NewRequest(http.MethodGet, base+"/api/v1/user", nil) //nolint:noctx // the caller adds it
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "token "+value.Reveal())
	return req, nil
}

package giteatest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

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

// Values returns what must never be shown: the password and every token that
// there was.
func (s *Server) Values() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []string{s.password}
	for _, t := range s.tokens {
		out = append(out, t.value)
	}
	return out
}

// Add makes a token that is not ours, as the user in the browser would; no
// scopes: read:user. It pays no heed to names that are taken.
func (s *Server) Add(name string, scopes ...string) provider.Issued {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(scopes) == 0 {
		scopes = []string{"read:user"}
	}
	t := s.add(name, scopes)
	return provider.Issued{Key: t.key(), Value: secret.New(t.value)}
}

func (t *token) key() provider.Key {
	return provider.Key{ID: strconv.FormatInt(t.id, 10), Name: t.name}
}

// Live returns the tokens that there are, the newest first.
func (s *Server) Live() []provider.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []provider.Key
	for _, t := range s.held() {
		out = append(out, t.key())
	}
	return out
}

// Works reports whether value is accepted now. It is no use of the token.
func (s *Server) Works(value secret.Value) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.held(), func(t *token) bool { return t.value == value.Reveal() })
}

// Uses returns how often the token read its user, deleted or not.
func (s *Server) Uses(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if strconv.FormatInt(t.id, 10) == id {
			return t.uses
		}
	}
	return 0
}

// Refused returns how many requests were answered 4xx. Those that an outage
// swallowed do not count.
func (s *Server) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// FailNext answers the next n requests with status and an HTML page.
func (s *Server) FailNext(n, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outage = outage{status: status, left: n}
}

// FailUntil answers every request before t with status and an HTML page.
func (s *Server) FailUntil(t time.Time, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outage = outage{status: status, until: t}
}

// failing returns the status of the outage, 0 without one.
func (s *Server) failing() int {
	if s.outage.left > 0 {
		s.outage.left--
		return s.outage.status
	}
	if s.now().Before(s.outage.until) {
		return s.outage.status
	}
	return 0
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

package cloudflaretest

import (
	"net/http"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// Admin returns the admin credential for a server that is reached at host.
func (s *Server) Admin(host string) provider.Admin {
	return provider.Admin{Hosts: []string{host}, Fields: map[string]secret.Value{"apiToken": s.AdminKey()}}
}

// AdminKey returns the token that may manage the others.
func (s *Server) AdminKey() secret.Value { return secret.New(s.admin.Value) }

// Add makes a token that is not ours, as a person in the dashboard would, with
// these permission groups over every zone; none: Zone Read. It pays no heed to
// the quota.
func (s *Server) Add(name string, groups ...string) provider.Issued {
	s.Lock()
	defer s.Unlock()
	if len(groups) == 0 {
		groups = []string{"Zone Read"}
	}
	t := s.add(body{Name: name, Policies: policies(groups...)})
	return provider.Issued{Key: t.Public(), Value: secret.New(t.Value)}
}

// Works reports whether value is accepted now. It is no use of the token.
func (s *Server) Works(value secret.Value) bool {
	s.Lock()
	defer s.Unlock()
	t := s.known(value.Reveal())
	return t != nil && s.state(t) == "active"
}

// Consume returns the request with which a consumer uses a token at base, the
// API's host; 200 means that it worked.
func Consume(base string, value secret.Value) (*http.Request, error) {
	req, err := http.NewRequest(http.MethodGet, base+"/client/v4/zones", nil) //nolint:noctx // the caller adds it
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+value.Reveal())
	return req, nil
}

// Begin sets from when a token works, as a person in the dashboard would, and
// returns what the API shows of that.
func (s *Server) Begin(id string, from time.Time) string {
	s.Lock()
	defer s.Unlock()
	for _, t := range s.held() {
		if t.ID == id {
			t.notBefore = &from
		}
	}
	return stamp(from)
}

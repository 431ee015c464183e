package auth0test

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// Admin returns the admin credential for a server that is reached at host.
func (s *Server) Admin(host string) provider.Admin {
	return provider.Admin{Hosts: []string{host}, Fields: map[string]secret.Value{
		"clientID": secret.New(adminID), "clientSecret": secret.New(s.admin),
	}}
}

// Add makes another application than [ClientID], as a person in the dashboard
// would.
func (s *Server) Add(name string, _ ...string) provider.Issued {
	s.Lock()
	defer s.Unlock()
	a := s.add(name)
	return provider.Issued{Key: a.Public(), Value: secret.New(a.Value)}
}

// EndTokens ends every token of the Management API, before its time.
func (s *Server) EndTokens() {
	s.Lock()
	defer s.Unlock()
	clear(s.tokens)
}

// Works reports whether value may be accepted now. It is no use of the secret.
func (s *Server) Works(value secret.Value) bool {
	s.Lock()
	defer s.Unlock()
	for _, a := range s.clients {
		if v := value.Reveal(); v == a.Value || v == a.before && s.spreading(a) {
			return true
		}
	}
	return false
}

// Consume returns the request with which a consumer uses the secret of
// [ClientID] at base, the tenant: it has a user's code. 200 means that it worked.
func Consume(base string, value secret.Value) (*http.Request, error) {
	body, err := json.Marshal(map[string]string{
		"grant_type": "authorization_code", "client_id": ClientID, "client_secret": value.Reveal(), "code": "c", "redirect_uri": "https://app.example.com/",
	})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(http.MethodPost, base+"/oauth/token", bytes.NewReader(body)) //nolint:noctx // the caller adds it
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

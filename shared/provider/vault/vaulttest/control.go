package vaulttest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// Admin returns the admin credential for a server that is reached at host.
func (s *Server) Admin(host string) provider.Admin {
	return provider.Admin{Hosts: []string{host}, Fields: map[string]secret.Value{"token": secret.New(s.admin)}}
}

// Add makes a secret id that is not ours, whatever its metadata says. Rights are
// the role's.
func (s *Server) Add(name string, _ ...string) provider.Issued {
	s.Lock()
	defer s.Unlock()
	id := s.add(s.mint("value "+strconv.Itoa(len(s.ids))), map[string]string{"keyturn": name})
	return provider.Issued{Key: id.Public(), Value: secret.New(id.Value)}
}

// Works reports whether value is accepted now. It is no use of the secret id.
func (s *Server) Works(value secret.Value) bool {
	s.Lock()
	defer s.Unlock()
	return s.valued(value.Reveal()) != nil
}

// Tokens returns how many tokens live that logins made.
func (s *Server) Tokens() int {
	s.Lock()
	defer s.Unlock()
	return len(s.tokens)
}

// Consume returns the request with which a consumer logs in at base, with the
// default role; 200 means that it worked.
func Consume(base string, value secret.Value) (*http.Request, error) {
	b, err := json.Marshal(map[string]string{"role_id": "role-of-the-mailer", "secret_id": value.Reveal()})
	if err != nil {
		return nil, err
	}
	return http.NewRequest(http.MethodPost, base+"/v1/auth/approle/login", strings.NewReader(string(b))) //nolint:noctx // the caller adds it
}

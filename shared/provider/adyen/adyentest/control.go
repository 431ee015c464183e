package adyentest

import (
	"net/http"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// Admin returns the admin credential for a server that is reached at host.
func (s *Server) Admin(host string) provider.Admin {
	return provider.Admin{Hosts: []string{host}, Fields: map[string]secret.Value{"apiKey": secret.New(s.admin)}}
}

// Add makes another API credential than [CredentialID], as a person in the
// Customer Area would. Its key works at once.
func (s *Server) Add(name string, _ ...string) provider.Issued {
	s.Lock()
	defer s.Unlock()
	c := s.add(name)
	return provider.Issued{Key: c.Public(), Value: secret.New(c.Value)}
}

// Works reports whether value is accepted now. It is no use of the key.
func (s *Server) Works(value secret.Value) bool {
	s.Lock()
	defer s.Unlock()
	return s.known(value.Reveal()) != nil
}

// Consume returns the request with which a consumer uses a key at base; 200
// means that it worked.
func Consume(base string, value secret.Value) (*http.Request, error) {
	req, err := http.NewRequest(http.MethodPost, base+"/v71/paymentMethods", nil) //nolint:noctx // the caller adds it
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-API-Key", value.Reveal())
	return req, nil
}

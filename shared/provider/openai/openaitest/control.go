package openaitest

import (
	"net/http"
	"strings"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// Add makes a service account that is not ours. Scopes are not told apart.
func (s *Server) Add(name string, _ ...string) provider.Issued {
	s.Lock()
	defer s.Unlock()
	a := s.add(name)
	return provider.Issued{Key: a.Public(), Value: secret.New(a.Value)}
}

// Works reports whether value is accepted now. It is no use of the key.
func (s *Server) Works(value secret.Value) bool {
	s.Lock()
	defer s.Unlock()
	return s.known(value.Reveal()) != nil
}

// Consume returns the request with which a consumer uses a key at base, the
// API's host; 200 means that it worked.
func Consume(base string, value secret.Value) (*http.Request, error) {
	req, err := http.NewRequest(http.MethodPost, base+"/v1/responses", strings.NewReader(`{}`)) //nolint:noctx // the caller adds it
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+value.Reveal())
	return req, nil
}

package sendgridtest

import (
	"net/http"
	"strings"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// Add makes a key that is not ours, as a person in the user interface would; no
// scopes: mail.send. It pays no heed to the limit.
func (s *Server) Add(name string, scopes ...string) provider.Issued {
	s.Lock()
	defer s.Unlock()
	if len(scopes) == 0 {
		scopes = []string{"mail.send"}
	}
	k := s.add(name, scopes)
	return provider.Issued{Key: k.Public(), Value: secret.New(k.Value)}
}

// Works reports whether value is accepted now.
func (s *Server) Works(value secret.Value) bool {
	s.Lock()
	defer s.Unlock()
	return s.working(value.Reveal()) != nil
}

// Consume returns the request with which a consumer uses a key at base; 202
// means that it worked.
func Consume(base string, value secret.Value) (*http.Request, error) {
	req, err := http.NewRequest(http.MethodPost, base+"/v3/mail/send", strings.NewReader(`{}`)) //nolint:noctx // the caller adds it
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+value.Reveal())
	return req, nil
}

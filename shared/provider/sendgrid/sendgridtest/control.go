package sendgridtest

import (
	"net/http"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// Values returns what must never be shown: the part of each key after its id,
// which is public. Keys that were revoked are in it.
func (s *Server) Values() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []string{tail(s.admin)}
	for _, k := range s.keys {
		out = append(out, tail(k.value))
	}
	return out
}

func tail(value string) string { return value[strings.LastIndexByte(value, '.')+1:] }

// Add makes a key that is not ours, as a person in the user interface would; no
// scopes: mail.send. It pays no heed to the limit.
func (s *Server) Add(name string, scopes ...string) provider.Issued {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(scopes) == 0 {
		scopes = []string{"mail.send"}
	}
	k := s.add(name, scopes)
	return provider.Issued{Key: provider.Key{ID: k.id, Name: k.name}, Value: secret.New(k.value)}
}

// Live returns the keys that the account holds, in the order they were made.
func (s *Server) Live() []provider.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []provider.Key
	for _, k := range s.held() {
		out = append(out, provider.Key{ID: k.id, Name: k.name})
	}
	return out
}

// Works reports whether value is accepted now.
func (s *Server) Works(value secret.Value) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.working(value.Reveal()) != nil
}

// Uses returns how many mails were sent with the key, revoked or not.
func (s *Server) Uses(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		if k.id == id {
			return k.uses
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

package oktatest

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/providertest/simulator"
	"github.com/keyturn/keyturn/shared/secret"
)

// client lets only the app through: its name, its way to send a secret, and one
// of its active secrets.
func (s *Server) client(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if server := r.PathValue("server"); server != "" && server != AuthorizationServer {
			missing(w, server+" (AuthorizationServer)")
			return
		}
		if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			refuse(w, http.StatusUnsupportedMediaType, "E0000021", "Bad request. Accept and/or Content-Type headers likely do not match supported values.")
			return
		}
		id, value, method := shownBy(r)
		switch {
		case method == "":
			unproven(w, "Client authentication failed. Either the client or the client credentials are invalid.")
		case id != ClientID:
			refuse(w, http.StatusUnauthorized, "invalid_client", "Invalid value for 'client_id' parameter.")
		case method != s.opts.AuthMethod:
			unproven(w, "Client authentication failed. Either the client or the client credentials are invalid.")
		case s.known(value) == nil:
			unproven(w, "The client secret supplied for a confidential client is invalid.")
		default:
			h(w, r)
		}
	}
}

// shownBy returns what a request proves itself with, method "" for nothing.
func shownBy(r *http.Request) (id, value, method string) {
	if id, value, ok := r.BasicAuth(); ok {
		return id, value, "client_secret_basic"
	}
	if r.PostFormValue("client_secret") != "" {
		return r.PostFormValue("client_id"), r.PostFormValue("client_secret"), "client_secret_post"
	}
	return "", "", ""
}

// unproven refuses a client in OAuth's own form.
func unproven(w http.ResponseWriter, why string) {
	simulator.Answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_description": why})
}

// introspect knows no tokens: none is active.
func (s *Server) introspect(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("token") == "" {
		simulator.Answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_request", "error_description": "The token parameter is missing."})
		return
	}
	simulator.Answer(w, http.StatusOK, map[string]any{"active": false})
}

// token is what consumers call.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	_, value, _ := shownBy(r)
	s.known(value).Uses++
	simulator.Answer(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3600, "access_token": "a token of the simulator", "scope": "read"})
}

// Admin returns the admin credential for a server that is reached at host.
func (s *Server) Admin(host string) provider.Admin {
	return provider.Admin{Hosts: []string{host}, Fields: map[string]secret.Value{"apiToken": secret.New(s.admin)}}
}

// Add makes a secret that is not ours, as a person in the Admin Console would.
// It pays no heed to the limit.
func (s *Server) Add(string, ...string) provider.Issued {
	s.Lock()
	defer s.Unlock()
	k := s.add("")
	return provider.Issued{Key: k.Public(), Value: secret.New(k.Value)}
}

// Works reports whether value is accepted now. It is no use of the secret.
func (s *Server) Works(value secret.Value) bool {
	s.Lock()
	defer s.Unlock()
	return s.known(value.Reveal()) != nil
}

// Consume returns the request with which the app gets a token at base, the
// org's URL, by client_secret_basic; 200 means that it worked.
func Consume(base string, value secret.Value) (*http.Request, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"read"}}
	req, err := http.NewRequest(http.MethodPost, base+"/oauth2/"+AuthorizationServer+"/v1/token", strings.NewReader(form.Encode())) //nolint:noctx // the caller adds it
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(ClientID, value.Reveal())
	return req, nil
}

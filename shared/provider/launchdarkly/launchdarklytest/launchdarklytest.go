// Package launchdarklytest is a stateful stand-in for LaunchDarkly's API of
// access tokens, for tests and for simulations on one machine.
//
// It behaves as https://launchdarkly.com/docs/api/access-tokens/reset-token and
// https://launchdarkly.com/docs/api/other/get-caller-identity say. Assumed, for
// they do not say: the wording of errors, that a reset takes effect at once,
// that an end in the past is the same as none, and what a second reset does to a
// value in its grace (see Options). It knows one role that may manage tokens,
// the admin's. Its tokens have LaunchDarkly's shape and open nothing.
package launchdarklytest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/providertest/simulator"
	"github.com/keyturn/keyturn/shared/secret"
)

// TokenID is the id of the token that a new server holds.
const TokenID = "6f0000000000000000000000"

// Options change how the server behaves.
type Options struct {
	Seed string // another seed makes other values
	// OneOld keeps only the value that was replaced last alive: a second reset
	// ends the one before it, whatever its grace. Without it each keeps its own.
	OneOld bool
}

// Server is an account. It is safe for concurrent use.
type Server struct {
	*simulator.Account

	opts   Options
	admin  string
	tokens []*token
	minted int
}

type token struct {
	simulator.Key

	old []old
}

// old is a value that was replaced.
type old struct {
	value string
	until time.Time
}

// New returns a server with one token, [TokenID], whose value nobody knows.
// clock tells it the time.
func New(clock func() time.Time, opts Options) *Server {
	s := &Server{Account: simulator.New(clock), opts: opts}
	s.admin = s.mint()
	s.add("the token")
	s.Handle("POST /api/v2/tokens/{id}/reset", s.managed(s.reset))
	s.Handle("GET /api/v2/caller-identity", s.identity)
	s.Handle("GET /api/v2/projects", s.projects)
	s.Handle("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "not_found", "Not found") })
	return s
}

// mint makes up a value.
func (s *Server) mint() string {
	h := sha256.Sum256([]byte("launchdarklytest " + s.opts.Seed + " " + strconv.Itoa(s.minted)))
	s.minted++
	x := hex.EncodeToString(h[:])
	uuid := x[:8] + "-" + x[8:12] + "-4" + x[13:16] + "-a" + x[17:20] + "-" + x[20:32]
	s.Hide(uuid)
	return "api-" + uuid
}

func (s *Server) add(name string) *token {
	id := strconv.FormatInt(int64(len(s.tokens)), 16)
	t := &token{Key: simulator.Key{ID: TokenID[:len(TokenID)-len(id)] + id, Name: name, Value: s.mint()}}
	s.tokens = append(s.tokens, t)
	s.Track(&t.Key)
	return t
}

// known returns the token that accepts this value now.
func (s *Server) known(value string) *token {
	for _, t := range s.tokens {
		if t.Value == value {
			return t
		}
		for _, o := range t.old {
			if o.value == value && s.Now().Before(o.until) {
				return t
			}
		}
	}
	return nil
}

// shown returns the credential of a request. "Bearer" makes it another one.
func shown(r *http.Request) string { return r.Header.Get("Authorization") }

func (s *Server) managed(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch v := shown(r); {
		case v == s.admin:
			h(w, r)
		case s.known(v) != nil:
			refuse(w, http.StatusForbidden, "forbidden", "Forbidden. Access to the requested resource was denied.")
		default:
			unauthorized(w)
		}
	}
}

func (s *Server) reset(w http.ResponseWriter, r *http.Request) {
	var t *token
	for _, k := range s.tokens {
		if k.ID == r.PathValue("id") {
			t = k
		}
	}
	if t == nil {
		refuse(w, http.StatusNotFound, "not_found", "Invalid resource identifier")
		return
	}
	until := s.Now()
	if text := r.URL.Query().Get("expiry"); text != "" {
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			refuse(w, http.StatusBadRequest, "invalid_request", "Invalid expiry")
			return
		}
		until = time.UnixMilli(ms)
	}
	if s.opts.OneOld {
		t.old = nil
	}
	t.old = append(t.old, old{value: t.Value, until: until})
	t.Value = s.mint()
	simulator.Answer(w, http.StatusOK, map[string]any{
		"_id": t.ID, "ownerId": "569f183514f4432160000007", "memberId": "569f183514f4432160000007",
		"name": t.Name, "role": "writer", "serviceToken": true, "defaultApiVersion": 20240415,
		"token": t.Value, "creationDate": t.Created.UnixMilli(), "lastModified": s.Now().UnixMilli(),
		"_links": map[string]any{"self": map[string]any{"href": "/api/v2/tokens/" + t.ID, "type": "application/json"}},
	})
}

func (s *Server) identity(w http.ResponseWriter, r *http.Request) {
	t := s.known(shown(r))
	if t == nil {
		unauthorized(w)
		return
	}
	simulator.Answer(w, http.StatusOK, map[string]any{
		"accountId": "569f183514f4432160000001", "authKind": "token", "tokenKind": "auth",
		"tokenName": t.Name, "tokenId": t.ID, "serviceToken": true, "scopes": []string{},
	})
}

// projects is what consumers call.
func (s *Server) projects(w http.ResponseWriter, r *http.Request) {
	t := s.known(shown(r))
	if t == nil {
		unauthorized(w)
		return
	}
	t.Uses++
	simulator.Answer(w, http.StatusOK, map[string]any{"totalCount": 0, "items": []any{}})
}

func unauthorized(w http.ResponseWriter) {
	refuse(w, http.StatusUnauthorized, "unauthorized", "Invalid access token")
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	simulator.Answer(w, status, map[string]any{"code": code, "message": message})
}

// Admin returns the admin credential for a server that is reached at host.
func (s *Server) Admin(host string) provider.Admin {
	return provider.Admin{Hosts: []string{host}, Fields: map[string]secret.Value{"accessToken": secret.New(s.admin)}}
}

// Add makes another token than [TokenID], as a person in the settings would.
func (s *Server) Add(name string, _ ...string) provider.Issued {
	s.Lock()
	defer s.Unlock()
	t := s.add(name)
	return provider.Issued{Key: t.Public(), Value: secret.New(t.Value)}
}

// Works reports whether value is accepted now. It is no use of the token.
func (s *Server) Works(value secret.Value) bool {
	s.Lock()
	defer s.Unlock()
	return s.known(value.Reveal()) != nil
}

// Consume returns the request with which a consumer uses a token at base; 200
// means that it worked.
func Consume(base string, value secret.Value) (*http.Request, error) {
	req, err := http.NewRequest(http.MethodGet, base+"/api/v2/projects", nil) //nolint:noctx // the caller adds it
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", value.Reveal())
	return req, nil
}

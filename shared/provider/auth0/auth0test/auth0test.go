// Package auth0test is a stateful stand-in for an Auth0 tenant's applications,
// for tests and for simulations on one machine.
//
// It behaves as https://auth0.com/docs/api/management/v2/clients and
// https://auth0.com/docs/get-started/applications/rotate-client-secret say.
// Assumed, for they do not say: the wording of errors, that the client is looked
// at before its secret and its secret before its rights, that a secret needs 16
// printable characters, and which requests in the thirty seconds after a change
// still meet the old secret (see Options). It knows one admin application, whose
// token may do everything. Its secrets have Auth0's shape and open nothing.
package auth0test

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/providertest/simulator"
)

// What a new tenant has.
const (
	ClientID = "ClientOfTheSimulator000000000000" // of the application that is there
	Audience = "https://api.example.com/"         // of the API that every application may call

	adminID  = "AdminOfTheSimulator0000000000000"
	lifetime = 24 * time.Hour // of a token
)

// Options change how the server behaves.
type Options struct {
	Seed string // another seed makes other secrets, and another Spread
	// Spread is how long after a change either secret may be accepted, Auth0's is
	// up to 30 s: each request meets a machine that knows the new one or one that
	// does not. The seed and the request's number decide.
	Spread     time.Duration
	PrivateKey bool // the application proves itself with a private key
	Public     bool // the application uses no secret
	Forbidden  bool // the application may not get a token for any API
	NoKeys     bool // the admin application lacks read:client_keys
}

// Server is a tenant. It is safe for concurrent use.
type Server struct {
	*simulator.Account

	opts    Options
	admin   string
	clients []*application
	tokens  map[string]time.Time // of the management API, until when
	minted  int
	asked   int // requests that showed a secret
}

type application struct {
	simulator.Key

	before  string // the secret that Value took the place of
	changed time.Time
}

// New returns a tenant with one application, [ClientID], whose secret nobody
// knows. clock tells it the time.
func New(clock func() time.Time, opts Options) *Server {
	s := &Server{Account: simulator.New(clock), opts: opts, tokens: map[string]time.Time{}}
	s.admin = s.mint("admin")
	s.add("the application")
	s.Handle("POST /oauth/token", s.token)
	s.Handle("GET /api/v2/clients/{id}", s.managed(s.get))
	s.Handle("PATCH /api/v2/clients/{id}", s.managed(s.patch))
	s.Handle("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "not_found", "Not Found") })
	return s
}

// mint makes up a secret of 64 characters.
func (s *Server) mint(label string) string {
	h := sha256.Sum256([]byte("auth0test " + s.opts.Seed + " " + label + " " + strconv.Itoa(s.minted)))
	g := sha256.Sum256(h[:])
	s.minted++
	v := base64.RawURLEncoding.EncodeToString(append(h[:], g[:16]...))
	s.Hide(v)
	return v
}

func (s *Server) add(name string) *application {
	n := strconv.Itoa(len(s.clients))
	a := &application{Key: simulator.Key{ID: ClientID[:len(ClientID)-len(n)] + n, Name: name, Value: s.mint("client")}}
	s.clients = append(s.clients, a)
	s.Track(&a.Key)
	return a
}

func (s *Server) byID(id string) *application {
	for _, a := range s.clients {
		if a.ID == id {
			return a
		}
	}
	return nil
}

// spreading reports whether the last change may not be known everywhere yet.
func (s *Server) spreading(a *application) bool {
	return a.before != "" && s.Now().Before(a.changed.Add(s.opts.Spread))
}

// meets returns the secret that the machine knows which a request meets.
func (s *Server) meets(a *application) string {
	s.asked++
	h := sha256.Sum256([]byte("auth0test spread " + s.opts.Seed + " " + strconv.Itoa(s.asked)))
	if s.spreading(a) && h[0]%2 == 0 {
		return a.before
	}
	return a.Value
}

// token answers a request for a token. What consumers of the simulator send is a
// code; everything else is client_credentials.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Grant    string `json:"grant_type"`
		ID       string `json:"client_id"`
		Secret   string `json:"client_secret"`
		Audience string `json:"audience"`
	}
	if !simulator.Read(r, &in) {
		refuseToken(w, http.StatusBadRequest, "invalid_request", "Invalid request body")
		return
	}
	management := strings.HasSuffix(in.Audience, "://"+r.Host+"/api/v2/")
	if in.ID == adminID {
		s.adminToken(w, in.Secret == s.admin && in.Grant == "client_credentials", management)
		return
	}
	a := s.byID(in.ID)
	mine := a != nil && a.ID == ClientID
	switch {
	case a == nil, mine && s.opts.PrivateKey, in.Secret == "", in.Secret != s.meets(a):
		refuseToken(w, http.StatusUnauthorized, "access_denied", "Unauthorized")
	case in.Grant == "authorization_code":
		a.Uses++
		grant(w, "a token of the simulator")
	case in.Grant != "client_credentials":
		refuseToken(w, http.StatusForbidden, "unauthorized_client", "Grant type '"+in.Grant+"' not allowed for the client.")
	case in.Audience != Audience, mine && s.opts.Forbidden:
		refuseToken(w, http.StatusForbidden, "access_denied", "Client is not authorized to access \""+in.Audience+"\". You need to create a \"client-grant\" associated to this API.")
	default:
		grant(w, "a token of the simulator")
	}
}

func (s *Server) adminToken(w http.ResponseWriter, known, management bool) {
	switch {
	case !known:
		refuseToken(w, http.StatusUnauthorized, "access_denied", "Unauthorized")
	case !management:
		refuseToken(w, http.StatusForbidden, "access_denied", "Client is not authorized to access the audience.")
	default:
		token := s.mint("token")
		s.tokens[token] = s.Now().Add(lifetime)
		grant(w, token)
	}
}

func grant(w http.ResponseWriter, token string) {
	simulator.Answer(w, http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": int(lifetime / time.Second)})
}

func (s *Server) managed(h func(http.ResponseWriter, *http.Request, *application)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a := s.byID(r.PathValue("id"))
		switch {
		case !s.Now().Before(s.tokens[simulator.Bearer(r)]):
			refuse(w, http.StatusUnauthorized, "invalid_token", "Invalid token")
		case a == nil:
			refuse(w, http.StatusNotFound, "inexistent_client", "The client does not exist")
		default:
			h(w, r, a)
		}
	}
}

// shown returns what a client's details are, of these fields if there are any.
func (s *Server) shown(a *application, fields string) map[string]any {
	all := map[string]any{
		"client_id": a.ID, "name": a.Name, "app_type": "non_interactive", "tenant": "simulator",
		"grant_types": []string{"client_credentials", "authorization_code"}, "token_endpoint_auth_method": "client_secret_post",
	}
	if !s.opts.NoKeys {
		all["client_secret"] = a.Value
	}
	if a.ID == ClientID && s.opts.Public {
		all["token_endpoint_auth_method"] = "none"
	}
	if a.ID == ClientID && s.opts.PrivateKey {
		delete(all, "token_endpoint_auth_method")
		all["client_authentication_methods"] = map[string]any{"private_key_jwt": map[string]any{"credentials": []any{map[string]any{"id": "cred_1"}}}}
	}
	if fields == "" {
		return all
	}
	out := map[string]any{}
	for f := range strings.SplitSeq(fields, ",") {
		if v, ok := all[f]; ok {
			out[f] = v
		}
	}
	return out
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, a *application) {
	simulator.Answer(w, http.StatusOK, s.shown(a, r.URL.Query().Get("fields")))
}

func (s *Server) patch(w http.ResponseWriter, r *http.Request, a *application) {
	var in struct {
		Secret string `json:"client_secret"`
	}
	switch {
	case !simulator.Read(r, &in), len(in.Secret) < 16:
		refuse(w, http.StatusBadRequest, "invalid_body", "Payload validation error")
		return
	case a.ID == ClientID && s.opts.PrivateKey:
		refuse(w, http.StatusBadRequest, "invalid_body", "client_secret cannot be set for clients with client_authentication_methods")
		return
	case in.Secret != a.Value:
		a.before, a.changed, a.Value = a.Value, s.Now(), in.Secret
		s.Hide(in.Secret)
	}
	simulator.Answer(w, http.StatusOK, s.shown(a, ""))
}

// refuse answers as the Management API does.
func refuse(w http.ResponseWriter, status int, code, message string) {
	simulator.Answer(w, status, map[string]any{
		"statusCode": status, "error": cmp.Or(http.StatusText(status), "Error"), "message": message, "errorCode": code,
	})
}

// refuseToken answers as the Authentication API does.
func refuseToken(w http.ResponseWriter, status int, code, description string) {
	simulator.Answer(w, status, map[string]any{"error": code, "error_description": description})
}

// Package sendgridtest is a stateful stand-in for Twilio SendGrid's API, for
// tests and for simulations on one machine.
//
// It behaves as https://www.twilio.com/docs/sendgrid/api-reference/api-keys
// says. Assumed, for the reference does not say: the wording of errors, the
// scopes that are added to every key, and that a scope's name is not checked.
// Its keys have SendGrid's shape and open nothing.
package sendgridtest

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// Options change how the server behaves. The zero Options are SendGrid's own
// figures without any delay.
type Options struct {
	Limit  int           // keys the account may hold; 0: 100
	Settle time.Duration // a new key is refused for this long
	Linger time.Duration // a revoked key works for this long
	Seed   string        // another seed makes other keys
}

// Server is the account. It is safe for concurrent use.
type Server struct {
	now     func() time.Time
	opts    Options
	mux     http.ServeMux
	admin   string
	mu      sync.Mutex
	keys    []*key // in the order they were made; the revoked stay
	refused int
	outage  outage
}

type key struct {
	id, name, value  string
	scopes           []string
	created, revoked time.Time // revoked is zero while the key is held
	uses             int
}

type outage struct {
	status int
	left   int       // for so many requests
	until  time.Time // or until then
}

// New returns a server with no keys but its admin key. clock tells it the time.
func New(clock func() time.Time, opts Options) *Server {
	opts.Limit = cmp.Or(opts.Limit, 100)
	s := &Server{now: clock, opts: opts}
	_, s.admin = s.mint("admin")
	s.mux.HandleFunc("POST /v3/api_keys", s.managed(s.create))
	s.mux.HandleFunc("GET /v3/api_keys", s.managed(s.list))
	s.mux.HandleFunc("GET /v3/api_keys/{id}", s.managed(s.get))
	s.mux.HandleFunc("DELETE /v3/api_keys/{id}", s.managed(s.remove))
	s.mux.HandleFunc("GET /v3/scopes", s.scopes)
	s.mux.HandleFunc("POST /v3/mail/send", s.send)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "not found") })
	return s
}

// mint makes up an id and a value of SendGrid's shape.
func (s *Server) mint(label string) (id, value string) {
	h := sha256.Sum256([]byte("sendgridtest " + s.opts.Seed + " " + label))
	tail := sha256.Sum256(h[:])
	enc := base64.RawURLEncoding
	id = enc.EncodeToString(h[:16])
	return id, "SG." + id + "." + enc.EncodeToString(tail[:])
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status := s.failing(); status != 0 {
		http.Error(w, "<html><body>upstream is not well</body></html>", status)
		return
	}
	rec := &statusWriter{ResponseWriter: w}
	s.mux.ServeHTTP(rec, r)
	if rec.status >= 400 {
		s.refused++
	}
}

type statusWriter struct {
	http.ResponseWriter

	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func bearer(r *http.Request) string {
	v, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return v
}

func (s *Server) managed(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch v := bearer(r); {
		case v == s.admin:
			h(w, r)
		case s.working(v) != nil:
			refuse(w, http.StatusForbidden, "access forbidden")
		default:
			refuse(w, http.StatusUnauthorized, "The provided authorization grant is invalid, expired, or revoked")
		}
	}
}

// working returns the key that value opens now.
func (s *Server) working(value string) *key {
	now := s.now()
	for _, k := range s.keys {
		if k.value != value || now.Before(k.created.Add(s.opts.Settle)) {
			continue
		}
		if k.revoked.IsZero() || now.Before(k.revoked.Add(s.opts.Linger)) {
			return k
		}
	}
	return nil
}

func (s *Server) held() []*key {
	var out []*key
	for _, k := range s.keys {
		if k.revoked.IsZero() {
			out = append(out, k)
		}
	}
	return out
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name   string   `json:"name"`
		Scopes []string `json:"scopes"`
	}
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&in) != nil || in.Name == "" {
		refuse(w, http.StatusBadRequest, "missing required argument")
		return
	}
	if len(s.held()) >= s.opts.Limit {
		refuse(w, http.StatusForbidden, "maximum number of api keys reached")
		return
	}
	if in.Scopes == nil { // SendGrid's own trap: left out is not none
		in.Scopes = []string{"api_keys.create", "api_keys.delete", "api_keys.read", "mail.send"}
	}
	k := s.add(in.Name, in.Scopes)
	answer(w, http.StatusCreated, map[string]any{"api_key": k.value, "api_key_id": k.id, "name": k.name, "scopes": k.scopes})
}

func (s *Server) add(name string, scopes []string) *key {
	k := &key{name: name, scopes: append(slices.Clone(scopes), "2fa_required", "sender_verification_eligible"), created: s.now()}
	k.id, k.value = s.mint(strconv.Itoa(len(s.keys)))
	s.keys = append(s.keys, k)
	return k
}

func (s *Server) list(w http.ResponseWriter, _ *http.Request) {
	result := []map[string]string{}
	for _, k := range s.held() {
		result = append(result, map[string]string{"api_key_id": k.id, "name": k.name})
	}
	answer(w, http.StatusOK, map[string]any{"result": result})
}

func (s *Server) byID(id string) *key {
	i := slices.IndexFunc(s.held(), func(k *key) bool { return k.id == id })
	if i < 0 {
		return nil
	}
	return s.held()[i]
}

func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	k := s.byID(r.PathValue("id"))
	if k == nil {
		refuse(w, http.StatusNotFound, "unable to find API key")
		return
	}
	answer(w, http.StatusOK, map[string]any{"result": []any{map[string]any{"api_key_id": k.id, "name": k.name, "scopes": k.scopes}}})
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	k := s.byID(r.PathValue("id"))
	if k == nil {
		refuse(w, http.StatusNotFound, "unable to find API key")
		return
	}
	k.revoked = s.now()
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) scopes(w http.ResponseWriter, r *http.Request) {
	k := s.working(bearer(r))
	if k == nil {
		refuse(w, http.StatusUnauthorized, "authorization required")
		return
	}
	answer(w, http.StatusOK, map[string]any{"scopes": k.scopes})
}

func (s *Server) send(w http.ResponseWriter, r *http.Request) {
	k := s.working(bearer(r))
	switch {
	case k == nil:
		refuse(w, http.StatusUnauthorized, "The provided authorization grant is invalid, expired, or revoked")
	case !slices.Contains(k.scopes, "mail.send"):
		refuse(w, http.StatusForbidden, "access forbidden")
	default:
		k.uses++
		w.WriteHeader(http.StatusAccepted)
	}
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]any{"errors": []any{map[string]any{"field": nil, "message": message}}})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) //nolint:errcheck,errchkjson,gosec // the client is gone
}

// AdminKey returns the key that may manage the others.
func (s *Server) AdminKey() secret.Value { return secret.New(s.admin) }

// Admin returns the admin credential for a server that is reached at host.
func (s *Server) Admin(host string) provider.Admin {
	return provider.Admin{Hosts: []string{host}, Fields: map[string]secret.Value{"apiKey": s.AdminKey()}}
}

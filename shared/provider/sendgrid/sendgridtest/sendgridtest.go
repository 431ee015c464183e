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
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/providertest/simulator"
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
	*simulator.Account

	opts  Options
	admin string
	keys  []*key // in the order they were made; the revoked stay
}

type key struct {
	simulator.Key

	scopes []string
}

// New returns a server with no keys but its admin key. clock tells it the time.
func New(clock func() time.Time, opts Options) *Server {
	opts.Limit = cmp.Or(opts.Limit, 100)
	s := &Server{Account: simulator.New(clock), opts: opts}
	_, s.admin = s.mint("admin")
	s.Handle("POST /v3/api_keys", s.managed(s.create))
	s.Handle("GET /v3/api_keys", s.managed(s.list))
	s.Handle("GET /v3/api_keys/{id}", s.managed(s.get))
	s.Handle("DELETE /v3/api_keys/{id}", s.managed(s.remove))
	s.Handle("GET /v3/scopes", s.scopes)
	s.Handle("POST /v3/mail/send", s.send)
	s.Handle("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "not found") })
	return s
}

// mint makes up an id and a value of SendGrid's shape. The id is public.
func (s *Server) mint(label string) (id, value string) {
	h := sha256.Sum256([]byte("sendgridtest " + s.opts.Seed + " " + label))
	t := sha256.Sum256(h[:])
	enc := base64.RawURLEncoding
	id, tail := enc.EncodeToString(h[:16]), enc.EncodeToString(t[:])
	s.Hide(tail)
	return id, "SG." + id + "." + tail
}

func (s *Server) managed(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch v := simulator.Bearer(r); {
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
	now := s.Now()
	for _, k := range s.keys {
		if k.Value != value || now.Before(k.Created.Add(s.opts.Settle)) {
			continue
		}
		if k.Held() || now.Before(k.Revoked.Add(s.opts.Linger)) {
			return k
		}
	}
	return nil
}

func (s *Server) held() []*key {
	var out []*key
	for _, k := range s.keys {
		if k.Held() {
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
	if !simulator.Read(r, &in) || in.Name == "" {
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
	simulator.Answer(w, http.StatusCreated, map[string]any{"api_key": k.Value, "api_key_id": k.ID, "name": k.Name, "scopes": k.scopes})
}

func (s *Server) add(name string, scopes []string) *key {
	k := &key{Key: simulator.Key{Name: name}, scopes: append(slices.Clone(scopes), "2fa_required", "sender_verification_eligible")}
	k.ID, k.Value = s.mint(strconv.Itoa(len(s.keys)))
	s.keys = append(s.keys, k)
	s.Track(&k.Key)
	return k
}

func (s *Server) list(w http.ResponseWriter, _ *http.Request) {
	result := []map[string]string{}
	for _, k := range s.held() {
		result = append(result, map[string]string{"api_key_id": k.ID, "name": k.Name})
	}
	simulator.Answer(w, http.StatusOK, map[string]any{"result": result})
}

func (s *Server) byID(id string) *key {
	i := slices.IndexFunc(s.held(), func(k *key) bool { return k.ID == id })
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
	simulator.Answer(w, http.StatusOK, map[string]any{"result": []any{map[string]any{"api_key_id": k.ID, "name": k.Name, "scopes": k.scopes}}})
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	k := s.byID(r.PathValue("id"))
	if k == nil {
		refuse(w, http.StatusNotFound, "unable to find API key")
		return
	}
	k.Revoked = s.Now()
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) scopes(w http.ResponseWriter, r *http.Request) {
	k := s.working(simulator.Bearer(r))
	if k == nil {
		refuse(w, http.StatusUnauthorized, "authorization required")
		return
	}
	simulator.Answer(w, http.StatusOK, map[string]any{"scopes": k.scopes})
}

func (s *Server) send(w http.ResponseWriter, r *http.Request) {
	k := s.working(simulator.Bearer(r))
	switch {
	case k == nil:
		refuse(w, http.StatusUnauthorized, "The provided authorization grant is invalid, expired, or revoked")
	case !slices.Contains(k.scopes, "mail.send"):
		refuse(w, http.StatusForbidden, "access forbidden")
	default:
		k.Uses++
		w.WriteHeader(http.StatusAccepted)
	}
}

func refuse(w http.ResponseWriter, status int, message string) {
	simulator.Answer(w, status, map[string]any{"errors": []any{map[string]any{"field": nil, "message": message}}})
}

// AdminKey returns the key that may manage the others.
func (s *Server) AdminKey() secret.Value { return secret.New(s.admin) }

// Admin returns the admin credential for a server that is reached at host.
func (s *Server) Admin(host string) provider.Admin {
	return provider.Admin{Hosts: []string{host}, Fields: map[string]secret.Value{"apiKey": s.AdminKey()}}
}

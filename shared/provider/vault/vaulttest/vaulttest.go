// Package vaulttest is a stateful stand-in for the AppRole method of HashiCorp
// Vault 1.13.1, for tests and for simulations on one machine.
//
// It answers as that version was tried to, and as its source says
// (https://github.com/hashicorp/vault/tree/v1.13.1/builtin/credential/approle).
// It has one role. Its secret ids have Vault's shape and open nothing.
package vaulttest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/providertest/simulator"
)

// Options change how the server behaves.
type Options struct {
	Role    string // "": "mailer"
	RoleID  string // "": "role-of-the-mailer"
	NumUses int    // logins that a secret id is good for; 0: any number
	Newer   bool   // refuse dead secret ids as newer versions and OpenBao do
	NoSelf  bool   // tokens may not end themselves
	Batch   bool   // logins make batch tokens
	Seed    string // another seed makes other values
}

// Server is a Vault with one role. It is safe for concurrent use.
type Server struct {
	*simulator.Account

	opts   Options
	admin  string
	ids    []*secretID // in the order they were made; the destroyed stay
	tokens map[string]bool
	logins int
}

type secretID struct {
	simulator.Key // ID is the accessor

	metadata map[string]string
	uses     int
}

// New returns a server without secret ids. clock tells it the time.
func New(clock func() time.Time, opts Options) *Server {
	opts.Role, opts.RoleID = cmp.Or(opts.Role, "mailer"), cmp.Or(opts.RoleID, "role-of-the-mailer")
	s := &Server{Account: simulator.New(clock), opts: opts, tokens: map[string]bool{}}
	s.admin = "hvs." + s.mint("admin")
	s.Hide(s.mint("admin"))
	role := "/v1/auth/approle/role/{role}"
	s.Handle("POST "+role+"/custom-secret-id", s.managed(http.StatusNotFound, s.create))
	s.Handle("GET "+role+"/secret-id/{$}", s.managed(http.StatusBadRequest, s.list))
	s.Handle("POST "+role+"/secret-id/lookup", s.managed(http.StatusInternalServerError, s.byValue))
	s.Handle("POST "+role+"/secret-id-accessor/lookup", s.managed(http.StatusInternalServerError, s.byAccessor))
	s.Handle("POST "+role+"/secret-id-accessor/destroy", s.managed(http.StatusInternalServerError, s.destroy))
	s.Handle("POST /v1/auth/approle/login", s.login)
	s.Handle("POST /v1/auth/token/revoke-self", s.revokeSelf)
	s.Handle("GET /v1/auth/token/lookup-self", s.lookupSelf)
	s.Handle("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, fmt.Sprintf("no handler for route %q. route entry not found.", r.URL.Path))
	})
	return s
}

// mint makes up a text of Vault's shape.
func (s *Server) mint(label string) string {
	h := sha256.Sum256([]byte("vaulttest " + s.opts.Seed + " " + label))
	v := hex.EncodeToString(h[:16])
	return strings.Join([]string{v[:8], v[8:12], v[12:16], v[16:20], v[20:]}, "-")
}

// managed admits the admin's token. noRole is how a role that is not there is
// refused.
func (s *Server) managed(noRole int, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("X-Vault-Token") != s.admin:
			refuse(w, http.StatusForbidden, "permission denied")
		case r.PathValue("role") != s.opts.Role:
			refuse(w, noRole, fmt.Sprintf("role %q does not exist", r.PathValue("role")))
		default:
			h(w, r)
		}
	}
}

func (s *Server) find(fits func(*secretID) bool) *secretID {
	for _, id := range s.ids {
		if id.Held() && fits(id) {
			return id
		}
	}
	return nil
}

func (s *Server) valued(v string) *secretID {
	return s.find(func(id *secretID) bool { return id.Value == v })
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Value    string `json:"secret_id"`
		Metadata string `json:"metadata"`
	}
	var metadata map[string]string
	switch {
	case !simulator.Read(r, &in) || in.Value == "":
		refuse(w, http.StatusBadRequest, "missing secret_id")
	case in.Metadata != "" && json.Unmarshal([]byte(in.Metadata), &metadata) != nil:
		refuse(w, http.StatusBadRequest, "failed to parse metadata: failed to parse the input: invalid <key,value> format")
	case s.valued(in.Value) != nil:
		failed(w, "failed to store secret_id: SecretID is already registered")
	default:
		id := s.add(in.Value, metadata)
		answer(w, map[string]any{
			"secret_id": id.Value, "secret_id_accessor": id.ID, "secret_id_num_uses": id.uses, "secret_id_ttl": 0,
		})
	}
}

func (s *Server) add(value string, metadata map[string]string) *secretID {
	accessor := s.mint("accessor " + strconv.Itoa(len(s.ids)))
	id := &secretID{
		Key:      simulator.Key{ID: accessor, Name: metadata["keyturn"], Value: value},
		metadata: metadata, uses: s.opts.NumUses,
	}
	s.ids = append(s.ids, id)
	s.Track(&id.Key)
	s.Hide(value)
	return id
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	var keys []string
	for _, id := range s.ids {
		if id.Held() {
			keys = append(keys, id.ID)
		}
	}
	slices.Sort(keys) // Vault's order is that of hashes
	switch {
	case r.URL.Query().Get("list") != "true":
		refuse(w, http.StatusMethodNotAllowed, "unsupported operation")
	case len(keys) == 0:
		simulator.Answer(w, http.StatusNotFound, map[string]any{"errors": []string{}})
	default:
		answer(w, map[string]any{"keys": keys})
	}
}

func (id *secretID) shown() map[string]any {
	at := id.Created.UTC().Format(time.RFC3339Nano)
	return map[string]any{
		"cidr_list": []string{}, "creation_time": at, "expiration_time": "0001-01-01T00:00:00Z", "last_updated_time": at,
		"metadata": id.metadata, "secret_id_accessor": id.ID, "secret_id_num_uses": id.uses, "secret_id_ttl": 0,
		"token_bound_cidrs": []string{},
	}
}

func (s *Server) byValue(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Value string `json:"secret_id"`
	}
	if !simulator.Read(r, &in) || in.Value == "" {
		refuse(w, http.StatusBadRequest, "missing secret_id")
		return
	}
	if id := s.valued(in.Value); id != nil {
		answer(w, id.shown())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// accessor returns the secret id whose accessor was sent, and what was sent.
func (s *Server) accessor(r *http.Request) (*secretID, string) {
	var in struct {
		Accessor string `json:"secret_id_accessor"`
	}
	_ = simulator.Read(r, &in) // what cannot be read finds nothing
	return s.find(func(id *secretID) bool { return id.ID == in.Accessor }), in.Accessor
}

func (s *Server) byAccessor(w http.ResponseWriter, r *http.Request) {
	id, sent := s.accessor(r)
	if id == nil {
		simulator.Answer(w, http.StatusNotFound, map[string]any{
			"data": map[string]any{"error": fmt.Sprintf("failed to find accessor entry for secret_id_accessor: %q", sent)},
		})
		return
	}
	answer(w, id.shown())
}

func (s *Server) destroy(w http.ResponseWriter, r *http.Request) {
	id, sent := s.accessor(r)
	if id == nil {
		failed(w, fmt.Sprintf("failed to find accessor entry for secret_id_accessor: %q", sent))
		return
	}
	id.Revoked = s.Now()
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	var in struct {
		RoleID string `json:"role_id"`
		Value  string `json:"secret_id"`
	}
	_ = simulator.Read(r, &in) // what cannot be read is missing
	id := s.valued(in.Value)
	switch {
	case in.RoleID != s.opts.RoleID && s.opts.Newer, id == nil && s.opts.Newer:
		refuse(w, http.StatusBadRequest, "invalid role or secret ID")
	case in.RoleID != s.opts.RoleID:
		refuse(w, http.StatusBadRequest, "invalid role ID")
	case in.Value == "":
		refuse(w, http.StatusBadRequest, "missing secret_id")
	case id == nil:
		refuse(w, http.StatusInternalServerError, "invalid secret id")
	default:
		s.admit(w, id)
	}
}

func (s *Server) admit(w http.ResponseWriter, id *secretID) {
	if id.uses > 0 {
		if id.uses--; id.uses == 0 {
			id.Revoked = s.Now()
		}
	}
	s.logins++
	id.Uses++
	kind, secretPart := "service", s.mint("token "+strconv.Itoa(s.logins))
	if s.opts.Batch {
		kind = "batch"
	} else {
		s.tokens["hvs."+secretPart] = true
	}
	s.Hide(secretPart)
	metadata := map[string]string{"role_name": s.opts.Role}
	maps.Copy(metadata, id.metadata)
	simulator.Answer(w, http.StatusOK, map[string]any{"data": nil, "auth": map[string]any{
		"client_token": "hvs." + secretPart, "policies": []string{"default"}, "metadata": metadata,
		"lease_duration": 1200, "renewable": true, "token_type": kind, "num_uses": 0,
	}})
}

func (s *Server) revokeSelf(w http.ResponseWriter, r *http.Request) {
	v := r.Header.Get("X-Vault-Token")
	if !s.tokens[v] || s.opts.NoSelf {
		refuse(w, http.StatusForbidden, "permission denied")
		return
	}
	delete(s.tokens, v)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) lookupSelf(w http.ResponseWriter, r *http.Request) {
	if !s.tokens[r.Header.Get("X-Vault-Token")] {
		refuse(w, http.StatusForbidden, "permission denied")
		return
	}
	answer(w, map[string]any{"type": "service"})
}

func answer(w http.ResponseWriter, data map[string]any) {
	simulator.Answer(w, http.StatusOK, map[string]any{"request_id": "00000000-0000-0000-0000-000000000000", "lease_id": "", "data": data, "auth": nil})
}

func refuse(w http.ResponseWriter, status int, message string) {
	simulator.Answer(w, status, map[string]any{"errors": []string{message}})
}

// failed is how Vault reports what its own code gave up on.
func failed(w http.ResponseWriter, message string) {
	refuse(w, http.StatusInternalServerError, "1 error occurred:\n\t* "+message+"\n\n")
}

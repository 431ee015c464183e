// Package openaitest is a stateful stand-in for OpenAI's administration API of
// service accounts, for tests and for simulations on one machine.
//
// It behaves as https://platform.openai.com/docs/api-reference/project-service-accounts
// and the description of that API say. Assumed, for they do not say: all codes
// and wordings of errors, that a second delete is answered 404, that listing the
// models is no use of a key, and the order of lists. It has one project. Its keys
// have OpenAI's shape and open nothing.
package openaitest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/providertest/simulator"
	"github.com/keyturn/keyturn/shared/secret"
)

// Options change how the server behaves.
type Options struct {
	ProjectID string // "": "proj_abc"
	PageSize  int    // entries on one page at most; 0: 100
	Seed      string // another seed makes other keys
}

// Server is an organization with one project. It is safe for concurrent use.
type Server struct {
	*simulator.Account

	opts     Options
	admin    string
	accounts []*account // in the order they were made; the deleted stay
}

type account struct {
	simulator.Key // of the service account; Value is its API key's

	keyID string
	used  time.Time
}

// New returns a server without service accounts. clock tells it the time.
func New(clock func() time.Time, opts Options) *Server {
	opts.ProjectID, opts.PageSize = cmp.Or(opts.ProjectID, "proj_abc"), cmp.Or(opts.PageSize, 100)
	s := &Server{Account: simulator.New(clock), opts: opts}
	s.admin = "sk-admin-" + s.mint("admin")
	s.Hide(s.mint("admin"))
	project := "/v1/organization/projects/" + opts.ProjectID
	s.Handle("POST "+project+"/service_accounts", s.managed(s.create))
	s.Handle("GET "+project+"/service_accounts", s.managed(s.list))
	s.Handle("DELETE "+project+"/service_accounts/{id}", s.managed(s.remove))
	s.Handle("GET "+project+"/api_keys", s.managed(s.keys))
	s.Handle("DELETE "+project+"/api_keys/{id}", s.managed(s.removeKey))
	s.Handle("GET /v1/models", s.models)
	s.Handle("POST /v1/responses", s.respond)
	s.Handle("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "not_found", "Not found") })
	return s
}

// mint makes up the part of a key that is secret.
func (s *Server) mint(label string) string {
	h := sha256.Sum256([]byte("openaitest " + s.opts.Seed + " " + label))
	return hex.EncodeToString(h[:24])
}

func (s *Server) managed(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch v := simulator.Bearer(r); {
		case v == s.admin:
			h(w, r)
		case s.known(v) != nil:
			refuse(w, http.StatusForbidden, "insufficient_permissions", "You have insufficient permissions for this operation.")
		default:
			unknown(w)
		}
	}
}

func (s *Server) known(value string) *account {
	for _, a := range s.accounts {
		if a.Value == value && a.Held() {
			return a
		}
	}
	return nil
}

func (s *Server) add(name string) *account {
	n := strconv.Itoa(len(s.accounts))
	a := &account{Key: simulator.Key{ID: "svc_acct_" + n, Name: name, Value: "sk-svcacct-" + s.mint(n)}, keyID: "key_" + n}
	s.accounts = append(s.accounts, a)
	s.Track(&a.Key)
	s.Hide(s.mint(n))
	return a
}

func (a *account) shown() map[string]any {
	return map[string]any{
		"object": "organization.project.service_account", "id": a.ID, "name": a.Name,
		"role": "member", "created_at": a.Created.Unix(),
	}
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name string `json:"name"`
	}
	if !simulator.Read(r, &in) || in.Name == "" {
		refuse(w, http.StatusBadRequest, "missing_required_parameter", "Missing required parameter: 'name'.")
		return
	}
	a := s.add(in.Name)
	out := a.shown()
	out["api_key"] = map[string]any{
		"object": "organization.project.service_account.api_key", "id": a.keyID,
		"name": "Secret Key", "value": a.Value, "created_at": a.Created.Unix(),
	}
	simulator.Answer(w, http.StatusOK, out)
}

// page answers with the entries after the one whose id was named.
func (s *Server) page(w http.ResponseWriter, r *http.Request, id func(*account) string, show func(*account) map[string]any) {
	held := slices.DeleteFunc(slices.Clone(s.accounts), func(a *account) bool { return !a.Held() })
	// Where the entry was deleted meanwhile, its place is known by its number.
	if after := r.URL.Query().Get("after"); after != "" {
		i := slices.IndexFunc(s.accounts, func(a *account) bool { return id(a) == after })
		rest := s.accounts[i+1:]
		held = slices.DeleteFunc(held, func(a *account) bool { return !slices.Contains(rest, a) })
	}
	size, err := strconv.Atoi(cmp.Or(r.URL.Query().Get("limit"), "20"))
	if err != nil || size < 1 || size > 100 {
		refuse(w, http.StatusBadRequest, "invalid_limit", "Invalid 'limit'.")
		return
	}
	size = min(size, s.opts.PageSize, len(held))
	data := []any{}
	for _, a := range held[:size] {
		data = append(data, show(a))
	}
	out := map[string]any{"object": "list", "data": data, "has_more": size < len(held), "first_id": nil, "last_id": nil}
	if size > 0 {
		out["first_id"], out["last_id"] = id(held[0]), id(held[size-1])
	}
	simulator.Answer(w, http.StatusOK, out)
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, func(a *account) string { return a.ID }, (*account).shown)
}

func (s *Server) keys(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, func(a *account) string { return a.keyID }, func(a *account) map[string]any {
		var used any
		if !a.used.IsZero() {
			used = a.used.Unix()
		}
		return map[string]any{
			"object": "organization.project.api_key", "id": a.keyID, "name": "Secret Key", "redacted_value": "sk-svc...xyz",
			"created_at": a.Created.Unix(), "last_used_at": used, "owner_project_access": "active",
			"owner": map[string]any{"type": "service_account", "service_account": a.shown()},
		}
	})
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	for _, a := range s.accounts {
		if a.ID == r.PathValue("id") && a.Held() {
			a.Revoked = s.Now()
			simulator.Answer(w, http.StatusOK, map[string]any{"object": "organization.project.service_account.deleted", "id": a.ID, "deleted": true})
			return
		}
	}
	refuse(w, http.StatusNotFound, "not_found", "Service account not found.")
}

// removeKey refuses: every key here is a service account's.
func (s *Server) removeKey(w http.ResponseWriter, r *http.Request) {
	for _, a := range s.accounts {
		if a.keyID == r.PathValue("id") && a.Held() {
			refuse(w, http.StatusBadRequest, "invalid_request", "API key belongs to a service account. Delete the service account.")
			return
		}
	}
	refuse(w, http.StatusNotFound, "not_found", "API key not found.")
}

func (s *Server) models(w http.ResponseWriter, r *http.Request) {
	if s.known(simulator.Bearer(r)) == nil {
		unknown(w)
		return
	}
	model := map[string]any{"id": "model-of-the-simulator", "object": "model", "created": 1, "owned_by": "nobody"}
	simulator.Answer(w, http.StatusOK, map[string]any{"object": "list", "data": []any{model}})
}

// respond is what consumers call.
func (s *Server) respond(w http.ResponseWriter, r *http.Request) {
	a := s.known(simulator.Bearer(r))
	if a == nil {
		unknown(w)
		return
	}
	a.used, a.Uses = s.Now(), a.Uses+1
	simulator.Answer(w, http.StatusOK, map[string]any{"object": "response", "status": "completed"})
}

func unknown(w http.ResponseWriter) {
	refuse(w, http.StatusUnauthorized, "invalid_api_key", "Incorrect API key provided.")
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	simulator.Answer(w, status, map[string]any{"error": map[string]any{
		"code": code, "message": message, "param": nil, "type": "invalid_request_error",
	}})
}

// Admin returns the admin credential for a server that is reached at host.
func (s *Server) Admin(host string) provider.Admin {
	return provider.Admin{Hosts: []string{host}, Fields: map[string]secret.Value{"adminKey": s.AdminKey()}}
}

// AdminKey returns the key that may manage service accounts.
func (s *Server) AdminKey() secret.Value { return secret.New(s.admin) }

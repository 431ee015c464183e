// Package giteatest is a stateful stand-in for the token API of Gitea 1.25.2,
// for tests and for simulations on one machine.
//
// It behaves as that version was measured to and as its source says
// (https://github.com/go-gitea/gitea/blob/v1.25.2/routers/api/v1/user/app.go).
// It has one user. Its tokens have Gitea's shape and open nothing.
package giteatest

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // only for its length
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options change how the server behaves.
type Options struct {
	Username string // "": "octavia"
	Password string // "": made up
	PageSize int    // tokens on one page at most; 0: 50
	Seed     string // another seed makes other tokens
}

// Server is a Gitea with one user. It is safe for concurrent use.
type Server struct {
	now      func() time.Time
	opts     Options
	password string
	mux      http.ServeMux
	mu       sync.Mutex
	tokens   []*token // in the order they were made; the deleted stay
	refused  int
	outage   outage
}

type token struct {
	id            int64
	name, value   string
	scopes        []string
	created, used time.Time
	deleted       bool
	uses          int
}

type outage struct {
	status int
	left   int       // for so many requests
	until  time.Time // or until then
}

// New returns a server without tokens. clock tells it the time.
func New(clock func() time.Time, opts Options) *Server {
	opts.Username = cmp.Or(opts.Username, "octavia")
	opts.PageSize = cmp.Or(opts.PageSize, 50)
	s := &Server{now: clock, opts: opts}
	s.password = cmp.Or(opts.Password, s.mint("password"))
	s.mux.HandleFunc("GET /api/v1/users/{username}/tokens", s.managed(s.list))
	s.mux.HandleFunc("POST /api/v1/users/{username}/tokens", s.managed(s.create))
	s.mux.HandleFunc("DELETE /api/v1/users/{username}/tokens/{token}", s.managed(s.remove))
	s.mux.HandleFunc("GET /api/v1/user", s.user)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { notFound(w) })
	return s
}

func (s *Server) mint(label string) string {
	h := sha1.Sum([]byte("giteatest " + s.opts.Seed + " " + label)) //nolint:gosec // only for its length
	return hex.EncodeToString(h[:])
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

// managed admits the user with basic authentication. As the password Gitea also
// takes a token, if its scopes reach that far; in any other way a token cannot
// manage tokens.
func (s *Server) managed(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _, basic := r.BasicAuth()
		t, known := s.caller(r)
		switch {
		case !known && r.Header.Get("Authorization") != "":
			refuse(w, http.StatusUnauthorized, "invalid username, password or token")
		case t != nil && !t.reaches(r.Method):
			t.refuse(w, r.Method)
		case !strings.EqualFold(r.PathValue("username"), s.opts.Username):
			notFound(w)
		case !known:
			refuse(w, http.StatusForbidden, "doer should be the site admin or be same as the contextUser")
		case !basic:
			refuse(w, http.StatusUnauthorized, "auth required")
		default:
			h(w, r)
		}
	}
}

// caller reports whether the request comes from the user, and with which token,
// nil for the password. It notes the use: Gitea moves a token's time whatever is
// asked for with it.
func (s *Server) caller(r *http.Request) (t *token, known bool) {
	user, password, basic := r.BasicAuth()
	value := password
	if !basic {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "token") && !strings.EqualFold(scheme, "bearer") {
			return nil, false
		}
		value = given
	}
	for _, t := range s.tokens {
		if t.value == value && !t.deleted {
			t.used = s.now()
			return t, true
		}
	}
	return nil, basic && strings.EqualFold(user, s.opts.Username) && subtle.ConstantTimeCompare([]byte(password), []byte(s.password)) == 1
}

// needs returns the scope that the user's own API asks of a token.
func needs(method string) string {
	if method == http.MethodGet {
		return "read:user"
	}
	return "write:user"
}

// reaches reports whether the token may call the user's own API so.
func (t *token) reaches(method string) bool {
	return slices.ContainsFunc(t.scopes, func(sc string) bool { return sc == "all" || sc == "write:user" || sc == needs(method) })
}

func (t *token) refuse(w http.ResponseWriter, method string) {
	refuse(w, http.StatusForbidden, "token does not have at least one of required scope(s), required=["+needs(method)+"], token scope="+strings.Join(t.scopes, ","))
}

// held returns the living tokens, the newest first.
func (s *Server) held() []*token {
	var out []*token
	for _, t := range slices.Backward(s.tokens) {
		if !t.deleted {
			out = append(out, t)
		}
	}
	return out
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	held := s.held()
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))  // as Gitea: not a number is 0
	size, _ := strconv.Atoi(r.URL.Query().Get("limit")) // as Gitea: not a number is 0
	if size <= 0 {
		size = 30
	}
	size = min(size, s.opts.PageSize)
	if page <= 0 { // as Gitea: without a page there is no limit
		page, size = 1, len(held)
	}
	from := min((page-1)*size, len(held))
	out := []map[string]any{}
	for _, t := range held[from:min(from+size, len(held))] {
		out = append(out, t.shown("", t.created, t.used))
	}
	w.Header().Set("X-Total-Count", strconv.Itoa(len(held)))
	answer(w, http.StatusOK, out)
}

func (t *token) shown(value string, created, used time.Time) map[string]any {
	return map[string]any{
		"id": t.id, "name": t.name, "sha1": value, "token_last_eight": t.value[32:], "scopes": t.scopes,
		"created_at": created.UTC().Truncate(time.Second), "last_used_at": used.UTC().Truncate(time.Second),
	}
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name   string   `json:"name"`
		Scopes []string `json:"scopes"`
	}
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&in) != nil || in.Name == "" {
		refuse(w, http.StatusUnprocessableEntity, "[Name]: Required")
		return
	}
	if slices.ContainsFunc(s.held(), func(t *token) bool { return t.name == in.Name }) {
		refuse(w, http.StatusBadRequest, "access token name has been used already")
		return
	}
	scopes, bad := normalize(in.Scopes)
	if bad != "" {
		refuse(w, http.StatusBadRequest, "invalid access token scope provided: invalid access token scope: "+bad)
		return
	}
	if len(scopes) == 0 {
		refuse(w, http.StatusBadRequest, "access token must have a scope")
		return
	}
	t := s.add(in.Name, scopes)
	// Gitea leaves both times of this answer at their zero value.
	answer(w, http.StatusCreated, t.shown(t.value, time.Time{}, time.Time{}))
}

func (s *Server) add(name string, scopes []string) *token {
	now := s.now()
	t := &token{id: int64(len(s.tokens) + 1), name: name, scopes: scopes, created: now, used: now}
	t.value = s.mint(strconv.FormatInt(t.id, 10))
	s.tokens = append(s.tokens, t)
	return t
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	ref := r.PathValue("token")
	id, _ := strconv.ParseInt(ref, 0, 64) // as Gitea: not a number is a name
	for _, t := range s.held() {
		if t.id == id || id == 0 && t.name == ref {
			t.deleted = true
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	notFound(w)
}

func (s *Server) user(w http.ResponseWriter, r *http.Request) {
	t, known := s.caller(r)
	switch {
	case r.Header.Get("Authorization") == "":
		refuse(w, http.StatusUnauthorized, "token is required")
	case !known:
		refuse(w, http.StatusUnauthorized, "invalid username, password or token")
	case t != nil && !t.reaches(r.Method):
		t.refuse(w, r.Method)
	default:
		if t != nil {
			t.uses++
		}
		answer(w, http.StatusOK, map[string]any{"id": 1, "login": s.opts.Username, "email": s.opts.Username + "@example.com", "active": true})
	}
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]any{"message": message, "url": "http://gitea.example/api/swagger"})
}

func notFound(w http.ResponseWriter) {
	answer(w, http.StatusNotFound, map[string]any{"message": "not found", "url": "http://gitea.example/api/swagger", "errors": nil})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) //nolint:errcheck,errchkjson,gosec // the client is gone
}

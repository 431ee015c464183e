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
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/providertest/simulator"
)

// Options change how the server behaves.
type Options struct {
	Username string // "": "octavia"
	Password string // "": made up
	PageSize int    // tokens on one page at most; 0: 50
	Old      bool   // before 1.24, whose list has no dates
	Seed     string // another seed makes other tokens
}

// Server is a Gitea with one user. It is safe for concurrent use.
type Server struct {
	*simulator.Account

	opts     Options
	password string
	tokens   []*token // in the order they were made; the deleted stay
}

type token struct {
	simulator.Key

	scopes []string
	used   time.Time
}

// New returns a server without tokens. clock tells it the time.
func New(clock func() time.Time, opts Options) *Server {
	opts.Username = cmp.Or(opts.Username, "octavia")
	opts.PageSize = cmp.Or(opts.PageSize, 50)
	s := &Server{Account: simulator.New(clock), opts: opts}
	s.password = cmp.Or(opts.Password, s.mint("password"))
	s.Hide(s.password)
	s.Handle("GET /api/v1/users/{username}/tokens", s.managed(s.list))
	s.Handle("POST /api/v1/users/{username}/tokens", s.managed(s.create))
	s.Handle("DELETE /api/v1/users/{username}/tokens/{token}", s.managed(s.remove))
	s.Handle("GET /api/v1/user", s.user)
	s.Handle("/", func(w http.ResponseWriter, _ *http.Request) { notFound(w) })
	return s
}

func (s *Server) mint(label string) string {
	h := sha1.Sum([]byte("giteatest " + s.opts.Seed + " " + label)) //nolint:gosec // only for its length
	return hex.EncodeToString(h[:])
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
		if t.Value == value && t.Held() {
			t.used = s.Now()
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
		if t.Held() {
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
		shown := t.shown("", t.Created, t.used)
		if s.opts.Old {
			delete(shown, "created_at")
			delete(shown, "last_used_at")
		}
		out = append(out, shown)
	}
	w.Header().Set("X-Total-Count", strconv.Itoa(len(held)))
	answer(w, http.StatusOK, out)
}

func (t *token) shown(value string, created, used time.Time) map[string]any {
	return map[string]any{
		"id": t.number(), "name": t.Name, "sha1": value, "token_last_eight": t.Value[32:], "scopes": t.scopes,
		"created_at": created.UTC().Truncate(time.Second), "last_used_at": used.UTC().Truncate(time.Second),
	}
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name   string   `json:"name"`
		Scopes []string `json:"scopes"`
	}
	if !simulator.Read(r, &in) || in.Name == "" {
		refuse(w, http.StatusUnprocessableEntity, "[Name]: Required")
		return
	}
	if slices.ContainsFunc(s.held(), func(t *token) bool { return t.Name == in.Name }) {
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
	answer(w, http.StatusCreated, t.shown(t.Value, time.Time{}, time.Time{}))
}

func (s *Server) add(name string, scopes []string) *token {
	id := strconv.Itoa(len(s.tokens) + 1)
	t := &token{Key: simulator.Key{ID: id, Name: name, Value: s.mint(id)}, scopes: scopes, used: s.Now()}
	s.tokens = append(s.tokens, t)
	s.Track(&t.Key)
	s.Hide(t.Value)
	return t
}

// number returns the id as Gitea shows it.
func (t *token) number() int64 {
	n, _ := strconv.ParseInt(t.ID, 10, 64) // made by add
	return n
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	ref := r.PathValue("token")
	id, _ := strconv.ParseInt(ref, 0, 64) // as Gitea: not a number is a name
	for _, t := range s.held() {
		if t.number() == id || id == 0 && t.Name == ref {
			t.Revoked = s.Now()
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
			t.Uses++
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
	simulator.Answer(w, status, body)
}

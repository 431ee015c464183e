// Package cloudflaretest is a stateful stand-in for Cloudflare's token API, for
// tests and for simulations on one machine.
//
// It behaves as https://developers.cloudflare.com/api/resources/user/subresources/tokens/
// says. Assumed, for the reference does not say: every status of a refusal and
// all codes but 7003 (a path that is not there), that a disabled or expired
// token may still ask for its status, that asking is no use of it, that a token
// never used has no last_used_on, and that lists come back in any order. Its
// tokens have Cloudflare's shape and open nothing.
package cloudflaretest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/shared/providertest/simulator"
)

// Options change how the server behaves. The zero Options are a user's tokens
// with Cloudflare's own figures.
type Options struct {
	AccountID string // of the account that owns the tokens; "": a user owns them
	Quota     int    // tokens there may be; 0: 50, of an account 500
	PageSize  int    // tokens on one page at most; 0: 50
	Old       bool   // an API that does not tell last_used_on
	Seed      string // another seed makes other tokens
}

// Server is one user or account. It is safe for concurrent use.
type Server struct {
	*simulator.Account

	opts   Options
	admin  *token   // one of tokens
	tokens []*token // in the order they were made; the deleted stay
}

type token struct {
	simulator.Key

	status             string // "active" or "disabled"
	policies           []map[string]any
	condition          map[string]any
	notBefore, expires *time.Time
	modified, used     time.Time
	rolls              int
}

// New returns a server with no tokens but the admin's, which is listed like any
// other. clock tells it the time.
func New(clock func() time.Time, opts Options) *Server {
	tokens, quota := "/user/tokens", 50
	if opts.AccountID != "" {
		tokens, quota = "/accounts/"+opts.AccountID+"/tokens", 500
	}
	opts.Quota, opts.PageSize = cmp.Or(opts.Quota, quota), cmp.Or(opts.PageSize, 50)
	s := &Server{Account: simulator.New(clock), opts: opts}
	s.admin = s.add(body{Name: "Create additional tokens", Policies: policies("API Tokens Write")})
	const v4 = "/client/v4"
	s.Handle("GET "+v4+tokens, s.managed(s.list))
	s.Handle("POST "+v4+tokens, s.managed(s.create))
	s.Handle("GET "+v4+tokens+"/{id}", s.managed(s.get))
	s.Handle("PUT "+v4+tokens+"/{id}", s.managed(s.update))
	s.Handle("PUT "+v4+tokens+"/{id}/value", s.managed(s.roll))
	s.Handle("DELETE "+v4+tokens+"/{id}", s.managed(s.remove))
	s.Handle("GET "+v4+tokens+"/verify", s.verify)
	s.Handle("GET "+v4+"/zones", s.zones)
	s.Handle("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, 7003, "No route for the URI")
	})
	return s
}

// body is what a create and an update take.
type body struct {
	Name      string           `json:"name"`
	Status    string           `json:"status"`
	Policies  []map[string]any `json:"policies"`
	Condition map[string]any   `json:"condition"`
	NotBefore *time.Time       `json:"not_before"`
	ExpiresOn *time.Time       `json:"expires_on"`
}

func (b body) valid() bool {
	return b.Name != "" && len(b.Name) <= 120 && len(b.Policies) > 0 &&
		slices.Contains([]string{"", "active", "disabled"}, b.Status)
}

// policies returns one policy over every zone, with these permission groups.
func policies(groups ...string) []map[string]any {
	var ids []any
	for _, g := range groups {
		ids = append(ids, map[string]any{"id": tag(g)})
	}
	return []map[string]any{{
		"effect": "allow", "permission_groups": ids,
		"resources": map[string]any{"com.cloudflare.api.account.zone.*": "*"},
	}}
}

// tag makes up an id.
func tag(label string) string {
	h := sha256.Sum256([]byte("cloudflaretest " + label))
	return hex.EncodeToString(h[:16])
}

func (s *Server) add(b body) *token {
	label := s.opts.Seed + " " + s.opts.AccountID + " " + strconv.Itoa(len(s.tokens))
	prefix := "cfut_"
	if s.opts.AccountID != "" {
		prefix = "cfat_"
	}
	tail := tag(label+" value") + tag(label + " checksum")[:16] // hex: a subset of what is seen
	t := &token{Key: simulator.Key{ID: tag(label), Name: b.Name, Value: prefix + tail}}
	s.set(t, b)
	s.tokens = append(s.tokens, t)
	s.Track(&t.Key)
	s.Hide(tail)
	return t
}

// set replaces everything that can be written. Policies get new ids, and every
// other token shows its lists backward.
func (s *Server) set(t *token, b body) {
	t.Name, t.status, t.condition = b.Name, cmp.Or(b.Status, "active"), b.Condition
	t.notBefore, t.expires, t.modified = b.NotBefore, b.ExpiresOn, s.Now()
	t.policies = nil
	for i, p := range b.Policies {
		p = maps.Clone(p)
		p["id"] = tag(t.ID + strconv.Itoa(i))
		if groups, ok := p["permission_groups"].([]any); ok && len(s.tokens)%2 == 0 {
			groups = slices.Clone(groups)
			slices.Reverse(groups)
			p["permission_groups"] = groups
		}
		t.policies = append(t.policies, p)
	}
	if len(s.tokens)%2 == 0 {
		slices.Reverse(t.policies)
	}
}

// state returns the status that Cloudflare shows.
func (s *Server) state(t *token) string {
	if t.expires != nil && !s.Now().Before(*t.expires) {
		return "expired"
	}
	return t.status
}

// known returns the token with this value, whatever its status.
func (s *Server) known(value string) *token {
	for _, t := range s.tokens {
		if t.Value == value && t.Held() {
			return t
		}
	}
	return nil
}

func (s *Server) managed(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch t := s.known(simulator.Bearer(r)); {
		case t == nil:
			refuse(w, http.StatusUnauthorized, 10000, "Authentication error")
		case t != s.admin:
			refuse(w, http.StatusForbidden, 9109, "Unauthorized to access requested resource")
		default:
			t.used = s.Now()
			h(w, r)
		}
	}
}

func (s *Server) held() []*token {
	return slices.DeleteFunc(slices.Clone(s.tokens), func(t *token) bool { return !t.Held() })
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	held, q := s.held(), r.URL.Query()
	page, _ := strconv.Atoi(cmp.Or(q.Get("page"), "1"))
	size, _ := strconv.Atoi(cmp.Or(q.Get("per_page"), "20"))
	if page < 1 || size < 5 || size > 50 {
		refuse(w, http.StatusBadRequest, 1000, "page or per_page is out of range")
		return
	}
	size = min(size, s.opts.PageSize)
	from := min((page-1)*size, len(held))
	result := []any{}
	for _, t := range held[from:min(from+size, len(held))] {
		result = append(result, s.shown(t))
	}
	answer(w, result, map[string]any{"page": page, "per_page": size, "count": len(result), "total_count": len(held)})
}

// shown returns what a token's details are. Times are to the second.
func (s *Server) shown(t *token) map[string]any {
	out := map[string]any{
		"id": t.ID, "name": t.Name, "status": s.state(t), "policies": t.policies,
		"issued_on": stamp(t.Created), "modified_on": stamp(t.modified),
	}
	if t.condition != nil {
		out["condition"] = t.condition
	}
	if t.notBefore != nil {
		out["not_before"] = stamp(*t.notBefore)
	}
	if t.expires != nil {
		out["expires_on"] = stamp(*t.expires)
	}
	if !t.used.IsZero() && !s.opts.Old {
		out["last_used_on"] = stamp(t.used)
	}
	return out
}

func stamp(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in body
	switch {
	case !simulator.Read(r, &in) || !in.valid():
		refuse(w, http.StatusBadRequest, 1001, "Invalid token")
	case len(s.held()) >= s.opts.Quota:
		refuse(w, http.StatusForbidden, 1002, "Maximum number of tokens reached")
	default:
		t := s.add(in)
		out := s.shown(t)
		out["value"] = t.Value
		answer(w, out, nil)
	}
}

// byID finds a token, or refuses.
func (s *Server) byID(w http.ResponseWriter, r *http.Request) *token {
	for _, t := range s.held() {
		if t.ID == r.PathValue("id") {
			return t
		}
	}
	refuse(w, http.StatusNotFound, 1003, "Token not found")
	return nil
}

func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	if t := s.byID(w, r); t != nil {
		answer(w, s.shown(t), nil)
	}
}

func (s *Server) update(w http.ResponseWriter, r *http.Request) {
	t := s.byID(w, r)
	if t == nil {
		return
	}
	var in body
	if !simulator.Read(r, &in) || !in.valid() {
		refuse(w, http.StatusBadRequest, 1001, "Invalid token")
		return
	}
	s.set(t, in)
	answer(w, s.shown(t), nil)
}

// roll ends the old value at once.
func (s *Server) roll(w http.ResponseWriter, r *http.Request) {
	t := s.byID(w, r)
	if t == nil {
		return
	}
	t.rolls++
	label := t.ID + " " + strconv.Itoa(t.rolls)
	tail := tag(label+" value") + tag(label + " checksum")[:16]
	t.Value = t.Value[:5] + tail
	s.Hide(tail)
	answer(w, t.Value, nil)
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	if t := s.byID(w, r); t != nil {
		t.Revoked = s.Now()
		answer(w, map[string]any{"id": t.ID}, nil)
	}
}

func (s *Server) verify(w http.ResponseWriter, r *http.Request) {
	t := s.known(simulator.Bearer(r))
	if t == nil {
		refuse(w, http.StatusUnauthorized, 1000, "Invalid API Token")
		return
	}
	answer(w, map[string]any{"id": t.ID, "status": s.state(t)}, nil)
}

// zones is what consumers call.
func (s *Server) zones(w http.ResponseWriter, r *http.Request) {
	t := s.known(simulator.Bearer(r))
	if t == nil || s.state(t) != "active" {
		refuse(w, http.StatusForbidden, 9109, "Invalid access token")
		return
	}
	t.used, t.Uses = s.Now(), t.Uses+1
	answer(w, []any{}, map[string]any{"page": 1, "per_page": 20, "count": 0, "total_count": 0})
}

func answer(w http.ResponseWriter, result any, info map[string]any) {
	out := map[string]any{"success": true, "errors": []any{}, "messages": []any{}, "result": result}
	if info != nil {
		out["result_info"] = info
	}
	simulator.Answer(w, http.StatusOK, out)
}

func refuse(w http.ResponseWriter, status, code int, message string) {
	simulator.Answer(w, status, map[string]any{
		"success": false, "errors": []any{map[string]any{"code": code, "message": message}}, "messages": []any{}, "result": nil,
	})
}

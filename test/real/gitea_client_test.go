//go:build real

package real_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/test/real/gitea"
)

// client asks the real server with plain net/http, so what it measures does
// not depend on our own client.
type client struct {
	server *gitea.Server
	tokens string // the path of the user's tokens
}

func newClient(s *gitea.Server) *client {
	return &client{server: s, tokens: "/api/v1/users/" + s.User + "/tokens"}
}

// token is a token as Gitea shows it.
type token struct {
	ID         int64     `json:"id"`
	Name       string    `json:"name"`
	SHA1       string    `json:"sha1"` // the value
	LastEight  string    `json:"token_last_eight"`
	Scopes     []string  `json:"scopes"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at"`
}

// call is a request. The zero method is GET. At most one of password (BASIC)
// and token (Authorization: token) is set.
type call struct {
	method, path, body string
	password, token    string
}

type answer struct {
	what   string
	status int
	total  string // X-Total-Count
	body   []byte
}

func (c *client) do(t *testing.T, q call) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), q.method, c.server.URL+q.path, strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	if q.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	switch {
	case q.password != "":
		req.SetBasicAuth(c.server.User, q.password)
	case q.token != "":
		req.Header.Set("Authorization", "token "+q.token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{req.Method + " " + q.path, res.StatusCode, res.Header.Get("X-Total-Count"), body}
}

func (a answer) named(what string) answer {
	a.what = what
	return a
}

func (a answer) want(t *testing.T, status int) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: status %d, want %d", a.what, a.status, status)
	}
}

func (a answer) into(t *testing.T, status int, out any) {
	t.Helper()
	if a.status != status {
		t.Fatalf("%s: status %d, want %d", a.what, a.status, status)
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		t.Fatalf("%s: %v", a.what, err)
	}
}

func (c *client) create(t *testing.T, name string, scopes []string) answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"name": name, "scopes": scopes})
	if err != nil {
		t.Fatal(err)
	}
	return c.do(t, call{method: http.MethodPost, path: c.tokens, password: c.server.Password, body: string(body)})
}

func (c *client) whoAmI(t *testing.T, value string) answer {
	t.Helper()
	return c.do(t, call{path: "/api/v1/user", token: value})
}

type page struct {
	tokens []token
	total  string
}

func (c *client) list(t *testing.T, query string) page {
	t.Helper()
	a := c.do(t, call{path: c.tokens + query, password: c.server.Password})
	p := page{total: a.total}
	a.into(t, http.StatusOK, &p.tokens)
	return p
}

func (c *client) find(t *testing.T, id int64) token {
	t.Helper()
	for _, k := range c.list(t, "").tokens {
		if k.ID == id {
			return k
		}
	}
	t.Fatalf("token %d is not listed", id)
	return token{}
}

// untilUsed uses the token until its last_used_at has moved, and returns how
// long that took. Times are whole seconds, so a use in the second of the
// creation cannot be seen.
func (c *client) untilUsed(t *testing.T, k token) time.Duration {
	t.Helper()
	start := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for now := range tick.C {
		c.whoAmI(t, k.SHA1).want(t, http.StatusOK)
		if got := c.find(t, k.ID); got.LastUsedAt.After(got.CreatedAt) {
			break
		}
		if now.Sub(start) > 5*time.Second {
			t.Fatal("last_used_at has not moved in 5 s of use")
		}
	}
	return time.Since(start)
}

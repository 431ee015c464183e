//go:build real

package real_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/provider/gitea/giteatest"
	"github.com/keyturn/keyturn/test/real/gitea"
)

// onBoth runs a test on the real server, and on our stand-in for it: what is
// measured on the one must be true of the other.
func onBoth(t *testing.T, test func(*testing.T, *client)) {
	t.Helper()
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		test(t, newClient(gitea.Start(t)))
	})
	t.Run("fake", func(t *testing.T) {
		t.Parallel()
		s := &gitea.Server{User: "mailer", Password: "password of the stand-in"}
		srv := httptest.NewServer(giteatest.New(time.Now, giteatest.Options{Username: s.User, Password: s.Password}))
		t.Cleanup(srv.Close)
		s.URL = srv.URL
		test(t, newClient(s))
	})
}

// TestGiteaServer measures what shared/provider/gitea relies on, on the real
// server. Measured on Gitea 1.25.2 with its default settings:
//
//	create          201; the value (40 hex digits) is in this answer and in no
//	                other; created_at and last_used_at are year 1 in it
//	create again    400 when the user has a token of that name
//	create, scopes  400 without one, 400 for an unknown one
//	create, name    422 without one; 300 characters are taken
//	list            all tokens when there is no `page`, whatever `limit` says;
//	                with `page` at most `limit` of them, and at most 50;
//	                X-Total-Count is the number of all; newest second first,
//	                in no promised order within a second
//	last_used_at    equals created_at until the first use; whole seconds; moved
//	                at once by a use, so it is seen as soon as the second of
//	                the creation is over
//	verify          GET /api/v1/user: 200; 403 when the token has no read:user
//	delete          204; again 404; then the token gets 401
//	who may         the password with BASIC auth. `Authorization: token` gets
//	                401 (403 without the scope it asks for), nothing gets 403. But a token sent as
//	                the BASIC password is taken: to list with read:user, and to
//	                create and delete with write:user. So a key that has
//	                write:user can make keys, which outlive it.
func TestGiteaServer(t *testing.T) {
	t.Parallel()
	onBoth(t, testLife)
}

func testLife(t *testing.T, c *client) {
	t.Helper()
	// One token's life, in order.
	var minted token
	c.create(t, "keyturn-life", []string{"read:user"}).into(t, http.StatusCreated, &minted)
	if !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(minted.SHA1) {
		t.Fatalf("the value has %d characters, want 40 hex digits", len(minted.SHA1))
	}
	if minted.ID == 0 || minted.Name != "keyturn-life" || minted.LastEight != minted.SHA1[32:] {
		t.Fatalf("created token: id %d, name %q, last eight %q", minted.ID, minted.Name, minted.LastEight)
	}
	if minted.CreatedAt.Year() != 1 || minted.LastUsedAt.Year() != 1 {
		t.Errorf("created token: times %v, %v, want none", minted.CreatedAt, minted.LastUsedAt)
	}
	c.create(t, "keyturn-life", []string{"read:user"}).want(t, http.StatusBadRequest)

	listed := c.find(t, minted.ID)
	if diff := cmp.Diff(token{
		ID: minted.ID, Name: "keyturn-life", LastEight: minted.LastEight, Scopes: []string{"read:user"},
		CreatedAt: listed.CreatedAt, LastUsedAt: listed.CreatedAt,
	}, listed); diff != "" {
		t.Errorf("listed token (-want +got):\n%s", diff)
	}

	c.whoAmI(t, minted.SHA1).want(t, http.StatusOK)
	took := c.untilUsed(t, minted)
	t.Logf("last_used_at moved within %s of the creation", took.Round(time.Millisecond))

	path := c.tokens + "/" + strconv.FormatInt(minted.ID, 10)
	c.do(t, call{method: http.MethodDelete, path: path, password: c.server.Password}).want(t, http.StatusNoContent)
	c.do(t, call{method: http.MethodDelete, path: path, password: c.server.Password}).want(t, http.StatusNotFound)
	c.whoAmI(t, minted.SHA1).want(t, http.StatusUnauthorized)
	if got := c.list(t, ""); len(got.tokens) != 0 || got.total != "0" {
		t.Errorf("after the delete: %d tokens, X-Total-Count %q", len(got.tokens), got.total)
	}
}

func TestGiteaServer_badRequests(t *testing.T) {
	t.Parallel()
	onBoth(t, testBadRequests)
}

func testBadRequests(t *testing.T, c *client) {
	t.Helper()
	for _, tt := range []struct {
		name   string
		body   string
		status int
	}{
		{"no scope", `{"name":"a"}`, http.StatusBadRequest},
		{"empty scopes", `{"name":"b","scopes":[]}`, http.StatusBadRequest},
		{"unknown scope", `{"name":"c","scopes":["read:everything"]}`, http.StatusBadRequest},
		{"no name", `{"scopes":["read:user"]}`, http.StatusUnprocessableEntity},
		{"not JSON", `{`, http.StatusUnprocessableEntity},
	} {
		c.do(t, call{method: http.MethodPost, path: c.tokens, password: c.server.Password, body: tt.body}).
			named(tt.name).want(t, tt.status)
	}
	if got := c.list(t, ""); len(got.tokens) != 0 {
		t.Errorf("%d tokens were made by bad requests", len(got.tokens))
	}
}

func TestGiteaServer_whoMay(t *testing.T) {
	t.Parallel()
	onBoth(t, testWhoMay)
}

func testWhoMay(t *testing.T, c *client) {
	t.Helper()
	var reader, writer, stranger token
	c.create(t, "reader", []string{"read:user"}).into(t, http.StatusCreated, &reader)
	c.create(t, "writer", []string{"write:user"}).into(t, http.StatusCreated, &writer)
	c.create(t, "stranger", []string{"read:repository"}).into(t, http.StatusCreated, &stranger)
	body := `{"name":"child","scopes":["all"]}`
	const never = "0123456789012345678901234567890123456789"

	for _, tt := range []struct {
		name   string
		call   call
		status int
	}{
		{"wrong password", call{path: c.tokens, password: "wrong"}, http.StatusUnauthorized},
		{"nothing", call{path: c.tokens}, http.StatusForbidden},
		{"list of a user who is not there", call{path: "/api/v1/users/nobody-at-all/tokens", password: c.server.Password}, http.StatusNotFound},
		{"list, token that never was", call{path: c.tokens, token: never}, http.StatusUnauthorized},
		{"list, token without read:user", call{path: c.tokens, token: stranger.SHA1}, http.StatusForbidden},
		{"list, token without read:user as password", call{path: c.tokens, password: stranger.SHA1}, http.StatusForbidden},
		{"list, token", call{path: c.tokens, token: reader.SHA1}, http.StatusUnauthorized},
		{"list, token as password", call{path: c.tokens, password: reader.SHA1}, http.StatusOK},
		{"create, token", call{method: http.MethodPost, path: c.tokens, token: reader.SHA1, body: body}, http.StatusForbidden},
		{"create, token that may write", call{method: http.MethodPost, path: c.tokens, token: writer.SHA1, body: body}, http.StatusUnauthorized},
		{"create, token as password", call{method: http.MethodPost, path: c.tokens, password: reader.SHA1, body: body}, http.StatusForbidden},
		{"create, writing token as password", call{method: http.MethodPost, path: c.tokens, password: writer.SHA1, body: body}, http.StatusCreated},
		{"delete, writing token as password", call{method: http.MethodDelete, path: c.tokens + "/child", password: writer.SHA1}, http.StatusNoContent},
		{"verify without read:user", call{path: "/api/v1/user", token: stranger.SHA1}, http.StatusForbidden},
		{"verify a token that never was", call{path: "/api/v1/user", token: never}, http.StatusUnauthorized},
		{"verify nothing", call{path: "/api/v1/user"}, http.StatusUnauthorized},
		{"verify a token as password", call{path: "/api/v1/user", password: reader.SHA1}, http.StatusOK},
	} {
		c.do(t, tt.call).named(tt.name).want(t, tt.status)
	}
}

func TestGiteaServer_pages(t *testing.T) {
	t.Parallel()
	onBoth(t, testPages)
}

func testPages(t *testing.T, c *client) {
	t.Helper()
	const n = 53 // more than the largest page
	for i := range n {
		c.create(t, "keyturn-"+strconv.Itoa(i), []string{"read:user"}).want(t, http.StatusCreated)
	}
	for _, tt := range []struct {
		query string
		want  int
	}{
		{"", n},
		{"?limit=2", n},
		{"?page=0", n},
		{"?page=1", 30},
		{"?page=1&limit=2", 2},
		{"?page=27&limit=2", 1},
		{"?page=28&limit=2", 0},
		{"?page=1&limit=1000", 50},
		{"?page=2&limit=50", n - 50},
	} {
		got := c.list(t, tt.query)
		if len(got.tokens) != tt.want || got.total != strconv.Itoa(n) {
			t.Errorf("list%s: %d tokens, X-Total-Count %q; want %d, %d", tt.query, len(got.tokens), got.total, tt.want, n)
		}
		for _, k := range got.tokens {
			if k.SHA1 != "" {
				t.Errorf("list%s shows the value of token %d", tt.query, k.ID)
			}
		}
	}
	seen := map[int64]bool{}
	for _, page := range []string{"?page=1&limit=50", "?page=2&limit=50"} {
		for _, k := range c.list(t, page).tokens {
			seen[k.ID] = true
		}
	}
	if len(seen) != n {
		t.Errorf("two pages of 50 hold %d different tokens, want %d", len(seen), n)
	}
}

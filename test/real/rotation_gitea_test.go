//go:build real

package real_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/test/real/gitea"
	"github.com/keyturn/keyturn/test/stack"
)

// giteaServer is a [server].
type giteaServer struct{ c *client }

func startGitea(t *testing.T) vendor {
	t.Helper()
	c := newClient(gitea.Start(t))
	return vendor{
		server: giteaServer{c}, name: "gitea", title: "Gitea " + gitea.Version,
		lag: 2 * time.Second, // what shared/provider/gitea says of last_used_at
		lastUsed: func(t *testing.T, id string) time.Time {
			t.Helper()
			return c.find(t, number(t, id)).LastUsedAt
		},
	}
}

func number(t *testing.T, id string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (g giteaServer) account() stack.Account {
	s := g.c.server
	host := hostOf(s.URL)
	return stack.Account{Provider: "gitea", Base: s.URL, Hosts: []string{host}, Admin: provider.Admin{
		Hosts: []string{host}, Fields: map[string]secret.Value{"username": secret.New(s.User), "password": secret.New(s.Password)},
	}}
}

func hostOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		panic(err) // made by the test itself
	}
	return u.Host
}

func (g giteaServer) key() stack.Key {
	return stack.Key{Settings: map[string]any{"scopes": []string{"read:user"}}}
}

func (g giteaServer) mint(t *testing.T) handmade {
	t.Helper()
	var k token
	g.c.create(t, "laptop", []string{"read:user"}).into(t, http.StatusCreated, &k)
	id := strconv.FormatInt(k.ID, 10)
	return handmade{id, k.SHA1, g.list(t)[id]}
}

func (g giteaServer) list(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, k := range g.c.list(t, "").tokens {
		b, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		out[strconv.FormatInt(k.ID, 10)] = string(b)
	}
	return out
}

func (g giteaServer) made(t *testing.T, k key) {
	t.Helper()
	listed := g.c.find(t, number(t, k.id))
	if !strings.HasPrefix(listed.Name, "keyturn-") || listed.Name != k.name || !slices.Equal(listed.Scopes, []string{"read:user"}) {
		t.Fatalf("Gitea lists %+v, the secret says %q", listed, k.name)
	}
}

func (g giteaServer) try(ctx context.Context, value string) (accepted bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.c.server.URL+"/api/v1/user", http.NoBody)
	if err != nil {
		return false, err
	}
	req.Header.Set("Authorization", "token "+value)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	if _, err = io.Copy(io.Discard, res.Body); err != nil {
		return false, err
	}
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusUnauthorized {
		return false, fmt.Errorf("status %d", res.StatusCode)
	}
	return res.StatusCode == http.StatusOK, nil
}

func (g giteaServer) secrets() []string { return []string{g.c.server.Password} }

//go:build real

package real_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/test/real/vault"
	"github.com/keyturn/keyturn/test/stack"
)

// vaultServer is a [server]. Its keys are a role's secret ids.
type vaultServer struct{ *vault.Server }

func startVault(t *testing.T) vendor {
	t.Helper()
	s := vaultServer{vault.Start(t)}
	before := s.tokens(t)
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		// Each verification logged in, and so did the consumer.
		if diff := cmp.Diff(before, s.tokens(t)); diff != "" {
			t.Errorf("tokens that logins left (-before +after):\n%s", diff)
		}
	})
	return vendor{server: s, name: "vault", title: "Vault " + vault.Version}
}

func (s vaultServer) account() stack.Account {
	host := hostOf(s.URL)
	return stack.Account{Provider: "vault", Base: s.URL, Hosts: []string{host}, Admin: provider.Admin{
		Hosts: []string{host}, Fields: map[string]secret.Value{"token": secret.New(s.Admin)},
	}}
}

func (s vaultServer) key() stack.Key {
	return stack.Key{Settings: map[string]any{"role": s.Role, "roleID": s.RoleID}}
}

// ask is a request of the root.
func (s vaultServer) ask(t *testing.T, method, path string, in, out any) {
	t.Helper()
	// Some are made while the test is cleaned up.
	if err := s.Do(context.WithoutCancel(t.Context()), s.Root, method, path, in, out); err != nil {
		t.Fatal(err)
	}
}

func (s vaultServer) path(rest string) string { return "/v1/auth/approle/role/" + s.Role + rest }

func (s vaultServer) mint(t *testing.T) handmade {
	t.Helper()
	var out struct {
		Data struct {
			ID       string `json:"secret_id"`
			Accessor string `json:"secret_id_accessor"`
		} `json:"data"`
	}
	s.ask(t, http.MethodPost, s.path("/secret-id"), map[string]any{"metadata": `{"where":"laptop"}`}, &out)
	return handmade{out.Data.Accessor, out.Data.ID, s.list(t)[out.Data.Accessor]}
}

// listed are the IDs of a list.
type listed struct {
	Data struct {
		Keys []string `json:"keys"`
	} `json:"data"`
}

func (s vaultServer) list(t *testing.T) map[string]string {
	t.Helper()
	var all listed
	s.ask(t, "LIST", s.path("/secret-id"), nil, &all)
	out := map[string]string{}
	for _, id := range all.Data.Keys {
		out[id] = string(s.lookUp(t, id))
	}
	return out
}

// lookUp returns what Vault says of a secret id.
func (s vaultServer) lookUp(t *testing.T, id string) json.RawMessage {
	t.Helper()
	var out struct {
		Data json.RawMessage `json:"data"`
	}
	s.ask(t, http.MethodPost, s.path("/secret-id-accessor/lookup"), map[string]any{"secret_id_accessor": id}, &out)
	return out.Data
}

// tokens returns the accessors of all tokens there are.
func (s vaultServer) tokens(t *testing.T) []string {
	t.Helper()
	var all listed
	s.ask(t, "LIST", "/v1/auth/token/accessors", nil, &all)
	slices.Sort(all.Data.Keys)
	return all.Data.Keys
}

func (s vaultServer) made(t *testing.T, k key) {
	t.Helper()
	var is struct {
		Uses     int               `json:"secret_id_num_uses"`
		TTL      int               `json:"secret_id_ttl"`
		Metadata map[string]string `json:"metadata"`
	}
	if err := json.Unmarshal(s.lookUp(t, k.id), &is); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(k.name, "keyturn-") || is.Metadata["keyturn"] != k.name || is.Uses != 0 || is.TTL != 0 {
		t.Fatalf("Vault shows %+v, the secret says %q", is, k.name)
	}
}

// try logs in, and ends the token that this made.
func (s vaultServer) try(ctx context.Context, value string) (accepted bool, err error) {
	var out struct {
		Auth struct {
			Token string `json:"client_token"`
		} `json:"auth"`
	}
	err = s.Do(ctx, "", http.MethodPost, "/v1/auth/approle/login", map[string]any{"role_id": s.RoleID, "secret_id": value}, &out)
	if r, ok := errors.AsType[*vault.RefusalError](err); ok && slices.Equal(r.Errors, []string{"invalid secret id"}) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, s.Do(ctx, out.Auth.Token, http.MethodPost, "/v1/auth/token/revoke-self", nil, nil)
}

func (s vaultServer) secrets() []string { return []string{s.Root, s.Admin} }

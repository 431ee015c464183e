// Package vault builds the real HashiCorp Vault from its Go module and runs it
// for a test, in memory and on loopback only.
package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/keyturn/keyturn/test/real/daemon"
)

// Version is the Vault release that [Start] runs.
const Version = "1.13.1"

// Server is a running Vault with one AppRole.
type Server struct {
	URL    string // for example http://127.0.0.1:40123, without a final slash
	Root   string // the root token, random, of this server only
	Admin  string // a token that may do with the role's secret ids what Keyturn needs, and nothing else
	Role   string
	RoleID string
}

// Start runs a fresh Vault until the test and its cleanups are over. Where no
// build is in the cache it makes one first, which takes some minutes of CPU.
// Whatever goes wrong ends the test. Safe for use by several tests at once:
// each gets its own server.
func Start(t testing.TB) *Server {
	t.Helper()
	dir, err := Build(t.Context(), t.Logf)
	if err != nil {
		t.Fatalf("build vault: %v", err)
	}
	s := &Server{Root: "root-" + rand.Text(), Role: "mailer"}
	home := t.TempDir()
	_, err = daemon.Serve(t, func(ctx context.Context, addr string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, filepath.Join(dir, "vault"), "server", "-dev", "-dev-no-store-token", "-dev-listen-address="+addr)
		cmd.Dir = home
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + home, "VAULT_DEV_ROOT_TOKEN_ID=" + s.Root,
			// This Vault makes certificates that Go refuses since 1.23.
			"GODEBUG=x509negativeserial=1",
		}
		return cmd
	}, func(ctx context.Context, addr string) error {
		s.URL = "http://" + addr
		return s.Do(ctx, s.Root, http.MethodGet, "/v1/auth/token/lookup-self", nil, nil)
	})
	if err != nil {
		t.Fatalf("run vault: %v", err)
	}
	if err = s.setUp(t.Context()); err != nil {
		t.Fatalf("set vault up: %v", err)
	}
	return s
}

// policy is the least that our documentation asks for, in
// shared/provider/vault: what is missing there fails here.
const policy = `
path "auth/approle/role/mailer/custom-secret-id"           { capabilities = ["create", "update"] }
path "auth/approle/role/mailer/secret-id/lookup"           { capabilities = ["update"] }
path "auth/approle/role/mailer/secret-id-accessor/lookup"  { capabilities = ["update"] }
path "auth/approle/role/mailer/secret-id-accessor/destroy" { capabilities = ["update"] }
path "auth/approle/role/mailer/secret-id"                  { capabilities = ["list"] }
`

// setUp makes the role and the administrator, as an operator does.
func (s *Server) setUp(ctx context.Context) error {
	role := "/v1/auth/approle/role/" + s.Role
	for _, c := range []struct {
		path string
		in   any
	}{
		{"/v1/sys/auth/approle", map[string]any{"type": "approle"}},
		{role, map[string]any{"secret_id_num_uses": 0, "secret_id_ttl": 0, "token_ttl": "1m"}},
		{"/v1/sys/policies/acl/keyturn", map[string]any{"policy": policy}},
	} {
		if err := s.Do(ctx, s.Root, http.MethodPost, c.path, c.in, nil); err != nil {
			return err
		}
	}
	var id struct {
		Data struct {
			RoleID string `json:"role_id"`
		} `json:"data"`
	}
	if err := s.Do(ctx, s.Root, http.MethodGet, role+"/role-id", nil, &id); err != nil {
		return err
	}
	var token struct {
		Auth struct {
			Token string `json:"client_token"`
		} `json:"auth"`
	}
	in := map[string]any{"policies": []string{"keyturn"}, "no_default_policy": true, "no_parent": true, "period": "1h"}
	if err := s.Do(ctx, s.Root, http.MethodPost, "/v1/auth/token/create", in, &token); err != nil {
		return err
	}
	s.RoleID, s.Admin = id.Data.RoleID, token.Auth.Token
	return nil
}

// RefusalError is Vault's answer to what it did not do.
type RefusalError struct {
	Status int
	Errors []string
}

// Error implements error.
func (r *RefusalError) Error() string { return fmt.Sprintf("status %d: %q", r.Status, r.Errors) }

// Do asks Vault with plain net/http, so what it shows does not depend on our
// own client. token, in and out may be empty. An answer that is not 2xx is a
// [*RefusalError].
func (s *Server) Do(ctx context.Context, token, method, path string, in, out any) error {
	body := []byte(nil)
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		r := &RefusalError{Status: res.StatusCode}
		// A body that is none of Vault's says nothing.
		return fmt.Errorf("%s %s: %w", method, path, errors.Join(r, json.Unmarshal(text, r)))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

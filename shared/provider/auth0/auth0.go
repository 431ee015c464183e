// Package auth0 rotates the client secrets of Auth0 applications.
//
// Strategy: RollInPlace, with a secret of our own choosing. An application has
// one client secret; a change ends the old one within up to thirty seconds, in
// which either may be accepted
// (https://auth0.com/docs/get-started/applications/rotate-client-secret). The
// call that has Auth0 choose a secret is not used: its answer can be lost. The
// facts are those of
// https://auth0.com/docs/api/management/v2/clients/patch-clients-by-id unless a
// comment says otherwise.
package auth0

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

const clientPath = "/api/v2/clients/{id}"

// Client calls Auth0's Management and Authentication APIs. It is safe for
// concurrent use.
type Client struct {
	api      httpapi.Client
	tokens   tokens
	settings Settings
}

// New returns a Client that sends through hc. It makes no call. now tells
// whether a management token is still good.
func New(s Settings, admin provider.Admin, hc *http.Client, now func() time.Time) *Client {
	base := strings.TrimSuffix(s.URL, "/")
	c := &Client{api: httpapi.Client{Base: base, HTTP: hc, ErrorField: "error"}, settings: s}
	c.tokens = tokens{id: admin.Field("clientID"), secret: admin.Field("clientSecret"), audience: base + "/api/v2/", now: now}
	return c
}

// Strategy returns the vendor's half of a rotation.
func (c *Client) Strategy() provider.Strategy {
	return provider.RollInPlace{ID: c.settings.ClientID, Key: c, Set: c, Read: c}
}

// Choose implements [provider.Chooser]. The documentation has no rule for a
// secret's length or alphabet; this one looks like those that Auth0 makes, 64
// characters of base64url.
func (c *Client) Choose(random io.Reader) (secret.Value, error) {
	b := make([]byte, 48)
	if _, err := io.ReadFull(random, b); err != nil {
		return secret.Value{}, &provider.Error{Op: "choose a client secret", Kind: provider.KindNotSent, Err: errors.New("no randomness")}
	}
	return secret.New(base64.RawURLEncoding.EncodeToString(b)), nil
}

// application is what there is to know about one before its secret is touched.
type application struct {
	ID      string                     `json:"client_id"`
	Secret  secret.Value               `json:"client_secret"`
	Method  string                     `json:"token_endpoint_auth_method"`
	Methods map[string]json.RawMessage `json:"client_authentication_methods"`
}

// Set implements [provider.Setter]. It looks first: an application that proves
// itself in another way has no secret to set.
func (c *Client) Set(ctx context.Context, id string, value secret.Value) error {
	op := "PATCH " + clientPath
	if value.Empty() {
		return &provider.Error{Op: op, Kind: provider.KindPermanent, Err: errors.New("the secret is empty")}
	}
	app, err := c.application(ctx, id, "client_authentication_methods", "token_endpoint_auth_method")
	if err != nil {
		return err
	}
	if other := app.otherwise(); other != "" {
		return &provider.Error{Op: op, Kind: provider.KindPermanent, Err: errors.New(other)}
	}
	var out application
	return c.manage(ctx, httpapi.Call{
		Method: "PATCH", Path: clientPath, Params: map[string]string{"id": id}, Want: http.StatusOK,
		In:  map[string]string{"client_secret": value.Reveal()},
		Out: &out,
		// The secret is shown to whoever has read:client_keys.
		Proof: func() bool { return out.ID == id && (out.Secret.Empty() || out.Secret.Equal(value)) },
	})
}

// otherwise says how an application proves itself if not with a secret.
func (a application) otherwise() string {
	switch {
	case len(a.Methods) > 0:
		return "the application proves itself with a private key or a certificate (client_authentication_methods) and has no secret to replace"
	case a.Method == "none":
		return "the application is public (token_endpoint_auth_method none) and uses no secret"
	}
	return ""
}

// Read implements [provider.Reader].
func (c *Client) Read(ctx context.Context, id string) (secret.Value, error) {
	app, err := c.application(ctx, id, "client_secret")
	if err == nil && app.Secret.Empty() {
		err = &provider.Error{Op: "GET " + clientPath, Kind: provider.KindAuth, Status: http.StatusOK, Err: errors.New("no client_secret in the answer: the admin application needs read:client_keys")}
	}
	if err != nil {
		return secret.Value{}, err
	}
	return app.Secret, nil
}

func (c *Client) application(ctx context.Context, id string, fields ...string) (application, error) {
	if id != c.settings.ClientID || !clientForm.MatchString(id) {
		return application{}, &provider.Error{Op: "GET " + clientPath, Kind: provider.KindPermanent, Err: errors.New("not the application that the settings name")}
	}
	var out application
	err := c.manage(ctx, httpapi.Call{
		Method: "GET", Path: clientPath, Params: map[string]string{"id": id}, Want: http.StatusOK,
		Query: url.Values{"fields": {"client_id," + strings.Join(fields, ",")}, "include_fields": {"true"}},
		Out:   &out, Proof: func() bool { return out.ID == id },
	})
	return out, err
}

// Verify implements [provider.Verifier]: it asks for a token with the client's
// own credentials. A wrong secret is answered 401, with invalid_client or
// access_denied. A 403 says that the client may not have such a token
// (unauthorized_client, access_denied); whether the secret was looked at before
// that is not documented, so it is neither yes nor no.
func (c *Client) Verify(ctx context.Context, key secret.Value) error {
	_, err := c.grant(ctx, secret.New(c.settings.ClientID), key, c.settings.Audience, httpapi.Call{
		Dead:  http.StatusUnauthorized,
		Kinds: map[int]provider.Kind{http.StatusForbidden: provider.KindPermanent},
	})
	if e, ok := errors.AsType[*provider.Error](err); ok && e.Status == http.StatusForbidden {
		e.Err = errors.New("the application may not get a token for the audience with client_credentials, so its secret cannot be tried")
	}
	return err
}

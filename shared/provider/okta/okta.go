// Package okta rotates the OAuth client secrets of Okta apps.
//
// Strategy: DualSlot, with a secret of our own choosing. An app has room for two
// secrets, which carry no names and are listed with their values; both work
// while they are active, and only an inactive one can be deleted. The facts are
// those of https://developer.okta.com/docs/guides/client-secret-rotation-key/
// and of the API's reference that [Definition] links, unless a comment says
// otherwise.
package okta

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

const (
	slots = 2

	active   = "ACTIVE"
	inactive = "INACTIVE"

	secretsPath = "/api/v1/apps/{appId}/credentials/secrets"
	secretPath  = secretsPath + "/{secretId}"
)

// Client calls Okta's management and OAuth APIs. It is safe for concurrent use.
type Client struct {
	api      httpapi.Client
	admin    httpapi.Credential
	settings Settings
}

// New returns a Client that sends through hc. It makes no call.
func New(s Settings, admin provider.Admin, hc *http.Client) *Client {
	return &Client{
		api:      httpapi.Client{Base: s.BaseURL(), HTTP: hc, ErrorField: "errorCode", ResetHeader: "X-Rate-Limit-Reset"},
		admin:    httpapi.Token("SSWS ", admin.Field("apiToken")),
		settings: s,
	}
}

// Strategy returns the vendor's half of a rotation.
func (c *Client) Strategy() provider.Strategy {
	return provider.DualSlot{Slots: c, Max: slots, Place: c, Disable: c}
}

// held is a client secret as Okta shows it.
type held struct {
	ID      string       `json:"id"`
	Value   secret.Value `json:"client_secret"`
	Status  string       `json:"status"`
	Created time.Time    `json:"created"`
}

func (h held) whole() bool {
	return idForm.MatchString(h.ID) && !h.Value.Empty() && (h.Status == active || h.Status == inactive)
}

func (h held) key() provider.Key { return provider.Key{ID: h.ID, Created: h.Created} }

// call begins a call of the app's secrets.
func (c *Client) call(method, path, id string) httpapi.Call {
	params := map[string]string{"appId": c.settings.AppID}
	if path != secretsPath {
		params["secretId"] = id
	}
	call := httpapi.Call{Method: method, Path: path, Params: params}
	call.Said = func(status int, body []byte) error { return refusal(call, status, body) }
	return call
}

// list reads the app's secrets; there are at most two, so no pages. An app that
// uses secrets has one: the only active one can be neither deactivated nor
// deleted. So an empty list is no answer.
func (c *Client) list(ctx context.Context) ([]held, error) {
	call := c.call("GET", secretsPath, "")
	var out []held
	call.Want, call.Out = http.StatusOK, &out
	call.Proof = func() bool {
		return len(out) > 0 && !slices.ContainsFunc(out, func(h held) bool { return !h.whole() })
	}
	if err := c.api.Do(ctx, c.admin, call); err != nil {
		return nil, err
	}
	return out, nil
}

// find returns the secret that is called id, nil if there is none.
func (c *Client) find(ctx context.Context, id string) (*held, error) {
	all, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(all, func(h held) bool { return h.ID == id }); i >= 0 {
		return &all[i], nil
	}
	return nil, nil //nolint:nilnil // absence is an answer
}

// valued returns the secret with this value, nil if there is none.
func valued(all []held, value secret.Value) *held {
	for i := range all {
		if all[i].Value.Equal(value) {
			return &all[i]
		}
	}
	return nil
}

// Slots implements [provider.Slotter].
func (c *Client) Slots(ctx context.Context) ([]provider.Key, error) {
	all, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	keys := make([]provider.Key, len(all))
	for i, h := range all {
		keys[i] = h.key()
	}
	return keys, nil
}

// Identify implements [provider.Identifier].
func (c *Client) Identify(ctx context.Context, value secret.Value) (string, error) {
	all, err := c.list(ctx)
	if err != nil {
		return "", err
	}
	if h := valued(all, value); h != nil {
		return h.ID, nil
	}
	return "", &provider.Error{Op: "GET " + secretsPath, Kind: provider.KindNotFound, Status: http.StatusOK}
}

// Choose implements [provider.Chooser]: 64 characters of base64url, as Okta's
// own; 14 to 100 printable ASCII characters are accepted.
func (c *Client) Choose(random io.Reader) (secret.Value, error) {
	b := make([]byte, 48)
	if _, err := io.ReadFull(random, b); err != nil {
		return secret.Value{}, &provider.Error{Op: "choose a client secret", Kind: provider.KindNotSent, Err: errors.New("no randomness")}
	}
	return secret.New(base64.RawURLEncoding.EncodeToString(b)), nil
}

// Place implements [provider.Placer]. Nothing says that Okta refuses a value
// that is there already, so it is looked for first and sent once.
func (c *Client) Place(ctx context.Context, value secret.Value) (provider.Key, error) {
	call := c.call("POST", secretsPath, "")
	if n := len(value.Reveal()); n < 14 || n > 100 || !printable(value) {
		return provider.Key{}, &provider.Error{Op: call.Method + " " + call.Path, Kind: provider.KindPermanent, Err: errors.New("a client secret has 14 to 100 printable ASCII characters")}
	}
	all, err := c.list(ctx)
	if err != nil {
		return provider.Key{}, err
	}
	if h := valued(all, value); h != nil {
		return h.key(), nil
	}
	var out held
	call.Once, call.In, call.Out = true, map[string]string{"client_secret": value.Reveal()}, &out
	call.Proof = func() bool { return out.whole() && out.Status == active && out.Value.Equal(value) }
	if err := c.api.Do(ctx, c.admin, call); err != nil {
		return provider.Key{}, err
	}
	return out.key(), nil
}

// Revoke implements [provider.Revoker]. A secret that is gone and an app that is
// not there are answered alike, so the list decides what is gone.
func (c *Client) Revoke(ctx context.Context, id string) error {
	call := c.call("DELETE", secretPath, id)
	if !idForm.MatchString(id) {
		return noID(call)
	}
	h, err := c.find(ctx, id)
	if err != nil || h == nil {
		return err
	}
	if err := c.turn(ctx, *h, inactive); err != nil && provider.KindOf(err) != provider.KindNotFound {
		return err
	}
	call.Want = http.StatusNoContent
	err = c.api.Do(ctx, c.admin, call)
	if err == nil || provider.KindOf(err) != provider.KindNotFound {
		return err
	}
	if h, lerr := c.find(ctx, id); lerr != nil || h == nil {
		return lerr
	}
	return &provider.Error{Op: call.Method + " " + call.Path, Kind: provider.KindPermanent, Status: http.StatusNotFound, Err: errors.New("the secret is listed and cannot be deleted")}
}

func noID(call httpapi.Call) error {
	return &provider.Error{Op: call.Method + " " + call.Path, Kind: provider.KindPermanent, Err: errors.New("not the id of a client secret")}
}

// Disable implements [provider.Disabler]. Okta does not deactivate the only
// active secret.
func (c *Client) Disable(ctx context.Context, id string) error { return c.change(ctx, id, inactive) }

// Enable implements [provider.Disabler].
func (c *Client) Enable(ctx context.Context, id string) error { return c.change(ctx, id, active) }

func (c *Client) change(ctx context.Context, id, status string) error {
	call := c.call("GET", secretsPath, "")
	if !idForm.MatchString(id) {
		return noID(call)
	}
	h, err := c.find(ctx, id)
	if err != nil {
		return err
	}
	if h == nil {
		return &provider.Error{Op: call.Method + " " + call.Path, Kind: provider.KindNotFound, Status: http.StatusOK}
	}
	return c.turn(ctx, *h, status)
}

// turn gives h another status. Whether Okta takes one that a secret has already
// is not documented, so after a refusal the list decides.
func (c *Client) turn(ctx context.Context, h held, status string) error {
	if h.Status == status {
		return nil
	}
	path := secretPath + "/lifecycle/activate"
	if status == inactive {
		path = secretPath + "/lifecycle/deactivate"
	}
	call := c.call("POST", path, h.ID)
	var out held
	call.Want, call.Out = http.StatusOK, &out
	call.Proof = func() bool { return out.ID == h.ID && out.Status == status }
	err := c.api.Do(ctx, c.admin, call)
	if err == nil || provider.KindOf(err) != provider.KindPermanent {
		return err
	}
	now, lerr := c.find(ctx, h.ID)
	switch {
	case lerr != nil:
		return lerr
	case now != nil && now.Status == status:
		return nil
	}
	return err
}

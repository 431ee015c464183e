// Package adyen rotates the API keys of Adyen's API credentials.
//
// Strategy: RollWithGrace. An API credential has one API key. Generating another
// shows it once; it can be used a few minutes later, and the old one stops
// working after 24 hours, which cannot be chosen. Keys cannot be listed or
// deleted, so a key whose answer was lost is only ended by generating one more.
// The facts are those of
// https://docs.adyen.com/api-explorer/Management/3/post/merchants/_merchantId_/apiCredentials/_apiCredentialId_/generateApiKey
// unless a comment says otherwise. Nothing says what generating another key does
// to one that is in its 24 hours already.
package adyen

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

const grace = 24 * time.Hour

// Client calls Adyen's Management API. It is safe for concurrent use.
type Client struct {
	api      httpapi.Client
	admin    httpapi.Credential
	settings Settings
}

// New returns a Client that sends through hc. It makes no call.
func New(s Settings, admin provider.Admin, hc *http.Client) *Client {
	return &Client{
		// Management's errors and those of the security layer before it share
		// this member.
		api:      httpapi.Client{Base: s.BaseURL(), HTTP: hc, ErrorField: "errorCode"},
		admin:    key(admin.Field("apiKey")),
		settings: s,
	}
}

func key(k secret.Value) httpapi.Credential { return httpapi.Header("X-API-Key", k) }

// Strategy returns the vendor's half of a rotation.
func (c *Client) Strategy() provider.Strategy {
	return provider.RollWithGrace{ID: c.settings.CredentialID, Key: c, MinGrace: grace, MaxGrace: grace}
}

// Roll implements [provider.Roller]. The old key works for 24 hours more,
// whatever the grace asked for.
func (c *Client) Roll(ctx context.Context, id string, _ time.Duration) (provider.Issued, error) {
	call := httpapi.Call{
		Method: "POST", Path: "/merchants/{merchantId}/apiCredentials/{apiCredentialId}/generateApiKey",
		Params: map[string]string{"merchantId": c.settings.MerchantID, "apiCredentialId": id},
		Once:   true, Want: http.StatusOK,
	}
	if c.settings.CompanyID != "" {
		call.Path = "/companies/{companyId}/apiCredentials/{apiCredentialId}/generateApiKey"
		call.Params = map[string]string{"companyId": c.settings.CompanyID, "apiCredentialId": id}
	}
	if id != c.settings.CredentialID || !credentialForm.MatchString(id) {
		return provider.Issued{}, &provider.Error{Op: call.Method + " " + call.Path, Kind: provider.KindPermanent, Err: errors.New("not the API credential that the settings name")}
	}
	var out struct {
		Key secret.Value `json:"apiKey"`
	}
	call.Out, call.Proof = &out, func() bool { return !out.Key.Empty() }
	if err := c.api.Do(ctx, c.admin, call); err != nil {
		return provider.Issued{}, err
	}
	return provider.Issued{Key: provider.Key{ID: id}, Value: out.Key}, nil
}

// Verify implements [provider.Verifier]. A key may ask whose it is
// (https://docs.adyen.com/api-explorer/Management/3/get/me) if its credential
// has a role of the Management API; without one it is answered 403, which says
// nothing about the key. 401 is what a key gets that is dead, that cannot be
// used yet, or that comes from an address which the credential does not admit:
// only the other key, tried from the same place, tells them apart. A key of
// another credential, or of one that is not active, is neither accepted nor
// rejected.
func (c *Client) Verify(ctx context.Context, k secret.Value) error {
	const path = "/me"
	var out struct {
		ID     string `json:"id"`
		Active bool   `json:"active"`
	}
	err := c.api.Do(ctx, key(k), httpapi.Call{
		Method: "GET", Path: path, Want: http.StatusOK,
		Out: &out, Proof: func() bool { return credentialForm.MatchString(out.ID) },
		Dead:  http.StatusUnauthorized,
		Kinds: map[int]provider.Kind{http.StatusForbidden: provider.KindPermanent},
	})
	if err != nil {
		return err
	}
	e := &provider.Error{Op: "GET " + path, Kind: provider.KindPermanent, Status: http.StatusOK}
	switch {
	case out.ID != c.settings.CredentialID:
		e.Err = errors.New("the key is that of another API credential")
		return e
	case !out.Active:
		e.Err = errors.New("the API credential is not active")
		return e
	}
	return nil
}

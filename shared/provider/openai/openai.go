// Package openai rotates OpenAI API keys.
//
// Strategy: Overlap, through a project's service accounts. A service account is
// made together with one key, whose value is shown once, and the key dies with
// the account: the call that deletes a key refuses those of service accounts. So
// an id here is the account's. Nothing says that names are unique. The facts are
// those of https://platform.openai.com/docs/api-reference/project-service-accounts
// unless a comment says otherwise.
package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

const (
	accounts = "/organization/projects/{project_id}/service_accounts"
	keys     = "/organization/projects/{project_id}/api_keys"
	pageSize = "100" // the most there is
)

var idForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,128}$`)

// Client calls OpenAI's API. It is safe for concurrent use.
type Client struct {
	api     httpapi.Client
	admin   httpapi.Credential
	project string
}

// New returns a Client that sends through hc. It makes no call.
func New(s Settings, admin provider.Admin, hc *http.Client) *Client {
	return &Client{
		api:     httpapi.Client{Base: s.BaseURL(), HTTP: hc, ErrorField: "error"},
		admin:   httpapi.Bearer(admin.Field("adminKey")),
		project: s.ProjectID,
	}
}

// Strategy returns the vendor's half of a rotation. OpenAI shows neither a key's
// rights nor, from its value, its id.
func (c *Client) Strategy() provider.Strategy { return provider.Overlap{Keys: c, Usage: c} }

func (c *Client) params() map[string]string { return map[string]string{"project_id": c.project} }

// Create implements [provider.Creator].
func (c *Client) Create(ctx context.Context, name string) (provider.Issued, error) {
	var out struct {
		ID  string `json:"id"`
		Key struct {
			Value secret.Value `json:"value"`
		} `json:"api_key"`
	}
	err := c.api.Do(ctx, c.admin, httpapi.Call{
		Method: "POST", Path: accounts, Params: c.params(), Once: true, Want: http.StatusOK,
		In:    map[string]any{"name": name},
		Out:   &out,
		Proof: func() bool { return idForm.MatchString(out.ID) && !out.Key.Value.Empty() },
	})
	if err != nil {
		return provider.Issued{}, err
	}
	return provider.Issued{Key: provider.Key{ID: out.ID, Name: name}, Value: out.Key.Value}, nil
}

// list reads all pages of a list. A page begins after the id that ended the one
// before it, so what is made or deleted meanwhile hides nothing else.
func list[T any](ctx context.Context, c *Client, path string, id func(T) string) ([]T, error) {
	type page struct {
		Object string `json:"object"`
		Data   []T    `json:"data"`
		More   *bool  `json:"has_more"`
	}
	pages, err := httpapi.Pages(ctx, &c.api, c.admin, httpapi.Call{
		Method: "GET", Path: path, Params: c.params(), Want: http.StatusOK,
		Query: url.Values{"limit": {pageSize}},
	}, func(p page) bool {
		return p.Object == "list" && p.Data != nil && p.More != nil &&
			!slices.ContainsFunc(p.Data, func(e T) bool { return !idForm.MatchString(id(e)) })
	}, func(p page, _ http.Header) (string, bool) {
		if !*p.More {
			return "", true
		}
		if len(p.Data) == 0 {
			return "", false // more, and no place to go on from
		}
		return "?" + url.Values{"limit": {pageSize}, "after": {id(p.Data[len(p.Data)-1])}}.Encode(), true
	})
	if err != nil {
		return nil, err
	}
	var out []T
	for _, p := range pages {
		out = append(out, p.Data...)
	}
	return out, nil
}

type account struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// List implements [provider.Lister]. It returns the project's service accounts.
func (c *Client) List(ctx context.Context) ([]provider.Key, error) {
	found, err := list(ctx, c, accounts, func(a account) string { return a.ID })
	if err != nil {
		return nil, err
	}
	out := make([]provider.Key, len(found))
	for i, a := range found {
		out[i] = provider.Key{ID: a.ID, Name: a.Name}
	}
	return out, nil
}

// Revoke implements [provider.Revoker]: it deletes the service account. How a
// second delete is refused is not documented, and a project that is not there
// may be refused likewise: the list decides whether the account is gone.
func (c *Client) Revoke(ctx context.Context, id string) error {
	const path = accounts + "/{service_account_id}"
	if !idForm.MatchString(id) {
		return &provider.Error{Op: "DELETE " + path, Kind: provider.KindPermanent, Err: errors.New("not the id of a service account")}
	}
	params := c.params()
	params["service_account_id"] = id
	var out struct {
		ID      string `json:"id"`
		Deleted bool   `json:"deleted"`
	}
	err := c.api.Do(ctx, c.admin, httpapi.Call{
		Method: "DELETE", Path: path, Params: params, Want: http.StatusOK,
		Out: &out, Proof: func() bool { return out.Deleted && out.ID == id },
	})
	e, ok := errors.AsType[*provider.Error](err)
	if !ok || e.Kind != provider.KindNotFound && e.Kind != provider.KindPermanent {
		return err
	}
	found, lerr := c.List(ctx)
	switch {
	case lerr == nil && !slices.ContainsFunc(found, func(k provider.Key) bool { return k.ID == id }):
		return nil
	case lerr != nil && provider.KindOf(lerr) != provider.KindNotFound:
		return lerr
	}
	e.Kind = provider.KindPermanent
	return e
}

// Verify implements [provider.Verifier]. It lists the models. OpenAI answers 401
// to a key that was deleted ("Incorrect API key provided",
// https://platform.openai.com/docs/guides/error-codes/api-errors), and also to a
// live one from an address that the organization does not admit: only a key that
// is accepted from the same place tells the two apart.
func (c *Client) Verify(ctx context.Context, key secret.Value) error {
	var out struct {
		Object string    `json:"object"`
		Data   []account `json:"data"`
	}
	return c.api.Do(ctx, httpapi.Bearer(key), httpapi.Call{
		Method: "GET", Path: "/models", Want: http.StatusOK,
		Out:   &out,
		Proof: func() bool { return out.Object == "list" && len(out.Data) > 0 },
		Dead:  http.StatusUnauthorized,
		Kinds: map[int]provider.Kind{http.StatusForbidden: provider.KindPermanent},
	})
}

// LastUsed implements [provider.UsageReporter]. It is the last use of any key of
// the service account; last_used_at is always there, and null for never
// (https://platform.openai.com/docs/api-reference/project-api-keys/object).
func (c *Client) LastUsed(ctx context.Context, id string) (time.Time, error) {
	type key struct {
		ID    string          `json:"id"`
		Used  json.RawMessage `json:"last_used_at"`
		Owner struct {
			Account account `json:"service_account"`
		} `json:"owner"`
	}
	all, err := list(ctx, c, keys, func(k key) string { return k.ID })
	if err != nil {
		return time.Time{}, err
	}
	all = slices.DeleteFunc(all, func(k key) bool { return id == "" || k.Owner.Account.ID != id })
	if len(all) == 0 {
		return time.Time{}, &provider.Error{Op: "GET " + keys, Kind: provider.KindNotFound}
	}
	var last time.Time
	for _, k := range all {
		var at *int64
		if json.Unmarshal(k.Used, &at) != nil { // it is not there, and that is not null
			return time.Time{}, &provider.Error{Op: "GET " + keys, Kind: provider.KindPermanent, Err: fmt.Errorf("a key without last_used_at: %w", provider.ErrNotTold)}
		}
		if at != nil && time.Unix(*at, 0).After(last) {
			last = time.Unix(*at, 0)
		}
	}
	return last, nil
}

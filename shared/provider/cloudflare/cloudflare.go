// Package cloudflare rotates Cloudflare API tokens, a user's or an account's.
//
// Strategy: Overlap. Nothing says that names are unique, a token's value is
// shown once, a token can be disabled and enabled again, and can be given an
// end. The facts are those of
// https://developers.cloudflare.com/api/resources/user/subresources/tokens/ (and
// of accounts/subresources/tokens) unless a comment says otherwise. The call
// that rolls a value ends the old one at once, so it is for an emergency without
// room (https://developers.cloudflare.com/fundamentals/api/how-to/roll-token/).
package cloudflare

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

const (
	pageSize = "50" // the most there is
	listings = 3    // tries to read a list that changes meanwhile

	active   = "active"
	disabled = "disabled"
	expired  = "expired"
)

// The documented ids have 32 hex digits. What else stands in an id's place in a
// path ("verify", "permission_groups") must not fit.
var idForm = regexp.MustCompile(`^[0-9A-Za-z]{8,32}$`)

// Client calls Cloudflare's API, version 4. It is safe for concurrent use.
type Client struct {
	api      httpapi.Client
	admin    httpapi.Credential
	settings Settings
}

// New returns a Client that sends through hc. It makes no call.
func New(s Settings, admin provider.Admin, hc *http.Client) *Client {
	return &Client{
		api:      httpapi.Client{Base: s.BaseURL(), HTTP: hc, ErrorField: "errors"},
		admin:    httpapi.Bearer(admin.Field("apiToken")),
		settings: s,
	}
}

// Strategy returns the vendor's half of a rotation.
func (c *Client) Strategy() provider.Strategy {
	o := provider.Overlap{Keys: c, Max: c.settings.quota(), Usage: c, Scope: c, Disable: c, Expire: c, Identify: c, Roll: c}
	if c.settings.Copy {
		o.Copy = c
	}
	return o
}

// envelope is around every answer. A refusal may come with 200 too; then
// success is false.
type envelope[T any] struct {
	Success bool `json:"success"`
	Result  T    `json:"result"`
	Info    struct {
		Total *int `json:"total_count"`
	} `json:"result_info"`
}

// send sends call and returns what is in the envelope.
func send[T any](ctx context.Context, c *Client, cred httpapi.Credential, call httpapi.Call, proof func(T) bool) (T, error) {
	var out envelope[T]
	call.Want, call.Out = http.StatusOK, &out
	call.Proof = func() bool { return out.Success && proof(out.Result) }
	err := c.api.Do(ctx, cred, call)
	return out.Result, err
}

// call begins a call of the tokens' API.
func (c *Client) call(method, below, id string) httpapi.Call {
	call := httpapi.Call{Method: method, Path: "/user/tokens" + below, Params: map[string]string{}}
	if c.settings.AccountID != "" {
		call.Path = "/accounts/{account_id}/tokens" + below
		call.Params["account_id"] = c.settings.AccountID
	}
	if strings.HasPrefix(below, "/{token_id}") {
		call.Params["token_id"] = id
	}
	return call
}

type token struct {
	ID        string           `json:"id"`
	Name      string           `json:"name"`
	Status    string           `json:"status"`
	Value     secret.Value     `json:"value"`
	Policies  []map[string]any `json:"policies"`
	Condition map[string]any   `json:"condition"`
	NotBefore string           `json:"not_before"`
	ExpiresOn string           `json:"expires_on"`
	LastUsed  time.Time        `json:"last_used_on"`
}

// Create implements [provider.Creator].
func (c *Client) Create(ctx context.Context, name string) (provider.Issued, error) {
	if len(c.settings.Policies) == 0 {
		call := c.call("POST", "", "")
		return provider.Issued{}, &provider.Error{
			Op: call.Method + " " + call.Path, Kind: provider.KindPermanent,
			Err: errors.New("the settings have no policies, and there is no token to copy them from: write policies, or store a token that was made by hand and adopt it"),
		}
	}
	return c.create(ctx, name, c.settings.Policies, c.settings.Condition)
}

// Copy implements [provider.Copier]: the policies and the condition. What is
// about one token and no other (its name, its status, from when until when it
// works) is not copied.
func (c *Client) Copy(ctx context.Context, name, id string) (provider.Issued, error) {
	t, err := c.get(ctx, id)
	if err != nil {
		if e, ok := errors.AsType[*provider.Error](err); ok && e.Kind == provider.KindUnknown {
			e.Kind = provider.KindNotSent // nothing was made, whatever the read came to
		}
		return provider.Issued{}, err
	}
	return c.create(ctx, name, t.Policies, t.Condition)
}

// create makes a token. How Cloudflare refuses one too many is not documented,
// so after any refusal the tokens are counted; only a full account is
// [provider.KindFull], on which a caller may revoke.
func (c *Client) create(ctx context.Context, name string, policies []map[string]any, condition map[string]any) (provider.Issued, error) {
	call := c.call("POST", "", "")
	call.Once = true
	in := map[string]any{"name": name, "policies": writable(policies)}
	if len(condition) > 0 {
		in["condition"] = condition
	}
	call.In = in
	t, err := send(ctx, c, c.admin, call, func(t token) bool { return idForm.MatchString(t.ID) && !t.Value.Empty() })
	if e, ok := errors.AsType[*provider.Error](err); ok && refused(e) {
		if keys, lerr := c.List(ctx); lerr == nil && len(keys) >= c.settings.quota() {
			e.Kind = provider.KindFull
		}
	}
	if err != nil {
		return provider.Issued{}, err
	}
	return provider.Issued{Key: provider.Key{ID: t.ID, Name: name}, Value: t.Value}, nil
}

// refused reports whether Cloudflare refused a request, other than for the admin
// token's own sake.
func refused(e *provider.Error) bool {
	return e.Status/100 == 4 && e.Status != http.StatusUnauthorized &&
		(e.Kind == provider.KindPermanent || e.Kind == provider.KindAuth || e.Kind == provider.KindNotFound)
}

// List implements [provider.Lister].
func (c *Client) List(ctx context.Context) ([]provider.Key, error) {
	tokens, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	keys := make([]provider.Key, len(tokens))
	for i, t := range tokens {
		keys[i] = provider.Key{ID: t.ID, Name: t.Name}
	}
	return keys, nil
}

// list reads all pages. A token that is made or deleted meanwhile can hide
// another one: every page must count the same, and as many as were read.
func (c *Client) list(ctx context.Context) ([]token, error) {
	for range listings {
		tokens, still, err := c.listOnce(ctx)
		if err != nil || still {
			return tokens, err
		}
	}
	return nil, &provider.Error{Op: "GET " + c.call("GET", "", "").Path, Err: errors.New("the list changed while it was read")}
}

// listOnce reports whether the list stood still.
func (c *Client) listOnce(ctx context.Context) (tokens []token, still bool, err error) {
	page, read, total := 1, 0, 0
	still = true
	call := c.call("GET", "", "")
	call.Want, call.Query = http.StatusOK, url.Values{"page": {"1"}, "per_page": {pageSize}}
	pages, err := httpapi.Pages(ctx, &c.api, c.admin, call, func(p envelope[[]token]) bool {
		return p.Success && p.Result != nil && p.Info.Total != nil &&
			!slices.ContainsFunc(p.Result, func(t token) bool { return !idForm.MatchString(t.ID) })
	}, func(p envelope[[]token], _ http.Header) (string, bool) {
		n := *p.Info.Total
		still = still && (page == 1 || n == total)
		total, read, page = n, read+len(p.Result), page+1
		if read >= total || len(p.Result) == 0 {
			return "", true
		}
		return "?per_page=" + pageSize + "&page=" + strconv.Itoa(page), true
	})
	if err != nil {
		return nil, false, err
	}
	seen := map[string]bool{}
	for _, p := range pages {
		for _, t := range p.Result {
			if !seen[t.ID] {
				tokens = append(tokens, t)
			}
			seen[t.ID] = true
		}
	}
	return tokens, still && len(tokens) == total, nil
}

// Revoke implements [provider.Revoker]. How a second delete is refused is not
// documented (any 4xx), and a wrong path is refused likewise: the list decides
// whether the token is gone. The API's description asks for a body.
func (c *Client) Revoke(ctx context.Context, id string) error {
	call := c.call("DELETE", "/{token_id}", id)
	if !idForm.MatchString(id) {
		return noID(call)
	}
	call.In = struct{}{}
	type deleted struct {
		ID string `json:"id"`
	}
	_, err := send(ctx, c, c.admin, call, func(d *deleted) bool { return d == nil || d.ID == id })
	e, ok := errors.AsType[*provider.Error](err)
	if !ok || !refused(e) || e.Kind == provider.KindAuth {
		return err
	}
	keys, lerr := c.List(ctx)
	switch {
	case lerr == nil && !slices.ContainsFunc(keys, func(k provider.Key) bool { return k.ID == id }):
		return nil
	case lerr != nil && provider.KindOf(lerr) != provider.KindNotFound:
		return lerr
	}
	e.Kind = provider.KindPermanent
	return e
}

func noID(call httpapi.Call) error {
	return &provider.Error{Op: call.Method + " " + call.Path, Kind: provider.KindPermanent, Err: errors.New("not the id of a token")}
}

// Verify implements [provider.Verifier]. Any token may ask for its own status.
// The documented ones are active, disabled and expired; the last two are a
// rejection. The reference does not say how a token is refused that is not there
// any more: 401 with the code 1000, "Invalid API Token", is what users report. A
// 403 says nothing about the token: an address that its condition does not allow
// is answered with one, as they report too.
func (c *Client) Verify(ctx context.Context, key secret.Value) error {
	t, err := c.verify(ctx, key)
	if err == nil && t.Status != active {
		return provider.ErrRejected
	}
	return err
}

func (c *Client) verify(ctx context.Context, key secret.Value) (token, error) {
	call := c.call("GET", "/verify", "")
	call.Dead = http.StatusUnauthorized
	call.Kinds = map[int]provider.Kind{http.StatusForbidden: provider.KindPermanent}
	return send(ctx, c, httpapi.Bearer(key), call, func(t token) bool {
		return idForm.MatchString(t.ID) && slices.Contains([]string{active, disabled, expired}, t.Status)
	})
}

// Identify implements [provider.Identifier]. A value that Cloudflare knows leads
// to its id; the admin token must be able to see that token.
func (c *Client) Identify(ctx context.Context, value secret.Value) (string, error) {
	t, err := c.verify(ctx, value)
	if errors.Is(err, provider.ErrRejected) {
		err = &provider.Error{Op: "GET " + c.call("GET", "/verify", "").Path, Kind: provider.KindNotFound, Status: http.StatusUnauthorized}
	}
	if err != nil {
		return "", err
	}
	t, err = c.get(ctx, t.ID)
	return t.ID, err
}

// get reads one token.
func (c *Client) get(ctx context.Context, id string) (token, error) {
	call := c.call("GET", "/{token_id}", id)
	if !idForm.MatchString(id) {
		return token{}, noID(call)
	}
	t, err := send(ctx, c, c.admin, call, func(t token) bool { return t.ID == id && t.Status != "" && len(t.Policies) > 0 })
	if err != nil {
		return token{}, err
	}
	return t, nil
}

// LastUsed implements [provider.UsageReporter]. The member last_used_on is in
// the reference, but not in the API's description of 2024, and how a token looks
// that was never used is not documented. So its absence counts as "never" only
// where another token has it, as the admin token does, which is in use now.
func (c *Client) LastUsed(ctx context.Context, id string) (time.Time, error) {
	t, err := c.get(ctx, id)
	if err != nil || !t.LastUsed.IsZero() {
		return t.LastUsed, err
	}
	tokens, err := c.list(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if slices.ContainsFunc(tokens, func(t token) bool { return !t.LastUsed.IsZero() }) {
		return time.Time{}, nil
	}
	call := c.call("GET", "/{token_id}", id)
	return time.Time{}, &provider.Error{Op: "GET " + call.Path, Kind: provider.KindPermanent, Err: fmt.Errorf("no token shows last_used_on: %w", provider.ErrNotTold)}
}

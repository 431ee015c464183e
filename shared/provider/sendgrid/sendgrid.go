// Package sendgrid rotates Twilio SendGrid API keys.
//
// Strategy: Overlap. An account holds up to 100 keys, names need not be unique,
// a key's value is shown once, and SendGrid tells neither when a key was made
// nor when it was last used. The facts are those of
// https://www.twilio.com/docs/sendgrid/api-reference/api-keys unless a comment
// says otherwise.
package sendgrid

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// limit is how many keys an account may hold: the next create answers 403.
const limit = 100

var (
	idForm    = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
	valueForm = regexp.MustCompile(`^SG\.([0-9A-Za-z_-]{22})\.[0-9A-Za-z_-]{43}$`)
)

// Client calls the SendGrid v3 API. It is safe for concurrent use.
type Client struct {
	admin  httpapi.Client // sends on-behalf-of, where it is set
	plain  httpapi.Client
	cred   httpapi.Credential
	scopes []string
}

// New returns a Client that sends through hc. It makes no call.
func New(s Settings, admin provider.Admin, hc *http.Client) *Client {
	api := httpapi.Client{Base: s.BaseURL(), HTTP: hc, ErrorField: "errors"}
	c := &Client{
		admin: api, plain: api,
		cred:   httpapi.Bearer(admin.Field("apiKey")),
		scopes: s.Scopes,
	}
	if s.OnBehalfOf != "" {
		c.admin.Header = http.Header{"On-Behalf-Of": {s.OnBehalfOf}}
	}
	return c
}

// Strategy returns the vendor's half of a rotation.
func (c *Client) Strategy() provider.Strategy {
	return provider.Overlap{Keys: c, Max: limit, Scope: c, Identify: c}
}

type apiKey struct {
	ID     string       `json:"api_key_id"`
	Name   string       `json:"name"`
	Value  secret.Value `json:"api_key"`
	Scopes []string     `json:"scopes"`
}

// Create implements [provider.Creator].
//
// SendGrid answers 403 to a create for three reasons: the account is full, the
// admin key lacks a right, or there were too many bad requests
// (https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/errors).
// Only counting tells the first from the others, and only the first is
// [provider.KindFull], on which a caller may revoke.
func (c *Client) Create(ctx context.Context, name string) (provider.Issued, error) {
	var out apiKey
	err := c.admin.Do(ctx, c.cred, httpapi.Call{
		Method: "POST", Path: "/v3/api_keys", Once: true, Want: http.StatusCreated,
		In:    map[string]any{"name": name, "scopes": c.scopes},
		Out:   &out,
		Proof: func() bool { return idForm.MatchString(out.ID) && !out.Value.Empty() },
	})
	if e, ok := errors.AsType[*provider.Error](err); ok && e.Kind == provider.KindAuth && e.Status == http.StatusForbidden {
		e.Err = errors.New("the admin key lacks a right (api_keys.create, or a scope it is to give), or is blocked for a while")
		if keys, lerr := c.List(ctx); lerr == nil && len(keys) >= limit {
			e.Kind, e.Err = provider.KindFull, nil
		}
	}
	if err != nil {
		return provider.Issued{}, err
	}
	return provider.Issued{Key: provider.Key{ID: out.ID, Name: name}, Value: out.Value}, nil
}

// List implements [provider.Lister]. Without a limit in the query the answer
// has "all available API keys", and there are no pages.
func (c *Client) List(ctx context.Context) ([]provider.Key, error) {
	var out struct {
		Result []apiKey `json:"result"`
	}
	err := c.admin.Do(ctx, c.cred, httpapi.Call{
		Method: "GET", Path: "/v3/api_keys", Want: http.StatusOK,
		Out: &out,
		Proof: func() bool {
			return out.Result != nil && !slices.ContainsFunc(out.Result, func(k apiKey) bool { return !idForm.MatchString(k.ID) })
		},
	})
	if err != nil {
		return nil, err
	}
	keys := make([]provider.Key, len(out.Result))
	for i, k := range out.Result {
		keys[i] = provider.Key{ID: k.ID, Name: k.Name}
	}
	return keys, nil
}

// Revoke implements [provider.Revoker]. The key works on for "some small
// propagation delay".
func (c *Client) Revoke(ctx context.Context, id string) error {
	err := c.admin.Do(ctx, c.cred, httpapi.Call{
		Method: "DELETE", Path: "/v3/api_keys/{api_key_id}", Want: http.StatusNoContent,
		Params: map[string]string{"api_key_id": id},
	})
	if provider.KindOf(err) == provider.KindNotFound {
		return nil
	}
	return err
}

// Verify implements [provider.Verifier]. Every key may read its own scopes,
// whatever they are. SendGrid answers 401 to a key that is invalid or deleted
// (https://support.sendgrid.com/hc/en-us/articles/18322114821403). A 403 says
// nothing about the key: it is what an address that the account does not allow,
// and a temporary block, are answered with.
func (c *Client) Verify(ctx context.Context, key secret.Value) error {
	var out struct {
		Scopes []string `json:"scopes"`
	}
	return c.plain.Do(ctx, httpapi.Bearer(key), httpapi.Call{
		Method: "GET", Path: "/v3/scopes", Want: http.StatusOK,
		Out:   &out,
		Proof: func() bool { return len(out.Scopes) > 0 },
		Dead:  http.StatusUnauthorized,
		Kinds: map[int]provider.Kind{http.StatusForbidden: provider.KindPermanent},
	})
}

// followsAccount reports whether a scope is one that SendGrid adds to every key
// and that tells the account's state; nobody can give or take it.
func followsAccount(scope string) bool {
	switch scope {
	case "2fa_exempt", "2fa_required",
		"sender_verification_eligible", "sender_verification_exempt", "sender_verification_legacy":
		return true
	}
	return false
}

// Scopes implements [provider.Scoper]. Entries that follow the account's state
// are left out: they may differ between two keys that can do the same.
func (c *Client) Scopes(ctx context.Context, id string) ([]string, error) {
	k, err := c.get(ctx, id)
	if err != nil {
		return nil, err
	}
	scopes := slices.DeleteFunc(k.Scopes, followsAccount)
	slices.Sort(scopes)
	return slices.Compact(scopes), nil
}

// Identify implements [provider.Identifier]. The middle of a value is its key's
// id (the API description's own example shows it so), which the account is
// then asked for.
func (c *Client) Identify(ctx context.Context, value secret.Value) (string, error) {
	m := valueForm.FindStringSubmatch(value.Reveal())
	if m == nil {
		return "", &provider.Error{
			Op: "identify", Kind: provider.KindPermanent,
			Err: errors.New("the value does not have the shape of a SendGrid API key"),
		}
	}
	k, err := c.get(ctx, m[1])
	return k.ID, err
}

// get reads one key. The API's description wraps it in a list called result;
// clients in use read it bare. Either is taken.
func (c *Client) get(ctx context.Context, id string) (apiKey, error) {
	var out struct {
		apiKey
		Result []apiKey `json:"result"`
	}
	err := c.admin.Do(ctx, c.cred, httpapi.Call{
		Method: "GET", Path: "/v3/api_keys/{api_key_id}", Want: http.StatusOK,
		Params: map[string]string{"api_key_id": id},
		Out:    &out,
		Proof: func() bool {
			if len(out.Result) == 1 {
				out.apiKey = out.Result[0]
			}
			return out.ID == id && out.Scopes != nil
		},
	})
	if err != nil {
		return apiKey{}, err
	}
	return out.apiKey, nil
}

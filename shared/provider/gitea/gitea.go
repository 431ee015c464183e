// Package gitea rotates access tokens of Gitea and of its kin.
//
// Strategy: Overlap. A user holds any number of tokens with names of their own,
// a token's value is shown once, and the list says when each was last used. The
// facts are those of Gitea 1.25.2: https://docs.gitea.com/api/1.25/ and its
// source, https://github.com/go-gitea/gitea/tree/v1.25.2.
package gitea

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
	path     = "/api/v1/users/{username}/tokens"
	pageSize = "50" // what Gitea gives at most unless configured otherwise
	listings = 3    // tries to read a list that changes meanwhile
)

var (
	valueForm = regexp.MustCompile(`^[0-9a-f]{40}$`)
	// Gitea takes a path's last part for a token's name where it is not a
	// number, so anything else must not get there.
	idForm = regexp.MustCompile(`^[1-9][0-9]{0,18}$`)
)

// Client calls Gitea's API. It is safe for concurrent use.
type Client struct {
	api    httpapi.Client
	admin  httpapi.Credential
	user   string // whose tokens these are; "": not known, for an admin without fields
	scopes []string
}

// New returns a Client that sends through hc. It makes no call.
func New(s Settings, admin provider.Admin, hc *http.Client) *Client {
	c := &Client{
		api:    httpapi.Client{Base: s.BaseURL(), HTTP: hc, ErrorField: "message"},
		admin:  httpapi.Basic(admin.Field("username"), admin.Field("password")),
		user:   s.Username,
		scopes: s.Scopes,
	}
	if c.user == "" {
		c.user = admin.Field("username").Reveal()
	}
	return c
}

// Strategy returns the vendor's half of a rotation.
func (c *Client) Strategy() provider.Strategy {
	return provider.Overlap{Keys: c, Usage: c, Scope: c, Identify: c}
}

type token struct {
	ID        int64        `json:"id"`
	Name      string       `json:"name"`
	Value     secret.Value `json:"sha1"`
	LastEight string       `json:"token_last_eight"`
	Scopes    []string     `json:"scopes"`
	Created   time.Time    `json:"created_at"`
	LastUsed  time.Time    `json:"last_used_at"`
}

func (t token) id() string { return strconv.FormatInt(t.ID, 10) }

func (c *Client) params() map[string]string { return map[string]string{"username": c.user} }

// Create implements [provider.Creator]. A name that the user has given before
// is refused with 400.
func (c *Client) Create(ctx context.Context, name string) (provider.Issued, error) {
	var out token
	err := c.api.Do(ctx, c.admin, httpapi.Call{
		Method: "POST", Path: path, Params: c.params(), Once: true, Want: http.StatusCreated,
		In:    map[string]any{"name": name, "scopes": c.scopes},
		Out:   &out,
		Proof: func() bool { return out.ID > 0 && !out.Value.Empty() },
	})
	if err != nil {
		return provider.Issued{}, err
	}
	return provider.Issued{Key: provider.Key{ID: out.id(), Name: name}, Value: out.Value}, nil
}

// List implements [provider.Lister].
func (c *Client) List(ctx context.Context) ([]provider.Key, error) {
	tokens, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	keys := make([]provider.Key, len(tokens))
	for i, t := range tokens {
		keys[i] = provider.Key{ID: t.id(), Name: t.Name}
	}
	return keys, nil
}

// list reads all pages. Gitea counts pages by offset, in an order that is not
// total, so a token made or deleted meanwhile can hide another one: every page
// must count the same, and as many as were read.
func (c *Client) list(ctx context.Context) ([]token, error) {
	for range listings {
		tokens, still, err := c.listOnce(ctx)
		if err != nil || still {
			return tokens, err
		}
	}
	return nil, &provider.Error{Op: "GET " + path, Err: errors.New("the list changed while it was read")}
}

// listOnce reports whether the list stood still.
func (c *Client) listOnce(ctx context.Context) (tokens []token, still bool, err error) {
	page, read, total := 1, 0, 0
	still = true
	pages, err := httpapi.Pages(ctx, &c.api, c.admin, httpapi.Call{
		Method: "GET", Path: path, Params: c.params(), Want: http.StatusOK,
		Query: url.Values{"page": {"1"}, "limit": {pageSize}},
	}, func(ts []token) bool {
		return ts != nil && !slices.ContainsFunc(ts, func(t token) bool { return t.ID <= 0 })
	}, func(ts []token, h http.Header) (string, bool) {
		n, err := strconv.Atoi(h.Get("X-Total-Count"))
		if err != nil || n < 0 {
			return "", false
		}
		still = still && (page == 1 || n == total)
		total, read, page = n, read+len(ts), page+1
		if read >= total || len(ts) == 0 {
			return "", true
		}
		return "?limit=" + pageSize + "&page=" + strconv.Itoa(page), true
	})
	if err != nil {
		return nil, false, err
	}
	seen := map[int64]bool{}
	for _, t := range slices.Concat(pages...) {
		if !seen[t.ID] {
			tokens = append(tokens, t)
		}
		seen[t.ID] = true
	}
	return tokens, still && len(tokens) == total, nil
}

// Revoke implements [provider.Revoker].
func (c *Client) Revoke(ctx context.Context, id string) error {
	if !idForm.MatchString(id) {
		return &provider.Error{Op: "DELETE " + path + "/{token}", Kind: provider.KindPermanent, Err: errors.New("not the id of a token")}
	}
	params := c.params()
	params["token"] = id
	err := c.api.Do(ctx, c.admin, httpapi.Call{Method: "DELETE", Path: path + "/{token}", Params: params, Want: http.StatusNoContent})
	if provider.KindOf(err) == provider.KindNotFound {
		return nil
	}
	return err
}

// Verify implements [provider.Verifier]. It reads the token's own user, which
// counts as a use of the token. Gitea answers 401 to a token it does not know,
// and 403 to one that lacks the scope read:user, which tells nothing here.
func (c *Client) Verify(ctx context.Context, key secret.Value) error {
	var out struct {
		ID    int64  `json:"id"`
		Login string `json:"login"`
	}
	return c.api.Do(ctx, httpapi.Token("token ", key), httpapi.Call{
		Method: "GET", Path: "/api/v1/user", Want: http.StatusOK,
		Out:   &out,
		Proof: func() bool { return out.ID > 0 && (c.user == "" || strings.EqualFold(out.Login, c.user)) },
		Dead:  http.StatusUnauthorized,
		Kinds: map[int]provider.Kind{http.StatusForbidden: provider.KindPermanent},
	})
}

// LastUsed implements [provider.UsageReporter]. Gitea sets both times when it
// makes a token and moves the second at each use, to the second: a token whose
// only use was in the second of its birth counts as never used. Before 1.24
// (https://github.com/go-gitea/gitea/pull/34339) it showed neither, and its kin
// may not.
func (c *Client) LastUsed(ctx context.Context, id string) (time.Time, error) {
	t, err := c.find(ctx, func(t token) bool { return t.id() == id })
	if err == nil && (t.Created.IsZero() || t.LastUsed.IsZero()) {
		err = &provider.Error{Op: "GET " + path, Kind: provider.KindPermanent, Err: fmt.Errorf("the list has no created_at or last_used_at: %w", provider.ErrNotTold)}
	}
	if err != nil || !t.LastUsed.After(t.Created) {
		return time.Time{}, err
	}
	return t.LastUsed, nil
}

// Scopes implements [provider.Scoper].
func (c *Client) Scopes(ctx context.Context, id string) ([]string, error) {
	t, err := c.find(ctx, func(t token) bool { return t.id() == id })
	if err != nil {
		return nil, err
	}
	return slices.Sorted(slices.Values(t.Scopes)), nil
}

// Identify implements [provider.Identifier]. The list shows the last eight
// digits of each token; two tokens that share them cannot be told apart.
func (c *Client) Identify(ctx context.Context, value secret.Value) (string, error) {
	v := value.Reveal()
	if !valueForm.MatchString(v) {
		return "", &provider.Error{Op: "identify", Kind: provider.KindPermanent, Err: errors.New("the value does not have the shape of a Gitea token")}
	}
	t, err := c.find(ctx, func(t token) bool { return t.LastEight == v[32:] })
	if err != nil {
		return "", err
	}
	return t.id(), nil
}

// find returns the one token that fits.
func (c *Client) find(ctx context.Context, fits func(token) bool) (token, error) {
	tokens, err := c.list(ctx)
	if err != nil {
		return token{}, err
	}
	tokens = slices.DeleteFunc(tokens, func(t token) bool { return !fits(t) })
	switch len(tokens) {
	case 0:
		return token{}, &provider.Error{Op: "GET " + path, Kind: provider.KindNotFound}
	case 1:
		return tokens[0], nil
	default:
		return token{}, &provider.Error{Op: "GET " + path, Kind: provider.KindPermanent, Err: errors.New("more than one token fits")}
	}
}

// Package launchdarkly rotates LaunchDarkly API access tokens, personal and
// service tokens alike.
//
// Strategy: RollWithGrace. A reset gives a token a new value, shown once, and
// keeps its id, name and rights. The old value lives until the time that the
// request names; without one it ends at once. The facts are those of
// https://launchdarkly.com/docs/api/access-tokens/reset-token unless a comment
// says otherwise. Nothing says what a second reset does to a value that is in
// its grace already.
package launchdarkly

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// No limits are documented for the old value's end; these are ours. Below a
// minute, a clock that is wrong could end the old value at once.
const (
	minGrace = time.Minute
	maxGrace = 365 * 24 * time.Hour
)

// Client calls LaunchDarkly's REST API. It is safe for concurrent use.
type Client struct {
	api   httpapi.Client
	admin httpapi.Credential
	token string // the id of the one that is rolled
	now   func() time.Time
}

// New returns a Client that sends through hc. It makes no call. now tells the
// time from which a grace counts.
func New(s Settings, admin provider.Admin, hc *http.Client, now func() time.Time) *Client {
	return &Client{
		api:   httpapi.Client{Base: s.BaseURL(), HTTP: hc, ErrorField: "message"},
		admin: bare(admin.Field("accessToken")),
		token: s.TokenID,
		now:   now,
	}
}

// bare sends a token the way LaunchDarkly takes it, without "Bearer".
func bare(token secret.Value) httpapi.Credential { return httpapi.Token("", token) }

// Strategy returns the vendor's half of a rotation.
func (c *Client) Strategy() provider.Strategy {
	return provider.RollWithGrace{ID: c.token, Key: c, MinGrace: minGrace, MaxGrace: maxGrace}
}

// Roll implements [provider.Roller]. A 409 says that the request conflicted with
// another one and was not carried out
// (https://launchdarkly.com/docs/api#errors), so it is sent again.
func (c *Client) Roll(ctx context.Context, id string, grace time.Duration) (provider.Issued, error) {
	call := httpapi.Call{
		Method: "POST", Path: "/api/v2/tokens/{id}/reset", Params: map[string]string{"id": id},
		Query: url.Values{"expiry": {strconv.FormatInt(c.now().Add(grace).UnixMilli(), 10)}},
		Once:  true, Want: http.StatusOK,
		Kinds: map[int]provider.Kind{http.StatusConflict: provider.KindRateLimited},
	}
	if problem := c.unfit(id, grace); problem != "" {
		return provider.Issued{}, &provider.Error{Op: call.Method + " " + call.Path, Kind: provider.KindPermanent, Err: errors.New(problem)}
	}
	var out struct {
		ID    string       `json:"_id"`
		Name  string       `json:"name"`
		Token secret.Value `json:"token"`
	}
	call.Out = &out
	// A token that was not reset shows the last four characters of its value.
	call.Proof = func() bool { return out.ID == id && len(out.Token.Reveal()) > 4 }
	if err := c.api.Do(ctx, c.admin, call); err != nil {
		return provider.Issued{}, err
	}
	return provider.Issued{Key: provider.Key{ID: id, Name: out.Name}, Value: out.Token}, nil
}

func (c *Client) unfit(id string, grace time.Duration) string {
	switch {
	case id != c.token || !idForm.MatchString(id):
		return "not the token that the settings name"
	case grace < minGrace || grace > maxGrace:
		return "the grace is not between one minute and 365 days"
	}
	return ""
}

// Verify implements [provider.Verifier]. A token may ask who it is
// (https://launchdarkly.com/docs/api/other/get-caller-identity); 401, "Invalid
// access token", is the documented refusal. One that belongs to another token
// is neither accepted nor rejected.
func (c *Client) Verify(ctx context.Context, key secret.Value) error {
	const path = "/api/v2/caller-identity"
	var out struct {
		TokenID string `json:"tokenId"`
	}
	err := c.api.Do(ctx, bare(key), httpapi.Call{
		Method: "GET", Path: path, Want: http.StatusOK,
		Out: &out, Proof: func() bool { return idForm.MatchString(out.TokenID) },
		Dead:  http.StatusUnauthorized,
		Kinds: map[int]provider.Kind{http.StatusForbidden: provider.KindPermanent},
	})
	if err == nil && out.TokenID != c.token {
		return &provider.Error{Op: "GET " + path, Kind: provider.KindPermanent, Status: http.StatusOK, Err: errors.New("the value is that of another token")}
	}
	return err
}

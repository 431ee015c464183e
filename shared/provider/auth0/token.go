package auth0

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// tokens gets the admin's management tokens, and keeps one while it is good:
// Auth0 counts them.
type tokens struct {
	id, secret secret.Value
	audience   string
	now        func() time.Time

	mu    sync.Mutex
	token secret.Value
	until time.Time
}

func (t *tokens) kept() (secret.Value, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.token, t.now().Before(t.until)
}

func (t *tokens) keep(token secret.Value, until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token, t.until = token, until
}

// manage sends a call of the Management API.
func (c *Client) manage(ctx context.Context, call httpapi.Call) error {
	token, ok := c.tokens.kept()
	if !ok {
		g, err := c.grant(ctx, c.tokens.id, c.tokens.secret, c.tokens.audience, httpapi.Call{})
		if err != nil {
			return err
		}
		const early = time.Minute // it must last for the call, whoever's clock is wrong
		token = g.Token
		c.tokens.keep(token, c.tokens.now().Add(time.Duration(g.Seconds)*time.Second-early))
	}
	err := c.api.Do(ctx, httpapi.Bearer(token), call)
	if provider.KindOf(err) == provider.KindAuth && err != nil {
		c.tokens.keep(secret.Value{}, time.Time{}) // it may have been ended
	}
	return err
}

// granted is a token for an API,
// https://auth0.com/docs/api/authentication/client-credential-flow/get-token.
type granted struct {
	Token   secret.Value `json:"access_token"`
	Type    string       `json:"token_type"`
	Seconds int64        `json:"expires_in"`
}

// grant asks for a token with a client's credentials. call says how to read what
// is not a success.
func (c *Client) grant(ctx context.Context, id, key secret.Value, audience string, call httpapi.Call) (granted, error) {
	var out granted
	cred := httpapi.InBody(key)
	if id.Empty() {
		cred = httpapi.Credential{}
	}
	call.Method, call.Path, call.Want = "POST", "/oauth/token", http.StatusOK
	call.In = map[string]string{
		"grant_type": "client_credentials", "client_id": id.Reveal(), "client_secret": key.Reveal(), "audience": audience,
	}
	call.Out = &out
	call.Proof = func() bool { return !out.Token.Empty() && out.Type != "" && out.Seconds > 0 }
	err := c.api.Do(ctx, cred, call)
	return out, err
}

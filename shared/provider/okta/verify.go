package okta

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// printable reports whether the value is one that a client can send; [httpapi.Basic]
// would hide the rest in base64.
func printable(v secret.Value) bool {
	return !v.Empty() && !strings.ContainsFunc(v.Reveal(), func(r rune) bool { return r < ' ' || r > '~' })
}

// Verify implements [provider.Verifier]: the client asks about a token that does
// not exist, which only a client that has proved itself is told. A refusal is
// 401 with error invalid_client (https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
// A client that Okta does not know is answered 401 with errorCode
// invalid_client, which says nothing about the secret
// (https://support.okta.com/help/s/article/invalid-client-error-returned-during-client-authentication-failure).
// An authMethod that is not the app's own looks like a dead secret.
func (c *Client) Verify(ctx context.Context, key secret.Value) error {
	call := httpapi.Call{Method: "POST", Path: "/oauth2/v1/introspect", Want: http.StatusOK}
	if c.settings.Server != "" {
		call.Path = "/oauth2/{authorizationServerId}/v1/introspect"
		call.Params = map[string]string{"authorizationServerId": c.settings.Server}
	}
	op := call.Method + " " + call.Path
	if !printable(key) {
		return &provider.Error{Op: op, Kind: provider.KindPermanent, Err: errors.New("the value is no client secret: it is empty, or not printable ASCII")}
	}
	form := httpapi.Form{"token": {"a-token-that-does-not-exist"}, "token_type_hint": {"access_token"}}
	cred := httpapi.Basic(secret.New(c.settings.ClientID), key)
	if c.settings.method() == post {
		form["client_id"], form["client_secret"] = []string{c.settings.ClientID}, []string{key.Reveal()}
		cred = httpapi.InBody(key)
	}
	var out struct {
		Active *bool `json:"active"`
	}
	call.In, call.Out = form, &out
	call.Proof = func() bool { return out.Active != nil && !*out.Active }
	call.Said = func(status int, body []byte) error { return rejection(op, status, body) }
	return c.api.Do(ctx, cred, call)
}

// rejection reads how the OAuth API refuses a client, nil for anything else.
func rejection(op string, status int, body []byte) error {
	var said struct {
		Error string `json:"error"`
		Code  string `json:"errorCode"`
	}
	if json.Unmarshal(body, &said) != nil {
		return nil //nolint:nilerr // what is not Okta's JSON says nothing
	}
	e := &provider.Error{Op: op, Kind: provider.KindPermanent, Status: status, Err: errors.New("the client may not try its secret")}
	switch {
	case status == http.StatusUnauthorized && said.Code == "" && said.Error == "invalid_client":
		return provider.ErrRejected
	case status == http.StatusUnauthorized && said.Code == "invalid_client":
		e.Err = errors.New("the org knows no client with the clientID")
		return e
	case status == http.StatusNotFound && said.Code != "":
		e.Err = errors.New("the org knows no such authorizationServer")
		return e
	case (status == http.StatusUnauthorized || status == http.StatusForbidden) && said.Code+said.Error != "":
		return e
	}
	return nil
}

// refusal reads why the management API refuses what is to be done to a secret,
// nil for anything else. Okta tells it in words only. Where the call names no
// secret, it is the app that is not there.
func refusal(call httpapi.Call, status int, body []byte) error {
	var said struct {
		Code   string `json:"errorCode"`
		Causes []struct {
			Summary string `json:"errorSummary"`
		} `json:"errorCauses"`
	}
	if json.Unmarshal(body, &said) != nil {
		return nil //nolint:nilerr // what is not Okta's JSON says nothing
	}
	refusals := []struct { // what stands in errorCauses, in Okta's words
		words, ours string
		kind        provider.Kind
	}{
		{"maximum number of client secrets", "the app has two client secrets", provider.KindFull},
		{"only active client secret", "it is the app's only active client secret", provider.KindPermanent},
		{"delete an active client secret", "the client secret is active", provider.KindPermanent},
	}
	e := &provider.Error{Op: call.Method + " " + call.Path, Kind: provider.KindPermanent, Status: status}
	if status == http.StatusNotFound && said.Code != "" && call.Path == secretsPath {
		e.Err = errors.New("the org knows no app with the appID")
		return e
	}
	if status != http.StatusBadRequest || said.Code != "E0000001" {
		return nil
	}
	for _, cause := range said.Causes {
		for _, r := range refusals {
			if strings.Contains(cause.Summary, r.words) {
				e.Kind, e.Err = r.kind, errors.New(r.ours)
				return e
			}
		}
	}
	return nil
}

// Package vault rotates AppRole secret ids of HashiCorp Vault and of OpenBao.
//
// Strategy: Overlap. A role has any number of secret ids, each with an accessor
// that names it and shows nothing of it. They have no names, so ours is in their
// metadata, which also shows in Vault's audit log at each login. We choose the
// value: after an answer that was lost it can be looked up. The facts are those
// of https://developer.hashicorp.com/vault/api-docs/auth/approle, and, where it
// does not say, of Vault 1.13.1 as it was tried:
//
//	list         404 with no errors when there is none; 400 when there is no role
//	lookup       204 for a value that the role does not have; by accessor, 404 that
//	             says so, or 204 when another role has it
//	destroy      204, and 500 when it is repeated
//	login        500 "invalid secret id" for a dead one; newer ones 400
package vault

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

const tokenHeader = "X-Vault-Token"

var accessorForm = regexp.MustCompile(`^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// Client calls Vault's API. It is safe for concurrent use.
type Client struct {
	api    httpapi.Client
	admin  httpapi.Credential
	mount  string // "/v1/auth/approle"
	role   string
	roleID string
}

// New returns a Client that sends through hc. It makes no call.
func New(s Settings, admin provider.Admin, hc *http.Client) *Client {
	c := &Client{
		api:    httpapi.Client{Base: s.BaseURL(), HTTP: hc, ErrorField: "errors"},
		admin:  httpapi.Header(tokenHeader, admin.Field("token")),
		mount:  "/v1/auth/" + strings.TrimSuffix(s.mount(), "/"),
		role:   s.Role,
		roleID: s.RoleID,
	}
	if s.Namespace != "" {
		c.api.Header = http.Header{"X-Vault-Namespace": {s.Namespace}}
	}
	return c
}

// Strategy returns the vendor's half of a rotation. Vault does not say when a
// secret id was last used, and has no state between alive and gone.
func (c *Client) Strategy() provider.Strategy { return provider.Overlap{Keys: c, Identify: c} }

// call returns a call of the role's API, path being what comes after its name.
func (c *Client) call(method, path string) httpapi.Call {
	return httpapi.Call{
		Method: method, Path: c.mount + "/role/{role}" + path, Params: map[string]string{"role": c.role},
		// A mount that is not there.
		Kinds: map[int]provider.Kind{http.StatusNotFound: provider.KindPermanent},
	}
}

// held is a secret id as Vault shows it.
type held struct {
	Data struct {
		Accessor string            `json:"secret_id_accessor"`
		Value    secret.Value      `json:"secret_id"` // only when it is made
		NumUses  int               `json:"secret_id_num_uses"`
		Metadata map[string]string `json:"metadata"`
	} `json:"data"`
}

func (h held) key() provider.Key {
	return provider.Key{ID: h.Data.Accessor, Name: h.Data.Metadata["keyturn"]}
}

// Create implements [provider.Creator]. Where it cannot tell whether Vault has
// the value it asks.
func (c *Client) Create(ctx context.Context, name string) (provider.Issued, error) {
	value := choose()
	var out held
	call := c.call("POST", "/custom-secret-id")
	call.Once, call.Want = true, http.StatusOK
	call.In = map[string]string{"secret_id": value.Reveal(), "metadata": `{"keyturn":"` + name + `"}`}
	call.Out = &out
	call.Proof = func() bool { return accessorForm.MatchString(out.Data.Accessor) && out.Data.Value.Equal(value) }
	err := c.api.Do(ctx, c.admin, call)
	if err != nil && provider.KindOf(err) == provider.KindUnknown {
		var found bool
		var lerr error
		if out, found, lerr = c.byValue(ctx, value); lerr == nil && found && out.key().Name == name {
			err = nil
		}
	}
	if err != nil {
		return provider.Issued{}, err
	}
	is := provider.Issued{Key: provider.Key{ID: out.Data.Accessor, Name: name}, Value: value}
	if out.Data.NumUses > 0 {
		return provider.Issued{}, c.undo(ctx, is.ID)
	}
	return is, nil
}

// undo ends a secret id that would end by itself after some logins, ours among
// them.
func (c *Client) undo(ctx context.Context, id string) error {
	e := &provider.Error{
		Op: "POST " + c.mount + "/role/{role}/custom-secret-id", Kind: provider.KindPermanent,
		Err: errors.New("the role's secret ids end after a number of logins: set its secret_id_num_uses to 0"),
	}
	if c.Revoke(ctx, id) != nil {
		e.Kind = provider.KindUnknown // there is a key to look for
	}
	return e
}

// choose makes a value of the shape that Vault's own have, with as much chance.
func choose() secret.Value {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	h := hex.EncodeToString(b[:])
	return secret.New(strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-"))
}

var (
	errGone = errors.New("not there") // never leaves the package
	errNone = errors.New("no secret ids")
)

// byValue looks a secret id up by its value.
func (c *Client) byValue(ctx context.Context, value secret.Value) (held, bool, error) {
	return c.lookup(ctx, "/secret-id/lookup", "secret_id", value.Reveal(), func(h held) bool {
		return accessorForm.MatchString(h.Data.Accessor)
	})
}

// byAccessor looks a secret id up by its accessor.
func (c *Client) byAccessor(ctx context.Context, id string) (held, bool, error) {
	return c.lookup(ctx, "/secret-id-accessor/lookup", "secret_id_accessor", id, func(h held) bool {
		return h.Data.Accessor == id
	})
}

func (c *Client) lookup(ctx context.Context, path, field, key string, proof func(held) bool) (held, bool, error) {
	var out held
	call := c.call("POST", path)
	call.Want, call.In, call.Out = http.StatusOK, map[string]string{field: key}, &out
	call.Proof = func() bool { return proof(out) }
	call.Said = func(status int, body []byte) error {
		if status == http.StatusNoContent || status == http.StatusNotFound && strings.HasPrefix(read(body).Data.Error, "failed to find accessor entry for secret_id_accessor") {
			return errGone
		}
		return nil
	}
	err := c.api.Do(ctx, c.admin, call)
	if errors.Is(err, errGone) {
		return held{}, false, nil
	}
	return out, err == nil, err
}

// accessors lists the role's secret ids. Vault answers 404 where there is none,
// and lists no errors: what refuses lists some.
func (c *Client) accessors(ctx context.Context) ([]string, error) {
	var out struct {
		Data struct {
			Keys []string `json:"keys"`
		} `json:"data"`
	}
	call := c.call("GET", "/secret-id/") // LIST, in a way that every proxy lets through
	call.Query, call.Want, call.Out = url.Values{"list": {"true"}}, http.StatusOK, &out
	call.Proof = func() bool {
		return len(out.Data.Keys) > 0 && !slices.ContainsFunc(out.Data.Keys, func(a string) bool { return !accessorForm.MatchString(a) })
	}
	call.Said = func(status int, body []byte) error {
		if errs := read(body).Errors; status == http.StatusNotFound && errs != nil && len(errs) == 0 {
			return errNone
		}
		return nil
	}
	err := c.api.Do(ctx, c.admin, call)
	if errors.Is(err, errNone) {
		return nil, nil
	}
	return out.Data.Keys, err
}

// List implements [provider.Lister]. It looks each accessor up. One that is not
// there any more must be missing from a second list too.
func (c *Client) List(ctx context.Context) ([]provider.Key, error) {
	ids, err := c.accessors(ctx)
	if err != nil {
		return nil, err
	}
	var keys []provider.Key
	var gone []string
	for _, id := range ids {
		h, found, err := c.byAccessor(ctx, id)
		switch {
		case err != nil:
			return nil, err
		case found:
			keys = append(keys, h.key())
		default:
			gone = append(gone, id)
		}
	}
	return keys, c.missing(ctx, gone)
}

// missing returns an error where the role has one of the accessors.
func (c *Client) missing(ctx context.Context, gone []string) error {
	if len(gone) == 0 {
		return nil
	}
	ids, err := c.accessors(ctx)
	if err == nil && slices.ContainsFunc(gone, func(id string) bool { return slices.Contains(ids, id) }) {
		err = &provider.Error{Op: "POST " + c.mount + "/role/{role}/secret-id-accessor/lookup", Err: errors.New("a secret id that is listed cannot be looked up")}
	}
	return err
}

// Revoke implements [provider.Revoker]. It looks first, for Vault's refusal of
// an accessor that is not there is like its failures.
func (c *Client) Revoke(ctx context.Context, id string) error {
	call := c.call("POST", "/secret-id-accessor/destroy")
	if !accessorForm.MatchString(id) {
		return &provider.Error{Op: call.Method + " " + call.Path, Kind: provider.KindPermanent, Err: errors.New("not an accessor")}
	}
	_, found, err := c.byAccessor(ctx, id)
	if err != nil {
		return err
	}
	if !found {
		return c.missing(ctx, []string{id})
	}
	call.Want, call.In = http.StatusNoContent, map[string]string{"secret_id_accessor": id}
	if err = c.api.Do(ctx, c.admin, call); err == nil {
		return nil
	}
	// An earlier try may have been carried out.
	if _, found, lerr := c.byAccessor(ctx, id); lerr == nil && !found {
		return c.missing(ctx, []string{id})
	}
	return err
}

// Identify implements [provider.Identifier].
func (c *Client) Identify(ctx context.Context, value secret.Value) (string, error) {
	h, found, err := c.byValue(ctx, value)
	if err == nil && !found {
		err = &provider.Error{Op: "POST " + c.mount + "/role/{role}/secret-id/lookup", Kind: provider.KindNotFound}
	}
	if err != nil {
		return "", err
	}
	return h.Data.Accessor, nil
}

// Verify implements [provider.Verifier]. It logs in, which is all that a secret
// id is for, and ends the token that this made. A token whose end was not
// acknowledged ends by the role's token_ttl.
//
// Vault 1.13 refuses a secret id that it does not have with its own words and
// 500. Newer ones and OpenBao answer 400 and have the same words for a roleID
// that is wrong: only a key that is accepted beside it tells the two apart.
func (c *Client) Verify(ctx context.Context, key secret.Value) error {
	var out struct {
		Auth struct {
			Token    secret.Value `json:"client_token"`
			Type     string       `json:"token_type"`
			Metadata struct {
				Role string `json:"role_name"`
			} `json:"metadata"`
		} `json:"auth"`
	}
	err := c.api.Do(ctx, httpapi.InBody(key), httpapi.Call{
		Method: "POST", Path: c.mount + "/login", Want: http.StatusOK,
		In:    map[string]string{"role_id": c.roleID, "secret_id": key.Reveal()},
		Out:   &out,
		Proof: func() bool { return !out.Auth.Token.Empty() && strings.EqualFold(out.Auth.Metadata.Role, c.role) },
		Said:  refused,
		Kinds: map[int]provider.Kind{http.StatusForbidden: provider.KindPermanent, http.StatusNotFound: provider.KindPermanent},
	})
	if err != nil {
		return err
	}
	if out.Auth.Type == "batch" {
		return nil // is stored nowhere, and cannot be ended
	}
	const path = "/v1/auth/token/revoke-self"
	err = c.api.Do(ctx, httpapi.Header(tokenHeader, out.Auth.Token), httpapi.Call{Method: "POST", Path: path})
	if provider.KindOf(err) == provider.KindAuth {
		return &provider.Error{Op: "POST " + path, Kind: provider.KindPermanent, Err: errors.New(
			"the role's tokens may not end themselves, and would pile up: give them the policy \"default\", or update of auth/token/revoke-self")}
	}
	return nil
}

func refused(status int, body []byte) error {
	if status != http.StatusBadRequest && status != http.StatusInternalServerError {
		return nil
	}
	if errs := read(body).Errors; len(errs) == 1 && (errs[0] == "invalid secret id" || errs[0] == "invalid role or secret ID") {
		return provider.ErrRejected
	}
	return nil
}

package providertest

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

type toyValue struct {
	ID    string       `json:"id,omitempty"`
	Value secret.Value `json:"value,omitzero"`
}

type toyListed struct {
	ID   string    `json:"id"`
	Hash string    `json:"hash"`
	Used time.Time `json:"used"`
}

type toyPageBody struct {
	Keys []toyListed `json:"keys"`
	Next string      `json:"next"`
}

// toyClient is a package for [toyServer] that keeps the contract, and that can
// be spoiled function by function.
type toyClient struct {
	api   httpapi.Client
	admin httpapi.Credential
	grace [2]time.Duration // the shortest and the longest
	slots int              // that it says there are

	list     func(context.Context) ([]toyListed, error)
	create   func(context.Context, secret.Value) (provider.Issued, error)
	place    func(context.Context, secret.Value) (provider.Key, error)
	revoke   func(context.Context, string) error
	verify   func(context.Context, secret.Value) error
	identify func(context.Context, secret.Value) (string, error)
	state    func(context.Context, string, bool) error
	choose   func(io.Reader) (secret.Value, error)
	set      func(context.Context, string, secret.Value) error
	roll     func(context.Context, string, time.Duration) (provider.Issued, error)
	read     func(context.Context, string) (secret.Value, error)
	used     func(context.Context, string) (time.Time, error)
}

func newToyClient(admin provider.Admin, hc *http.Client) *toyClient {
	c := &toyClient{
		api:   httpapi.Client{Base: base, HTTP: hc, ErrorField: "error"},
		admin: httpapi.Bearer(admin.Field("token")), grace: [2]time.Duration{time.Minute, 48 * time.Hour}, slots: 5,
	}
	c.list, c.create, c.place, c.revoke, c.verify = c.listAll, c.createOne, c.placeOne, c.revokeOne, c.verifyOne
	c.identify, c.state, c.choose, c.set, c.roll, c.read = c.find, c.switchTo, chooseToy, c.setOne, c.rollOne, c.readOne
	c.used = c.usedOne
	return c
}

func toyError(kind provider.Kind, why string) error {
	return &provider.Error{Op: "toy", Kind: kind, Err: errors.New(why)}
}

func (c *toyClient) listAll(ctx context.Context) ([]toyListed, error) {
	pages, err := httpapi.Pages(ctx, &c.api, c.admin, httpapi.Call{Method: "GET", Path: "/v1/keys", Want: http.StatusOK},
		func(p toyPageBody) bool { return p.Keys != nil },
		func(p toyPageBody, _ http.Header) (string, bool) { return p.Next, true })
	var out []toyListed
	for _, p := range pages {
		out = append(out, p.Keys...)
	}
	return out, err
}

func (c *toyClient) createOne(ctx context.Context, v secret.Value) (provider.Issued, error) {
	var out toyValue
	err := c.api.Do(ctx, c.admin, httpapi.Call{
		Method: "POST", Path: "/v1/keys", Want: http.StatusCreated, Once: true,
		In: map[string]string{"value": v.Reveal()}, Out: &out,
		Proof: func() bool { return out.ID != "" && !out.Value.Empty() && (v.Empty() || v.Equal(out.Value)) },
		Said:  c.full,
	})
	if err != nil {
		return provider.Issued{}, err
	}
	return provider.Issued{Key: provider.Key{ID: out.ID}, Value: out.Value}, nil
}

func (c *toyClient) full(status int, body []byte) error {
	var said struct{ Error string }
	if status == http.StatusForbidden && json.Unmarshal(body, &said) == nil && said.Error == "limit" {
		return &provider.Error{Op: "POST /v1/keys", Kind: provider.KindFull, Status: status}
	}
	return nil
}

func (c *toyClient) placeOne(ctx context.Context, v secret.Value) (provider.Key, error) {
	id, err := c.identify(ctx, v)
	if err == nil || provider.KindOf(err) != provider.KindNotFound {
		return provider.Key{ID: id}, err
	}
	is, err := c.create(ctx, v)
	return is.Key, err
}

func (c *toyClient) find(ctx context.Context, v secret.Value) (string, error) {
	keys, err := c.list(ctx)
	if err != nil {
		return "", err
	}
	for _, k := range keys {
		if k.Hash == digest(v.Reveal()) {
			return k.ID, nil
		}
	}
	return "", toyError(provider.KindNotFound, "no such value")
}

func (c *toyClient) revokeOne(ctx context.Context, id string) error {
	var out struct{ Gone string }
	err := c.api.Do(ctx, c.admin, httpapi.Call{
		Method: "DELETE", Path: "/v1/keys/{id}", Params: map[string]string{"id": id},
		Want: http.StatusOK, Out: &out, Proof: func() bool { return out.Gone == id },
	})
	if provider.KindOf(err) == provider.KindNotFound {
		return nil
	}
	return err
}

func (c *toyClient) verifyOne(ctx context.Context, v secret.Value) error {
	var out struct{ Me string }
	return c.api.Do(ctx, httpapi.Bearer(v), httpapi.Call{
		Method: "GET", Path: "/v1/me", Want: http.StatusOK, Dead: http.StatusUnauthorized,
		Out: &out, Proof: func() bool { return out.Me != "" },
	})
}

func (c *toyClient) switchTo(ctx context.Context, id string, off bool) error {
	var out struct {
		ID  string
		Off *bool
	}
	return c.api.Do(ctx, c.admin, httpapi.Call{
		Method: "PUT", Path: "/v1/keys/{id}/state", Params: map[string]string{"id": id},
		In: map[string]bool{"off": off}, Want: http.StatusOK, Out: &out,
		Proof: func() bool { return out.ID == id && out.Off != nil && *out.Off == off },
	})
}

func chooseToy(random io.Reader) (secret.Value, error) {
	b := make([]byte, 16)
	if _, err := io.ReadFull(random, b); err != nil {
		return secret.Value{}, toyError(provider.KindNotSent, "no randomness")
	}
	return secret.New("toy_" + hex.EncodeToString(b)), nil
}

// value calls what there is below /v1/keys/{id}/value.
func (c *toyClient) value(ctx context.Context, method, id string, in any, once bool, proof func(toyValue) bool) (toyValue, error) {
	var out toyValue
	err := c.api.Do(ctx, c.admin, httpapi.Call{
		Method: method, Path: "/v1/keys/{id}/value", Params: map[string]string{"id": id}, In: in,
		Want: http.StatusOK, Once: once, Out: &out, Proof: func() bool { return out.ID == id && proof(out) },
	})
	if err != nil {
		return toyValue{}, err
	}
	return out, nil
}

func shown(v toyValue) bool { return !v.Value.Empty() }

func (c *toyClient) setOne(ctx context.Context, id string, v secret.Value) error {
	_, err := c.value(ctx, "PUT", id, map[string]string{"value": v.Reveal()}, false, func(toyValue) bool { return true })
	return err
}

func (c *toyClient) rollOne(ctx context.Context, id string, grace time.Duration) (provider.Issued, error) {
	out, err := c.value(ctx, "POST", id, map[string]int{"grace": int(grace / time.Second)}, true, shown)
	return provider.Issued{Key: provider.Key{ID: out.ID}, Value: out.Value}, err
}

func (c *toyClient) readOne(ctx context.Context, id string) (secret.Value, error) {
	out, err := c.value(ctx, "GET", id, nil, false, shown)
	return out.Value, err
}

func (c *toyClient) usedOne(ctx context.Context, id string) (time.Time, error) {
	keys, err := c.list(ctx)
	for _, k := range keys {
		if k.ID == id && err == nil {
			return k.Used, nil
		}
	}
	if err == nil {
		err = toyError(provider.KindNotFound, "no such key")
	}
	return time.Time{}, err
}

// The interfaces of the strategies, each by the function that can be spoiled.

func (c *toyClient) Slots(ctx context.Context) ([]provider.Key, error) {
	keys, err := c.list(ctx)
	var out []provider.Key
	for _, k := range keys {
		out = append(out, provider.Key{ID: k.ID})
	}
	return out, err
}

func (c *toyClient) LastUsed(ctx context.Context, id string) (time.Time, error) {
	return c.used(ctx, id)
}

func (c *toyClient) Fill(ctx context.Context) (provider.Issued, error) {
	return c.create(ctx, secret.Value{})
}

func (c *toyClient) Place(ctx context.Context, v secret.Value) (provider.Key, error) {
	return c.place(ctx, v)
}

func (c *toyClient) Roll(ctx context.Context, id string, grace time.Duration) (provider.Issued, error) {
	return c.roll(ctx, id, grace)
}

func (c *toyClient) Set(ctx context.Context, id string, v secret.Value) error {
	return c.set(ctx, id, v)
}

func (c *toyClient) Identify(ctx context.Context, v secret.Value) (string, error) {
	return c.identify(ctx, v)
}

func (c *toyClient) Choose(random io.Reader) (secret.Value, error)    { return c.choose(random) }
func (c *toyClient) Revoke(ctx context.Context, id string) error      { return c.revoke(ctx, id) }
func (c *toyClient) Verify(ctx context.Context, v secret.Value) error { return c.verify(ctx, v) }
func (c *toyClient) Disable(ctx context.Context, id string) error     { return c.state(ctx, id, true) }

func (c *toyClient) Enable(ctx context.Context, id string) error { return c.state(ctx, id, false) }

func (c *toyClient) Read(ctx context.Context, id string) (secret.Value, error) {
	return c.read(ctx, id)
}

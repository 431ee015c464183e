package rotation_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// vendor is an in-memory vendor whose keys overlap. It is its own catalog.
type vendor struct {
	mu       sync.Mutex
	keys     []*vendorKey
	n        int
	random   uint32
	max      int
	scopes   []string // of new keys
	noScopes bool     // the vendor does not tell rights
	copies   bool     // rights are copied from the current key
	shape    string
	settle   provider.Settle
	delay    time.Duration          // before a new key is accepted
	odd      string                 // the value of new keys, if they are to be odd
	issue    func(*provider.Issued) // changes what Create returns; nil: nothing
	fail     func(call string) (before, after error)
	calls    []string
	creates  []string // names asked for
}

type vendorKey struct {
	provider.Key
	value  string
	scopes []string
	born   time.Time
}

func newVendor() *vendor {
	return &vendor{
		shape: `acme-[0-9]+-[a-z]{24}`, scopes: []string{"mail.send"},
		keys: []*vendorKey{{Key: provider.Key{ID: "hand", Name: foreign}, value: "acme-0-aaaaaaaaaaaaaaaaaaaaaaaa"}},
	}
}

func (v *vendor) Info(string) (provider.Info, error) {
	return provider.Info{
		Name: "acme", Title: "Acme Mail", Strategy: "Overlap", Shape: v.shape, Settle: v.settle,
		Admin: []provider.Field{{Name: "apiKey"}}, Limit: "a few keys",
	}, nil
}

func (v *vendor) Open(_ config.Key, a provider.Admin) (provider.Strategy, error) {
	c := client{v, a.Field("apiKey").Reveal()}
	o := provider.Overlap{Keys: c, Max: v.max}
	if !v.noScopes {
		o.Scope = c
	}
	if v.copies {
		o.Copy = c
	}
	return o, nil
}

func (v *vendor) live() (ids []string) {
	for _, k := range v.keys {
		ids = append(ids, k.ID)
	}
	return ids
}

func (v *vendor) accepts(value string) bool {
	return slices.ContainsFunc(v.keys, func(k *vendorKey) bool { return k.value == value })
}

// ours returns the names of the living keys that carry our name.
func (v *vendor) ours() (names []string) {
	for _, k := range v.keys {
		if _, ok := keyname.Parse(k.Name); ok {
			names = append(names, k.Name)
		}
	}
	return names
}

// client is a vendor with an admin credential.
type client struct {
	*vendor
	admin string
}

// do runs f, the vendor's side of a call, with the faults that are set.
func (c client) do(ctx context.Context, call string, needsAdmin bool, f func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return &provider.Error{Op: call, Err: err}
	}
	c.calls = append(c.calls, call)
	var before, after error
	if c.fail != nil {
		before, after = c.fail(call)
	}
	if before == errKilled { //nolint:errorlint // a panic value
		panic(errKilled)
	}
	if before != nil {
		return before
	}
	if needsAdmin && c.admin != "acme-admin" {
		return &provider.Error{Op: call, Kind: provider.KindAuth, Status: 401}
	}
	if err := f(); err != nil {
		return err
	}
	if after == errKilled { //nolint:errorlint // a panic value
		panic(errKilled)
	}
	return after
}

// Copy implements [provider.Copier].
func (c client) Copy(ctx context.Context, name, id string) (provider.Issued, error) {
	scopes, err := c.Scopes(ctx, id)
	if err != nil {
		return provider.Issued{}, err
	}
	is, err := c.Create(ctx, name)
	for _, k := range c.keys {
		if k.ID == is.ID {
			k.scopes = scopes
		}
	}
	return is, err
}

func (c client) Create(ctx context.Context, name string) (out provider.Issued, err error) {
	err = c.do(ctx, "create", true, func() error {
		c.creates = append(c.creates, name)
		if c.max > 0 && len(c.keys) >= c.max {
			return &provider.Error{Op: "create", Kind: provider.KindFull, Status: 403}
		}
		c.n++
		k := &vendorKey{
			Key: provider.Key{ID: fmt.Sprintf("id%d", c.n), Name: name}, scopes: slices.Clone(c.scopes), born: time.Now(),
			value: fmt.Sprintf("acme-%d-%s", c.n, strings.Repeat(string(rune('a'+c.n%26)), 24)),
		}
		if c.odd != "" {
			k.value = c.odd
		}
		c.keys = append(c.keys, k)
		out = provider.Issued{Key: k.Key, Value: secret.New(k.value)}
		if c.issue != nil {
			c.issue(&out)
		}
		return nil
	})
	if err != nil {
		out = provider.Issued{}
	}
	return out, err
}

func (c client) List(ctx context.Context) (out []provider.Key, err error) {
	err = c.do(ctx, "list", true, func() error {
		for _, k := range c.keys {
			out = append(out, k.Key)
		}
		return nil
	})
	return out, err
}

func (c client) Revoke(ctx context.Context, id string) error {
	return c.do(ctx, "revoke", true, func() error {
		c.keys = slices.DeleteFunc(c.keys, func(k *vendorKey) bool { return k.ID == id })
		return nil
	})
}

func (c client) Verify(ctx context.Context, key secret.Value) error {
	return c.do(ctx, "verify", false, func() error {
		for _, k := range c.keys {
			if k.value == key.Reveal() && time.Since(k.born) >= c.delay {
				return nil
			}
		}
		return provider.ErrRejected
	})
}

func (c client) Scopes(ctx context.Context, id string) (out []string, err error) {
	err = c.do(ctx, "scopes", true, func() error {
		for _, k := range c.keys {
			if k.ID == id {
				out = slices.Clone(k.scopes)
				return nil
			}
		}
		return &provider.Error{Op: "scopes", Kind: provider.KindNotFound, Status: 404}
	})
	return out, err
}

// Package redis rotates the passwords of one Redis or Valkey ACL user.
//
// Strategy: DualSlot, with passwords of our own choosing. A user may have any
// number of passwords at once; the server knows them by their SHA-256, which is
// the id of a slot, and which is all that we send to add or remove one. The
// facts are those of
// https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
// and were tried with Redis 7.0.15. It takes Redis 6.0 or later, and ACL SETUSER,
// which services such as Amazon ElastiCache and Redis Cloud do not offer.
//
// A change is made on one server: Redis takes it neither to replicas nor to the
// other nodes of a cluster. It outlives a restart as the setting persist says,
// and where the server cannot do that nothing is changed.
//
// A wrong password, a user that is off and a user that does not exist are
// answered alike (WRONGPASS), so Verify takes all three for a key that is not
// valid.
package redis

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// Client manages the passwords of one user. It is safe for concurrent use.
type Client struct {
	dial           provider.Dialer
	settings       Settings
	user, password secret.Value // the admin's
}

// New returns a Client that connects with dial. It makes no call.
func New(s Settings, admin provider.Admin, dial provider.Dialer) *Client {
	return &Client{dial: dial, settings: s, user: admin.Field("username"), password: admin.Field("password")}
}

// Strategy returns the vendor's half of a rotation.
func (c *Client) Strategy() provider.Strategy { return provider.DualSlot{Slots: c, Place: c} }

var hashForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

func idOf(v secret.Value) string {
	h := sha256.Sum256([]byte(v.Reveal()))
	return hex.EncodeToString(h[:])
}

// Choose implements [provider.Chooser] with 256 bits in base64url, which fit
// into a redis:// URL as they are. A hash without salt, which the server keeps
// and shows, tells nothing about so many.
func (c *Client) Choose(random io.Reader) (secret.Value, error) {
	b := make([]byte, 32)
	if _, err := io.ReadFull(random, b); err != nil {
		return secret.Value{}, &provider.Error{Op: "choose a password", Kind: provider.KindNotSent, Err: errors.New("no randomness")}
	}
	return secret.New(base64.RawURLEncoding.EncodeToString(b)), nil
}

// Slots implements [provider.Slotter].
func (c *Client) Slots(ctx context.Context) ([]provider.Key, error) {
	var keys []provider.Key
	err := c.manage(ctx, opGet, func(ctx context.Context, s *session) error {
		u, err := s.account(ctx)
		keys = nil
		for _, id := range u.passwords {
			keys = append(keys, provider.Key{ID: id})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// Identify implements [provider.Identifier].
func (c *Client) Identify(ctx context.Context, value secret.Value) (string, error) {
	keys, err := c.Slots(ctx)
	if err != nil {
		return "", err
	}
	id := idOf(value)
	if !slices.ContainsFunc(keys, func(k provider.Key) bool { return k.ID == id }) {
		return "", &provider.Error{Op: opGet, Kind: provider.KindNotFound, Err: errors.New("the user has no such password")}
	}
	return id, nil
}

// Verify implements [provider.Verifier]: it proves itself on a connection of
// its own. See the package about users that are off. A user with nopass accepts
// everything, which says nothing, and Place refuses it.
func (c *Client) Verify(ctx context.Context, key secret.Value) error {
	if err := sendable(key); err != nil {
		return err
	}
	return c.open(ctx, opAuth, c.settings.User, key, func(context.Context, *session) error { return nil })
}

// sendable refuses what nobody could have meant for a password.
func sendable(v secret.Value) error {
	if v.Empty() || strings.ContainsFunc(v.Reveal(), func(r rune) bool { return r < ' ' || r > '~' }) {
		return &provider.Error{Op: opAuth, Kind: provider.KindPermanent, Err: errors.New("the password is empty or holds something other than printable ASCII")}
	}
	return nil
}

// Place implements [provider.Placer].
func (c *Client) Place(ctx context.Context, value secret.Value) (provider.Key, error) {
	if err := sendable(value); err != nil {
		return provider.Key{}, err
	}
	id := idOf(value)
	err := c.change(ctx, "#"+id, func(u account) (bool, error) {
		switch {
		case u.nopass:
			return false, refuse(opSet, "the user has nopass: it is let in with any password, and adding one would end that; do so yourself (ACL SETUSER name resetpass) when nobody relies on it")
		case u.off:
			return false, refuse(opSet, "the user is off: no password works (ACL SETUSER name on)")
		}
		return !slices.Contains(u.passwords, id), nil
	})
	if err != nil {
		return provider.Key{}, err
	}
	return provider.Key{ID: id}, nil
}

// Revoke implements [provider.Revoker]. Connections that have proved themselves
// with the password stay open. The last password is never removed.
func (c *Client) Revoke(ctx context.Context, id string) error {
	if !hashForm.MatchString(id) {
		return refuse(opSet, "this is not the id of a password")
	}
	return c.change(ctx, "!"+id, func(u account) (bool, error) {
		there := slices.Contains(u.passwords, id)
		if there && len(u.passwords) == 1 {
			return false, refuse(opSet, "it is the user's last password, which is never removed")
		}
		return there, nil
	})
}

// change applies rule to the user if need says so, and keeps it. It looks
// first, so it can be tried again whatever happened.
func (c *Client) change(ctx context.Context, rule string, need func(account) (bool, error)) error {
	applied := false // perhaps, in any try
	err := c.manage(ctx, opSet, func(ctx context.Context, s *session) error {
		u, err := s.account(ctx)
		if err != nil {
			return err
		}
		missing, err := need(u)
		if err != nil {
			return err
		}
		// First, for a server that cannot keep a change must not get one.
		if err := s.persist(ctx); err != nil || !missing {
			return err
		}
		err = s.ok(ctx, opSet, "ACL", "SETUSER", c.settings.User, rule)
		applied = applied || err == nil || provider.KindOf(err) == provider.KindUnknown
		if err != nil {
			return err
		}
		return s.persist(ctx)
	})
	if e, ok := errors.AsType[*provider.Error](err); ok && applied {
		return &provider.Error{Op: e.Op, Kind: provider.KindUnknown, RetryAfter: e.RetryAfter, Err: e.Err}
	}
	return err
}

// manage runs use on a connection on which the admin has proved itself.
func (c *Client) manage(ctx context.Context, op string, use func(context.Context, *session) error) error {
	switch {
	case c.user.Empty() || c.password.Empty():
		return &provider.Error{Op: op, Kind: provider.KindAuth, Err: errors.New("the admin credential is missing or empty")}
	case c.user.Equal(secret.New(c.settings.User)):
		return refuse(op, "the admin credential is of the user whose passwords are replaced: use another one")
	}
	err := c.open(ctx, op, c.user.Reveal(), c.password, use)
	if errors.Is(err, provider.ErrRejected) {
		return &provider.Error{Op: op, Kind: provider.KindAuth, Err: errors.New("wrong password, or the admin user does not exist or is off")}
	}
	return err
}

func refuse(op, why string) *provider.Error {
	return &provider.Error{Op: op, Kind: provider.KindPermanent, Err: errors.New(why)}
}

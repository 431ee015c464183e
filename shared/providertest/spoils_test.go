package providertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// What slots can do wrong, and what all strategies can.

func sentAgain(c *toyClient) {
	c.create = func(ctx context.Context, v secret.Value) (provider.Issued, error) {
		is, err := c.createOne(ctx, v)
		if err != nil && provider.KindOf(err) == provider.KindUnknown {
			return c.createOne(ctx, v)
		}
		return is, err
	}
}

func looksNot(c *toyClient) {
	c.place = func(ctx context.Context, v secret.Value) (provider.Key, error) {
		is, err := c.create(ctx, v)
		return is.Key, err
	}
}

func looksAway(c *toyClient) {
	c.place = func(ctx context.Context, v secret.Value) (provider.Key, error) {
		if id, err := c.identify(ctx, v); err == nil {
			return provider.Key{ID: id}, nil
		}
		is, err := c.create(ctx, v)
		return is.Key, err
	}
}

func placesAnother(c *toyClient) {
	c.place = func(ctx context.Context, _ secret.Value) (provider.Key, error) {
		is, err := c.create(ctx, secret.Value{})
		return is.Key, err
	}
}

func surely(err error) error {
	if err != nil && provider.KindOf(err) == provider.KindUnknown {
		return toyError(provider.KindPermanent, "refused")
	}
	return err
}

func sureOfNothing(c *toyClient) {
	c.create = func(ctx context.Context, v secret.Value) (provider.Issued, error) {
		is, err := c.createOne(ctx, v)
		return is, surely(err)
	}
}

func firstSlots(c *toyClient) {
	c.list = func(ctx context.Context) ([]toyListed, error) {
		keys, err := c.listAll(ctx)
		return keys[:min(toyPage, len(keys))], err
	}
}

func fewerSlots(c *toyClient) {
	c.list = func(ctx context.Context) ([]toyListed, error) {
		keys, _ := c.listAll(ctx)
		return keys, nil
	}
}

func enabledOnly(c *toyClient) {
	off := map[string]bool{}
	c.state = func(ctx context.Context, id string, o bool) error {
		off[id] = o
		return c.switchTo(ctx, id, o)
	}
	c.list = func(ctx context.Context) ([]toyListed, error) {
		keys, err := c.listAll(ctx)
		var on []toyListed
		for _, k := range keys {
			if !off[k.ID] {
				on = append(on, k)
			}
		}
		return on, err
	}
}

func identifiesFirst(c *toyClient) {
	c.identify = func(ctx context.Context, _ secret.Value) (string, error) {
		keys, err := c.list(ctx)
		if err != nil {
			return "", err
		}
		return keys[0].ID, nil
	}
}

func identifiesQuietly(c *toyClient) {
	c.identify = func(ctx context.Context, v secret.Value) (string, error) {
		id, err := c.find(ctx, v)
		if provider.KindOf(err) == provider.KindNotFound {
			return "", nil
		}
		return id, err
	}
	c.place = func(ctx context.Context, v secret.Value) (provider.Key, error) {
		if id, err := c.identify(ctx, v); err != nil || id != "" {
			return provider.Key{ID: id}, err
		}
		is, err := c.create(ctx, v)
		return is.Key, err
	}
}

func identifiesAnyhow(c *toyClient) {
	c.identify = func(ctx context.Context, v secret.Value) (string, error) {
		id, err := c.find(ctx, v)
		if err != nil {
			err = toyError(provider.KindNotFound, "no such value")
		}
		return id, err
	}
}

func revokesOther(c *toyClient) {
	c.revoke = func(ctx context.Context, id string) error {
		keys, err := c.list(ctx)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if k.ID != id {
				return c.revokeOne(ctx, k.ID)
			}
		}
		return nil
	}
}

func revokesAll(c *toyClient) {
	c.revoke = func(ctx context.Context, _ string) error {
		keys, err := c.list(ctx)
		for _, k := range keys {
			err = errors.Join(err, c.revokeOne(ctx, k.ID))
		}
		return err
	}
}

func revokesGone(c *toyClient) {
	c.revoke = func(ctx context.Context, id string) error {
		if _, err := c.used(ctx, id); provider.KindOf(err) == provider.KindNotFound {
			return err
		}
		return c.revokeOne(ctx, id)
	}
}

func disablesOnly(c *toyClient) {
	c.revoke = func(ctx context.Context, id string) error { return c.state(ctx, id, true) }
}

func revokesEnabled(c *toyClient) {
	off := map[string]bool{}
	c.state = func(ctx context.Context, id string, o bool) error {
		off[id] = o
		return c.switchTo(ctx, id, o)
	}
	c.revoke = func(ctx context.Context, id string) error {
		if off[id] {
			return toyError(provider.KindPermanent, "disabled")
		}
		return c.revokeOne(ctx, id)
	}
}

// raw sends a request and returns the status and the body, 0 without an answer.
func (c *toyClient) raw(ctx context.Context, method, path, token, body string) (int, []byte) {
	req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewBufferString(body))
	if err != nil {
		return 0, nil
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := c.api.HTTP.Do(req)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, b
}

func adminToken() string {
	return newToy(time.Now, toyOptions{}).admin
}

func revokesBlindly(c *toyClient) {
	c.revoke = func(ctx context.Context, id string) error {
		if status, _ := c.raw(ctx, "DELETE", "/v1/keys/"+id, adminToken(), ""); status/100 == 2 || status == 404 {
			return nil
		}
		return toyError(provider.KindUnknown, "no 200")
	}
}

func fullAt403(c *toyClient) {
	c.create = func(ctx context.Context, v secret.Value) (provider.Issued, error) {
		is, err := c.createOne(ctx, v)
		if e, ok := errors.AsType[*provider.Error](err); ok && e.Status == http.StatusForbidden {
			e.Kind = provider.KindFull
		}
		return is, err
	}
}

func fullNever(c *toyClient) {
	c.create = func(ctx context.Context, v secret.Value) (provider.Issued, error) {
		is, err := c.createOne(ctx, v)
		if e, ok := errors.AsType[*provider.Error](err); ok && e.Kind == provider.KindFull {
			e.Kind = provider.KindPermanent
		}
		return is, err
	}
}

func verifiesAny(c *toyClient) {
	c.verify = func(ctx context.Context, v secret.Value) error {
		if status, _ := c.raw(ctx, "GET", "/v1/me", v.Reveal(), ""); status/100 == 2 {
			return nil
		}
		return c.verifyOne(ctx, v)
	}
}

func rejectsAny(c *toyClient) {
	c.verify = func(ctx context.Context, v secret.Value) error {
		err := c.verifyOne(ctx, v)
		if e, ok := errors.AsType[*provider.Error](err); ok && e.Status >= 400 {
			return provider.ErrRejected
		}
		return err
	}
}

func verifiesAsAdmin(c *toyClient) {
	c.verify = func(ctx context.Context, _ secret.Value) error { return c.verifyOne(ctx, secret.New(adminToken())) }
}

func tellsValue(c *toyClient) {
	c.verify = func(ctx context.Context, v secret.Value) error {
		err := c.verifyOne(ctx, v)
		if err != nil && !errors.Is(err, provider.ErrRejected) {
			return toyError(provider.KindOf(err), "tried "+v.Reveal())
		}
		return err
	}
}

func namesValue(c *toyClient) {
	c.create = func(ctx context.Context, v secret.Value) (provider.Issued, error) {
		is, err := c.createOne(ctx, v)
		is.Name = is.Value.Reveal()
		return is, err
	}
}

func tellsBody(c *toyClient) {
	c.revoke = func(ctx context.Context, id string) error {
		status, b := c.raw(ctx, "DELETE", "/v1/keys/"+id, adminToken(), "")
		if status/100 != 2 && status != 404 {
			return toyError(provider.KindUnknown, string(b))
		}
		return c.revokeOne(ctx, id)
	}
}

// asksAnyone sends an empty credential and leaves the refusal to the vendor.
func asksAnyone(c *toyClient) {
	c.admin = httpapi.Signed(secret.New("nobody"), func(r *http.Request, _ []byte) error {
		r.Header.Set("Authorization", "Bearer")
		return nil
	})
}

func choosesAgain(c *toyClient) {
	c.choose = func(random io.Reader) (secret.Value, error) {
		v, err := chooseToy(random)
		if err != nil {
			return v, err
		}
		return secret.New("toy_00000000000000000000000000000" + v.Reveal()[33:]), nil
	}
}

func choosesOdd(c *toyClient) {
	c.choose = func(random io.Reader) (secret.Value, error) {
		v, err := chooseToy(random)
		if err != nil {
			return v, err
		}
		return secret.New(v.Reveal() + "=="), nil
	}
}

func choosesLittle(c *toyClient) {
	c.choose = func(random io.Reader) (secret.Value, error) {
		b := make([]byte, 16)
		if n, _ := io.ReadFull(random, b); n == 0 {
			return secret.Value{}, toyError(provider.KindNotSent, "no randomness")
		}
		return secret.New(fmt.Sprintf("toy_%x", b)), nil
	}
}

func usesNever(c *toyClient) {
	c.used = func(ctx context.Context, id string) (time.Time, error) {
		_, err := c.usedOne(ctx, id)
		return time.Time{}, err
	}
}

func disablesNothing(c *toyClient) {
	c.state = func(context.Context, string, bool) error { return nil }
}

func countsWrong(c *toyClient) { c.slots = 7 }

func evicts(c *toyClient) {
	c.create = func(ctx context.Context, v secret.Value) (provider.Issued, error) {
		is, err := c.createOne(ctx, v)
		if provider.KindOf(err) != provider.KindFull {
			return is, err
		}
		if keys, err := c.list(ctx); err != nil || c.revoke(ctx, keys[0].ID) != nil {
			return is, toyError(provider.KindUnknown, "not emptied")
		}
		return c.createOne(ctx, v)
	}
}

func findsForEver(c *toyClient) {
	c.identify = func(ctx context.Context, v secret.Value) (string, error) {
		return c.find(context.WithoutCancel(ctx), v)
	}
}

func identifiesWorking(c *toyClient) {
	c.identify = func(ctx context.Context, v secret.Value) (string, error) {
		if err := c.verify(ctx, v); errors.Is(err, provider.ErrRejected) {
			return "", toyError(provider.KindNotFound, "no such value")
		}
		return c.find(ctx, v)
	}
}

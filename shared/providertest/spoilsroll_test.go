package providertest

import (
	"context"
	"net/http"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// What the two strategies can do wrong whose key keeps its id.

func setsOnce(c *toyClient) {
	c.set = func(ctx context.Context, id string, v secret.Value) error {
		if now, err := c.readOne(ctx, id); err == nil && now.Equal(v) {
			return toyError(provider.KindPermanent, "that is the value")
		}
		return c.setOne(ctx, id, v)
	}
}

func setsLess(c *toyClient) {
	c.set = func(ctx context.Context, id string, v secret.Value) error {
		return c.setOne(ctx, id, secret.New(v.Reveal()[:20]))
	}
}

func setsTheOne(c *toyClient) {
	c.set = func(ctx context.Context, _ string, v secret.Value) error { return c.setOne(ctx, "one", v) }
}

// other returns the id of a key that is not ours.
func (c *toyClient) other(ctx context.Context) string {
	keys, err := c.listAll(ctx)
	if err != nil || len(keys) < 2 {
		return "none"
	}
	return keys[1].ID
}

func setsOther(c *toyClient) {
	c.set = func(ctx context.Context, _ string, v secret.Value) error { return c.setOne(ctx, c.other(ctx), v) }
}

func setsSurely(c *toyClient) {
	c.set = func(ctx context.Context, id string, v secret.Value) error {
		status, _ := c.raw(ctx, "PUT", "/v1/keys/"+id+"/value", adminToken(), `{"value":"`+v.Reveal()+`"}`)
		if status != http.StatusOK {
			return toyError(provider.KindPermanent, "refused")
		}
		return nil
	}
}

func setsAnyhow(c *toyClient) {
	c.set = func(ctx context.Context, id string, v secret.Value) error {
		_ = c.setOne(ctx, id, v)
		return nil
	}
}

func setsBlindly(c *toyClient) {
	c.set = func(ctx context.Context, id string, v secret.Value) error {
		status, _ := c.raw(ctx, "PUT", "/v1/keys/"+id+"/value", adminToken(), `{"value":"`+v.Reveal()+`"}`)
		if status/100 != 2 {
			return toyError(provider.KindUnknown, "no 200")
		}
		return nil
	}
}

func setTellsValue(c *toyClient) {
	c.set = func(ctx context.Context, id string, v secret.Value) error {
		if err := c.setOne(ctx, id, v); err != nil {
			return toyError(provider.KindOf(err), "set "+v.Reveal())
		}
		return nil
	}
}

func readsMemory(c *toyClient) {
	var last secret.Value
	c.set = func(ctx context.Context, id string, v secret.Value) error {
		last = v
		return c.setOne(ctx, id, v)
	}
	c.read = func(context.Context, string) (secret.Value, error) { return last, nil }
}

func readsOther(c *toyClient) {
	c.read = func(ctx context.Context, _ string) (secret.Value, error) { return c.readOne(ctx, c.other(ctx)) }
}

func readsAnyhow(c *toyClient) {
	c.read = func(ctx context.Context, id string) (secret.Value, error) {
		v, err := c.readOne(ctx, id)
		if err != nil {
			v = secret.New("toy_00000000000000000000000000000000")
		}
		return v, err
	}
}

func rollsAgain(c *toyClient) {
	c.roll = func(ctx context.Context, id string, grace time.Duration) (provider.Issued, error) {
		is, err := c.rollOne(ctx, id, grace)
		if err != nil && provider.KindOf(err) == provider.KindUnknown {
			return c.rollOne(ctx, id, grace)
		}
		return is, err
	}
}

func rollsTheOne(c *toyClient) {
	c.roll = func(ctx context.Context, _ string, grace time.Duration) (provider.Issued, error) {
		return c.rollOne(ctx, "one", grace)
	}
}

func rollsOther(c *toyClient) {
	c.roll = func(ctx context.Context, id string, grace time.Duration) (provider.Issued, error) {
		is, err := c.rollOne(ctx, c.other(ctx), grace)
		if err == nil {
			is.ID = id
		}
		return is, err
	}
}

func rollsSurely(c *toyClient) {
	c.roll = func(ctx context.Context, id string, grace time.Duration) (provider.Issued, error) {
		is, err := c.rollOne(ctx, id, grace)
		return is, surely(err)
	}
}

func rollsNot(c *toyClient) {
	c.roll = func(ctx context.Context, id string, _ time.Duration) (provider.Issued, error) {
		v, err := c.readOne(ctx, id)
		if err != nil {
			return provider.Issued{}, err
		}
		return provider.Issued{Key: provider.Key{ID: id}, Value: v}, nil
	}
}

// regraced asks for another grace than it was asked for.
func regraced(grace func(time.Duration) time.Duration) func(*toyClient) {
	return func(c *toyClient) {
		c.roll = func(ctx context.Context, id string, g time.Duration) (provider.Issued, error) {
			return c.rollOne(ctx, id, grace(g))
		}
	}
}

func rollsLongest(c *toyClient) {
	regraced(func(time.Duration) time.Duration { return 48 * time.Hour })(c)
}

func rollsShortest(c *toyClient) {
	regraced(func(time.Duration) time.Duration { return time.Minute })(c)
}
func rollsAtOnce(c *toyClient) { regraced(func(time.Duration) time.Duration { return 0 })(c) }
func rollsForEver(c *toyClient) {
	regraced(func(time.Duration) time.Duration { return 1000 * time.Hour })(c)
}

func rollsInMinutes(c *toyClient) {
	regraced(func(g time.Duration) time.Duration { return 60 * g })(c)
}

// capped keeps to a longest and a shortest grace that the strategy does not tell.
func capped(lo, hi time.Duration, says [2]time.Duration) func(*toyClient) {
	return func(c *toyClient) {
		c.grace = says
		regraced(func(g time.Duration) time.Duration { return min(max(g, lo), hi) })(c)
	}
}

func promisesMore(c *toyClient) {
	capped(time.Minute, 24*time.Hour, [2]time.Duration{time.Minute, 48 * time.Hour})(c)
}

func promisesLess(c *toyClient) {
	capped(time.Hour, 48*time.Hour, [2]time.Duration{time.Minute, 48 * time.Hour})(c)
}

func promisesFixed(c *toyClient) {
	capped(0, 48*time.Hour, [2]time.Duration{time.Hour, time.Hour})(c)
}

// spoilsRoll changes what a Roll returns.
func spoilsRoll(c *toyClient, spoil func(provider.Issued, error) (provider.Issued, error)) {
	c.roll = func(ctx context.Context, id string, grace time.Duration) (provider.Issued, error) {
		return spoil(c.rollOne(ctx, id, grace))
	}
}

func rollsShort(c *toyClient) {
	spoilsRoll(c, func(is provider.Issued, err error) (provider.Issued, error) {
		if err == nil {
			is.Value = secret.New(is.Value.Reveal()[:30])
		}
		return is, err
	})
}

func rollTellsValue(c *toyClient) {
	spoilsRoll(c, func(is provider.Issued, err error) (provider.Issued, error) {
		is.Name = is.Value.Reveal()
		return is, err
	})
}

func rollsAndFails(c *toyClient) {
	spoilsRoll(c, func(is provider.Issued, err error) (provider.Issued, error) {
		if err != nil {
			is.ID = "one"
		}
		return is, err
	})
}

func rollsForAges(c *toyClient) {
	c.roll = func(ctx context.Context, id string, grace time.Duration) (provider.Issued, error) {
		return c.rollOne(context.WithoutCancel(ctx), id, grace)
	}
}

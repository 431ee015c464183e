package cloudflare

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// Disable implements [provider.Disabler].
func (c *Client) Disable(ctx context.Context, id string) error {
	return c.change(ctx, id, func(t *token) { t.Status = disabled })
}

// Enable implements [provider.Disabler].
func (c *Client) Enable(ctx context.Context, id string) error {
	return c.change(ctx, id, func(t *token) { t.Status = active })
}

// Expire implements [provider.Expirer], to the second.
func (c *Client) Expire(ctx context.Context, id string, t time.Time) error {
	return c.change(ctx, id, func(k *token) {
		k.ExpiresOn = t.UTC().Truncate(time.Second).Format(time.RFC3339)
		if k.Status == expired {
			k.Status = active
		}
	})
}

// Roll implements [provider.Roller]. There is no grace.
func (c *Client) Roll(ctx context.Context, id string, _ time.Duration) (provider.Issued, error) {
	call := c.call("PUT", "/{token_id}/value", id)
	if !idForm.MatchString(id) {
		return provider.Issued{}, noID(call)
	}
	call.Once, call.In = true, struct{}{}
	v, err := send(ctx, c, c.admin, call, func(v secret.Value) bool { return !v.Empty() })
	if err != nil {
		return provider.Issued{}, err
	}
	return provider.Issued{Key: provider.Key{ID: id}, Value: v}, nil
}

// change reads a token and writes it back whole: an update replaces everything,
// and what it leaves out is lost. There is no way to make the update depend on
// what was read, so a change that somebody else makes in between is undone.
func (c *Client) change(ctx context.Context, id string, edit func(*token)) error {
	t, err := c.get(ctx, id)
	if err != nil {
		return err
	}
	edit(&t)
	want := render(t)
	in := map[string]any{"name": t.Name, "status": t.Status, "policies": writable(t.Policies)}
	if len(t.Condition) > 0 {
		in["condition"] = t.Condition
	}
	if t.NotBefore != "" {
		in["not_before"] = t.NotBefore
	}
	if t.ExpiresOn != "" {
		in["expires_on"] = t.ExpiresOn
	}
	call := c.call("PUT", "/{token_id}", id)
	call.In = in
	_, err = send(ctx, c, c.admin, call, func(got token) bool {
		return got.ID == id && got.Status == t.Status && same(got.ExpiresOn, t.ExpiresOn) && slices.Equal(render(got), want)
	})
	return err
}

// same reports whether two times, either of them perhaps empty, are one.
func same(a, b string) bool {
	s, serr := time.Parse(time.RFC3339, a)
	t, terr := time.Parse(time.RFC3339, b)
	return a == b || serr == nil && terr == nil && s.Equal(t)
}

// Scopes implements [provider.Scoper]: each policy in one line of JSON, without
// names and policies' ids, which differ from token to token, and then the
// condition.
func (c *Client) Scopes(ctx context.Context, id string) ([]string, error) {
	t, err := c.get(ctx, id)
	if err != nil {
		return nil, err
	}
	return render(t), nil
}

// render returns a token's rights, sorted. Nothing says that Cloudflare keeps an
// order.
func render(t token) []string {
	var out []string
	for _, p := range writable(t.Policies) {
		out = append(out, line(ordered(p)))
	}
	if len(t.Condition) > 0 {
		out = append(out, "condition "+line(ordered(t.Condition)))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// writable returns policies without what is read-only in them: their ids, and
// the names of permission groups.
func writable(policies []map[string]any) []map[string]any {
	out := make([]map[string]any, len(policies))
	for i, p := range policies {
		out[i] = maps.Clone(p)
		delete(out[i], "id")
		groups, ok := p["permission_groups"].([]any)
		if !ok {
			continue
		}
		groups = slices.Clone(groups)
		for j, g := range groups {
			if m, ok := g.(map[string]any); ok {
				m = maps.Clone(m)
				delete(m, "name")
				delete(m, "meta") // labels of the group, the same for all
				groups[j] = m
			}
		}
		out[i]["permission_groups"] = groups
	}
	return out
}

// ordered returns v with every list in it sorted.
func ordered(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = ordered(e)
		}
		slices.SortFunc(out, func(a, b any) int { return slices.Compare([]byte(line(a)), []byte(line(b))) })
		return out
	case map[string]any:
		out := map[string]any{}
		for name, e := range v {
			out[name] = ordered(e)
		}
		return out
	}
	return v
}

// line returns v as JSON, members sorted by name.
func line(v any) string {
	b, _ := json.Marshal(v) //nolint:errchkjson // it was read from JSON
	return string(b)
}

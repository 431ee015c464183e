package providertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/cloudflare/cloudflaretest"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/secret"
)

// A check that cannot fail is a defect: each of these packages breaks one
// promise, and the checks named must find it.
func TestSuite_findsBrokenPackages(t *testing.T) {
	t.Parallel()
	for _, tt := range sampled([]struct {
		name  string
		base  func() Subject
		spoil func(provider.Overlap, *http.Client) provider.Overlap
		found []string
	}{
		{"a create sent twice", sendgridSubject, keys(createsTwice), []string{"fault/reply lost", "fault/500 applied"}},
		{"a list that swallows errors", sendgridSubject, keys(listsLess), []string{"fault/request lost", "fault/200 with {}, not applied", "canceled"}},
		{"a verify that believes a bare 200", sendgridSubject, keys(believes), []string{"fault/200 with a page, not applied"}},
		{"a verify that takes 401 for yes", sendgridSubject, keys(takesAll), []string{"life without a fault", "values that are no keys"}},
		{"a verify that takes any 401 for the vendor's", sendgridSubject, keys(believes), []string{"fault/401 of a proxy"}},
		{"an error with the body", sendgridSubject, keys(tellsAll), []string{"fault/400 echoing the request", "fault/404 of the vendor"}},
		{"an error that is not an Error", sendgridSubject, keys(tellsAll), []string{"fault/400 echoing the request"}},
		{"a second revoke that is an error", sendgridSubject, keys(revokesOnce), []string{"life without a fault"}},
		{"a revoke that believes a page", sendgridSubject, keys(believesRevoke), []string{"fault/200 with a page, not applied", "fault/404 of a proxy"}},
		{"redirects followed", sendgridSubject, keys(believesRevoke), []string{"fault/307 to another host", "fault/302 to another path"}},
		{"a revoke of everything of one name", sendgridSubject, keys(revokesByName), []string{"one key revoked"}},
		{"a 403 that is always a full account", sendgridSubject, keys(alwaysFull), []string{"forbidden with room"}},
		{"a full account that is no KindFull", sendgridSubject, keys(neverFull), []string{"no room"}},
		{"a value cut short", sendgridSubject, keys(cutsValue), []string{"life without a fault"}},
		{"a canceled context ignored", sendgridSubject, keys(ignoresContext), []string{"canceled", "fault/hang"}},
		{"the first page only", giteaSubject, keys(firstPage), []string{"life without a fault", "pages"}},
		{"a last use that never moves", giteaSubject, func(o provider.Overlap, _ *http.Client) provider.Overlap {
			o.Usage = neverUsed{}
			return o
		}, []string{"last use moves"}},
		{"scopes by chance", giteaSubject, func(o provider.Overlap, _ *http.Client) provider.Overlap {
			o.Scope = byChance{}
			return o
		}, []string{"keys made alike may do the same"}},
		{"an id of another key", giteaSubject, func(o provider.Overlap, _ *http.Client) provider.Overlap {
			o.Identify = alwaysOne{}
			return o
		}, []string{"life without a fault", "values that are no keys"}},
		{"a disable that does nothing", giteaSubject, func(o provider.Overlap, _ *http.Client) provider.Overlap {
			o.Disable = idle{}
			return o
		}, []string{"disable and enable"}},
		{"an end that never comes", giteaSubject, func(o provider.Overlap, _ *http.Client) provider.Overlap {
			o.Expire = idle{}
			return o
		}, []string{"expire"}},
		{"a disable that loses rights", cloudflareSubject, func(o provider.Overlap, hc *http.Client) provider.Overlap {
			o.Disable = forgetful{hc}
			return o
		}, []string{"disable and enable"}},
		{"a disable believed without proof", cloudflareSubject, func(o provider.Overlap, _ *http.Client) provider.Overlap {
			o.Disable = idle{}
			return o
		}, []string{"life without a fault", "fault/500 applied"}},
		{"a disabled key that verifies", cloudflareSubject, keys(believesAny), []string{"disable and enable", "expire"}},
		{"an end that never comes, where there is one", cloudflareSubject, func(o provider.Overlap, _ *http.Client) provider.Overlap {
			o.Expire = idle{}
			return o
		}, []string{"expire"}},
		{"no usage where the facts promise it", giteaSubject, func(o provider.Overlap, _ *http.Client) provider.Overlap {
			o.Usage = nil
			return o
		}, []string{"definition"}},
	}) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := spoiled(tt.base(), tt.spoil)
			for _, name := range tt.found {
				c, ok := checkCalled(s, name)
				if !ok {
					t.Fatalf("there is no check %q", name)
				}
				if len(c.run(t, s)) == 0 {
					t.Errorf("%q did not find it", name)
				}
				if found := c.run(t, tt.base()); len(found) > 0 {
					t.Errorf("%q blames a package that is not broken: %v", name, found)
				}
			}
		})
	}
}

func checkCalled(s Subject, name string) (check, bool) {
	for _, c := range checksOf(s) {
		if c.name == name {
			return c, true
		}
	}
	return check{}, false
}

func spoiled(s Subject, spoil func(provider.Overlap, *http.Client) provider.Overlap) Subject {
	sound := s.Definition
	s.Definition = provider.Define(sound.Info, func(set settings, admin provider.Admin, hc *http.Client) provider.Strategy {
		st, err := sound.Open(set.raw(), admin, hc)
		if err != nil {
			panic(err)
		}
		return spoil(st.(provider.Overlap), hc)
	})
	return s
}

// forgetful writes a token back with the first of its policies.
type forgetful struct{ hc *http.Client }

func (f forgetful) Disable(ctx context.Context, id string) error { return f.put(ctx, id, "disabled") }
func (f forgetful) Enable(ctx context.Context, id string) error  { return f.put(ctx, id, "active") }

func (f forgetful) put(ctx context.Context, id, status string) error {
	text := `{"name":"` + ours + `","status":"` + status + `","policies":[` + string(onePolicy("c8fed203ed3043cba015a93ad1616f1f")) + `]}`
	req, _ := http.NewRequestWithContext(ctx, http.MethodPut, base+"/client/v4/user/tokens/"+id, strings.NewReader(text))
	req.Header.Set("Authorization", "Bearer "+cloudflaretest.New(time.Now, cloudflaretest.Options{}).AdminKey().Reveal())
	res, err := f.hc.Do(req)
	if err != nil || res.StatusCode != http.StatusOK {
		return &provider.Error{Op: "PUT", Kind: provider.KindNotFound}
	}
	return nil
}

// believesAny takes whatever status a token has.
func believesAny(k *bad) {
	k.verify = func(ctx context.Context, v secret.Value) error {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, base+"/client/v4/user/tokens/verify", nil)
		req.Header.Set("Authorization", "Bearer "+v.Reveal())
		res, err := k.hc.Do(req)
		if err != nil || res.StatusCode != http.StatusOK {
			return provider.ErrRejected
		}
		return nil
	}
}

// overlapKeys is what Overlap asks for.
type overlapKeys interface {
	provider.Creator
	provider.Lister
	provider.Revoker
	provider.Verifier
}

// bad is a package whose methods can be spoiled one by one.
type bad struct {
	overlapKeys

	hc     *http.Client
	create func(context.Context, string) (provider.Issued, error)
	list   func(context.Context) ([]provider.Key, error)
	revoke func(context.Context, string) error
	verify func(context.Context, secret.Value) error
}

func keys(spoil func(*bad)) func(provider.Overlap, *http.Client) provider.Overlap {
	return func(o provider.Overlap, hc *http.Client) provider.Overlap {
		k := &bad{o.Keys, hc, o.Keys.Create, o.Keys.List, o.Keys.Revoke, o.Keys.Verify}
		spoil(k)
		o.Keys = k
		return o
	}
}

func (k *bad) Create(ctx context.Context, n string) (provider.Issued, error) { return k.create(ctx, n) }
func (k *bad) List(ctx context.Context) ([]provider.Key, error)              { return k.list(ctx) }
func (k *bad) Revoke(ctx context.Context, id string) error                   { return k.revoke(ctx, id) }

func (k *bad) Verify(ctx context.Context, v secret.Value) error { return k.verify(ctx, v) }

func createsTwice(k *bad) {
	k.create = func(ctx context.Context, n string) (provider.Issued, error) {
		is, err := k.overlapKeys.Create(ctx, n)
		if err != nil && provider.KindOf(err) == provider.KindUnknown {
			return k.overlapKeys.Create(ctx, n)
		}
		return is, err
	}
}

func listsLess(k *bad) {
	k.list = func(ctx context.Context) ([]provider.Key, error) {
		keys, _ := k.overlapKeys.List(ctx)
		return keys, nil
	}
}

func takesAll(k *bad) {
	k.verify = func(ctx context.Context, v secret.Value) error {
		if err := k.overlapKeys.Verify(ctx, v); !errors.Is(err, provider.ErrRejected) {
			return err
		}
		return nil
	}
}

// believes looks at the status of an answer and at nothing else.
func believes(k *bad) {
	k.verify = func(ctx context.Context, v secret.Value) error {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v3/scopes", nil)
		req.Header.Set("Authorization", "Bearer "+v.Reveal())
		res, err := k.hc.Do(req)
		switch {
		case err != nil:
			return &provider.Error{Op: "verify"}
		case res.StatusCode == http.StatusOK:
			return nil
		case res.StatusCode == http.StatusUnauthorized:
			return provider.ErrRejected
		}
		return &provider.Error{Op: "verify", Status: res.StatusCode}
	}
}

func (k *bad) remove(ctx context.Context, id string) (*http.Response, error) {
	req, _ := http.NewRequestWithContext(ctx, http.MethodDelete, base+"/v3/api_keys/"+id, nil)
	req.Header.Set("Authorization", "Bearer "+sendgridtest.New(time.Now, sendgridtest.Options{}).AdminKey().Reveal())
	return k.hc.Do(req)
}

func tellsAll(k *bad) {
	k.revoke = func(ctx context.Context, id string) error {
		res, err := k.remove(ctx, id)
		if err != nil {
			return fmt.Errorf("revoke: %w", err)
		}
		b, _ := io.ReadAll(res.Body)
		if res.StatusCode == http.StatusNoContent || res.StatusCode == http.StatusNotFound && !strings.Contains(string(b), marker) {
			return nil
		}
		return fmt.Errorf("revoke: %s: %s", res.Status, b)
	}
}

func revokesOnce(k *bad) {
	k.revoke = func(ctx context.Context, id string) error {
		res, err := k.remove(ctx, id)
		if err == nil && res.StatusCode == http.StatusNotFound {
			return &provider.Error{Op: "revoke", Kind: provider.KindNotFound}
		}
		return k.overlapKeys.Revoke(ctx, id)
	}
}

func believesRevoke(k *bad) {
	k.revoke = func(ctx context.Context, id string) error {
		res, err := k.remove(ctx, id)
		if err != nil || res.StatusCode/100 == 5 {
			return &provider.Error{Op: "revoke"}
		}
		return nil
	}
}

func revokesByName(k *bad) {
	k.revoke = func(ctx context.Context, id string) error {
		keys, err := k.overlapKeys.List(ctx)
		if err != nil {
			return err
		}
		for _, o := range keys {
			if strings.HasPrefix(o.Name, "keyturn-") {
				if err := k.overlapKeys.Revoke(ctx, o.ID); err != nil {
					return err
				}
			}
		}
		return k.overlapKeys.Revoke(ctx, id)
	}
}

func alwaysFull(k *bad) {
	k.create = func(ctx context.Context, n string) (provider.Issued, error) {
		is, err := k.overlapKeys.Create(ctx, n)
		if e, ok := errors.AsType[*provider.Error](err); ok && e.Status == 403 {
			e.Kind = provider.KindFull
		}
		return is, err
	}
}

func neverFull(k *bad) {
	k.create = func(ctx context.Context, n string) (provider.Issued, error) {
		is, err := k.overlapKeys.Create(ctx, n)
		if e, ok := errors.AsType[*provider.Error](err); ok && e.Kind == provider.KindFull {
			e.Kind = provider.KindAuth
		}
		return is, err
	}
}

func cutsValue(k *bad) {
	k.create = func(ctx context.Context, n string) (provider.Issued, error) {
		is, err := k.overlapKeys.Create(ctx, n)
		if v := is.Value.Reveal(); v != "" {
			is.Value = secret.New(v[:len(v)-1])
		}
		return is, err
	}
}

func ignoresContext(k *bad) {
	k.list = func(ctx context.Context) ([]provider.Key, error) {
		return k.overlapKeys.List(context.WithoutCancel(ctx))
	}
	k.verify = func(ctx context.Context, v secret.Value) error {
		return k.overlapKeys.Verify(context.WithoutCancel(ctx), v)
	}
}

func firstPage(k *bad) {
	k.list = func(ctx context.Context) ([]provider.Key, error) {
		keys, err := k.overlapKeys.List(ctx)
		return keys[:min(6, len(keys))], err
	}
}

type neverUsed struct{}

func (neverUsed) LastUsed(context.Context, string) (time.Time, error) { return time.Time{}, nil }

type byChance struct{}

func (byChance) Scopes(_ context.Context, id string) ([]string, error) { return []string{id}, nil }

type alwaysOne struct{}

func (alwaysOne) Identify(context.Context, secret.Value) (string, error) { return "1", nil }

type idle struct{}

func (idle) Disable(context.Context, string) error           { return nil }
func (idle) Enable(context.Context, string) error            { return nil }
func (idle) Expire(context.Context, string, time.Time) error { return nil }

// Where an error was wanted and there is none, a finding says so.
func TestBreach_noError(t *testing.T) {
	t.Parallel()
	var b bench
	b.breach("%v", want("Create", nil, provider.KindFull))
	if got := strings.Join(b.found, "\n"); !strings.HasSuffix(got, ", got: no error") {
		t.Errorf("%q", got)
	}
}

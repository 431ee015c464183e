package gitea_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/gitea"
	"github.com/keyturn/keyturn/shared/provider/gitea/giteatest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/shared/secret"
)

const host = "git.test"

func client(h http.Handler, admin provider.Admin, scopes ...string) *gitea.Client {
	hc := &http.Client{Transport: &providertest.Transport{Handler: h, Host: host}}
	return gitea.New(gitea.Settings{URL: "https://" + host, Scopes: scopes}, admin, hc)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, raw string
		fields    []string // with problems
	}{
		{"least", `{"baseURL": "https://git.test", "scopes": ["read:user"]}`, nil},
		{"wider", `{"baseURL": "http://127.0.0.1:3000", "username": "octavia", "scopes": ["write:user", "write:repository", "public-only"]}`, nil},
		{"widest", `{"baseURL": "https://git.test/gitea", "scopes": ["all"]}`, nil},
		{"nothing", ``, []string{"baseURL", "scopes"}},
		{"cannot be verified", `{"baseURL": "https://git.test", "scopes": ["write:repository"]}`, []string{"scopes"}},
		{"no such scope", `{"baseURL": "https://git.test", "scopes": ["read:user", "sudo"]}`, []string{"scopes"}},
		{"a scope twice", `{"baseURL": "https://git.test", "scopes": ["read:user", "read:user"]}`, []string{"scopes"}},
		{"an e-mail address", `{"baseURL": "https://git.test", "username": "a@b.test", "scopes": ["read:user"]}`, []string{"username"}},
		{"no URL", `{"baseURL": "git.test", "scopes": ["read:user"]}`, []string{"baseURL"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range gitea.Definition().Check(json.RawMessage(tt.raw)) {
				if p.What == "" || p.Hint == "" {
					t.Errorf("%+v: want what is wrong and what to do", p)
				}
				got = append(got, p.Field)
			}
			if d := cmp.Diff(tt.fields, got); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
		})
	}
}

// A token that is made or deleted while the pages are read shifts them and
// hides another; the list must notice.
func TestList_changesMeanwhile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		changes int
		ok      bool
	}{
		{"once", 1, true},
		{"always", 99, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				gt := giteatest.New(time.Now, giteatest.Options{PageSize: 3})
				for i := range 8 {
					gt.Add(fmt.Sprint("k", i))
				}
				changes, admin := tt.changes, client(gt, gt.Admin(host))
				c := client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Query().Get("page") == "2" && changes > 0 {
						changes-- // the newest goes: what was first on page 2 is now last on page 1
						if err := admin.Revoke(t.Context(), gt.Live()[0].ID); err != nil {
							t.Error(err)
						}
					}
					gt.ServeHTTP(w, r)
				}), gt.Admin(host))
				keys, err := c.List(t.Context())
				if (err == nil) != tt.ok || tt.ok && !cmp.Equal(keys, gt.Live()) {
					t.Errorf("got %v and %v, want all of %v: %v", keys, err, gt.Live(), tt.ok)
				}
			})
		})
	}
}

// Gitea answers 403 to a token that lacks read:user. The token may be alive, so
// that is no rejection; and the token of another user is no proof.
func TestVerify_cannotTell(t *testing.T) {
	t.Parallel()
	gt := giteatest.New(time.Now, giteatest.Options{})
	c := client(gt, gt.Admin(host), "write:repository")
	is, err := c.Create(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Verify(t.Context(), is.Value); provider.KindOf(err) != provider.KindPermanent {
		t.Errorf("without read:user: %v, want KindPermanent", err)
	}
	synctest.Test(t, func(t *testing.T) {
		gt := giteatest.New(time.Now, giteatest.Options{})
		admin := gt.Admin(host)
		admin.Fields["username"] = secret.New("somebody-else")
		if err := client(gt, admin).Verify(t.Context(), gt.Add("k").Value); provider.KindOf(err) != provider.KindUnknown || err == nil {
			t.Errorf("a token of another user: %v, want could not tell", err)
		}
	})
}

// Gitea takes a token as the password, if its scopes reach that far. With less it
// may be able to look, and nothing is made.
func TestAdmin_token(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		scope          string
		looks, creates bool
	}{
		{"all", true, true},
		{"write:user", true, true},
		{"read:user", true, false},
		{"write:repository", false, false},
	} {
		t.Run(tt.scope, func(t *testing.T) {
			t.Parallel()
			gt := giteatest.New(time.Now, giteatest.Options{})
			admin := gt.Admin(host)
			admin.Fields["password"] = gt.Add("k", tt.scope).Value
			c := client(gt, admin, "read:user")
			_, err := c.List(t.Context())
			if (err == nil) != tt.looks || err != nil && provider.KindOf(err) != provider.KindAuth {
				t.Errorf("list: %v, want none: %v, or KindAuth", err, tt.looks)
			}
			_, err = c.Create(t.Context(), "new")
			if (err == nil) != tt.creates || err != nil && provider.KindOf(err) != provider.KindAuth {
				t.Errorf("create: %v, want none: %v, or KindAuth", err, tt.creates)
			}
		})
	}
}

func TestIdentify_twoFit(t *testing.T) {
	t.Parallel()
	const list = `[{"id":1,"token_last_eight":"00000000"},{"id":2,"token_last_eight":"00000000"}]`
	c := client(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Total-Count", "2")
		_, _ = w.Write([]byte(list))
	}), provider.Admin{Fields: map[string]secret.Value{"username": secret.New("u"), "password": secret.New("p")}})
	if id, err := c.Identify(t.Context(), secret.New("1111111111111111111111111111111100000000")); provider.KindOf(err) != provider.KindPermanent {
		t.Errorf("got %q and %v, want an error: two tokens fit", id, err)
	}
}

// What was asked for comes back as Gitea writes it, whatever the order.
func TestScopes_normalized(t *testing.T) {
	t.Parallel()
	gt := giteatest.New(time.Now, giteatest.Options{})
	for i, tt := range []struct{ asked, want []string }{
		{[]string{"write:user", "read:user", "read:repository"}, []string{"read:repository", "write:user"}},
		{[]string{"all", "read:user"}, []string{"all"}},
		{[]string{"read:user", "public-only"}, []string{"public-only", "read:user"}},
	} {
		c := client(gt, gt.Admin(host), tt.asked...)
		is, err := c.Create(t.Context(), fmt.Sprint("k", i))
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Scopes(t.Context(), is.ID)
		if d := cmp.Diff(tt.want, got); d != "" || err != nil {
			t.Errorf("%v: %v (-want +got):\n%s", tt.asked, err, d)
		}
	}
}

// A server whose list has no dates has not said that a token was never used.
func TestLastUsed_notTold(t *testing.T) {
	t.Parallel()
	gt := giteatest.New(time.Now, giteatest.Options{Old: true})
	is := gt.Add("k")
	at, err := client(gt, gt.Admin(host)).LastUsed(t.Context(), is.ID)
	if !errors.Is(err, provider.ErrNotTold) || provider.KindOf(err) != provider.KindPermanent || !at.IsZero() {
		t.Errorf("got %v and %v", at, err)
	}
}

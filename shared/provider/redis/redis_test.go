package redis_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/redis"
	"github.com/keyturn/keyturn/shared/provider/redis/redistest"
	"github.com/keyturn/keyturn/shared/secret"
)

const address = "redis.test:6379"

// dial connects to s in memory.
func dial(s *redistest.Server) provider.Dialer {
	return func(context.Context, string, string) (provider.Conn, error) {
		near, far := net.Pipe()
		go s.Serve(far)
		return near, nil
	}
}

// client returns a client of a server with one password of somebody else.
func client(opts redistest.Options, persist string) (*redis.Client, *redistest.Server, provider.Issued) {
	s := redistest.New(time.Now, opts)
	other := s.Add("somebody's")
	return redis.New(settings(persist), s.Admin(address), dial(s)), s, other
}

func settings(persist string) redis.Settings {
	return redis.Settings{Address: address, User: redistest.User, Persist: persist}
}

func chosen(t *testing.T, c *redis.Client) secret.Value {
	t.Helper()
	v, err := c.Choose(strings.NewReader(t.Name() + strings.Repeat(".", 32)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPlace_persistence(t *testing.T) {
	t.Parallel()
	const get, set, save, rewrite = "ACL GETUSER", "ACL SETUSER", "ACL SAVE", "CONFIG REWRITE"
	for _, tt := range []struct {
		name, persist string
		opts          redistest.Options
		refused       string // a part of the error
		survives      bool
		commands      []string // after AUTH
	}{
		{"an ACL file", "", redistest.Options{}, "", true, []string{get, save, set, save}},
		{"an ACL file, named", "aclfile", redistest.Options{}, "", true, []string{get, save, set, save}},
		{"no ACL file", "", redistest.Options{NoACLFile: true}, `set persist to "rewrite" or "none"`, false, []string{get, save}},
		{"no room for the file", "", redistest.Options{FullDisk: true}, "could not write", false, []string{get, save}},
		{"the configuration", "rewrite", redistest.Options{NoACLFile: true}, "", true, []string{get, save, rewrite, set, save, rewrite}},
		{"an ACL file after all", "rewrite", redistest.Options{}, "", true, []string{get, save, set, save}},
		{"no configuration", "rewrite", redistest.Options{NoACLFile: true, NoConfig: true}, "could not write", false, []string{get, save, rewrite}},
		{"nothing", "none", redistest.Options{NoACLFile: true}, "", false, []string{get, set}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, s, _ := client(tt.opts, tt.persist)
			v := chosen(t, c)
			_, err := c.Place(t.Context(), v)
			if d := cmp.Diff(append([]string{"AUTH"}, tt.commands...), s.Commands()); d != "" {
				t.Errorf("commands (-want +got):\n%s", d)
			}
			if tt.refused != "" {
				if provider.KindOf(err) != provider.KindPermanent || !strings.Contains(err.Error(), tt.refused) || s.Works(v) {
					t.Errorf("got %v, and the password works: %v", err, s.Works(v))
				}
				return
			}
			if err != nil || !s.Works(v) {
				t.Fatalf("got %v, and the password works: %v", err, s.Works(v))
			}
			if s.Restart(); s.Works(v) != tt.survives {
				t.Errorf("works after a restart: %v", s.Works(v))
			}
		})
	}
}

// A password whose save was lost is saved by the next try, which need not place
// it again; and one that is gone is gone after a restart too.
func TestPersist_again(t *testing.T) {
	t.Parallel()
	c, s, other := client(redistest.Options{}, "")
	v := chosen(t, c)
	s.SetUser(">" + v.Reveal())
	k, err := c.Place(t.Context(), v)
	if s.Restart(); err != nil || !s.Works(v) {
		t.Fatalf("got %v, and the password works: %v", err, s.Works(v))
	}
	s.SetUser("!" + k.ID)
	err = c.Revoke(t.Context(), k.ID)
	if s.Restart(); err != nil || s.Works(v) || !s.Works(other.Value) {
		t.Errorf("got %v, and the password works: %v", err, s.Works(v))
	}
}

func TestPlace_refused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want string
		do         func(*redistest.Server)
	}{
		{"nopass", "nopass", func(s *redistest.Server) { s.SetUser("nopass") }},
		{"off", "the user is off", func(s *redistest.Server) { s.SetUser("off") }},
		{"no user", "no such user", func(s *redistest.Server) { s.Delete() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, s, _ := client(redistest.Options{}, "")
			tt.do(s)
			_, err := c.Place(t.Context(), chosen(t, c))
			if provider.KindOf(err) != provider.KindPermanent || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
			if slices.Contains(s.Commands(), "ACL SETUSER") {
				t.Error("the user was changed")
			}
		})
	}
}

func TestPlace_sendsNoPassword(t *testing.T) {
	t.Parallel()
	c, s, _ := client(redistest.Options{}, "")
	v := chosen(t, c)
	if _, err := c.Place(t.Context(), v); err != nil || slices.Contains(s.Values(), v.Reveal()) {
		t.Errorf("got %v, and the server has seen the password: %v", err, slices.Contains(s.Values(), v.Reveal()))
	}
	if err := c.Verify(t.Context(), v); err != nil || !slices.Contains(s.Values(), v.Reveal()) {
		t.Errorf("verify: %v", err)
	}
}

func TestRevoke_last(t *testing.T) {
	t.Parallel()
	c, s, other := client(redistest.Options{}, "")
	err := c.Revoke(t.Context(), other.ID)
	if provider.KindOf(err) != provider.KindPermanent || !s.Works(other.Value) {
		t.Errorf("got %v, and the password works: %v", err, s.Works(other.Value))
	}
}

func TestVerify_off(t *testing.T) {
	t.Parallel()
	c, s, other := client(redistest.Options{}, "")
	s.SetUser("off")
	if err := c.Verify(t.Context(), other.Value); !errors.Is(err, provider.ErrRejected) {
		t.Errorf("got %v: Redis answers a user that is off as it answers a wrong password", err)
	}
}

func TestAdmin(t *testing.T) {
	t.Parallel()
	t.Run("with too few rights", func(t *testing.T) {
		t.Parallel()
		c, s, _ := client(redistest.Options{Permission: "ACL GETUSER"}, "none")
		if _, err := c.Place(t.Context(), chosen(t, c)); provider.KindOf(err) != provider.KindAuth || len(s.Live()) != 1 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("of the user itself", func(t *testing.T) {
		t.Parallel()
		s := redistest.New(time.Now, redistest.Options{})
		own := s.Admin(address)
		own.Fields["username"] = secret.New(redistest.User)
		c := redis.New(settings(""), own, dial(s))
		if _, err := c.Place(t.Context(), chosen(t, c)); provider.KindOf(err) != provider.KindPermanent || len(s.Commands()) > 0 {
			t.Errorf("got %v", err)
		}
	})
}

// Busy for a moment is tried again; busy for long is told as such, and as an
// unknown outcome if the password may be there.
func TestLoading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := client(redistest.Options{}, "")
		s.Load(2)
		if _, err := c.Slots(t.Context()); err != nil {
			t.Error(err)
		}
		s.Load(100)
		if _, err := c.Slots(t.Context()); provider.KindOf(err) != provider.KindRateLimited {
			t.Errorf("got %v", err)
		}
	})
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	no, yes := false, true
	for _, tt := range []struct {
		tls       *bool
		network   string
		reachable string
	}{{nil, "tls", "https://" + address}, {&yes, "tls", "https://" + address}, {&no, "tcp", "http://" + address}} {
		synctest.Test(t, func(t *testing.T) {
			set := settings("")
			set.TLS = tt.tls
			tries := 0
			c := redis.New(set, provider.Admin{}, func(_ context.Context, network, at string) (provider.Conn, error) {
				if tries++; network != tt.network || at != address {
					t.Errorf("dialed %s %s", network, at)
				}
				return nil, &net.OpError{Op: "dial", Err: errors.New("refused by " + address)}
			})
			err := c.Verify(t.Context(), secret.New("password"))
			if provider.KindOf(err) != provider.KindNotSent || tries != 4 || strings.Contains(err.Error(), address) {
				t.Errorf("%d tries: %v", tries, err)
			}
			if set.BaseURL() != tt.reachable {
				t.Errorf("BaseURL is %s", set.BaseURL())
			}
		})
	}
}

func TestChoose_noRandomness(t *testing.T) {
	t.Parallel()
	c, _, _ := client(redistest.Options{}, "")
	if v, err := c.Choose(bytes.NewReader(make([]byte, 31))); err == nil || !v.Empty() {
		t.Errorf("got %v", err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ raw, field string }{
		{`{"address": "redis.test:6379", "user": "app"}`, ""},
		{`{"address": "[fd00::1]:6379", "user": "app", "tls": false, "persist": "rewrite"}`, ""},
		{`{"address": "redis.test", "user": "app"}`, "address"},
		{`{"address": "https://redis.test:6379", "user": "app"}`, "address"},
		{`{"address": "user@redis.test:6379", "user": "app"}`, "address"},
		{`{"address": "redis.test:6379"}`, "user"},
		{`{"address": "redis.test:6379", "user": "a b"}`, "user"},
		{`{"address": "redis.test:6379", "user": "app", "persist": "yes"}`, "persist"},
		{`{"address": "redis.test:6379", "user": "app", "tls": "no"}`, "tls"},
	} {
		var got, want []string
		for _, p := range redis.Definition().Check(json.RawMessage(tt.raw)) {
			got = append(got, p.Field)
		}
		if tt.field != "" {
			want = []string{tt.field}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: problems with %q, want %q", tt.raw, got, want)
		}
	}
}

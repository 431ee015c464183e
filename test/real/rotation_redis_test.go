//go:build real

package real_test

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/test/real/redis"
	"github.com/keyturn/keyturn/test/stack"
)

// redisServer is a [server]. Its keys are a user's passwords, and their IDs are
// what Redis shows of them.
type redisServer struct{ *redis.Server }

func startRedis(t *testing.T) vendor {
	t.Helper()
	s := redisServer{redis.Start(t)}
	t.Cleanup(func() {
		if !t.Failed() {
			s.judgeFile(t)
		}
	})
	return vendor{server: s, name: "redis", title: "Redis " + s.Version, idOf: redis.Hash}
}

// judgeFile checks that a restart would bring back what there is now.
func (s redisServer) judgeFile(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(s.ACLFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.rules(t), rulesOf(t, string(text), s.User)); diff != "" {
		t.Errorf("the user's rules (-in the server +in its file):\n%s", diff)
	}
}

func (s redisServer) account() stack.Account {
	return stack.Account{Provider: "redis", Hosts: []string{s.Addr}, Admin: provider.Admin{
		Hosts: []string{s.Addr}, Fields: map[string]secret.Value{"username": secret.New(s.Admin.User), "password": secret.New(s.Admin.Password)},
	}}
}

func (s redisServer) key() stack.Key {
	return stack.Key{Settings: map[string]any{"address": s.Addr, "user": s.User, "tls": false}}
}

// rules returns the user's rules, passwords among them, as the server has them.
func (s redisServer) rules(t *testing.T) []string {
	t.Helper()
	// It is asked while the test is cleaned up too.
	out, err := s.Do(context.WithoutCancel(t.Context()), s.Root, "ACL", "LIST")
	if err != nil {
		t.Fatal(err)
	}
	return rulesOf(t, out, s.User)
}

// rulesOf finds a user's line in an ACL list.
func rulesOf(t *testing.T, list, user string) []string {
	t.Helper()
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "user" && f[1] == user {
			return slices.Sorted(slices.Values(f[2:]))
		}
	}
	t.Fatalf("there is no user %s in %q", user, list)
	return nil
}

func (s redisServer) mint(t *testing.T) handmade {
	t.Helper()
	value := "laptop-" + rand.Text()
	if _, err := s.Do(t.Context(), s.Root, "ACL", "SETUSER", s.User, "#"+redis.Hash(value)); err != nil {
		t.Fatal(err)
	}
	id := redis.Hash(value)
	return handmade{id, value, s.list(t)[id]}
}

// list returns each password's ID with the user's other rules: those of all of
// them are one.
func (s redisServer) list(t *testing.T) map[string]string {
	t.Helper()
	rules := s.rules(t)
	isPassword := func(r string) bool { return strings.HasPrefix(r, "#") }
	others := strings.Join(slices.DeleteFunc(slices.Clone(rules), isPassword), " ")
	out := map[string]string{}
	for _, r := range rules {
		if isPassword(r) {
			out[r[1:]] = others
		}
	}
	return out
}

func (s redisServer) made(t *testing.T, k key) {
	t.Helper()
	others, ok := s.list(t)[k.id]
	if !ok || k.id != redis.Hash(k.value) || !strings.HasPrefix(k.name, "keyturn-") || len(k.value) < 43 || !strings.Contains(others, "~mailer:*") {
		t.Fatalf("Redis has the password %s: %v, among rules %q; the secret says %q", k.id, ok, others, k.name)
	}
}

// try logs in, and counts.
func (s redisServer) try(ctx context.Context, value string) (accepted bool, err error) {
	_, err = s.Do(ctx, redis.Login{User: s.User, Password: value}, "INCR", "mailer:requests")
	if errors.Is(err, redis.ErrRefused) {
		return false, nil
	}
	return err == nil, err
}

func (s redisServer) secrets() []string { return []string{s.Root.Password, s.Admin.Password} }

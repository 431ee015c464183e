// Package redis runs Debian's Redis for a test, on loopback only.
package redis

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/test/real/apt"
	"github.com/keyturn/keyturn/test/real/daemon"
)

// Login is an ACL user and one of its passwords.
type Login struct{ User, Password string }

// Server is a running Redis with an ACL file.
type Server struct {
	Addr    string // 127.0.0.1:40123
	Version string // as the server tells it
	Root    Login  // may do everything
	Admin   Login  // may do what Keyturn needs, and nothing else
	User    string // an application's user, without a password yet: it may use keys of its own, mailer:*
	ACLFile string
}

// Start runs a fresh Redis until the test and its cleanups are over. Passwords
// are random, and of this server only. Whatever goes wrong ends the test. Safe
// for use by several tests at once: each gets its own server.
func Start(t testing.TB) *Server {
	t.Helper()
	if err := apt.Need(t.Context(), []string{"redis-server", "redis-cli"}, "redis-server"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &Server{
		Root: Login{"root", rand.Text()}, Admin: Login{"keyturn", rand.Text()}, User: "mailer",
		ACLFile: filepath.Join(dir, "users.acl"),
	}
	if err := os.WriteFile(s.ACLFile, []byte(s.users()), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := daemon.Serve(t, func(ctx context.Context, addr string) *exec.Cmd {
		_, port, _ := net.SplitHostPort(addr) // has a port
		cmd := exec.CommandContext(ctx, "redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--aclfile", s.ACLFile, "--save", "")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		return cmd
	}, func(ctx context.Context, addr string) error {
		s.Addr = addr
		out, err := s.Do(ctx, s.Root, "INFO", "server")
		_, after, found := strings.Cut(out, "redis_version:")
		if err == nil && !found {
			err = errors.New("INFO shows no version")
		}
		s.Version, _, _ = strings.Cut(after, "\r")
		return err
	})
	if err != nil {
		t.Fatalf("run redis-server: %v", err)
	}
	return s
}

// users is the ACL file. The administrator may do the least that our
// documentation asks for, in shared/provider/redis: what is missing there fails
// here.
func (s *Server) users() string {
	return "user default off\n" +
		"user " + s.Root.User + " on #" + Hash(s.Root.Password) + " ~* &* +@all\n" +
		"user " + s.Admin.User + " on #" + Hash(s.Admin.Password) + " -@all +acl|getuser +acl|setuser +acl|save\n" +
		"user " + s.User + " on ~mailer:* -@all +incr\n"
}

// Hash is how Redis shows a password: its SHA-256, in hex.
func Hash(password string) string {
	h := sha256.Sum256([]byte(password))
	return hex.EncodeToString(h[:])
}

// ErrRefused is what [Server.Do] returns for a user whose password is refused.
var ErrRefused = errors.New("WRONGPASS")

// Do runs a command with redis-cli, so what it shows does not depend on our own
// client: it logs in on a connection of its own, and returns the answer without
// its last line end. The error is [ErrRefused] or another.
func (s *Server) Do(ctx context.Context, who Login, args ...string) (string, error) {
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "redis-cli", append([]string{"-h", host, "-p", port, "--raw", "-e", "--user", who.User}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "REDISCLI_AUTH=" + who.Password}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	switch said := stderr.String(); {
	case strings.HasPrefix(said, "AUTH failed: WRONGPASS"):
		return "", ErrRefused
	case err != nil || said != "":
		return "", fmt.Errorf("redis-cli %s: %w: %s", args[0], errors.Join(err, errors.New("failed")), said)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

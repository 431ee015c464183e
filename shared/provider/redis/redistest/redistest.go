// Package redistest is a stateful stand-in for a Redis server with ACL users,
// for tests and for simulations on one machine. It speaks RESP2 over any
// connection, and takes single commands over HTTP, for tests that have faults
// for requests: the values of the header Arg are the command, the header User is
// whom the connection has proved to be, and the answer is what Redis would send.
//
// It knows AUTH, ACL GETUSER, ACL SETUSER, ACL SAVE, CONFIG REWRITE and PING.
// What it answers, errors word for word, was taken down from Redis 7.0.15 and
// is otherwise as https://redis.io/docs/latest/commands/ says. Assumed: what
// happens at a restart without a file of users is that a user has the passwords
// of the configuration.
package redistest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/providertest/simulator"
	"github.com/keyturn/keyturn/shared/secret"
)

// User is the user whose passwords are replaced; a new server knows it without
// a password.
const User = "app"

const admin = "keyturn"

// Options change how the server behaves.
type Options struct {
	Seed       string // another seed makes other values
	NoACLFile  bool   // ACL SAVE is refused
	NoConfig   bool   // CONFIG REWRITE is refused
	FullDisk   bool   // ACL SAVE and CONFIG REWRITE fail
	Permission string // the admin's only command, such as "ACL GETUSER"; "": all of them
}

// Server is a Redis server. It is safe for concurrent use.
type Server struct {
	*simulator.Account

	opts    Options
	users   map[string]*user
	saved   map[string]user
	keys    map[string]*simulator.Key // by hash
	texts   map[string]string         // values by hash, as far as they were seen
	made    int
	loading int // commands that are refused yet
	seen    []string
}

type user struct {
	off, nopass bool
	hashes      []string
}

// New returns a server with the admin and [User]. clock tells it the time.
func New(clock func() time.Time, opts Options) *Server {
	s := &Server{
		Account: simulator.New(clock), opts: opts,
		users: map[string]*user{}, keys: map[string]*simulator.Key{}, texts: map[string]string{},
	}
	s.users[admin] = &user{hashes: []string{s.learn(s.mint())}}
	s.users[User] = &user{}
	s.saved = s.snapshot()
	s.Handle("/", s.command)
	return s
}

// mint makes up a password.
func (s *Server) mint() string {
	h := sha256.Sum256([]byte("redistest " + s.opts.Seed + " " + strconv.Itoa(s.made)))
	s.made++
	return hex.EncodeToString(h[:])[:43]
}

// learn remembers a password, which is secret from now on.
func (s *Server) learn(v string) string {
	h := hash(v)
	if s.texts[h] == "" {
		s.texts[h] = v
		s.Hide(v)
	}
	return h
}

func hash(v string) string {
	h := sha256.Sum256([]byte(v))
	return hex.EncodeToString(h[:])
}

// Admin returns the admin credential, which may be sent to host.
func (s *Server) Admin(host string) provider.Admin {
	s.Lock()
	defer s.Unlock()
	return provider.Admin{Hosts: []string{host}, Fields: map[string]secret.Value{
		"username": secret.New(admin), "password": secret.New(s.texts[s.users[admin].hashes[0]]),
	}}
}

// Add gives [User] a password that is somebody else's.
func (s *Server) Add(name string, _ ...string) provider.Issued {
	s.Lock()
	defer s.Unlock()
	v := s.mint()
	h := s.learn(v)
	s.add(s.users[User], h)
	s.keys[h].Name = name
	return provider.Issued{Key: provider.Key{ID: h, Name: name}, Value: secret.New(v)}
}

func (s *Server) add(u *user, h string) {
	u.nopass = false
	if slices.Contains(u.hashes, h) {
		return
	}
	u.hashes = append(u.hashes, h)
	if u == s.users[User] {
		s.keys[h] = &simulator.Key{ID: h}
		s.Track(s.keys[h])
	}
}

func (s *Server) remove(u *user, h string) bool {
	i := slices.Index(u.hashes, h)
	if i < 0 {
		return false
	}
	u.hashes = slices.Delete(u.hashes, i, i+1)
	if u == s.users[User] {
		s.keys[h].Revoked = s.Now()
	}
	return true
}

// Works reports whether [User] is let in with value.
func (s *Server) Works(value secret.Value) bool {
	s.Lock()
	defer s.Unlock()
	return s.admits(User, value.Reveal())
}

func (s *Server) admits(name, password string) bool {
	u := s.users[name]
	return u != nil && !u.off && (u.nopass || slices.Contains(u.hashes, hash(password)))
}

// SetUser makes [User] what rule says, as an operator would with ACL SETUSER:
// "on", "off", "nopass", "resetpass", "#hash" or "!hash".
func (s *Server) SetUser(rule string) {
	s.Lock()
	defer s.Unlock()
	s.apply(s.users[User], rule)
}

// Delete removes [User].
func (s *Server) Delete() {
	s.Lock()
	defer s.Unlock()
	delete(s.users, User)
}

// Restart brings the users back that were saved last.
func (s *Server) Restart() {
	s.Lock()
	defer s.Unlock()
	for name, u := range s.users {
		for _, h := range slices.Clone(u.hashes) {
			if !slices.Contains(s.saved[name].hashes, h) {
				s.remove(u, h)
			}
		}
		for _, h := range s.saved[name].hashes {
			s.add(u, h)
		}
	}
}

// Load refuses the next n commands, as a server does that is loading its data.
func (s *Server) Load(n int) {
	s.Lock()
	defer s.Unlock()
	s.loading = n
}

// Commands returns the commands that came, without their arguments.
func (s *Server) Commands() []string {
	s.Lock()
	defer s.Unlock()
	return slices.Clone(s.seen)
}

func (s *Server) snapshot() map[string]user {
	out := map[string]user{}
	for name, u := range s.users {
		out[name] = user{off: u.off, nopass: u.nopass, hashes: slices.Clone(u.hashes)}
	}
	return out
}

var hashForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// apply changes u and returns an error in Redis' words, "" for none.
func (s *Server) apply(u *user, rule string) string {
	fail := func(why string) string { return "ERR Error in ACL SETUSER modifier '" + rule + "': " + why }
	switch {
	case rule == "on", rule == "off":
		u.off = rule == "off"
	case rule == "nopass", rule == "resetpass":
		for _, h := range slices.Clone(u.hashes) {
			s.remove(u, h)
		}
		u.nopass = rule == "nopass"
	case rule[0] == '>':
		s.add(u, s.learn(rule[1:]))
	case rule[0] == '<', rule[0] == '!':
		h := rule[1:]
		if rule[0] == '<' {
			h = s.learn(h)
		}
		if !s.remove(u, h) {
			return fail("The password you are trying to remove from the user does not exist")
		}
	case rule[0] == '#' && hashForm.MatchString(rule[1:]):
		s.add(u, rule[1:])
	case rule[0] == '#':
		return fail("The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters")
	default:
		return fail("Syntax error")
	}
	return ""
}

// command serves one command over HTTP.
func (s *Server) command(w http.ResponseWriter, r *http.Request) {
	answer := s.do(r.Header.Get("User"), r.Header["Arg"])
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.Write([]byte(answer)) //nolint:errcheck,gosec // the client is gone
}

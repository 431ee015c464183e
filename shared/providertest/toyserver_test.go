package providertest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/providertest/simulator"
	"github.com/keyturn/keyturn/shared/secret"
)

// toyServer is a vendor that does not exist. It has what the strategies besides
// Overlap need and nothing else.
type toyServer struct {
	*simulator.Account

	options toyOptions
	admin   string
	n       int // values and ids made
	asked   int // requests with a key
	keys    []*toyKey
}

type toyOptions struct {
	max  int           // keys there may be; 0: no limit
	held bool          // there is the key called "one"
	lag  time.Duration // in it, every other request knows the value before
}

type toyKey struct {
	simulator.Key

	off    bool
	used   time.Time
	since  time.Time            // of the value
	before map[string]time.Time // values that were replaced, and when they end
}

const toyPage = 2

func newToy(clock func() time.Time, o toyOptions) *toyServer {
	s := &toyServer{Account: simulator.New(clock), options: o}
	s.admin = s.value()
	if o.held {
		s.add("one", s.value()).since = time.Time{}
	}
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /v1/keys":             s.list,
		"POST /v1/keys":            s.create,
		"DELETE /v1/keys/{id}":     s.remove,
		"PUT /v1/keys/{id}/state":  s.state,
		"GET /v1/keys/{id}/value":  s.read,
		"PUT /v1/keys/{id}/value":  s.set,
		"POST /v1/keys/{id}/value": s.roll,
	} {
		s.Handle(pattern, func(w http.ResponseWriter, r *http.Request) {
			if simulator.Bearer(r) != s.admin {
				refuse(w, http.StatusUnauthorized, "no admin")
				return
			}
			h(w, r)
		})
	}
	s.Handle("GET /v1/me", s.me)
	s.Handle("GET /v1/data", s.me)
	return s
}

func (s *toyServer) value() string {
	s.n++
	sum := sha256.Sum256(fmt.Append(nil, s.n))
	v := "toy_" + hex.EncodeToString(sum[:16])
	s.Hide(v)
	return v
}

func (s *toyServer) add(id, value string) *toyKey {
	k := &toyKey{since: s.Now(), before: map[string]time.Time{}}
	k.ID, k.Value = id, value
	s.Track(&k.Key)
	s.keys = append(s.keys, k)
	return k
}

// Admin implements [Fake].
func (s *toyServer) Admin(host string) provider.Admin {
	return provider.Admin{Hosts: []string{host}, Fields: map[string]secret.Value{"token": secret.New(s.admin)}}
}

// Add implements [Fake].
func (s *toyServer) Add(string, ...string) provider.Issued {
	s.Lock()
	defer s.Unlock()
	k := s.add(fmt.Sprint("k", s.n), s.value())
	k.since = time.Time{}
	return provider.Issued{Key: k.Public(), Value: secret.New(k.Value)}
}

// Works implements [Fake].
func (s *toyServer) Works(v secret.Value) bool {
	s.Lock()
	defer s.Unlock()
	return s.accepts(v.Reveal()) != nil
}

// accepts returns the key that v opens.
func (s *toyServer) accepts(v string) *toyKey {
	for _, k := range s.keys {
		late := s.Now().Sub(k.since) < s.options.lag && s.asked%2 == 0
		end, was := k.before[v]
		if k.Held() && !k.off && (v == k.Value && !late || was && (late || s.Now().Before(end))) {
			return k
		}
	}
	return nil
}

func refuse(w http.ResponseWriter, status int, why string) {
	simulator.Answer(w, status, map[string]string{"error": why})
}

// me shows which key the request came with, and data is where it is of use.
func (s *toyServer) me(w http.ResponseWriter, r *http.Request) {
	s.asked++
	k := s.accepts(simulator.Bearer(r))
	if k == nil {
		refuse(w, http.StatusUnauthorized, "no key")
		return
	}
	if strings.HasSuffix(r.URL.Path, "data") {
		k.used = s.Now()
	}
	simulator.Answer(w, http.StatusOK, map[string]string{"me": k.ID})
}

func (s *toyServer) list(w http.ResponseWriter, r *http.Request) {
	page := toyPageBody{Keys: []toyListed{}}
	seen := r.FormValue("after") == ""
	for _, k := range s.keys {
		switch {
		case !k.Held():
		case !seen:
			seen = k.ID == r.FormValue("after")
		case len(page.Keys) == toyPage:
			page.Next = "?after=" + page.Keys[toyPage-1].ID
		default:
			page.Keys = append(page.Keys, toyListed{k.ID, digest(k.Value), k.used})
		}
	}
	simulator.Answer(w, http.StatusOK, page)
}

func digest(v string) string {
	sum := sha256.Sum256([]byte(v))
	return hex.EncodeToString(sum[:])
}

func (s *toyServer) create(w http.ResponseWriter, r *http.Request) {
	var in toyValue
	if !simulator.Read(r, &in) {
		refuse(w, http.StatusBadRequest, "no JSON")
		return
	}
	if s.options.max > 0 && len(s.there()) >= s.options.max {
		refuse(w, http.StatusForbidden, "limit")
		return
	}
	value := in.Value.Reveal()
	if value == "" {
		value = s.value()
	} else {
		s.n++
		s.Hide(value)
	}
	k := s.add(fmt.Sprint("k", s.n), value)
	simulator.Answer(w, http.StatusCreated, map[string]string{"id": k.ID, "value": k.Value})
}

func (s *toyServer) there() (out []*toyKey) {
	for _, k := range s.keys {
		if k.Held() {
			out = append(out, k)
		}
	}
	return out
}

// named returns the key of the path, or answers.
func (s *toyServer) named(w http.ResponseWriter, r *http.Request) *toyKey {
	for _, k := range s.there() {
		if k.ID == r.PathValue("id") {
			return k
		}
	}
	refuse(w, http.StatusNotFound, "no such key")
	return nil
}

func (s *toyServer) remove(w http.ResponseWriter, r *http.Request) {
	if k := s.named(w, r); k != nil {
		k.Revoked = s.Now()
		simulator.Answer(w, http.StatusOK, map[string]string{"gone": k.ID})
	}
}

func (s *toyServer) state(w http.ResponseWriter, r *http.Request) {
	var in struct{ Off bool }
	if k := s.named(w, r); k != nil && simulator.Read(r, &in) {
		k.off = in.Off
		simulator.Answer(w, http.StatusOK, map[string]any{"id": k.ID, "off": k.off})
	}
}

func (s *toyServer) read(w http.ResponseWriter, r *http.Request) {
	if k := s.named(w, r); k != nil {
		simulator.Answer(w, http.StatusOK, map[string]string{"id": k.ID, "value": k.Value})
	}
}

func (s *toyServer) set(w http.ResponseWriter, r *http.Request) {
	var in toyValue
	if k := s.named(w, r); k != nil && simulator.Read(r, &in) {
		if v := in.Value.Reveal(); v != k.Value {
			s.Hide(v)
			s.replace(k, v, 0)
		}
		simulator.Answer(w, http.StatusOK, map[string]string{"id": k.ID})
	}
}

func (s *toyServer) roll(w http.ResponseWriter, r *http.Request) {
	var in struct{ Grace int }
	if k := s.named(w, r); k != nil && simulator.Read(r, &in) {
		s.replace(k, s.value(), time.Duration(in.Grace)*time.Second)
		simulator.Answer(w, http.StatusOK, map[string]string{"id": k.ID, "value": k.Value})
	}
}

func (s *toyServer) replace(k *toyKey, v string, grace time.Duration) {
	delete(k.before, v)
	k.before[k.Value] = s.Now().Add(grace)
	k.Value, k.since = v, s.Now()
}

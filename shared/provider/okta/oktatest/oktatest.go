// Package oktatest is a stateful stand-in for an Okta org with one app, for
// tests and for simulations on one machine.
//
// It behaves as https://developer.okta.com/docs/guides/client-secret-rotation-key/
// and the API's reference say, down to the words of its refusals. Assumed, for
// they do not say: that a change of a secret works at once, that a status which
// a secret has already is refused, that one value may be there twice, how a
// secret of another length is refused, the order of a list, and the order in
// which a client's name, its method and its secret are looked at. Its secrets
// have Okta's shape and open nothing.
package oktatest

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/providertest/simulator"
)

// What an org has.
const (
	AppID               = "0oa0simulator0000000" // of its only app
	ClientID            = "client-of-the-simulator"
	AuthorizationServer = "default" // its only custom one
)

const (
	active   = "ACTIVE"
	inactive = "INACTIVE"
	slots    = 2
)

// Options change how the server behaves.
type Options struct {
	Seed       string // another seed makes other secrets
	AuthMethod string // the app's; "": client_secret_basic
}

// Server is an org. It is safe for concurrent use.
type Server struct {
	*simulator.Account

	opts    Options
	admin   string
	secrets []*held // in the order they were made; the deleted stay
}

type held struct {
	simulator.Key

	status  string
	updated time.Time
}

// New returns an org whose app has no secret yet. clock tells it the time.
func New(clock func() time.Time, opts Options) *Server {
	opts.AuthMethod = cmp.Or(opts.AuthMethod, "client_secret_basic")
	s := &Server{Account: simulator.New(clock), opts: opts}
	s.admin = "00" + s.mint("admin")[:40]
	s.Hide(s.admin[2:])
	const all = "/api/v1/apps/{app}/credentials/secrets"
	s.Handle("GET "+all, s.managed(s.list))
	s.Handle("POST "+all, s.managed(s.create))
	s.Handle("DELETE "+all+"/{id}", s.managed(s.existing(s.remove)))
	s.Handle("POST "+all+"/{id}/lifecycle/activate", s.managed(s.existing(s.activate)))
	s.Handle("POST "+all+"/{id}/lifecycle/deactivate", s.managed(s.existing(s.deactivate)))
	for path, h := range map[string]http.HandlerFunc{"introspect": s.introspect, "token": s.token} {
		s.Handle("POST /oauth2/v1/"+path, s.client(h))
		s.Handle("POST /oauth2/{server}/v1/"+path, s.client(h))
	}
	s.Handle("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "E0000022", "The endpoint does not support the provided HTTP method")
	})
	return s
}

// mint makes up a value of 64 characters.
func (s *Server) mint(label string) string {
	h := sha256.Sum256([]byte("oktatest " + s.opts.Seed + " " + label))
	g := sha256.Sum256(h[:])
	return base64.RawURLEncoding.EncodeToString(append(h[:], g[:16]...))
}

func (s *Server) add(value string) *held {
	n := strconv.Itoa(len(s.secrets))
	h := sha256.Sum256([]byte("oktatest id " + s.opts.Seed + " " + n))
	k := &held{
		Key:    simulator.Key{ID: "ocs" + hex.EncodeToString(h[:])[:17], Value: cmp.Or(value, s.mint("secret "+n))},
		status: active, updated: s.Now(),
	}
	s.secrets = append(s.secrets, k)
	s.Track(&k.Key)
	s.Hide(k.Value)
	return k
}

// there returns the app's secrets, the latest first.
func (s *Server) there() []*held {
	out := slices.DeleteFunc(slices.Clone(s.secrets), func(k *held) bool { return !k.Held() })
	slices.Reverse(out)
	return out
}

// known returns the active secret with this value.
func (s *Server) known(value string) *held {
	for _, k := range s.there() {
		if k.Value == value && k.status == active {
			return k
		}
	}
	return nil
}

func (s *Server) managed(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "SSWS "+s.admin:
			refuse(w, http.StatusUnauthorized, "E0000011", "Invalid token provided")
		case r.PathValue("app") != AppID:
			missing(w, r.PathValue("app")+" (AppInstance)")
		default:
			h(w, r)
		}
	}
}

func (s *Server) existing(h func(http.ResponseWriter, *held)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, k := range s.there() {
			if k.ID == r.PathValue("id") {
				h(w, k)
				return
			}
		}
		missing(w, r.PathValue("id")+" (OAuth2ClientSecret)")
	}
}

func shown(k *held, base string) map[string]any {
	h := sha256.Sum256([]byte("oktatest hash " + k.Value))
	self := base + "/" + k.ID
	link := map[string]any{"href": self + "/lifecycle/deactivate", "hints": map[string]any{"allow": []string{"POST"}}}
	name := "deactivate"
	if k.status == inactive {
		name = "activate"
		link["href"] = self + "/lifecycle/activate"
	}
	return map[string]any{
		"id": k.ID, "client_secret": k.Value, "secret_hash": base64.RawURLEncoding.EncodeToString(h[:16]), "status": k.status,
		"created": stamp(k.Created), "lastUpdated": stamp(k.updated), "_links": map[string]any{name: link},
	}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

const apps = "https://simulator.okta.com/api/v1/apps/" + AppID + "/credentials/secrets"

func (s *Server) list(w http.ResponseWriter, _ *http.Request) {
	out := []any{}
	for _, k := range s.there() {
		out = append(out, shown(k, apps))
	}
	simulator.Answer(w, http.StatusOK, out)
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Secret *string `json:"client_secret"`
		Status string  `json:"status"`
	}
	unfit := func(c rune) bool { return c < ' ' || c > '~' }
	switch {
	case !simulator.Read(r, &in):
		refuse(w, http.StatusBadRequest, "E0000003", "The request body was not well-formed.")
	case in.Secret != nil && (len(*in.Secret) < 14 || len(*in.Secret) > 100 || strings.ContainsFunc(*in.Secret, unfit)):
		invalid(w, "client_secret: The client secret must be between 14 and 100 printable ASCII characters.")
	case len(s.there()) >= slots:
		invalid(w, "You have reached the maximum number of client secrets per client.")
	default:
		value := ""
		if in.Secret != nil {
			value = *in.Secret
		}
		k := s.add(value)
		k.status = cmp.Or(in.Status, active)
		simulator.Answer(w, http.StatusCreated, shown(k, apps))
	}
}

func (s *Server) remove(w http.ResponseWriter, k *held) {
	if k.status == active {
		invalid(w, "You can't delete an active client secret. Deactivate the secret before deleting it.")
		return
	}
	k.Revoked = s.Now()
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) activate(w http.ResponseWriter, k *held) {
	if k.status == active {
		invalid(w, "The client secret is already active.")
		return
	}
	s.turn(w, k, active)
}

func (s *Server) deactivate(w http.ResponseWriter, k *held) {
	others := slices.ContainsFunc(s.there(), func(o *held) bool { return o != k && o.status == active })
	switch {
	case k.status == inactive:
		invalid(w, "The client secret is already inactive.")
	case !others:
		invalid(w, "You can't deactivate the only active client secret.")
	default:
		s.turn(w, k, inactive)
	}
}

func (s *Server) turn(w http.ResponseWriter, k *held, status string) {
	k.status, k.updated = status, s.Now()
	simulator.Answer(w, http.StatusOK, shown(k, apps))
}

// invalid refuses what is not allowed, and why.
func invalid(w http.ResponseWriter, cause string) {
	answer(w, http.StatusBadRequest, "E0000001", "Api validation failed: client_secret", cause)
}

func missing(w http.ResponseWriter, what string) {
	refuse(w, http.StatusNotFound, "E0000007", "Not found: Resource not found: "+what)
}

func refuse(w http.ResponseWriter, status int, code, summary string) {
	answer(w, status, code, summary)
}

func answer(w http.ResponseWriter, status int, code, summary string, causes ...string) {
	list := []any{}
	for _, c := range causes {
		list = append(list, map[string]any{"errorSummary": c})
	}
	simulator.Answer(w, status, map[string]any{
		"errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": "oaeSimulator", "errorCauses": list,
	})
}

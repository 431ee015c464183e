// Package adyentest is a stateful stand-in for Adyen's Management API of API
// credentials, for tests and for simulations on one machine.
//
// It behaves as
// https://docs.adyen.com/api-explorer/Management/3/post/merchants/_merchantId_/apiCredentials/_apiCredentialId_/generateApiKey
// and https://docs.adyen.com/api-explorer/Management/3/get/me say. Assumed, for
// they do not say: the wording and codes of errors, that a key which cannot be
// used yet is refused like a wrong one, that a credential which is not there is
// answered 404, and what generating a key does to one in its 24 hours (see
// Options). Its keys look like those in the documentation and open nothing.
package adyentest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/shared/providertest/simulator"
)

// What a new server has.
const (
	MerchantID   = "TestMerchant"
	CompanyID    = "TestCompany"
	CredentialID = "S2-100" // of the API credential that is there
)

// lives is how long a key works after it was replaced.
const lives = 24 * time.Hour

// Options change how the server behaves.
type Options struct {
	Seed   string        // another seed makes other keys
	Settle time.Duration // a new key can be used so long after it was generated
	// OneOld keeps only the key that was replaced last alive: generating another
	// ends the one before it. Without it each keeps its own 24 hours.
	OneOld bool
}

// Server is a company with one merchant. It is safe for concurrent use.
type Server struct {
	*simulator.Account

	opts        Options
	admin       string
	credentials []*credential
	minted      int
}

type credential struct {
	simulator.Key

	keys []apiKey // the last is the one that Value is, the others were replaced
}

type apiKey struct {
	value       string
	from, until time.Time // until is zero for the one that was not replaced
}

// New returns a server with one API credential, [CredentialID], whose key nobody
// knows. clock tells it the time.
func New(clock func() time.Time, opts Options) *Server {
	s := &Server{Account: simulator.New(clock), opts: opts}
	s.admin = s.mint()
	s.add("the credential")
	for _, account := range []string{"/v3/merchants/" + MerchantID, "/v3/companies/" + CompanyID} {
		s.Handle("POST "+account+"/apiCredentials/{id}/generateApiKey", s.generate)
	}
	s.Handle("GET /v3/me", s.me)
	s.Handle("POST /v71/paymentMethods", s.pay)
	s.Handle("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "Not found") })
	return s
}

// mint makes up a key. Its tail has characters that JSON and URLs escape, as
// Adyen's keys do.
func (s *Server) mint() string {
	h := sha256.Sum256([]byte("adyentest " + s.opts.Seed + " " + strconv.Itoa(s.minted)))
	s.minted++
	x := hex.EncodeToString(h[:])
	body := x[:40] + "+/=-" + x[40:60] + "<&>%{^" + x[60:]
	s.Hide(body)
	return "AQEyhmfx" + body
}

func (s *Server) add(name string) *credential {
	c := &credential{Key: simulator.Key{ID: "S2-" + strconv.Itoa(100+len(s.credentials)), Name: name, Value: s.mint()}}
	c.keys = []apiKey{{value: c.Value}}
	s.credentials = append(s.credentials, c)
	s.Track(&c.Key)
	return c
}

// known returns the credential that accepts this key now.
func (s *Server) known(value string) *credential {
	for _, c := range s.credentials {
		for _, k := range c.keys {
			if k.value == value && !s.Now().Before(k.from) && (k.until.IsZero() || s.Now().Before(k.until)) {
				return c
			}
		}
	}
	return nil
}

func (s *Server) generate(w http.ResponseWriter, r *http.Request) {
	v := r.Header.Get("X-API-Key")
	if v != s.admin {
		if s.known(v) != nil {
			refuse(w, http.StatusForbidden, "Insufficient permissions to process the request.")
			return
		}
		refuse(w, http.StatusUnauthorized, "Invalid API key.")
		return
	}
	for _, c := range s.credentials {
		if c.ID == r.PathValue("id") {
			s.replace(c)
			simulator.Answer(w, http.StatusOK, map[string]any{"apiKey": c.Value})
			return
		}
	}
	refuse(w, http.StatusNotFound, "API credential not found.")
}

func (s *Server) replace(c *credential) {
	now := s.Now()
	last := &c.keys[len(c.keys)-1]
	last.until = now.Add(lives)
	if s.opts.OneOld {
		c.keys = []apiKey{*last}
	}
	c.Value = s.mint()
	c.keys = append(c.keys, apiKey{value: c.Value, from: now.Add(s.opts.Settle)})
}

func (s *Server) me(w http.ResponseWriter, r *http.Request) {
	c := s.known(r.Header.Get("X-API-Key"))
	if c == nil {
		refuse(w, http.StatusUnauthorized, "Invalid API key.")
		return
	}
	simulator.Answer(w, http.StatusOK, map[string]any{
		"id": c.ID, "username": "ws_" + c.ID[3:] + "@Company." + CompanyID, "description": c.Name, "active": true,
		"clientKey": "test_NOT_A_SECRET", "companyName": CompanyID, "allowedIpAddresses": []any{},
		"roles":  []string{"Checkout webservice role", "Management API - Webhooks read"},
		"_links": map[string]any{"self": map[string]any{"href": "https://management-test.adyen.com/v3/me"}},
	})
}

// pay is what consumers call. Adyen has it on another host.
func (s *Server) pay(w http.ResponseWriter, r *http.Request) {
	c := s.known(r.Header.Get("X-API-Key"))
	if c == nil {
		simulator.Answer(w, http.StatusUnauthorized, map[string]any{
			"status": http.StatusUnauthorized, "errorCode": "000", "message": "HTTP Status Response - Unauthorized", "errorType": "security",
		})
		return
	}
	c.Uses++
	simulator.Answer(w, http.StatusOK, map[string]any{"paymentMethods": []any{}})
}

func refuse(w http.ResponseWriter, status int, detail string) {
	simulator.Answer(w, status, map[string]any{
		"type": "https://docs.adyen.com/errors", "errorCode": "00_" + strconv.Itoa(status),
		"title": http.StatusText(status), "detail": detail, "status": status,
	})
}

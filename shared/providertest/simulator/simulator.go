// Package simulator is what the stateful stand-ins of vendors have in common:
// the lock, outages, the count of refusals, and the books that tests look into.
// A vendor's simulator embeds an [Account] and adds what is the vendor's own.
package simulator

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
)

// Account is one vendor account. Make it with [New]. Its exported methods are
// safe for concurrent use unless they say otherwise; handlers run one at a time
// and hold its lock.
type Account struct {
	now     func() time.Time
	mux     http.ServeMux
	mu      sync.Mutex
	keys    []*Key
	hidden  []string
	refused int
	outage  outage
}

// Key is what every vendor's key has. Embed it in the vendor's own.
type Key struct {
	ID, Name, Value  string
	Created, Revoked time.Time // Revoked is zero while the account holds the key
	Uses             int       // by consumers
}

// Held reports whether the account holds the key.
func (k *Key) Held() bool { return k.Revoked.IsZero() }

// Public returns what may be shown of the key.
func (k *Key) Public() provider.Key { return provider.Key{ID: k.ID, Name: k.Name} }

type outage struct {
	status int
	left   int       // for so many requests
	until  time.Time // or until then
}

// New returns an account without keys. clock tells it the time.
func New(clock func() time.Time) *Account { return &Account{now: clock} }

// Now returns the account's time.
func (a *Account) Now() time.Time { return a.now() }

// Lock locks the account's state, for the vendor's own exported methods.
func (a *Account) Lock() { a.mu.Lock() }

// Unlock undoes Lock.
func (a *Account) Unlock() { a.mu.Unlock() }

// Handle serves pattern, in the words of [http.ServeMux], with h.
func (a *Account) Handle(pattern string, h http.HandlerFunc) { a.mux.HandleFunc(pattern, h) }

// Track enters a new key in the books, which keep it when it is revoked. The
// caller holds the lock.
func (a *Account) Track(k *Key) {
	k.Created = a.now()
	a.keys = append(a.keys, k)
}

// Hide adds to what [Account.Values] returns. The caller holds the lock or is
// the only one who knows the account.
func (a *Account) Hide(values ...string) { a.hidden = append(a.hidden, values...) }

// ServeHTTP implements [http.Handler].
func (a *Account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if status := a.failing(); status != 0 {
		http.Error(w, "<html><body>upstream is not well</body></html>", status)
		return
	}
	rec := &statusWriter{ResponseWriter: w}
	a.mux.ServeHTTP(rec, r)
	if rec.status >= 400 {
		a.refused++
	}
}

type statusWriter struct {
	http.ResponseWriter

	status int
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// failing returns the status of the outage, 0 without one.
func (a *Account) failing() int {
	if a.outage.left > 0 {
		a.outage.left--
		return a.outage.status
	}
	if a.now().Before(a.outage.until) {
		return a.outage.status
	}
	return 0
}

// FailNext answers the next n requests with status and an HTML page.
func (a *Account) FailNext(n, status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.outage = outage{status: status, left: n}
}

// FailUntil answers every request before t with status and an HTML page.
func (a *Account) FailUntil(t time.Time, status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.outage = outage{status: status, until: t}
}

// Refused returns how many requests were answered 4xx. Those that an outage
// swallowed do not count.
func (a *Account) Refused() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused
}

// Values returns what must never be shown: the admin credential and every key
// that there was, without what is public of them.
func (a *Account) Values() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.hidden)
}

// Live returns the keys that the account holds, in the order they were made.
func (a *Account) Live() []provider.Key {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []provider.Key
	for _, k := range a.keys {
		if k.Held() {
			out = append(out, k.Public())
		}
	}
	return out
}

// Uses returns how often consumers used the key with success, revoked or not.
func (a *Account) Uses(id string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range a.keys {
		if k.ID == id {
			return k.Uses
		}
	}
	return 0
}

// Bearer returns the token of the Authorization header, "" without one.
func Bearer(r *http.Request) string {
	v, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return v
}

// Read decodes the request's body, of at most 64 KiB, and reports whether it
// could.
func Read(r *http.Request, into any) bool {
	return json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(into) == nil
}

// Answer sends body as JSON. A Content-Type that is set already stays.
func Answer(w http.ResponseWriter, status int, body any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) //nolint:errcheck,errchkjson,gosec // the client is gone
}

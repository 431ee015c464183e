package providertest

import (
	"net/http"
	"net/http/httptest"
	"sync"
)

// Transport hands requests to a handler in memory, with no sockets, so that
// tests run inside a synctest bubble. It applies Fault to the At'th request, or
// to every request from there on.
type Transport struct {
	Handler http.Handler
	Host    string // the only host there is; a request to another one is a stray
	Fault   Fault
	At      int // 0: never
	Sticky  bool

	mu     sync.Mutex
	n      int
	strays []string
}

// Requests returns how many requests there were.
func (t *Transport) Requests() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}

// Strays returns the hosts and paths of requests that had no business there:
// they followed a redirect or a page to another place.
func (t *Transport) Strays() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.strays
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close() //nolint:errcheck // in memory
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	t.mu.Lock()
	t.n++
	hit := t.At > 0 && (t.n == t.At || t.Sticky && t.n > t.At)
	if r.URL.Host != t.Host || r.URL.Path == elsewhere {
		t.strays = append(t.strays, r.URL.Host+r.URL.Path)
	}
	t.mu.Unlock()
	if !hit {
		return t.serve(r), nil
	}
	var res *http.Response
	if t.Fault.Applied {
		res = t.serve(r)
	}
	return t.Fault.Reply(r, res)
}

func (t *Transport) serve(r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	t.Handler.ServeHTTP(w, r)
	res := w.Result()
	res.Request = r
	return res
}

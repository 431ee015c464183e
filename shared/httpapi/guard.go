package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Rules say where requests may go.
type Rules struct {
	// Hosts are the only hosts: "api.example.com" (port 443, or 80 for http) or
	// "host:port". Empty: none.
	Hosts []string
	// AllowPrivate admits loopback, private and shared (CGNAT) addresses, and
	// plain http to them. Metadata and link-local addresses stay refused.
	AllowPrivate bool
}

// BlockedError says that our own rules forbid a request; nothing was sent. It
// reaches the caller inside a provider.Error of KindBlocked.
type BlockedError struct {
	Host string // escaped
	Rule string // what is wrong with it and what to do
}

func (e *BlockedError) Error() string { return `host "` + e.Host + `" ` + e.Rule }

// NewHTTP returns a client that sends requests only where the rules admit, by
// https, follows no redirect and takes no proxy from the environment. Addresses
// are checked when they are dialed, after the name was resolved, so a name that
// changes its address between check and use gains nothing.
//
// base carries the requests; nil: a transport of its own. With another base,
// only what a URL shows is checked, not what its name resolves to.
func NewHTTP(r Rules, base http.RoundTripper) *http.Client {
	g := newGuard(r)
	g.tls, g.plain = base, base
	if base == nil {
		g.dials = true
		g.tls, g.plain = dialing(r.AllowPrivate, false), dialing(r.AllowPrivate, true)
	}
	return &http.Client{Transport: g, CheckRedirect: stay}
}

func newGuard(r Rules) *guard {
	g := &guard{hosts: map[string]bool{}, private: r.AllowPrivate}
	for _, h := range r.Hosts {
		g.hosts[strings.ToLower(strings.TrimSpace(h))] = true
	}
	return g
}

// checked returns a dialer that looks at each address before it connects.
func checked(allowPrivate, onlyPrivate bool) *net.Dialer {
	return &net.Dialer{
		Timeout: 5 * time.Second,
		Control: func(_, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return &BlockedError{Host: Safe(address), Rule: "is not an address"}
			}
			if rule := refused(ap.Addr(), allowPrivate, onlyPrivate); rule != "" {
				return &BlockedError{Host: ap.Addr().String(), Rule: rule}
			}
			return nil
		},
	}
}

func dialing(allowPrivate, onlyPrivate bool) *http.Transport {
	return &http.Transport{
		DialContext:           checked(allowPrivate, onlyPrivate).DialContext,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: tryTimeout,
		// A frozen Lambda wakes with connections that are long dead; the
		// transport compares wall clocks and does not reuse those.
		IdleConnTimeout:        10 * time.Second,
		MaxIdleConnsPerHost:    2,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

type guard struct {
	hosts          map[string]bool
	private, dials bool
	tls, plain     http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if rule := g.rule(r); rule != "" {
		if r.Body != nil {
			r.Body.Close() //nolint:errcheck,gosec // nothing to do about it
		}
		return nil, &BlockedError{Host: Safe(r.URL.Host), Rule: rule}
	}
	if r.URL.Scheme == "http" {
		return g.plain.RoundTrip(r)
	}
	return g.tls.RoundTrip(r)
}

// rule says which rule r breaks, "" for none.
func (g *guard) rule(r *http.Request) string {
	u := r.URL
	if u.Scheme != "https" && u.Scheme != "http" || u.User != nil || r.Host != "" && r.Host != u.Host {
		return "is not in a plain https URL: write https://host without user or password"
	}
	if !g.hosts[hostPort(u)] && !g.hosts[strings.TrimSuffix(hostPort(u), ":"+defaultPort(u))] {
		return "is not one that the admin credential may be sent to: if it is the vendor's, add it to \"hosts\" in the admin secret"
	}
	a, err := netip.ParseAddr(u.Hostname())
	literal := err == nil
	if literal {
		if rule := refused(a, g.private, u.Scheme == "http"); rule != "" {
			return rule
		}
	}
	near := g.private && (literal || g.dials || u.Hostname() == "localhost")
	if u.Scheme == "http" && !near {
		return "is reached by http: use https (http is for private addresses that are opted in)"
	}
	return ""
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = defaultPort(u)
	}
	h := strings.ToLower(u.Hostname())
	if strings.Contains(h, ":") {
		h = "[" + h + "]"
	}
	return h + ":" + port
}

func defaultPort(u *url.URL) string {
	if u.Scheme == "http" {
		return "80"
	}
	return "443"
}

// CheckBase says what is wrong with the base URL of an API, "" if nothing is.
func CheckBase(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return "is not a URL such as https://api.example.com"
	case u.User != nil:
		return "holds a user or a password"
	case u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(raw, "?") || strings.HasSuffix(raw, "#"):
		return "has a query or a fragment"
	}
	return ""
}

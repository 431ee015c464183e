package cloud

import (
	"net"
	"net/http"
	"strings"
)

// Mount gives what comes to a socket for a path under prefix, such as
// "/_local/", to h instead of a service: without a signature, from this
// machine, under a loopback name and from no web page. Unsafe does not change that.
func (c *Cloud) Mount(prefix string, h http.Handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mounted == nil {
		c.mounted = map[string]http.Handler{}
	}
	c.mounted[prefix] = h
}

// mount returns what was mounted for r, or nil if r is for AWS.
func (c *Cloud) mount(r *http.Request) http.Handler {
	if r.Header.Get("Authorization") != "" || r.Header.Get("X-Amz-Target") != "" || r.URL.Query().Has("X-Amz-Credential") {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for prefix, h := range c.mounted {
		if !strings.HasPrefix(r.URL.Path, prefix) {
			continue
		}
		from, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil || !net.ParseIP(from).IsLoopback() || !loopback(r.Host) || r.Header.Get("Origin") != "" {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "this is for programs on the machine of the local AWS only", http.StatusForbidden)
			})
		}
		return h
	}
	return nil
}

package boot

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/metric"
	"github.com/keyturn/keyturn/shared/provider"
)

// Transport carries requests to vendors.
type Transport = http.RoundTripper

// Vendors opens the vendors of the catalog. It is safe for concurrent use, and
// keeps connections for the next invocation.
type Vendors struct {
	base Transport

	mu      sync.Mutex
	clients map[string]*http.Client // by the rules that they keep
}

// Info returns what is known about a vendor. The error is a [*provider.Error].
func (v *Vendors) Info(vendor string) (provider.Info, error) {
	d, ok := catalog.Get(vendor)
	if !ok {
		return provider.Info{}, &provider.Error{Op: "find vendor", Kind: provider.KindPermanent, Err: fmt.Errorf("unknown vendor %q", httpapi.Safe(vendor))}
	}
	return d.Info, nil
}

// Open opens a key's vendor and makes no call. Requests go only to hosts that
// both the configuration and the admin credential list; without an admin, which
// is enough to verify keys, to those of the configuration.
func (v *Vendors) Open(k config.Key, admin provider.Admin) (provider.Strategy, error) {
	hosts := k.Hosts
	if admin.Fields != nil {
		hosts = both(k.Hosts, admin.Hosts)
		if len(hosts) == 0 {
			return nil, &provider.Error{Op: "open vendor", Kind: provider.KindBlocked, Err: errors.New(
				"the configuration's hosts and the admin credential's have none in common: list the vendor's host in both")}
		}
	}
	rules := httpapi.Rules{Hosts: hosts, AllowPrivate: k.AllowPrivate}
	return catalog.Open(k.Vendor, k.Settings, admin, v.client(rules), metric.Dialer(httpapi.NewDialer(rules)))
}

func both(a, b []string) []string {
	bare := func(h string) string { return strings.TrimSuffix(h, ":443") }
	var out []string
	for _, h := range a {
		if slices.ContainsFunc(b, func(other string) bool { return bare(other) == bare(h) }) {
			out = append(out, h)
		}
	}
	return out
}

func (v *Vendors) client(rules httpapi.Rules) *http.Client {
	id := fmt.Sprint(rules.AllowPrivate, " ", strings.Join(rules.Hosts, " "))
	v.mu.Lock()
	defer v.mu.Unlock()
	if c, ok := v.clients[id]; ok {
		return c
	}
	c := httpapi.NewHTTP(rules, v.base)
	c.Transport = metric.Transport(c.Transport)
	if v.clients == nil {
		v.clients = map[string]*http.Client{}
	}
	v.clients[id] = c
	return c
}

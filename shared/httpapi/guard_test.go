package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
)

func get(ctx context.Context, hc *http.Client, base string) error {
	cl := &httpapi.Client{Base: base, HTTP: hc}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return cl.Do(ctx, key, httpapi.Call{Method: "GET", Path: "/x"})
}

// refusing is an address that refuses every connection until the test ends. It
// is bound, so nobody else can listen there meanwhile, and nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	addr, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", addr.(*syscall.SockaddrInet4).Port)
}

// Promise: credential-stays
func TestGuard_hosts(t *testing.T) {
	t.Parallel()
	ok := memory(func(http.ResponseWriter, *http.Request) {})
	for _, tt := range []struct {
		name, base string
		hosts      []string
		private    bool
		rule       string // "": admitted
	}{
		{"listed", "https://api.test", []string{"api.test"}, false, ""},
		{"listed, other case", "https://API.test", []string{" Api.Test "}, false, ""},
		{"listed with the port implied", "https://api.test", []string{"api.test:443"}, false, ""},
		{"port implied in the list", "https://api.test:443", []string{"api.test"}, false, ""},
		{"another port", "https://api.test:8443", []string{"api.test"}, false, "add it to"},
		{"not listed", "https://evil.test", []string{"api.test"}, false, "add it to"},
		{"a subdomain", "https://x.api.test", []string{"api.test"}, false, "add it to"},
		{"a suffix", "https://evilapi.test", []string{"api.test"}, false, "add it to"},
		{"a trailing dot", "https://api.test.", []string{"api.test"}, false, "add it to"},
		{"no list", "https://api.test", nil, false, "add it to"},
		{"http", "http://api.test", []string{"api.test"}, false, "use https"},
		{"http with private addresses", "http://api.test", []string{"api.test"}, true, "use https"},
		{"another scheme", "ftp://api.test", []string{"api.test"}, false, "write https"},
		{"a user", "https://u:p@api.test", []string{"api.test"}, false, "without user"},
		{"loopback", "https://127.0.0.1", []string{"127.0.0.1"}, false, "loopback or private"},
		{"loopback opted in", "http://127.0.0.1:8080", []string{"127.0.0.1:8080"}, true, ""},
		{"loopback by name opted in", "http://localhost:8080", []string{"localhost:8080"}, true, ""},
		{"IPv6 loopback", "https://[::1]:1", []string{"[::1]:1"}, false, "loopback or private"},
		{"IPv6 loopback opted in", "https://[::1]:1", []string{"[::1]:1"}, true, ""},
		{"private", "https://10.0.0.1", []string{"10.0.0.1"}, false, "loopback or private"},
		{"mapped", "https://[::ffff:10.0.0.1]", []string{"[::ffff:10.0.0.1]"}, false, "loopback or private"},
		{"NAT64 of a private one", "https://[64:ff9b::a00:1]", []string{"[64:ff9b::a00:1]"}, false, "loopback or private"},
		{"NAT64 of a public one", "https://[64:ff9b::101:101]", []string{"[64:ff9b::101:101]"}, false, ""},
		{"shared", "https://100.64.0.1", []string{"100.64.0.1"}, false, "loopback or private"},
		{"metadata, opted in all the same", "http://169.254.169.254", []string{"169.254.169.254"}, true, "metadata"},
		{"metadata by IPv6", "https://[fd00:ec2::254]", []string{"[fd00:ec2::254]"}, true, "metadata"},
		{"metadata, mapped", "https://[::ffff:169.254.169.254]", []string{"[::ffff:169.254.169.254]"}, true, "metadata"},
		{"unspecified", "https://0.0.0.0", []string{"0.0.0.0"}, true, "special"},
		{"unspecified by IPv6", "https://[::]", []string{"[::]"}, true, "special"},
		{"multicast", "https://224.0.0.1", []string{"224.0.0.1"}, true, "special"},
		{"6to4", "https://[2002:7f00:1::]", []string{"[2002:7f00:1::]"}, true, "special"},
		{"http to a public address", "http://1.1.1.1", []string{"1.1.1.1"}, true, "use https"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := get(t.Context(), httpapi.NewHTTP(httpapi.Rules{Hosts: tt.hosts, AllowPrivate: tt.private}, ok), tt.base)
			if tt.rule == "" && err != nil {
				t.Errorf("got %v, want admitted", err)
			}
			if tt.rule != "" && (provider.KindOf(err) != provider.KindBlocked || !strings.Contains(err.Error(), tt.rule)) {
				t.Errorf("got %v, want blocked: %s", err, tt.rule)
			}
			if err != nil && strings.Contains(err.Error(), "u:p") {
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
}

// A name is judged by what it resolves to when it is dialed.
// Promise: credential-stays
func TestGuard_dial(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + net.JoinHostPort("localhost", u.Port())
	rules := httpapi.Rules{Hosts: []string{"localhost:" + u.Port(), u.Host}}
	for _, b := range []string{base, srv.URL, strings.Replace(base, "http:", "https:", 1)} {
		if err := get(t.Context(), httpapi.NewHTTP(rules, nil), b); provider.KindOf(err) != provider.KindBlocked {
			t.Errorf("%s: %v, want blocked", b, err)
		}
	}
	if len(asked) > 0 {
		t.Error("a request reached a loopback address that was not opted in")
	}
	rules.AllowPrivate = true
	if err := get(t.Context(), httpapi.NewHTTP(rules, nil), srv.URL); err != nil {
		t.Errorf("opted in: %v", err)
	}
}

// What the network says goes into no error: it names addresses and hosts.
func TestTransportWords(t *testing.T) {
	t.Parallel()
	closed := refusing(t)
	tlsSrv := httptest.NewUnstartedServer(http.NotFoundHandler())
	tlsSrv.Config.ErrorLog = log.New(io.Discard, "", 0)
	tlsSrv.StartTLS()
	t.Cleanup(tlsSrv.Close)
	for _, tt := range []struct {
		name, base string
		kind       provider.Kind
		text       string
	}{
		{"refused", "http://" + closed, provider.KindNotSent, "GET /x: not sent: dial: connection refused"},
		{"not trusted", tlsSrv.URL, provider.KindNotSent, "GET /x: not sent: TLS: the server's certificate is not trusted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(tt.base)
			if err != nil {
				t.Fatal(err)
			}
			err = get(t.Context(), httpapi.NewHTTP(httpapi.Rules{Hosts: []string{u.Host}, AllowPrivate: true}, nil), tt.base)
			if provider.KindOf(err) != tt.kind || err.Error() != tt.text {
				t.Errorf("got %v, want %s", err, tt.text)
			}
		})
	}
}

func TestCheckBase(t *testing.T) {
	t.Parallel()
	for raw, ok := range map[string]bool{
		"https://api.test": true, "http://127.0.0.1:1/base": true,
		"": false, "api.test": false, "https://": false, "ftp://x": false, "https://u:p@x": false, "https://x?": false, "https://x?a=b": false, "https://x#y": false, "https://%zz": false,
	} {
		if got := httpapi.CheckBase(raw); (got == "") != ok {
			t.Errorf("CheckBase(%q) = %q, want valid: %v", raw, got, ok)
		}
	}
}

package httpapi_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
)

// listen counts the connections that reach a loopback address.
func listen(t *testing.T) (address string, reached <-chan struct{}) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	came := make(chan struct{}, 8)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.Close()
			came <- struct{}{}
		}
	}()
	return ln.Addr().String(), came
}

// Promise: credential-stays
func TestDialer_rules(t *testing.T) {
	t.Parallel()
	address, reached := listen(t)
	_, port, _ := net.SplitHostPort(address)
	name := "localhost:" + port
	for _, tt := range []struct {
		what, network, address string
		hosts                  []string
		private                bool
		rule                   string
	}{
		{"not listed", "tls", address, []string{"127.0.0.1:1"}, true, "add it to"},
		{"the port is not listed", "tls", "redis.test:6379", []string{"redis.test"}, true, "add it to"},
		{"no list", "tcp", address, nil, true, "add it to"},
		{"loopback", "tls", address, []string{address}, false, "loopback or private"},
		{"loopback, plain", "tcp", address, []string{address}, false, "loopback or private"},
		{"a name of loopback", "tls", name, []string{name}, false, "loopback or private"},
		{"plain without private addresses", "tcp", name, []string{name}, false, "use https"},
		{"plain to a public address", "tcp", "1.1.1.1:6379", []string{"1.1.1.1:6379"}, true, "use https"},
		{"metadata", "tcp", "169.254.169.254:80", []string{"169.254.169.254"}, true, "metadata"},
		{"a user before the host", "tls", "u@" + address, []string{address}, true, "add it to"},
		{"a path behind the port", "tls", address + "/x", []string{address}, true, "add it to"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			conn, err := httpapi.NewDialer(httpapi.Rules{Hosts: tt.hosts, AllowPrivate: tt.private})(t.Context(), tt.network, tt.address)
			if conn != nil || err == nil {
				t.Fatal("it was dialed")
			}
			if e := httpapi.Dialed("AUTH", err); e.Kind != provider.KindBlocked || !strings.Contains(e.Error(), tt.rule) {
				t.Errorf("got %v, want blocked: %s", e, tt.rule)
			}
			if len(reached) > 0 {
				t.Error("it reached the server")
			}
		})
	}
}

func TestDialer_private(t *testing.T) {
	t.Parallel()
	address, reached := listen(t)
	dial := httpapi.NewDialer(httpapi.Rules{Hosts: []string{address}, AllowPrivate: true})
	conn, err := dial(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	<-reached
	if _, err := dial(t.Context(), "udp", address); err == nil {
		t.Error("udp was dialed")
	}
}

// Nothing is said to a server whose certificate proves nothing.
func TestDialer_certificate(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	address := srv.Listener.Addr().String()
	_, err := httpapi.NewDialer(httpapi.Rules{Hosts: []string{address}, AllowPrivate: true})(t.Context(), "tls", address)
	if err == nil {
		t.Fatal("it was trusted")
	}
	if got, want := httpapi.Dialed("AUTH", err).Error(), "AUTH: not sent: TLS: the server's certificate is not trusted"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDialed_sentNothing(t *testing.T) {
	t.Parallel()
	for _, err := range []error{io.EOF, context.DeadlineExceeded, context.Canceled, errors.New("redis.test is odd")} {
		if e := httpapi.Dialed("AUTH", err); e.Kind != provider.KindNotSent || strings.Contains(e.Error(), "redis.test") {
			t.Errorf("%v: got %v", err, e)
		}
		if e := httpapi.Broken("AUTH", err); e.Kind != provider.KindUnknown || strings.Contains(e.Error(), "redis.test") {
			t.Errorf("%v: got %v", err, e)
		}
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	of := func(k provider.Kind) error { return &provider.Error{Op: "X", Kind: k} }
	for _, tt := range []struct {
		name  string
		errs  []error // one a try; the last for all others
		tries int
		last  error
	}{
		{"success", []error{nil}, 1, nil},
		{"unknown, then success", []error{of(provider.KindUnknown), nil}, 2, nil},
		{"never sent", []error{of(provider.KindNotSent)}, 4, of(provider.KindNotSent)},
		{"refused", []error{of(provider.KindPermanent)}, 1, of(provider.KindPermanent)},
		{"rejected", []error{provider.ErrRejected}, 1, provider.ErrRejected},
		{"limited for longer than there is", []error{&provider.Error{Op: "X", Kind: provider.KindRateLimited, RetryAfter: time.Hour}}, 1, of(provider.KindRateLimited)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				tries := 0
				err := httpapi.Retry(ctx, "X", func(tctx context.Context) error {
					mine, _ := tctx.Deadline()
					if all, _ := ctx.Deadline(); all.Sub(mine) < 2*time.Second {
						t.Error("a try may use all of the time")
					}
					tries++
					return tt.errs[min(tries, len(tt.errs))-1]
				})
				if tries != tt.tries || (err == nil) != (tt.last == nil) || provider.KindOf(err) != provider.KindOf(tt.last) {
					t.Errorf("%d tries, then %v", tries, err)
				}
			})
		})
	}
}

func TestRetry_noTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // less than is kept back
	defer cancel()
	err := httpapi.Retry(ctx, "X", func(context.Context) error { t.Error("it was tried"); return nil })
	if provider.KindOf(err) != provider.KindNotSent {
		t.Errorf("got %v", err)
	}
}

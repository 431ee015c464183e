package httpapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/keyturn/keyturn/shared/provider"
)

// NewDialer returns a way to vendors that do not speak HTTP, under the same
// rules as [NewHTTP]: "tls" counts as https and "tcp" as http, which is for
// private addresses that are opted in. A certificate must be one that the
// system's roots vouch for.
func NewDialer(r Rules) provider.Dialer {
	g := newGuard(r)
	g.dials = true
	secure := &tls.Dialer{NetDialer: checked(r.AllowPrivate, false), Config: &tls.Config{MinVersion: tls.VersionTLS12}}
	plain := checked(r.AllowPrivate, true)
	return func(ctx context.Context, network, address string) (provider.Conn, error) {
		scheme, ok := map[string]string{"tls": "https", "tcp": "http"}[network]
		if !ok {
			return nil, fmt.Errorf("no network is called %q", network)
		}
		u := &url.URL{Scheme: scheme, Host: address}
		if rule := g.rule(&http.Request{URL: u}); rule != "" {
			return nil, &BlockedError{Host: Safe(address), Rule: rule}
		}
		if network == "tcp" {
			return plain.DialContext(ctx, "tcp", address)
		}
		return secure.DialContext(ctx, "tcp", address)
	}
}

// Retry runs try the way [Client.Do] sends a request: at most four times, each
// with its own deadline, and two seconds of ctx's deadline are kept back. It is
// for vendors that do not speak HTTP, and for what is safe to try again when its
// outcome is unknown. Op names it in errors.
func Retry(ctx context.Context, op string, try func(context.Context) error) error {
	var cl Client
	for n := 0; ; n++ {
		err := cl.once(ctx, op, try)
		pe, ok := errors.AsType[*provider.Error](err)
		if !ok || n+1 == maxTries || !again(pe.Kind, Call{}) || !sleep(ctx, max(pe.RetryAfter, cl.backoff(ctx, n))) {
			return err
		}
	}
}

func (cl *Client) once(ctx context.Context, op string, try func(context.Context) error) error {
	tctx, cancel, ok := cl.limit(ctx)
	if !ok {
		return late(ctx, op)
	}
	defer cancel()
	return try(tctx)
}

// late says that there is no time left for a try.
func late(ctx context.Context, op string) *provider.Error {
	e := &provider.Error{Op: op, Kind: provider.KindNotSent, Err: errors.New("no time left before the deadline")}
	if ctx.Err() != nil {
		e.Err = ctx.Err()
	}
	return e
}

// Dialed returns the error for a connection that was not made: nothing was sent
// over it. Its words hold no host or address but those that the rules refuse.
func Dialed(op string, err error) *provider.Error {
	kind, words := transport(err)
	if kind == provider.KindUnknown {
		kind = provider.KindNotSent
	}
	return &provider.Error{Op: op, Kind: kind, Err: words}
}

// Broken returns the error for a connection that broke before there was a whole
// answer.
func Broken(op string, err error) *provider.Error {
	kind, words := transport(err)
	return &provider.Error{Op: op, Kind: kind, Err: words}
}

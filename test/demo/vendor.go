package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/gitea/giteatest"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/secret"
)

// The vendor accounts.
const (
	sendgridAccount = "sendgrid-main"
	giteaAccount    = "gitea-main"
)

// simulator is a stateful stand-in for a vendor.
type simulator interface {
	http.Handler
	Admin(host string) provider.Admin
	Live() []provider.Key
	Values() []string
}

// vendor is a simulator as an HTTP server on loopback.
type vendor struct {
	simulator

	account, provider, title string
	scopes                   []string
	create                   string // path of the request that makes a key
	consume                  func(base string, key secret.Value) (*http.Request, error)
	want                     int // status of a use that worked

	base, host string
	server     *http.Server
	// made, if set, is called once, when the vendor has made a key and before
	// it answers. The answer is lost.
	made atomic.Pointer[func()]
}

// vendors starts the simulators, on the local AWS's clock.
func vendors(ctx context.Context, now func() time.Time) ([]*vendor, error) {
	all := []*vendor{
		{
			simulator: sendgridtest.New(now, sendgridtest.Options{}), account: sendgridAccount, provider: "sendgrid", title: "SendGrid",
			scopes: []string{"mail.send"}, create: "/v3/api_keys", consume: sendgridtest.Consume, want: http.StatusAccepted,
		},
		{
			simulator: giteatest.New(now, giteatest.Options{}), account: giteaAccount, provider: "gitea", title: "Gitea",
			scopes: []string{"read:user"}, create: "/api/v1/users/octavia/tokens", consume: giteatest.Consume, want: http.StatusOK,
		},
	}
	for _, v := range all {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("start the simulator of %s: %w", v.title, err)
		}
		v.host = l.Addr().String()
		v.base = "http://" + v.host
		v.server = &http.Server{Handler: v, ReadHeaderTimeout: 10 * time.Second}
		go func() { _ = v.server.Serve(l) }()
	}
	return all, nil
}

// ServeHTTP implements [http.Handler].
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && r.URL.Path == v.create {
		if made := v.made.Swap(nil); made != nil {
			v.simulator.ServeHTTP(httptest.NewRecorder(), r)
			(*made)()
			panic(http.ErrAbortHandler) // nobody hears the answer
		}
	}
	v.simulator.ServeHTTP(w, r)
}

// try uses a key, and reports whether the vendor accepted it.
func (v *vendor) try(ctx context.Context, key secret.Value) (accepted bool, err error) {
	r, err := v.consume(v.base, key)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	answer, err := http.DefaultTransport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return false, errors.New("no answer")
	}
	defer func() { _ = answer.Body.Close() }()
	switch answer.StatusCode {
	case v.want:
		return true, nil
	case http.StatusUnauthorized:
		return false, nil
	}
	return false, fmt.Errorf("status %d", answer.StatusCode)
}

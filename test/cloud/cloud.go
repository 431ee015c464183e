// Package cloud is a local AWS: an http.Handler that speaks AWS's own wire
// protocols, so that SDKs, the aws command and our Lambda binaries work on it
// unchanged. It has a clock that can be moved, and any call can be made to fail.
//
// A list beside this file says what it promises, and on whose word. It is a
// tool for tests and demonstrations: it checks no signature and keeps all in
// memory, of calls and CloudTrail records the last 100,000.
//
// Package region has all of its services together, and package control a small
// API under /_local/ of a served one: the clock, faults, calls, messages, events.
package cloud

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/secretsmanager"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// maxBody bounds a request: the largest that AWS takes here is a Lambda
// function's code, 50 MB zipped.
const maxBody = 64 << 20

// Invoker runs Lambda functions for Secrets Manager.
type Invoker = secretsmanager.Invoker

// InvokerFunc is an [Invoker] from a function.
type InvokerFunc func(ctx context.Context, function string, payload []byte) ([]byte, string, error)

// Invoke implements [Invoker].
func (f InvokerFunc) Invoke(ctx context.Context, function string, payload []byte) ([]byte, string, error) {
	return f(ctx, function, payload)
}

// Options configure a [Cloud]. The zero value is a safe, empty AWS.
type Options struct {
	// Clock is the local AWS's time. Nil: a new one that agrees with time.Now.
	Clock *clock.Clock
	// Rand gives ids, tokens and passwords; it is read by several goroutines.
	// Nil: crypto/rand.
	Rand io.Reader
	// Invoker runs rotation functions. Nil: none can be invoked.
	Invoker Invoker
	// SecretsManager tunes the service. Its Clock, Rand, Invoker and Sink are
	// set by New.
	SecretsManager secretsmanager.Options
	// Keep is how many calls and how many CloudTrail records are kept; when
	// there are more, the oldest tenth is forgotten. 0: 100,000.
	Keep int
	// Recorded are the services whose calls CloudTrail records: see [AllServices].
	// With "kms" what Secrets Manager asks of it for others is recorded too. Nil:
	// Secrets Manager only.
	Recorded []string
	// Unsafe accepts requests and listeners that are not on loopback.
	Unsafe bool
}

// Cloud is a local AWS. Use [New]; it is safe for concurrent use.
type Cloud struct {
	opt     Options
	clock   *clock.Clock
	secrets *secretsmanager.Service

	who atomic.Pointer[func(accessKey string) (Caller, bool)]

	mu       sync.Mutex
	services map[string]wire.Service
	calls    []CallRecord // the last of them
	called   int          // calls so far
	mounted  map[string]http.Handler
	faults   []*fault
	trail    []Record
	subs     map[int]subscription
	// observers are told of records as they are written.
	observers map[int]func(Record)
	subSeq    int // of both

	busy inflight        // deliveries
	life context.Context //nolint:containedctx // ends the deliveries with the Cloud
	stop context.CancelFunc
}

// New returns a local AWS with Secrets Manager in it; see [Cloud.Register] for
// other services.
func New(opt Options) *Cloud {
	if opt.Clock == nil {
		opt.Clock = clock.New()
	}
	if opt.Rand == nil {
		opt.Rand = rand.Reader
	}
	if opt.Keep < 1 {
		opt.Keep = 100_000
	}
	if opt.Recorded == nil {
		opt.Recorded = []string{"secretsmanager"}
	}
	c := &Cloud{opt: opt, clock: opt.Clock, services: map[string]wire.Service{}, subs: map[int]subscription{}, observers: map[int]func(Record){}}
	c.life, c.stop = context.WithCancel(context.Background())
	sm := opt.SecretsManager
	sm.Clock, sm.Rand, sm.Invoker, sm.Sink = c.clock, opt.Rand, opt.Invoker, sink{c}
	c.secrets = secretsmanager.New(sm)
	c.Register("secretsmanager", c.secrets)
	return c
}

// Close stops the clock's alarms, rotations and deliveries.
func (c *Cloud) Close() {
	c.stop()
	c.secrets.Close()
	c.clock.Stop()
}

// Clock returns the local AWS's clock.
func (c *Cloud) Clock() *clock.Clock { return c.clock }

// SecretsManager returns the service, for what its API does not offer, such as
// waiting for a rotation.
func (c *Cloud) SecretsManager() *secretsmanager.Service { return c.secrets }

// Register adds or replaces a service under its name in the credential scope,
// such as "dynamodb".
func (c *Cloud) Register(name string, s wire.Service) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.services[name] = s
}

// ServeHTTP implements http.Handler.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := c.mount(r); h != nil {
		h.ServeHTTP(w, r)
		return
	}
	reply, err := c.handle(r)
	if err != nil {
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
	h := w.Header()
	maps.Copy(h, reply.Header)
	w.WriteHeader(reply.Status)
	_, _ = w.Write(reply.Body)
}

// errDropped looks to a client like a connection that went away.
func errDropped() error {
	return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
}

// handle answers one request. An error means that there is no answer.
func (c *Cloud) handle(r *http.Request) (*wire.Reply, error) {
	now := c.clock.Now()
	id := c.newUUID()
	reply, err := c.answer(r, now, id)
	if err != nil {
		return nil, err
	}
	if reply.Header == nil {
		reply.Header = http.Header{}
	}
	if reply.Status == 0 {
		reply.Status = http.StatusOK
	}
	reply.Header.Set("X-Amzn-Requestid", id)
	reply.Header.Set("Date", c.clock.Now().Format(http.TimeFormat))
	return reply, nil
}

func (c *Cloud) answer(r *http.Request, now time.Time, id string) (*wire.Reply, error) {
	if refusal := c.refuse(r); refusal != nil {
		return refusal, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, errDropped()
	}
	if len(body) > maxBody {
		return plain(http.StatusRequestEntityTooLarge, "the request is too large"), nil
	}
	name, accessKey := scope(r)
	service := c.service(name)
	if service == nil {
		return wire.FailJSON(&wire.Error{
			Code: "NotImplemented", Status: http.StatusNotImplemented,
			Message: "the local AWS has no service " + quote(name),
		}), nil
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	call := &wire.Call{
		Service: name, Operation: service.Operation(r, body), RequestID: id,
		AccessKey: accessKey, Body: body, HTTP: r, Now: now,
	}
	return c.serve(r.Context(), service, call)
}

// serve runs one call through the faults and the log.
func (c *Cloud) serve(ctx context.Context, s wire.Service, call *wire.Call) (*wire.Reply, error) {
	entry := c.begin(call)
	f := c.match(call)
	reply, err := c.run(ctx, s, call, f)
	aws, isAWS := errors.AsType[*wire.Error](err)
	if err != nil && !isAWS && !errors.Is(err, errGone) {
		aws = wire.AsError(err)
	}
	c.end(entry, call, f, reply, aws, err)
	switch {
	case errors.Is(err, errGone):
		return nil, errDropped()
	case aws != nil:
		return s.Fail(call, aws), nil
	}
	return reply, nil
}

func (c *Cloud) service(name string) wire.Service {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.services[name]
}

// refuse keeps web pages and other machines out: a name that is not loopback
// may be a DNS rebinding, and only browsers send Origin.
func (c *Cloud) refuse(r *http.Request) *wire.Reply {
	if c.opt.Unsafe {
		return nil
	}
	if r.Header.Get("Origin") != "" {
		return plain(http.StatusForbidden, "the local AWS refuses requests from web pages")
	}
	if !loopback(r.Host) {
		return plain(http.StatusForbidden, "the local AWS answers to loopback names only")
	}
	return nil
}

func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761: never asked of DNS; S3 has such hosts
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func plain(status int, text string) *wire.Reply {
	return &wire.Reply{Status: status, Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: []byte(text + "\n")}
}

// scope reads service and access key from the SigV4 credential scope, of a
// header or of a signed URL; without one, from X-Amz-Target.
func scope(r *http.Request) (service, accessKey string) {
	credential := r.URL.Query().Get("X-Amz-Credential")
	if _, rest, found := strings.Cut(r.Header.Get("Authorization"), "Credential="); found {
		credential, _, _ = strings.Cut(rest, ",")
	}
	if parts := strings.Split(strings.TrimSpace(credential), "/"); len(parts) == 5 {
		return parts[3], parts[0]
	}
	target, _, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	target, _, _ = strings.Cut(target, "_")
	return strings.ToLower(target), ""
}

func quote(name string) string {
	if name == "" || len(name) > 64 {
		return "(none named)"
	}
	return `"` + name + `"`
}

func (c *Cloud) newUUID() string {
	id, err := uuid.NewRandomFromReader(c.opt.Rand)
	if err != nil {
		panic(err) // the random source ran dry
	}
	return id.String()
}

// Package lambda is the local AWS's Lambda: it runs functions as real processes
// over the real Runtime API, or as Go functions in a test.
//
// Operations: Invoke (RequestResponse, Event, DryRun; log tail; alias names),
// CreateFunction (a zip with a bootstrap), GetFunction,
// GetFunctionConfiguration, ListFunctions, UpdateFunctionCode (a zip),
// UpdateFunctionConfiguration (layers are only shown), DeleteFunction, AddPermission,
// GetPolicy, RemovePermission, GetAccountSettings, GetFunctionConcurrency.
// Anything else answers NotImplemented.
//
// A process serves one invocation at a time, is kept warm, and is killed with
// its children when it is late. It gets an environment of its own, nothing of
// the parent's, and credentials that only the local AWS knows, one access key
// per process, so that a call tells which process made it.
//
// Assumed, not recorded: at most [Options].MaxEnvironments processes of a
// function without reserved concurrency; no freezing between invocations;
// failed events wait one minute, then two, on the movable clock; a process that
// does not ask for work within ten seconds is killed and not given a second
// chance. Processes live in real time: deadlines are not on the movable clock.
// Permissions are kept and shown; only Secrets Manager is refused for want of
// one, by RotateSecret, and only on a function of CreateFunction.
package lambda

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Options configure a Service. Only Clock is needed.
type Options struct {
	Clock *clock.Clock
	// Endpoint returns the local AWS's URL, which processes get as
	// AWS_ENDPOINT_URL. Nil: they get none, and reach nothing.
	Endpoint func() string
	// Dir is where CreateFunction unpacks code. Empty: a temporary folder that
	// Close removes.
	Dir string
	// Log gets every line that a function writes, after its name. Nil: only
	// [Service.Logs] has them.
	Log io.Writer
	// MaxEnvironments is how many processes a function may have at once. Zero: 10.
	MaxEnvironments int
	// AccountConcurrency is what GetAccountSettings says may run at once. Zero:
	// 1000. It throttles nothing.
	AccountConcurrency int
	// InitTimeout is how long a process may take to ask for work. Zero: 10 s.
	InitTimeout time.Duration
	// OnInvoke is called just before a function gets an invocation, for tests
	// that kill it at a chosen moment. It may call Kill. Nil: nothing.
	OnInvoke func(Invocation)
	// OnDropped is called with an event that failed for the last time. Nil: it is lost.
	OnDropped func(function string, payload []byte)
}

// Invocation is one invocation of a function, as hooks see it.
type Invocation struct {
	Function  string
	Number    int // of this function, from 1
	RequestID string
	AccessKey string // of the process, "" for a Go function
	Payload   []byte // may hold secrets
}

// Service is Lambda. Use [New], and Close it; a Service is safe for concurrent
// use.
//
// API: https://docs.aws.amazon.com/lambda/latest/api/
type Service struct {
	options  Options
	handlers map[string]wire.Handler
	running  sync.WaitGroup // invocations

	mu        sync.Mutex
	closed    bool
	dir       string
	made      int // processes, for their access keys
	functions map[string]*function
	alive     map[*environment]bool // processes, also of functions that were replaced
	here      map[string]goCall     // running Go functions by request ID
}

// New returns a Service without functions.
func New(o Options) *Service {
	if o.MaxEnvironments == 0 {
		o.MaxEnvironments = 10
	}
	if o.AccountConcurrency == 0 {
		o.AccountConcurrency = accountConcurrency
	}
	if o.InitTimeout == 0 {
		o.InitTimeout = 10 * time.Second
	}
	s := &Service{options: o, dir: o.Dir, functions: map[string]*function{}, alive: map[*environment]bool{}, here: map[string]goCall{}}
	s.handlers = map[string]wire.Handler{
		"Invoke":                   s.serveInvoke,
		"CreateFunction":           wire.Typed(s.createFunction),
		"GetFunction":              wire.Typed(s.getFunction),
		"GetFunctionConfiguration": wire.Typed(s.getFunctionConfiguration),
		"ListFunctions":            wire.Typed(s.listFunctions),
		"DeleteFunction":           s.deleteFunction,
		"UpdateFunctionCode":       wire.Typed(s.updateCode),
		"AddPermission":            wire.Typed(s.addPermission),
		"GetPolicy":                wire.Typed(s.getPolicy),
		"RemovePermission":         s.removePermission,
		"GetAccountSettings":       wire.Typed(s.getAccountSettings),
		"GetFunctionConcurrency":   wire.Typed(s.getFunctionConcurrency),

		"UpdateFunctionConfiguration": wire.Typed(s.updateConfiguration),
	}
	return s
}

// route is a request's operation with the function and statement it names.
type route struct{ operation, function, rest string }

func routeOf(r *http.Request) route {
	if m := regexp.MustCompile(`^/2019-09-30/functions/([^/]+)/concurrency/?$`).FindStringSubmatch(r.URL.Path); m != nil && r.Method == http.MethodGet {
		return route{operation: "GetFunctionConcurrency", function: m[1]}
	}
	if r.Method == http.MethodGet && strings.TrimSuffix(r.URL.Path, "/") == "/2016-08-19/account-settings" {
		return route{operation: "GetAccountSettings"}
	}
	path := regexp.MustCompile(`^/2015-03-31/functions(?:/([^/]*)(?:/([^/]*)(?:/([^/]*))?)?)?/?$`)
	m := path.FindStringSubmatch(r.URL.Path)
	if m == nil {
		return route{}
	}
	operations := map[string]string{
		"GET //": "ListFunctions", "POST //": "CreateFunction", "GET /F/": "GetFunction", "DELETE /F/": "DeleteFunction",
		"POST /F/invocations": "Invoke", "GET /F/configuration": "GetFunctionConfiguration",
		"PUT /F/code": "UpdateFunctionCode", "PUT /F/configuration": "UpdateFunctionConfiguration",
		"POST /F/policy": "AddPermission", "GET /F/policy": "GetPolicy", "DELETE /F/policy/S": "RemovePermission",
	}
	shape := r.Method + " /"
	if m[1] != "" {
		shape += "F"
	}
	shape += "/" + m[2]
	if m[3] != "" {
		shape += "/S"
	}
	return route{operations[shape], m[1], m[3]}
}

// Operation implements [wire.Service].
func (*Service) Operation(r *http.Request, _ []byte) string { return routeOf(r).operation }

// Serve implements [wire.Service].
func (s *Service) Serve(ctx context.Context, c *wire.Call) (*wire.Reply, error) {
	h, ok := s.handlers[c.Operation]
	if !ok {
		return nil, wire.NotImplemented(c)
	}
	return h(ctx, c)
}

// Fail implements [wire.Service].
func (*Service) Fail(_ *wire.Call, err *wire.Error) *wire.Reply { return wire.FailJSON(err) }

// ARN returns the ARN of the function of that name.
func ARN(name string) string {
	return "arn:aws:lambda:" + wire.Region + ":" + wire.Account + ":function:" + name
}

// parse splits a function's name, ARN or partial ARN, with or without a
// qualifier.
func parse(ref string) (name, qualifier string, ok bool) {
	pattern := regexp.MustCompile(`^(?:(?:arn:aws:lambda:` + wire.Region + `:)?` + wire.Account + `:function:)?([a-zA-Z0-9-_]{1,64})(?::([a-zA-Z0-9$_-]{1,128}))?$`)
	m := pattern.FindStringSubmatch(ref)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// resolve returns the function that ref and qualifier mean, and the ARN it is
// invoked by.
func (s *Service) resolve(ref, qualifier string) (*function, string, error) {
	name, inRef, ok := parse(ref)
	if !ok {
		return nil, "", &wire.Error{Code: "ResourceNotFoundException", Message: "Function not found: " + ref, Status: http.StatusNotFound}
	}
	if qualifier == "" {
		qualifier = inRef
	}
	arn := ARN(name)
	if qualifier != "" {
		arn += ":" + qualifier
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[name]
	if f == nil || !f.has(qualifier) {
		return nil, "", &wire.Error{Code: "ResourceNotFoundException", Message: "Function not found: " + arn, Status: http.StatusNotFound}
	}
	return f, arn, nil
}

// Exists reports whether function, a name or an ARN with or without an alias,
// can be invoked.
func (s *Service) Exists(function string) bool {
	_, _, err := s.resolve(function, "")
	return err == nil
}

// errClosed is what an invocation of a closed Service gets.
var errClosed = errors.New("the local Lambda is closed")

// Close kills every process and waits until they are gone.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	dir := s.dir
	s.mu.Unlock()
	s.kill(func(*environment) bool { return true }, func(string, goCall) bool { return true })
	s.running.Wait()
	if s.options.Dir == "" && dir != "" {
		return os.RemoveAll(dir)
	}
	return nil
}

// invalidName is the refusal of a function name.
func invalidName(name string) error {
	return &wire.Error{Code: "ValidationException", Message: "1 validation error detected: Value '" + strings.ToValidUTF8(name, "?") + "' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern"}
}

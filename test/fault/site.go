package fault

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyturn/keyturn/test/cloud/lambda"
)

const (
	siteTimeout = 30 * time.Second // of the functions, in real time
	// siteRetry is Secrets Manager's pause before it begins again: whoever was
	// killed has lost his lease by then, which a process would wait for in real
	// time.
	siteRetry = siteTimeout + 10*time.Second
)

// site is where the functions of a world are processes: Lambda starts them, and
// they reach AWS and the vendor through sockets. All that they ask for passes a
// [port], as in a world without processes. The clock is moved, so that nothing
// waits for a grace.
type site struct {
	binaries string // folder of the functions' binaries
	dir      string // for the configuration
	world    *World
	lambda   *lambda.Service
	aws      string // URL of the local AWS
	servers  []*http.Server
	asking   sync.WaitGroup // requests under way
	killed   atomic.Int64
	failed   atomic.Bool // the last invocation

	mu  sync.Mutex
	now *process // of the invocation under way; one at a time
}

// open starts Lambda and the servers of a world.
func (s *site) open(w *World) {
	s.world = w
	s.aws = "http://" + s.serve(true)
	w.host = s.serve(false)
	w.base = "http://" + w.host
	s.lambda = lambda.New(lambda.Options{
		Clock: w.cloud.Clock(), Endpoint: func() string { return s.aws }, Log: heard{w},
	})
}

// heard is where all processes' logs go.
type heard struct{ world *World }

// Write implements io.Writer.
func (h heard) Write(b []byte) (int, error) {
	h.world.hear(b)
	return len(b), nil
}

// serve answers on loopback and returns the address.
func (s *site) serve(aws bool) string {
	l, err := new(net.ListenConfig).Listen(s.world.ctx, "tcp", "127.0.0.1:0")
	check(err)
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		s.asking.Add(1)
		defer s.asking.Done()
		s.mu.Lock()
		p := s.now
		s.mu.Unlock()
		if p == nil {
			panic(http.ErrAbortHandler) // what is left of a process that was killed
		}
		answer, err := (&port{process: p, aws: aws}).RoundTrip(r)
		if err != nil {
			panic(http.ErrAbortHandler) // closes the connection
		}
		maps.Copy(out.Header(), answer.Header)
		out.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(out, answer.Body) // who does not listen is dead
	})}
	s.servers = append(s.servers, server)
	go func() { _ = server.Serve(l) }() // it ends when close closes it
	return l.Addr().String()
}

// deploy registers the functions.
func (s *site) deploy(env map[string]string, config []byte) {
	if s == nil {
		return
	}
	file := filepath.Join(s.dir, "keyturn.json")
	check(os.WriteFile(file, config, 0o600))
	env = maps.Clone(env)
	env["KEYTURN_CONFIG"] = file
	for _, name := range []string{rotating, retiring} {
		check(s.lambda.Register(lambda.Function{Name: name, Path: filepath.Join(s.binaries, name), Env: env, Timeout: siteTimeout}))
	}
}

// invoke has Lambda run one invocation.
func (s *site) invoke(function string, payload []byte) (out []byte, failure string) {
	var e struct{ Step, Mode string }
	_ = json.Unmarshal(payload, &e) // an event without either has neither
	p := &process{world: s.world, function: function, step: e.Step + e.Mode, ended: make(chan struct{})}
	s.failed.Store(false)
	s.turn(p)
	defer s.turn(nil)
	ctx, cancel := context.WithTimeout(s.world.ctx, 2*siteTimeout)
	defer cancel()
	out, kind, err := s.lambda.Invoke(ctx, function, payload)
	check(err)
	s.world.hear(out)
	if kind == "" {
		return out, ""
	}
	s.failed.Store(true)
	var told struct{ ErrorType string }
	_ = json.Unmarshal(out, &told)
	if told.ErrorType == "Sandbox.Timedout" {
		s.world.breach("the %s function did not end in %s", function, siteTimeout)
	}
	return nil, fmt.Sprintf("%s (%s)", told.ErrorType, kind)
}

func (s *site) turn(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = p
}

// kill ends the processes of a function with SIGKILL.
func (s *site) kill(function string) {
	if s != nil {
		s.killed.Add(1)
		s.lambda.Kill(function)
	}
}

// rotate moves the clock while Secrets Manager waits to begin again, until the
// rotation is over.
func (s *site) rotate() {
	if s == nil {
		return
	}
	over := make(chan struct{})
	go func() {
		_ = s.world.cloud.Rotated(s.world.ctx, secretName) // it ends with the world
		close(over)
	}()
	const look = 5 * time.Millisecond
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
			if s.failed.Load() {
				s.world.cloud.Clock().Advance(siteRetry / 8)
			}
		}
	}
}

// passUntil is the world's.
func (s *site) passUntil(then time.Time) (woken bool) {
	w := s.world
	next := then
	if due := w.schedules.Pending(); len(due) > 0 && due[0].At.Before(then) {
		next = due[0].At
	}
	if d := next.Sub(w.now()); d > 0 {
		w.pass(d)
	}
	soon := time.Duration(0)
	if next.Before(then) {
		soon = siteTimeout // its goroutine has begun
	}
	select {
	case <-w.woken:
		return true
	case <-time.After(soon):
		return false
	}
}

func (s *site) retryDelay() time.Duration {
	if s == nil {
		return 0 // the usual one
	}
	return siteRetry
}

// unsure is how wrong a process may be about AWS's time, of which it hears whole
// seconds.
func (s *site) unsure() time.Duration {
	if s == nil {
		return 0
	}
	return time.Second
}

// endpoint is the URL of the local AWS.
func (s *site) endpoint() string {
	if s == nil {
		return "http://127.0.0.1"
	}
	return s.aws
}

// close ends the processes and the servers.
func (s *site) close() {
	if s == nil {
		return
	}
	_ = s.lambda.Close() // there is no folder to remove
	for _, server := range s.servers {
		_ = server.Close() // all that asked are gone
	}
	s.asking.Wait()
}

package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/function/retire"
	"github.com/keyturn/keyturn/shared/function/rotate"
	"github.com/keyturn/keyturn/shared/function/rotatenow"
)

// The functions' names, which are also those of their processes.
const (
	rotating = rotate.Name
	retiring = retire.Name
	demand   = rotatenow.Name
)

const (
	lambdaTimeout = time.Minute
	lambdaGrace   = time.Millisecond // for what ends at that very moment: chance must not decide
)

// process is a function's environment at Lambda. What it knows ends with it.
type process struct {
	world    *World
	function string
	boundary *boot.Boundary
	dead     atomic.Bool
	ended    chan struct{} // closed when dead

	// Of the invocation under way.
	step   string
	actor  *actor // in a race
	hangs  bool
	sticky Effect // for the client's own retries of one operation
	op     string
	made   []string // ids of keys at the vendor
}

// kill ends the process: none of its goroutines gets any further than its next
// request, and nothing that it says is heard.
func (p *process) kill() {
	if p.dead.CompareAndSwap(false, true) {
		close(p.ended)
		p.world.site.kill(p.function)
	}
}

var errDead = errors.New("the process has ended")

// stay parks a goroutine of a dead process until the world ends. What it does
// then has no effect any more.
func (p *process) stay() error {
	<-p.world.over
	return errDead
}

// start makes a cold process.
func (w *World) start(function string) *process {
	p := &process{world: w, function: function, ended: make(chan struct{})}
	cfg := w.cfg.Copy()
	cfg.HTTPClient = client(&port{process: p, aws: true})
	open, needs := rotate.Open, rotate.Needs()
	switch function {
	case retiring:
		open, needs = retire.Open, retire.Needs()
	case demand:
		open, needs = rotatenow.Open, rotatenow.Needs()
	}
	p.boundary = boot.Prepare(w.ctx, boot.System{
		Getenv:   func(name string) string { return w.env[name] },
		ReadFile: func(string) ([]byte, error) { return w.config, nil },
		Stdout:   &voice{p}, Now: time.Now, AWS: &cfg, Vendors: &port{process: p},
	}, function, open, needs...)
	return p
}

// voice is where a process writes its log.
type voice struct{ p *process }

// Write implements io.Writer.
func (v *voice) Write(b []byte) (int, error) {
	if !v.p.dead.Load() {
		v.p.world.hear(b)
	}
	return len(b), nil
}

// take returns a process that waits for work, or a new one.
func (w *World) take(function string) *process {
	w.mu.Lock()
	warm := w.warm[function]
	if n := len(warm); n > 0 {
		w.warm[function] = warm[:n-1]
		w.mu.Unlock()
		return warm[n-1]
	}
	w.mu.Unlock()
	return w.start(function)
}

// invoke runs one invocation to its end, or to that of its process. failure is
// "" for a success.
func (w *World) invoke(function string, payload []byte, a *actor) (out []byte, failure string) {
	if w.site != nil {
		return w.site.invoke(function, payload)
	}
	p := w.take(function)
	var e struct{ Step, Mode string }
	_ = json.Unmarshal(payload, &e) // an event without either has neither
	p.step, p.actor, p.hangs, p.sticky, p.op, p.made = e.Step+e.Mode, a, false, None, "", nil
	ctx, cancel := context.WithTimeout(lambdacontext.NewContext(w.ctx, &lambdacontext.LambdaContext{AwsRequestID: w.requestID()}), lambdaTimeout)
	defer cancel()
	type answer struct {
		out []byte
		err error
	}
	done := make(chan answer, 1)
	limit := time.NewTimer(lambdaTimeout + lambdaGrace)
	defer limit.Stop()
	w.busy.Go(func() {
		out, err := p.boundary.Invoke(ctx, payload)
		if w.besides != nil {
			w.besides(ctx, p)
		}
		done <- answer{out, err}
	})
	select {
	case got := <-done:
		if p.dead.Load() {
			return nil, "Runtime.ExitError"
		}
		w.judgeLeft(p)
		w.mu.Lock()
		w.warm[function] = append(w.warm[function], p)
		w.mu.Unlock()
		if got.err != nil {
			if e, ok := errors.AsType[messages.InvokeResponse_Error](got.err); ok {
				failure = e.Type
			} else {
				failure = fmt.Sprintf("%T", got.err)
			}
			w.hear([]byte(got.err.Error() + "\n"))
			return nil, failure
		}
		w.hear(got.out)
		return got.out, ""
	case <-p.ended:
		return nil, "Runtime.ExitError"
	case <-limit.C:
		p.kill()
		return nil, "Sandbox.Timedout"
	}
}

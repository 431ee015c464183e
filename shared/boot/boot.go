// Package boot starts a Lambda function: it reads the environment and the
// configuration, opens what the function needs, and stands between the
// function's handler and Lambda.
//
// Nothing that a handler does reaches Lambda's log or answer except what was
// made for it: an error that is not one of ours becomes "Internal", a panic
// becomes "Panic" and its value is dropped, and an event is never echoed.
package boot

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

// Handler carries out one invocation. What it returns is sent as JSON.
type Handler func(ctx context.Context, event json.RawMessage) (any, error)

// Open makes a function's handler.
type Open func(ctx context.Context, e *Env) (Handler, error)

// Start runs the function called name for ever: it is all that its main does.
// needs are the variables that it cannot do without.
//
// A function that cannot start answers its first invocation with the reason,
// which names everything that is wrong, and ends, so that alarms see it and
// Lambda begins afresh.
//
// From here on nothing is written to stderr. A panic in a goroutine cannot be
// recovered by anybody else, and the runtime prints its value, which may hold a
// secret: it goes nowhere. Lambda then reports Runtime.ExitError and nothing
// more. A handler's own panics are logged with their stack.
func Start(name string, open Open, needs ...Variable) {
	debug.SetTraceback("none")
	muteStderr()
	log.SetOutput(os.Stdout) // of aws-lambda-go: what we answered, and why its loop ended
	log.SetFlags(0)
	ctx := context.Background() //nolint:forbidigo // the root of every other
	sys := System{Getenv: os.Getenv, ReadFile: os.ReadFile, Stdout: os.Stdout, Now: time.Now}
	lambda.Start(Prepare(ctx, sys, name, open, needs...))
}

// Prepare opens the function and returns its boundary, which is what Start
// gives to Lambda.
func Prepare(ctx context.Context, sys System, name string, open Open, needs ...Variable) *Boundary {
	e, err := New(ctx, sys, name, needs...)
	b := &Boundary{env: e}
	if err == nil {
		err = b.guard(ctx, func() (err error) { b.handler, err = open(ctx, e); return err })
	}
	if err != nil {
		b.failed = err
	}
	return b
}

// Wrap returns the boundary around h, for tests and for running a function
// without Lambda.
func Wrap(e *Env, h Handler) *Boundary { return &Boundary{env: e, handler: h} }

package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/uuid"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Invoke runs a function (a name, or an ARN with or without an alias) and waits
// for it. functionError is "" if it succeeded, else result says why. err says
// that it was not run: a [wire.Error] with ResourceNotFoundException,
// TooManyRequestsException or InvalidRequestContentException; or that ctx ended
// before it did, in which case it goes on.
func (s *Service) Invoke(ctx context.Context, function string, payload []byte) (result []byte, functionError string, err error) {
	f, arn, err := s.resolve(function, "")
	if err != nil {
		return nil, "", err
	}
	o, _, err := s.invoke(ctx, f, arn, payload)
	return o.result, o.functionError, err
}

// invoke also returns what was logged meanwhile.
func (s *Service) invoke(ctx context.Context, f *function, arn string, payload []byte) (outcome, []string, error) {
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	if !json.Valid(payload) {
		return outcome{}, nil, &wire.Error{Code: "InvalidRequestContentException", Message: "Could not parse request body into json: the payload is not JSON"}
	}
	if len(payload) > maxPayload {
		return outcome{}, nil, &wire.Error{Code: "RequestTooLargeException", Message: fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", maxPayload), Status: http.StatusRequestEntityTooLarge}
	}
	number, err := s.admit(f)
	if err != nil {
		return outcome{}, nil, err
	}
	type ended struct {
		outcome

		log []string
	}
	done := make(chan ended, 1)
	detached := context.WithoutCancel(ctx)
	go func() {
		o, log := s.run(detached, f, &call{requestID: uuid.NewString(), arn: arn, payload: payload}, number)
		s.release(f)
		done <- ended{o, log}
	}()
	select {
	case e := <-done:
		return e.outcome, e.log, nil
	case <-ctx.Done():
		return outcome{}, nil, fmt.Errorf("invoke %s: %w", f.Name, ctx.Err())
	}
}

// admit counts an invocation in, unless too many run.
func (s *Service) admit(f *function) (number int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, errClosed
	}
	if f.busy >= f.limit(s.options.MaxEnvironments) {
		f.stats.Throttles++
		return 0, &wire.Error{Code: "TooManyRequestsException", Message: "Rate Exceeded.", Status: http.StatusTooManyRequests}
	}
	f.busy++
	f.invokedAs++
	s.running.Add(1)
	return f.invokedAs, nil
}

func (s *Service) release(f *function) {
	s.mu.Lock()
	f.busy--
	s.mu.Unlock()
	s.running.Done()
}

// run carries an invocation out and writes its log and statistics.
func (s *Service) run(ctx context.Context, f *function, c *call, number int) (outcome, []string) {
	_, first := f.logs.since(0)
	var o outcome
	var e *environment
	var init, took time.Duration
	if f.Handler != nil {
		o, took = s.runHere(ctx, f, c, number)
	} else {
		e, init, o = s.environment(f, c)
		if e != nil {
			o, took = s.runThere(e, c, number)
		}
	}
	var peak int64
	if e != nil {
		peak = e.peak()
	}
	s.mu.Lock()
	f.stats.Invocations++
	f.stats.Durations = append(f.stats.Durations, took)
	f.stats.PeakRSS = max(f.stats.PeakRSS, peak)
	if o.functionError != "" {
		f.stats.Errors++
	}
	s.mu.Unlock()
	f.logs.add("END RequestId: " + c.requestID)
	report := fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %.0f ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t",
		c.requestID, milliseconds(took), math.Ceil(milliseconds(took+init)), f.MemoryMB, peak>>20)
	if init > 0 {
		report += fmt.Sprintf("Init Duration: %.2f ms\t", milliseconds(init))
	}
	f.logs.add(report)
	lines, _ := f.logs.since(first)
	return o, lines
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// begin tells the log and the hook that a function is about to get c.
func (s *Service) begin(f *function, c *call, number int, accessKey string) {
	f.logs.add("START RequestId: " + c.requestID + " Version: $LATEST")
	if s.options.OnInvoke != nil {
		s.options.OnInvoke(Invocation{f.Name, number, c.requestID, accessKey, c.payload})
	}
}

// environment returns a process that waits for work: a warm one, or a new one
// with how long it took to start. Without one, the outcome says why.
func (s *Service) environment(f *function, c *call) (*environment, time.Duration, outcome) {
	for {
		s.mu.Lock()
		var e *environment
		if n := len(f.warm); n > 0 {
			e, f.warm = f.warm[n-1], f.warm[:n-1]
		}
		s.mu.Unlock()
		if e == nil {
			break
		}
		select {
		case <-e.exited: // it died while it was idle
		default:
			return e, 0, outcome{}
		}
	}
	began := time.Now()
	e, err := s.start(f)
	if err != nil {
		return nil, 0, outcome{failure("Runtime.InvalidEntrypoint", fmt.Sprintf("RequestId: %s Error: fork/exec bootstrap: no such program", c.requestID)), unhandled}
	}
	timer := time.NewTimer(s.options.InitTimeout)
	defer timer.Stop()
	select {
	case <-e.ready:
		took := time.Since(began)
		s.mu.Lock()
		f.stats.ColdStarts++
		f.stats.Starts = append(f.stats.Starts, took)
		s.mu.Unlock()
		return e, took, outcome{}
	case o := <-e.results: // init/error
		e.end()
		return nil, time.Since(began), o
	case <-e.exited:
		return nil, time.Since(began), e.exitError(c)
	case <-timer.C:
		e.end()
		return nil, time.Since(began), timedOut(c, s.options.InitTimeout)
	}
}

func timedOut(c *call, after time.Duration) outcome {
	return outcome{failure("Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", c.requestID, after.Seconds())), unhandled}
}

// exitError is the outcome of a process that ended without one.
func (e *environment) exitError(c *call) outcome {
	select {
	case o := <-e.results: // it answered first
		return o
	default:
		return outcome{failure("Runtime.ExitError", fmt.Sprintf("RequestId: %s Error: %s", c.requestID, e.died())), unhandled}
	}
}

// runThere has a process carry c out, and keeps it warm if it asks for more.
func (s *Service) runThere(e *environment, c *call, number int) (outcome, time.Duration) {
	f := e.function
	e.mu.Lock()
	e.current = c
	e.mu.Unlock()
	s.begin(f, c, number, e.accessKey)
	began := time.Now()
	c.deadline = began.Add(f.Timeout)
	timer := time.NewTimer(f.Timeout)
	defer timer.Stop()
	var o outcome
	ok := false
	select {
	case e.calls <- c:
		select {
		case o = <-e.results:
			ok = true
		case <-e.exited:
			o = e.exitError(c)
		case <-timer.C:
			o = timedOut(c, f.Timeout)
		}
	case <-e.exited:
		o = e.exitError(c)
	case <-timer.C:
		o = timedOut(c, f.Timeout)
	}
	took := time.Since(began)
	// It is done with this one when it asks for the next.
	if ok {
		select {
		case <-e.ready:
		case <-e.exited:
			return o, took
		case <-timer.C:
			ok = false
		}
	}
	if !ok {
		e.end()
		return o, took
	}
	e.out.flush()
	s.keep(e)
	return o, took
}

// keep puts e among the warm, unless its function has gone meanwhile.
func (s *Service) keep(e *environment) {
	s.mu.Lock()
	f := e.function
	stays := !s.closed && s.functions[f.Name] == f && s.alive[e]
	if stays {
		f.warm = append(f.warm, e)
	}
	s.mu.Unlock()
	if !stays {
		e.end()
	}
}

// runHere carries c out with a Go function.
func (s *Service) runHere(ctx context.Context, f *function, c *call, number int) (outcome, time.Duration) {
	killed, kill := context.WithCancel(ctx)
	defer kill()
	s.mu.Lock()
	s.here[c.requestID] = goCall{f.Name, kill}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.here, c.requestID)
		s.mu.Unlock()
	}()
	s.begin(f, c, number, "")
	began := time.Now()
	c.deadline = began.Add(f.Timeout)
	ctx, cancel := context.WithDeadline(killed, c.deadline)
	defer cancel()
	done := make(chan outcome, 1)
	go func() {
		done <- handle(lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: c.requestID, InvokedFunctionArn: c.arn}), f, c.payload)
	}()
	select {
	case o := <-done:
		return o, time.Since(began)
	case <-ctx.Done():
	}
	if killed.Err() != nil {
		return outcome{failure("Runtime.ExitError", "RequestId: "+c.requestID+" Error: Runtime exited with error: signal: killed"), unhandled}, time.Since(began)
	}
	return timedOut(c, f.Timeout), time.Since(began)
}

// handle calls the Go function as aws-lambda-go does.
func handle(ctx context.Context, f *function, payload []byte) (o outcome) {
	defer func() {
		if p := recover(); p != nil {
			o = outcome{failure(reflect.TypeOf(p).Name(), fmt.Sprint(p)), unhandled}
		}
	}()
	result, err := f.Handler(ctx, payload)
	if err == nil {
		return outcome{result: result}
	}
	if typed, ok := err.(messages.InvokeResponse_Error); ok { //nolint:errorlint // as aws-lambda-go asks
		return outcome{failure(typed.Type, typed.Message), unhandled}
	}
	kind := reflect.TypeOf(err)
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	return outcome{failure(kind.Name(), err.Error()), unhandled}
}

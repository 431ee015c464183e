package lambda

import (
	"context"
	"errors"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// retries is how long a failed event waits before it is tried again.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
func retries() []time.Duration { return []time.Duration{time.Minute, 2 * time.Minute} }

// maxAge is how long an event that is throttled is kept.
const maxAge = 6 * time.Hour

// event is an asynchronous invocation.
type event struct {
	function string
	payload  []byte
	queued   time.Time
	failed   int           // times
	pause    time.Duration // before the next try after a throttle
}

// InvokeAsync queues an event for a function and returns; ctx does not end it.
// A failed one is tried twice more, one that is throttled for six hours, all on
// the movable clock; then [Options].OnDropped gets it.
func (s *Service) InvokeAsync(ctx context.Context, function string, payload []byte) error {
	_, arn, err := s.resolve(function, "")
	if err != nil {
		return err
	}
	detached := context.WithoutCancel(ctx)
	go s.deliver(detached, event{arn, payload, s.options.Clock.Now(), 0, time.Second})
	return nil
}

func (s *Service) deliver(ctx context.Context, e event) {
	_, functionError, err := s.Invoke(ctx, e.function, e.payload)
	wait := time.Duration(0)
	switch {
	case errors.Is(err, errClosed), err == nil && functionError == "":
		return
	case err == nil && e.failed < len(retries()):
		wait = retries()[e.failed]
		e.failed++
	case err != nil && wire.AsError(err).Code == "TooManyRequestsException":
		wait = e.pause
		e.pause = min(2*e.pause, 5*time.Minute)
	}
	if wait == 0 || s.options.Clock.Now().Add(wait).Sub(e.queued) > maxAge {
		if s.options.OnDropped != nil {
			s.options.OnDropped(e.function, e.payload)
		}
		return
	}
	s.options.Clock.After(wait, func() { s.deliver(ctx, e) })
}

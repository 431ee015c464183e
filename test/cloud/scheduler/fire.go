package scheduler

import (
	"strconv"
	"time"

	"github.com/keyturn/keyturn/test/cloud/sqs"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// delivery is one event on its way to its target.
type delivery struct {
	schedule *schedule
	payload  []byte
	queued   time.Time
	retries  int
	last     bool // of its schedule
}

// arm sets the alarm of a schedule that is due some time. s.mu is held.
func (s *Service) arm(x *schedule) {
	if s.closed || x.due.IsZero() {
		return
	}
	x.cancel = s.options.Clock.At(x.due, func() { s.fire(x) })
}

// fire makes an event of a schedule that is due, unless it was replaced or
// deleted while its alarm was on the way.
func (s *Service) fire(x *schedule) {
	s.mu.Lock()
	if s.closed || s.schedules[x.key] != x {
		s.mu.Unlock()
		return
	}
	now := s.options.Clock.Now()
	x.due, x.cancel = x.plan.next(x.due, now), nil
	s.arm(x)
	d := &delivery{schedule: x, payload: []byte("{}"), queued: now, last: x.due.IsZero()}
	s.mu.Unlock()
	if in := x.definition.Target.Input; in != nil {
		d.payload = []byte(*in)
	}
	s.deliver(d)
}

// deliver invokes the target; if that fails it tries again later, as the
// schedule's retry policy allows.
func (s *Service) deliver(d *delivery) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.running.Add(1)
	s.mu.Unlock()
	defer s.running.Done()

	t := d.schedule.definition.Target
	err := s.options.Functions.InvokeAsync(s.life, t.Arn, d.payload)
	if err == nil {
		s.finish(d)
		return
	}
	wait := time.Minute << min(d.retries, 3)
	var condition string
	switch late := s.options.Clock.Now().Add(wait).Sub(d.queued); {
	case d.retries >= *t.RetryPolicy.MaximumRetryAttempts:
		condition = "MaximumRetryAttempts"
	case late > time.Duration(*t.RetryPolicy.MaximumEventAgeInSeconds)*time.Second:
		condition = "MaximumEventAgeInSeconds"
	default:
		d.retries++
		s.options.Clock.After(wait, func() { s.deliver(d) })
		return
	}
	if t.DeadLetterConfig != nil && s.options.Queues != nil {
		s.bury(d, condition, err)
	}
	s.finish(d)
}

// bury sends an event that was given up to its schedule's dead-letter queue.
//
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
func (s *Service) bury(d *delivery, condition string, err error) {
	t := d.schedule.definition.Target
	attributes := map[string]sqs.Attribute{}
	for name, value := range map[string]string{
		"ERROR_CODE": wire.AsError(err).Code, "ERROR_MESSAGE": wire.AsError(err).Message,
		"EXHAUSTED_RETRY_CONDITION": condition, "RETRY_ATTEMPTS": strconv.Itoa(d.retries),
		"SCHEDULE_ARN": d.schedule.arn(), "TARGET_ARN": t.Arn,
	} {
		attributes[name] = sqs.Attribute{DataType: "String", StringValue: value}
	}
	_, _ = s.options.Queues.Send(t.DeadLetterConfig.Arn, "scheduler.amazonaws.com", string(d.payload), attributes) // lost, as documented above
}

// finish deletes a schedule whose last event is done, if it says so.
//
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-delete.html
func (s *Service) finish(d *delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := d.schedule
	if d.last && x.definition.ActionAfterCompletion == "DELETE" && s.schedules[x.key] == x {
		s.remove(x)
	}
}

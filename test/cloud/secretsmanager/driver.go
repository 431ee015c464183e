package secretsmanager

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// job is one rotation, or one test of a rotation, under way.
type job struct {
	token  string
	secret string // RotationToken: sensitive
	test   bool
	ended  bool          // canceled or abandoned; Service.mu guards it
	stop   chan struct{} // closed with ended
	done   chan struct{} // closed when nothing of it runs any more
}

// end stops the job after the step under way; false if it had ended before.
func (j *job) end() bool {
	if j.ended {
		return false
	}
	j.ended = true
	close(j.stop)
	return true
}

// abandon ends the rotation because a version became current by hand.
func (s *Service) abandon(sec *secret) {
	if sec.job.end() && !sec.job.test {
		s.tell(sec, sec.job, "RotationAbandoned", "")
	}
}

func (s *Service) tell(sec *secret, j *job, name, message string) {
	s.opt.Sink.ServiceEvent(ServiceEvent{
		Name: name, ARN: sec.arn, SecretName: sec.name, Token: j.token,
		RequestID: "Rotation-" + sec.arn + "-" + j.token, ErrorMessage: message,
	})
}

// start registers the token as a version without a value and begins to drive
// it through the steps. s.mu is held.
func (s *Service) start(sec *secret, token string, test bool) {
	v := sec.version(token)
	if v == nil {
		v = s.addVersion(sec, token)
	}
	s.attach(sec, v, pending)
	if now := sec.holder(current); test && now != nil {
		v.text, v.binary = now.text, now.binary
	}
	j := &job{token: token, secret: s.newRotationToken(), test: test, stop: make(chan struct{}), done: make(chan struct{})}
	sec.job = j
	if s.running == 0 {
		s.idle = make(chan struct{})
	}
	s.running++
	if test {
		s.tell(sec, j, "TestRotationStarted", "")
	} else {
		s.tell(sec, j, "RotationStarted", "")
	}
	function := sec.rotation.function
	go s.drive(sec, j, function)
}

var errEnded = errors.New("the rotation has ended")

func (s *Service) drive(sec *secret, j *job, function string) {
	err := s.attempts(sec, j, function)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(sec, j, err)
	if sec.job == j {
		sec.job = nil
	}
	close(j.done)
	s.running--
	if s.running == 0 {
		close(s.idle)
	}
}

// attempts tries the whole rotation, from createSecret, until it succeeds or
// the attempts are used up.
func (s *Service) attempts(sec *secret, j *job, function string) error {
	delay := s.opt.RetryDelay
	for n := 1; ; n++ {
		err := s.attempt(sec, j, function)
		if err == nil || errors.Is(err, errEnded) || n >= s.opt.Attempts {
			return err
		}
		if !s.pause(j, delay) {
			return errEnded
		}
		delay *= 2
	}
}

// pause waits on the movable clock; false if the job ended meanwhile.
func (s *Service) pause(j *job, d time.Duration) bool {
	over := make(chan struct{})
	cancel := s.opt.Clock.After(d, func() { close(over) })
	defer cancel()
	select {
	case <-over:
		return true
	case <-j.stop:
		return false
	case <-s.life.Done():
		return false
	}
}

func (s *Service) attempt(sec *secret, j *job, function string) error {
	steps := []string{"createSecret", "setSecret", "testSecret", "finishSecret"}
	if j.test {
		steps = []string{"testSecret"}
	}
	for _, step := range steps {
		if s.over(j) {
			return errEnded
		}
		if err := s.invoke(sec, j, function, step); err != nil {
			return err
		}
	}
	if s.over(j) {
		return errEnded
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := sec.version(j.token); !j.test && (v == nil || !v.has(current)) {
		return errors.New("the version was not made current in finishSecret step")
	}
	return nil
}

func (s *Service) over(j *job) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return j.ended || s.life.Err() != nil
}

// invoke runs one step. Its error is what CloudTrail shows: it names the step
// and never what the function said.
func (s *Service) invoke(sec *secret, j *job, function, step string) error {
	payload, err := json.Marshal(map[string]string{
		"Step": step, "SecretId": sec.arn, "ClientRequestToken": j.token, "RotationToken": j.secret,
	})
	if err != nil {
		return fmt.Errorf("encode the event: %w", err)
	}
	_, functionError, err := s.opt.Invoker.Invoke(s.life, function, payload)
	if err != nil || functionError != "" {
		return fmt.Errorf("Error when executing lambda %s during %s step", function, step) //nolint:staticcheck // AWS's text
	}
	return nil
}

// settle does what Secrets Manager does when a rotation is over. s.mu is held.
func (s *Service) settle(sec *secret, j *job, err error) {
	if j.ended || errors.Is(err, errEnded) {
		if j.test {
			s.dropTest(sec, j)
		}
		return
	}
	name, message := "RotationSucceeded", ""
	if err != nil {
		name, message = "RotationFailed", err.Error()
	}
	switch {
	case j.test:
		name = "Test" + name
		s.dropTest(sec, j)
	case err == nil:
		s.write(sec)
		if v := sec.version(j.token); v != nil {
			v.drop(pending)
		}
		sec.rotation.rotated = s.now()
		sec.rotation.days = s.everyDays(sec)
		s.prune(sec)
	}
	s.tell(sec, j, name, message)
	s.reschedule(sec)
}

// dropTest removes the throw-away version of a test, unless the function put
// labels on it.
func (s *Service) dropTest(sec *secret, j *job) {
	v := sec.version(j.token)
	if v == nil {
		return
	}
	s.write(sec)
	v.drop(pending)
	if len(v.labels) == 0 {
		sec.versions = slices.DeleteFunc(sec.versions, func(o *version) bool { return o == v })
	}
}

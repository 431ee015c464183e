package scheduler

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// schedule is one version of a schedule; an update replaces it. Only due and
// cancel change, under the Service's mutex.
type schedule struct {
	key

	definition        definition
	plan              plan
	created, modified time.Time
	due               time.Time   // zero: it does not fire again
	cancel            func() bool // of its alarm; nil: none
}

func (x *schedule) arn() string {
	return "arn:aws:scheduler:" + wire.Region + ":" + wire.Account + ":schedule/" + x.group + "/" + x.name
}

func (x *schedule) disarm() {
	if x.cancel != nil {
		x.cancel()
		x.cancel = nil
	}
}

type putInput struct {
	definition

	ClientToken string
	GroupName   string
}

type putOutput struct{ ScheduleArn string }

// prepare returns the schedule that c asks for, its group not yet looked up.
func (s *Service) prepare(c *wire.Call, in *putInput) (*schedule, error) {
	_, name := route(c.HTTP)
	x := &schedule{key: key{groupOf(in.GroupName), name}, definition: in.definition}
	if err := checkName("name", name); err != nil {
		return nil, err
	}
	if err := checkName("groupName", x.group); err != nil {
		return nil, err
	}
	var err error
	if x.plan, err = x.definition.complete(c); err != nil {
		return nil, err
	}
	x.created, x.modified = c.Now, c.Now
	return x, nil
}

func (s *Service) createSchedule(_ context.Context, c *wire.Call, in *putInput) (*putOutput, error) {
	x, err := s.prepare(c, in)
	if err != nil {
		return nil, err
	}
	arn, err := s.once(c, in.ClientToken, func() (string, error) {
		if s.groups[x.group] == nil {
			return "", notFound("Schedule group " + x.group + " does not exist.")
		}
		if s.schedules[x.key] != nil {
			return "", conflict("Schedule " + x.name + " already exists.")
		}
		s.put(x)
		return x.arn(), nil
	})
	if err != nil {
		return nil, err
	}
	return &putOutput{arn}, nil
}

func (s *Service) updateSchedule(_ context.Context, c *wire.Call, in *putInput) (*putOutput, error) {
	x, err := s.prepare(c, in)
	if err != nil {
		return nil, err
	}
	arn, err := s.once(c, in.ClientToken, func() (string, error) {
		old, err := s.find(x.key)
		if err != nil {
			return "", err
		}
		old.disarm()
		x.created = old.created
		s.put(x)
		return x.arn(), nil
	})
	if err != nil {
		return nil, err
	}
	return &putOutput{arn}, nil
}

// put adds or replaces a schedule and sets its alarm. s.mu is held.
func (s *Service) put(x *schedule) {
	s.schedules[x.key] = x
	if x.definition.State == "ENABLED" {
		x.due = x.plan.first(x.modified)
		s.arm(x)
	}
}

// find returns a schedule. s.mu is held.
func (s *Service) find(k key) (*schedule, error) {
	x := s.schedules[k]
	if x == nil {
		return nil, notFound("Schedule " + k.name + " does not exist.")
	}
	return x, nil
}

// named returns the key of the schedule that a request without a body means.
func named(c *wire.Call) key {
	_, name := route(c.HTTP)
	return key{groupOf(c.HTTP.URL.Query().Get("groupName")), name}
}

type none struct{}

type getOutput struct {
	definition

	Arn, Name, GroupName               string
	CreationDate, LastModificationDate epoch
}

func (s *Service) getSchedule(_ context.Context, c *wire.Call, _ *none) (*getOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.find(named(c))
	if err != nil {
		return nil, err
	}
	return &getOutput{
		definition: x.definition, Arn: x.arn(), Name: x.name, GroupName: x.group,
		CreationDate: toEpoch(x.created), LastModificationDate: toEpoch(x.modified),
	}, nil
}

func (s *Service) deleteSchedule(_ context.Context, c *wire.Call, _ *none) (*none, error) {
	_, err := s.once(c, c.HTTP.URL.Query().Get("clientToken"), func() (string, error) {
		x, err := s.find(named(c))
		if err != nil {
			return "", err
		}
		s.remove(x)
		return x.arn(), nil
	})
	return &none{}, err
}

// remove deletes a schedule. s.mu is held.
func (s *Service) remove(x *schedule) {
	x.disarm()
	delete(s.schedules, x.key)
}

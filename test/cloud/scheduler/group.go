package scheduler

import (
	"cmp"
	"context"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// defaultGroup is always there.
const defaultGroup = "default"

func groupOf(name string) string { return cmp.Or(name, defaultGroup) }

type group struct {
	name    string
	created time.Time
}

func (g *group) arn() string {
	return "arn:aws:scheduler:" + wire.Region + ":" + wire.Account + ":schedule-group/" + g.name
}

type groupOutput struct {
	Arn, Name, State                   string
	CreationDate, LastModificationDate epoch
}

func (g *group) describe() *groupOutput {
	return &groupOutput{g.arn(), g.name, "ACTIVE", toEpoch(g.created), toEpoch(g.created)}
}

type createGroupInput struct{ ClientToken string }

type createGroupOutput struct{ ScheduleGroupArn string }

func (s *Service) createGroup(_ context.Context, c *wire.Call, in *createGroupInput) (*createGroupOutput, error) {
	_, name := route(c.HTTP)
	if err := checkName("name", name); err != nil {
		return nil, err
	}
	arn, err := s.once(c, in.ClientToken, func() (string, error) {
		if s.groups[name] != nil {
			return "", conflict("Schedule group " + name + " already exists.")
		}
		g := &group{name, c.Now}
		s.groups[name] = g
		return g.arn(), nil
	})
	if err != nil {
		return nil, err
	}
	return &createGroupOutput{arn}, nil
}

// findGroup returns a group. s.mu is held.
func (s *Service) findGroup(name string) (*group, error) {
	g := s.groups[name]
	if g == nil {
		return nil, notFound("Schedule group " + name + " does not exist.")
	}
	return g, nil
}

func (s *Service) getGroup(_ context.Context, c *wire.Call, _ *none) (*groupOutput, error) {
	_, name := route(c.HTTP)
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.findGroup(name)
	if err != nil {
		return nil, err
	}
	return g.describe(), nil
}

// deleteGroup also deletes the schedules in it, as documented.
func (s *Service) deleteGroup(_ context.Context, c *wire.Call, _ *none) (*none, error) {
	_, name := route(c.HTTP)
	if name == defaultGroup {
		return nil, invalid("The default schedule group cannot be deleted.")
	}
	_, err := s.once(c, c.HTTP.URL.Query().Get("clientToken"), func() (string, error) {
		g, err := s.findGroup(name)
		if err != nil {
			return "", err
		}
		for k, x := range s.schedules {
			if k.group == name {
				s.remove(x)
			}
		}
		delete(s.groups, name)
		return g.arn(), nil
	})
	return &none{}, err
}

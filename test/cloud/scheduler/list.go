package scheduler

import (
	"context"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// page returns the part of all, which is sorted by id, that q asks for, and the
// token of the next part, "" for none.
func page[T any](all []T, id func(T) string, q url.Values) (part []T, next string, err error) {
	limit := 100
	if text := q.Get("MaxResults"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 100 {
			return nil, "", constraint("maxResults", text, "Member must be between 1 and 100")
		}
	}
	after, err := base64.URLEncoding.DecodeString(q.Get("NextToken"))
	if err != nil {
		return nil, "", invalid("Invalid NextToken.")
	}
	if from := slices.IndexFunc(all, func(t T) bool { return id(t) > string(after) }); from >= 0 {
		part = all[from:]
	}
	if len(part) > limit {
		part = part[:limit]
		next = base64.URLEncoding.EncodeToString([]byte(id(part[limit-1])))
	}
	return part, next, nil
}

type listGroupsOutput struct {
	ScheduleGroups []*groupOutput
	NextToken      string `json:",omitempty"`
}

func (s *Service) listGroups(_ context.Context, c *wire.Call, _ *none) (*listGroupsOutput, error) {
	q := c.HTTP.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []*groupOutput{}
	for name, g := range s.groups {
		if strings.HasPrefix(name, q.Get("NamePrefix")) {
			all = append(all, g.describe())
		}
	}
	id := func(g *groupOutput) string { return g.Name }
	slices.SortFunc(all, func(a, b *groupOutput) int { return strings.Compare(id(a), id(b)) })
	part, next, err := page(all, id, q)
	if err != nil {
		return nil, err
	}
	return &listGroupsOutput{part, next}, nil
}

type summary struct {
	Arn, GroupName, Name, State        string
	CreationDate, LastModificationDate epoch
	Target                             struct{ Arn string }
}

type listSchedulesOutput struct {
	Schedules []summary
	NextToken string `json:",omitempty"`
}

func (s *Service) listSchedules(_ context.Context, c *wire.Call, _ *none) (*listSchedulesOutput, error) {
	q := c.HTTP.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	in := q.Get("ScheduleGroup")
	if in != "" {
		if _, err := s.findGroup(in); err != nil {
			return nil, err
		}
	}
	all := []summary{}
	for k, x := range s.schedules {
		state := x.definition.State
		if in != "" && in != k.group || !strings.HasPrefix(k.name, q.Get("NamePrefix")) || q.Has("State") && q.Get("State") != state {
			continue
		}
		all = append(all, summary{
			x.arn(), k.group, k.name, state, toEpoch(x.created), toEpoch(x.modified), struct{ Arn string }{x.definition.Target.Arn},
		})
	}
	id := func(x summary) string { return x.Arn }
	slices.SortFunc(all, func(a, b summary) int { return strings.Compare(id(a), id(b)) })
	part, next, err := page(all, id, q)
	if err != nil {
		return nil, err
	}
	return &listSchedulesOutput{part, next}, nil
}

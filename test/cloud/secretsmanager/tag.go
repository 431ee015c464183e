package secretsmanager

import (
	"context"
	"slices"
	"strings"
)

type tag struct{ Key, Value string }

const maxTags = 50

func checkTags(tags []tag) error {
	if len(tags) > maxTags {
		return invalidParameter("A secret can have at most %d tags.", maxTags)
	}
	for _, t := range tags {
		if t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256 {
			return invalidParameter("A tag's key must have 1 to 128 characters and its value at most 256.")
		}
		if strings.HasPrefix(t.Key, "aws:") {
			return invalidParameter("Tag keys that start with aws: are reserved.")
		}
	}
	return nil
}

type tagInput struct {
	SecretID string `json:"SecretId"`
	Tags     []tag
}

func tagResource(_ context.Context, s *Service, in *tagInput) (any, error) {
	sec, err := s.get(in.SecretID)
	if err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	tags := slices.Clone(sec.tags)
	for _, t := range in.Tags {
		i := slices.IndexFunc(tags, func(o tag) bool { return o.Key == t.Key })
		if i < 0 {
			tags = append(tags, t)
		} else {
			tags[i] = t
		}
	}
	if len(tags) > maxTags {
		return nil, fail("LimitExceededException", "A secret can have at most %d tags.", maxTags)
	}
	s.write(sec)
	sec.tags = tags
	return nothing{}, nil
}

// nothing is the answer of operations whose output has no members: an empty body.
type nothing struct{}

type untagInput struct {
	SecretID string `json:"SecretId"`
	TagKeys  []string
}

func untagResource(_ context.Context, s *Service, in *untagInput) (any, error) {
	sec, err := s.get(in.SecretID)
	if err != nil {
		return nil, err
	}
	s.write(sec)
	sec.tags = slices.DeleteFunc(slices.Clone(sec.tags), func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) })
	return nothing{}, nil
}

package sns

import (
	"context"
	"encoding/xml"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

type topicARN struct {
	ARN string `xml:"TopicArn"`
}

type createTopicResult struct {
	XMLName xml.Name `xml:"CreateTopicResult"`
	topicARN
}

func (s *Service) createTopic(_ context.Context, _ time.Time, in form) (any, error) {
	if in.has("Attributes.") {
		return nil, invalid("Attributes: the local AWS has no topic attributes")
	}
	arn, err := s.Create(in.Get("Name"))
	if err != nil {
		return nil, err
	}
	return &createTopicResult{topicARN: topicARN{arn}}, nil
}

// has reports whether a parameter begins with prefix.
func (f form) has(prefix string) bool {
	for k := range f.Values {
		if strings.HasPrefix(k, prefix) {
			return true
		}
	}
	return false
}

// Create makes a topic as CreateTopic does: nothing happens if it exists. It
// returns the topic's ARN.
func (s *Service) Create(name string) (arn string, err error) {
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`).MatchString(name) {
		return "", invalid("Topic Name")
	}
	arn = ARN(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.topics[arn] == nil {
		s.topics[arn] = &topic{arn: arn}
	}
	return arn, nil
}

type listTopicsResult struct {
	XMLName   xml.Name   `xml:"ListTopicsResult"`
	Topics    []topicARN `xml:"Topics>member"`
	NextToken string     `xml:",omitempty"`
}

// pageSize is how many topics or subscriptions a list answers at once.
const pageSize = 100

func (s *Service) listTopics(_ context.Context, _ time.Time, in form) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arns, next, err := page(slices.Sorted(maps.Keys(s.topics)), in)
	out := &listTopicsResult{NextToken: next}
	for _, arn := range arns {
		out.Topics = append(out.Topics, topicARN{arn})
	}
	return out, err
}

// page returns what follows the request's NextToken, and the next one.
func page[T any](all []T, in form) (some []T, next string, err error) {
	start := 0
	if token := in.Get("NextToken"); token != "" {
		if start, err = strconv.Atoi(token); err != nil || start < 0 || start > len(all) {
			return nil, "", invalid("NextToken")
		}
	}
	end := min(start+pageSize, len(all))
	if end < len(all) {
		next = strconv.Itoa(end)
	}
	return all[start:end], next, nil
}

package sqs

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// limits are the numeric attributes of a queue with their default and range.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
func limits() map[string][3]int {
	return map[string][3]int{
		"DelaySeconds":                  {0, 0, 900},
		"MaximumMessageSize":            {1 << 20, 1 << 10, 1 << 20},
		"MessageRetentionPeriod":        {345600, 60, 1209600},
		"ReceiveMessageWaitTimeSeconds": {0, 0, 20},
		"VisibilityTimeout":             {30, 0, 43200},
		"KmsDataKeyReusePeriodSeconds":  {300, 60, 86400},
	}
}

// settings is what an operator sets on a queue.
type settings struct {
	text    map[string]string // as it was set
	redrive *redrive
}

type redrive struct {
	Target string      `json:"deadLetterTargetArn"`
	Max    json.Number `json:"maxReceiveCount"`
	max    int
}

// set checks and applies attributes.
func (t *settings) set(attributes map[string]string) error {
	known := limits()
	for name, value := range attributes {
		if limit, ok := known[name]; ok {
			n, err := strconv.Atoi(value)
			if err != nil || n < limit[1] || n > limit[2] {
				return &wire.Error{Code: "InvalidAttributeValue", Message: "Invalid value for the parameter " + name + "."}
			}
			continue
		}
		switch name {
		case "Policy", "KmsMasterKeyId", "SqsManagedSseEnabled", "RedriveAllowPolicy":
		case "RedrivePolicy":
			if err := t.setRedrive(value); err != nil {
				return err
			}
		default:
			return &wire.Error{Code: "InvalidAttributeName", Message: "Unknown Attribute " + name + "."}
		}
	}
	if t.text == nil {
		t.text = map[string]string{}
	}
	maps.Copy(t.text, attributes)
	return nil
}

func (t *settings) setRedrive(value string) error {
	if value == "" {
		t.redrive = nil
		return nil
	}
	bad := &wire.Error{Code: "InvalidParameterValue", Message: "Value " + value + " for parameter RedrivePolicy is invalid. Reason: Redrive policy is not a valid JSON map with a deadLetterTargetArn and a maxReceiveCount from 1 to 1000."}
	r := &redrive{}
	if json.Unmarshal([]byte(value), r) != nil || r.Target == "" {
		return bad
	}
	n, err := strconv.Atoi(r.Max.String())
	if err != nil || n < 1 || n > 1000 {
		return bad
	}
	r.max = n
	t.redrive = r
	return nil
}

func (t *settings) number(name string) int {
	if n, err := strconv.Atoi(t.text[name]); err == nil {
		return n
	}
	return limits()[name][0]
}

func (t *settings) seconds(name string) time.Duration {
	return time.Duration(t.number(name)) * time.Second
}

type createQueueInput struct {
	QueueName  string
	Attributes map[string]string
}

type queueURL struct{ QueueUrl string } //nolint:revive // the wire's name

func (s *Service) createQueue(_ context.Context, c *wire.Call, in *createQueueInput) (*queueURL, error) {
	if _, err := s.Create(in.QueueName, in.Attributes); err != nil {
		return nil, err
	}
	return &queueURL{address(c, in.QueueName)}, nil
}

// Create makes a queue as CreateQueue does: nothing happens if one of that name
// has the same attributes. It returns the queue's ARN.
func (s *Service) Create(name string, attributes map[string]string) (arn string, err error) {
	switch {
	case name == "":
		return "", missing("QueueName")
	case strings.HasSuffix(name, ".fifo") || attributes["FifoQueue"] != "":
		return "", &wire.Error{Code: "UnsupportedOperation", Message: "The local AWS has no FIFO queues."}
	case !regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`).MatchString(name):
		return "", invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	var t settings
	if err := t.set(attributes); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[name]; q != nil {
		q.mu.Lock()
		defer q.mu.Unlock()
		for k, v := range attributes {
			if q.settings.text[k] != v {
				return "", &wire.Error{Code: "QueueNameExists", Message: "A queue already exists with the same name and a different value for attribute " + k}
			}
		}
		return ARN(name), nil
	}
	now := s.clock.Now()
	s.queues[name] = &queue{name: name, clock: s.clock, settings: t, created: now, modified: now, changed: make(chan struct{})}
	return ARN(name), nil
}

func address(c *wire.Call, name string) string {
	scheme := "http"
	if c.HTTP.TLS != nil || c.HTTP.URL.Scheme == "https" {
		scheme = "https"
	}
	return scheme + "://" + c.HTTP.Host + "/" + wire.Account + "/" + name
}

type getQueueURLInput struct{ QueueName string }

func (s *Service) getQueueURL(_ context.Context, c *wire.Call, in *getQueueURLInput) (*queueURL, error) {
	q, err := s.find(in.QueueName)
	if err != nil {
		return nil, err
	}
	return &queueURL{address(c, q.name)}, nil
}

type listQueuesInput struct{ QueueNamePrefix string }

type listQueuesOutput struct {
	QueueUrls []string `json:",omitempty"`
}

func (s *Service) listQueues(_ context.Context, c *wire.Call, in *listQueuesInput) (*listQueuesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &listQueuesOutput{}
	for _, name := range slices.Sorted(maps.Keys(s.queues)) {
		if strings.HasPrefix(name, in.QueueNamePrefix) {
			out.QueueUrls = append(out.QueueUrls, address(c, name))
		}
	}
	return out, nil
}

type getQueueAttributesInput struct {
	QueueUrl       string //nolint:revive // the wire's name
	AttributeNames []string
}

type getQueueAttributesOutput struct {
	Attributes map[string]string `json:",omitempty"`
}

func (s *Service) getQueueAttributes(_ context.Context, _ *wire.Call, in *getQueueAttributesInput) (*getQueueAttributesOutput, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	all := q.attributes()
	out := &getQueueAttributesOutput{Attributes: map[string]string{}}
	for _, name := range in.AttributeNames {
		if name == "All" {
			out.Attributes = all
			break
		}
		if v, ok := all[name]; ok {
			out.Attributes[name] = v
		}
	}
	return out, nil
}

func (q *queue) attributes() map[string]string {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.clock.Now()
	q.expire(now)
	var visible, flying, delayed int
	for _, m := range q.live {
		switch {
		case !m.visible.After(now):
			visible++
		case m.Receives > 0:
			flying++
		default:
			delayed++
		}
	}
	out := map[string]string{
		"QueueArn":                              ARN(q.name),
		"CreatedTimestamp":                      strconv.FormatInt(q.created.Unix(), 10),
		"LastModifiedTimestamp":                 strconv.FormatInt(q.modified.Unix(), 10),
		"ApproximateNumberOfMessages":           strconv.Itoa(visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(flying),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(delayed),
		"SqsManagedSseEnabled":                  "true",
	}
	for _, name := range []string{"DelaySeconds", "MaximumMessageSize", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds", "VisibilityTimeout"} {
		out[name] = strconv.Itoa(q.settings.number(name))
	}
	for k, v := range q.settings.text {
		if v != "" {
			out[k] = v
		}
	}
	return out
}

type setQueueAttributesInput struct {
	QueueUrl   string //nolint:revive // the wire's name
	Attributes map[string]string
}

func (s *Service) setQueueAttributes(_ context.Context, c *wire.Call, in *setQueueAttributesInput) (*empty, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.modified = c.Now
	return &empty{}, q.settings.set(in.Attributes)
}

type queueInput struct{ QueueUrl string } //nolint:revive // the wire's name

func (s *Service) purgeQueue(_ context.Context, _ *wire.Call, in *queueInput) (*empty, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.live = nil
	return &empty{}, nil
}

func (s *Service) deleteQueue(_ context.Context, _ *wire.Call, in *queueInput) (*empty, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	delete(s.queues, q.name)
	s.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.live, q.mappings = nil, nil
	return &empty{}, nil
}

package sns

import (
	"context"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

type subscription struct {
	arn, topic, protocol, endpoint string
	token                          string // "" once it is confirmed
	filter                         filter
	attributes                     map[string]string
}

func (u *subscription) raw() bool { return u.attributes["RawMessageDelivery"] == "true" }

// set checks and applies one attribute.
func (u *subscription) set(name, value string) error {
	switch name {
	case "FilterPolicy":
		f, err := parseFilter(value)
		if err != nil {
			return invalid("FilterPolicy: " + err.Error())
		}
		u.filter = f
	case "FilterPolicyScope":
		if value != "MessageAttributes" {
			return invalid("FilterPolicyScope: the local AWS filters on MessageAttributes only")
		}
	case "RawMessageDelivery":
		if value != "true" && value != "false" {
			return invalid("Attributes Reason: RawMessageDelivery: Invalid value [" + value + "]. Must be true or false.")
		}
		if value == "true" && u.protocol == "lambda" || strings.HasPrefix(u.protocol, "email") {
			return invalid("Attributes Reason: RawMessageDelivery: is not supported for protocol [" + u.protocol + "]")
		}
	default:
		return invalid("AttributeName")
	}
	u.attributes[name] = value
	return nil
}

type subscribeResult struct {
	XMLName xml.Name `xml:"SubscribeResult"`
	ARN     string   `xml:"SubscriptionArn"`
}

func (s *Service) subscribe(_ context.Context, _ time.Time, in form) (any, error) {
	attributes := map[string]string{}
	for i := 1; ; i++ {
		entry := fmt.Sprintf("Attributes.entry.%d.", i)
		if !in.Has(entry + "key") {
			break
		}
		attributes[in.Get(entry+"key")] = in.Get(entry + "value")
	}
	arn, confirmed, err := s.Subscribe(in.Get("TopicArn"), in.Get("Protocol"), in.Get("Endpoint"), attributes)
	if err == nil && !confirmed && in.Get("ReturnSubscriptionArn") != "true" {
		arn = "pending confirmation"
	}
	return &subscribeResult{ARN: arn}, err
}

// Subscribe makes a subscription of a topic (a name or an ARN), as the
// operation does. The same protocol and endpoint again is the same
// subscription. Until it is confirmed, nothing is delivered.
func (s *Service) Subscribe(topicRef, protocol, endpoint string, attributes map[string]string) (arn string, confirmed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(topicRef)
	if err != nil {
		return "", false, err
	}
	if err := s.checkEndpoint(protocol, endpoint); err != nil {
		return "", false, err
	}
	for _, u := range t.subscriptions {
		if u.protocol == protocol && u.endpoint == endpoint {
			return u.arn, u.token == "", nil
		}
	}
	u := &subscription{
		arn: t.arn + ":" + uuid.NewString(), topic: t.arn, protocol: protocol, endpoint: endpoint, attributes: map[string]string{},
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if err := u.set(name, attributes[name]); err != nil {
			return "", false, err
		}
	}
	t.subscriptions = append(t.subscriptions, u)
	if protocol == "http" || protocol == "https" {
		u.token = strings.ReplaceAll(uuid.NewString()+uuid.NewString(), "-", "")
		copied := *u
		go s.askToConfirm(&copied)
	}
	return u.arn, u.token == "", nil
}

func (s *Service) checkEndpoint(protocol, endpoint string) error {
	if endpoint == "" {
		return invalid("Endpoint")
	}
	switch protocol {
	case "http", "https":
		u, err := url.Parse(endpoint)
		if err != nil || u.Scheme != protocol {
			return invalid("Endpoint must match the specified protocol")
		}
		if !loopback(u) {
			return invalid("Endpoint: the local AWS delivers to loopback only")
		}
	case "sqs":
		if s.options.Queues == nil || !strings.HasPrefix(endpoint, "arn:aws:sqs:") {
			return invalid("SQS endpoint ARN")
		}
	case "lambda":
		if s.options.Functions == nil || !strings.HasPrefix(endpoint, "arn:aws:lambda:") {
			return invalid("Lambda endpoint ARN")
		}
	case "email", "email-json":
		if !strings.Contains(endpoint, "@") {
			return invalid("Email address")
		}
	default:
		return invalid("Protocol: the local AWS has http, https, sqs, lambda, email and email-json")
	}
	return nil
}

type confirmSubscriptionResult struct {
	XMLName xml.Name `xml:"ConfirmSubscriptionResult"`
	ARN     string   `xml:"SubscriptionArn"`
}

func (s *Service) confirmSubscription(_ context.Context, _ time.Time, in form) (any, error) {
	arn, err := s.Confirm(in.Get("TopicArn"), in.Get("Token"))
	return &confirmSubscriptionResult{ARN: arn}, err
}

// Confirm confirms the subscription that the token was sent for.
func (s *Service) Confirm(topicRef, token string) (arn string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(topicRef)
	if err != nil {
		return "", err
	}
	for _, u := range t.subscriptions {
		if u.token != "" && u.token == token {
			u.token = ""
			return u.arn, nil
		}
	}
	return "", invalid("Token")
}

// subscription returns the one of that ARN. s.mu is held.
func (s *Service) subscription(arn string) (*topic, *subscription, error) {
	if i := strings.LastIndexByte(arn, ':'); i > 0 {
		if t := s.topics[arn[:i]]; t != nil {
			for _, u := range t.subscriptions {
				if u.arn == arn {
					return t, u, nil
				}
			}
		}
	}
	return nil, nil, &wire.Error{Code: "NotFound", Message: "Subscription does not exist", Status: http.StatusNotFound}
}

func (s *Service) unsubscribe(_ context.Context, _ time.Time, in form) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, u, err := s.subscription(in.Get("SubscriptionArn"))
	if err != nil {
		return nil, nil //nolint:nilnil // AWS succeeds for one that is gone; there is no result
	}
	t.subscriptions = slices.DeleteFunc(t.subscriptions, func(o *subscription) bool { return o == u })
	return nil, nil //nolint:nilnil // there is no result
}

type listedSubscription struct {
	TopicARN string `xml:"TopicArn"`
	Protocol string
	ARN      string `xml:"SubscriptionArn"`
	Owner    string
	Endpoint string
}

type listSubscriptionsByTopicResult struct {
	XMLName       xml.Name             `xml:"ListSubscriptionsByTopicResult"`
	Subscriptions []listedSubscription `xml:"Subscriptions>member"`
	NextToken     string               `xml:",omitempty"`
}

func (s *Service) listSubscriptionsByTopic(_ context.Context, _ time.Time, in form) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.Get("TopicArn"))
	if err != nil {
		return nil, err
	}
	some, next, err := page(t.subscriptions, in)
	out := &listSubscriptionsByTopicResult{NextToken: next}
	for _, u := range some {
		arn := u.arn
		if u.token != "" {
			arn = "PendingConfirmation"
		}
		out.Subscriptions = append(out.Subscriptions, listedSubscription{t.arn, u.protocol, arn, wire.Account, u.endpoint})
	}
	return out, err
}

func (s *Service) setSubscriptionAttributes(_ context.Context, _ time.Time, in form) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, u, err := s.subscription(in.Get("SubscriptionArn"))
	if err != nil {
		return nil, err
	}
	return nil, u.set(in.Get("AttributeName"), in.Get("AttributeValue"))
}

type attributeEntry struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

type getSubscriptionAttributesResult struct {
	XMLName    xml.Name         `xml:"GetSubscriptionAttributesResult"`
	Attributes []attributeEntry `xml:"Attributes>entry"`
}

func (s *Service) getSubscriptionAttributes(_ context.Context, _ time.Time, in form) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, u, err := s.subscription(in.Get("SubscriptionArn"))
	if err != nil {
		return nil, err
	}
	all := map[string]string{
		"SubscriptionArn": u.arn, "TopicArn": t.arn, "Protocol": u.protocol, "Endpoint": u.endpoint, "Owner": wire.Account,
		"PendingConfirmation": strconv.FormatBool(u.token != ""), "RawMessageDelivery": "false",
	}
	if u.filter != nil {
		all["FilterPolicyScope"] = "MessageAttributes"
	}
	maps.Copy(all, u.attributes)
	out := &getSubscriptionAttributesResult{}
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out.Attributes = append(out.Attributes, attributeEntry{k, all[k]})
	}
	return out, nil
}

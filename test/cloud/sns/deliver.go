package sns

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/test/cloud/sqs"
)

// Mail is one message in a mailbox.
type Mail struct {
	Address string
	Subject string
	Body    string // email-json: the envelope
	Time    time.Time
}

// Mailbox returns the mail that was delivered to an address, oldest first.
func (s *Service) Mailbox(address string) []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mail[address])
}

// retry is the default delivery policy of HTTP endpoints.
//
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
const (
	retries    = 3
	retryPause = 20 * time.Second
)

// signature stands where AWS signs.
const signature = "UNSIGNED-BY-THE-LOCAL-AWS"

// envelope is what subscribers get.
//
// https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html
type envelope struct {
	Type              string
	MessageID         string `json:"MessageId"`
	Token             string `json:",omitempty"`
	TopicARN          string `json:"TopicArn"`
	Subject           string `json:",omitempty"`
	Message           string
	SubscribeURL      string `json:",omitempty"`
	Timestamp         string
	SignatureVersion  string
	Signature         string
	SigningCertURL    string
	UnsubscribeURL    string               `json:",omitempty"`
	MessageAttributes map[string]Attribute `json:",omitempty"`
}

const timestamp = "2006-01-02T15:04:05.000Z"

// link is a request that confirms or ends a subscription.
func (s *Service) link(values url.Values) string {
	return s.options.Endpoint() + "/?" + values.Encode()
}

func (s *Service) envelope(m Message, u *subscription) envelope {
	return envelope{
		Type: "Notification", MessageID: m.ID, TopicARN: m.Topic, Subject: m.Subject, Message: m.For(u.protocol),
		Timestamp: m.Time.UTC().Format(timestamp), SignatureVersion: "1", Signature: signature,
		SigningCertURL:    s.options.Endpoint() + "/SimpleNotificationService.pem",
		UnsubscribeURL:    s.link(url.Values{"Action": {"Unsubscribe"}, "SubscriptionArn": {u.arn}}),
		MessageAttributes: m.Attributes,
	}
}

// deliver keeps m in the topic's inbox and sends it to whom it concerns.
func (s *Service) deliver(ctx context.Context, t *topic, m Message) {
	s.mu.Lock()
	t.inbox = append(t.inbox, m)
	var to []subscription
	for _, u := range t.subscriptions {
		if u.token == "" && u.filter.match(m.Attributes) {
			to = append(to, *u)
		}
	}
	s.mu.Unlock()
	for _, u := range to {
		s.send(ctx, &u, m)
	}
}

// send delivers to one subscriber. What cannot be delivered is dropped, as
// without a redrive policy.
func (s *Service) send(ctx context.Context, u *subscription, m Message) {
	e := s.envelope(m, u)
	body, err := json.Marshal(e)
	if err != nil {
		return
	}
	switch u.protocol {
	case "sqs":
		var attributes map[string]sqs.Attribute
		if u.raw() {
			body, attributes = []byte(e.Message), rawAttributes(m.Attributes)
		}
		_, _ = s.options.Queues.Send(u.endpoint, "AIDAISMY7JYY5F7RTT6AO", string(body), attributes) // the queue may be gone
	case "lambda":
		payload, err := lambdaEvent(e, u)
		if err == nil {
			_ = s.options.Functions.InvokeAsync(ctx, u.endpoint, payload) // the function may be gone
		}
	case "email":
		s.drop(Mail{u.endpoint, subject(m), e.Message, m.Time})
	case "email-json":
		s.drop(Mail{u.endpoint, subject(m), string(body), m.Time})
	default:
		if u.raw() {
			body = []byte(e.Message)
		}
		go s.post(u, e, body, retries)
	}
}

func subject(m Message) string {
	if m.Subject == "" {
		return "AWS Notification Message"
	}
	return m.Subject
}

func (s *Service) drop(m Mail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mail[m.Address] = append(s.mail[m.Address], m)
}

func rawAttributes(in map[string]Attribute) map[string]sqs.Attribute {
	out := map[string]sqs.Attribute{}
	for name, a := range in {
		if b, err := base64.StdEncoding.DecodeString(a.Value); a.Type == "Binary" && err == nil {
			out[name] = sqs.Attribute{DataType: a.Type, BinaryValue: b}
		} else {
			out[name] = sqs.Attribute{DataType: a.Type, StringValue: a.Value}
		}
	}
	return out
}

// lambdaEvent is the envelope as functions get it; some names differ.
//
// https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
func lambdaEvent(e envelope, u *subscription) ([]byte, error) {
	var subject *string
	if e.Subject != "" {
		subject = &e.Subject
	}
	attributes := e.MessageAttributes
	if attributes == nil {
		attributes = map[string]Attribute{}
	}
	return json.Marshal(map[string]any{"Records": []any{map[string]any{
		"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": u.arn,
		"Sns": map[string]any{
			"Type": e.Type, "MessageId": e.MessageID, "TopicArn": e.TopicARN, "Subject": subject, "Message": e.Message,
			"Timestamp": e.Timestamp, "SignatureVersion": e.SignatureVersion, "Signature": e.Signature,
			"SigningCertUrl": e.SigningCertURL, "UnsubscribeUrl": e.UnsubscribeURL, "MessageAttributes": attributes,
		},
	}}})
}

// askToConfirm sends the token of a new subscription to its endpoint.
func (s *Service) askToConfirm(u *subscription) {
	e := envelope{
		Type: "SubscriptionConfirmation", MessageID: uuid.NewString(), Token: u.token, TopicARN: u.topic,
		Message:      "You have chosen to subscribe to the topic " + u.topic + ".\nTo confirm the subscription, visit the SubscribeURL included in this message.",
		SubscribeURL: s.link(url.Values{"Action": {"ConfirmSubscription"}, "TopicArn": {u.topic}, "Token": {u.token}}),
		Timestamp:    s.options.Clock.Now().Format(timestamp), SignatureVersion: "1", Signature: signature,
		SigningCertURL: s.options.Endpoint() + "/SimpleNotificationService.pem",
	}
	body, err := json.Marshal(e)
	if err != nil {
		return
	}
	s.post(u, e, body, retries)
}

// post delivers over HTTP; a failed delivery is tried left more times.
func (s *Service) post(u *subscription, e envelope, body []byte, left int) {
	if s.life.Err() != nil {
		return
	}
	if s.postOnce(u, e, body) == nil || left == 0 {
		return
	}
	s.options.Clock.After(retryPause, func() { s.post(u, e, body, left-1) })
}

func (s *Service) postOnce(u *subscription, e envelope, body []byte) error {
	r, err := http.NewRequestWithContext(s.life, http.MethodPost, u.endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	h := r.Header
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	h.Set("User-Agent", "Amazon Simple Notification Service Agent")
	h.Set("X-Amz-Sns-Message-Type", e.Type)
	h.Set("X-Amz-Sns-Message-Id", e.MessageID)
	h.Set("X-Amz-Sns-Topic-Arn", e.TopicARN)
	if e.Type == "Notification" {
		h.Set("X-Amz-Sns-Subscription-Arn", u.arn)
	}
	if u.raw() && e.Type == "Notification" {
		h.Set("X-Amz-Sns-Rawdelivery", "true")
	}
	answer, err := s.options.Client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()                      // only read from
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // what it says does not matter
	if answer.StatusCode >= 300 {
		return fmt.Errorf("deliver to an HTTP endpoint: status %d", answer.StatusCode)
	}
	return nil
}

// Package sns publishes notifications to one SNS topic: as text for e-mail, as
// JSON for machines.
package sns

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/notify"
)

// maxSize is what SNS takes, in bytes, less what the attributes need.
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
const maxSize = 256<<10 - 8<<10

// API is what a Topic needs of the SDK's client.
type API interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

// Topic is one SNS topic. It implements [notify.Notifier] and is safe for
// concurrent use.
type Topic struct {
	api API
	arn string
}

// New returns the topic with this ARN.
func New(client API, topicARN string) *Topic { return &Topic{client, topicARN} }

// Open is [New] with a client for cfg.
func Open(cfg aws.Config, topicARN string) *Topic { return New(sns.NewFromConfig(cfg), topicARN) }

// Error says that a message may not have been accepted. It holds AWS's code, ""
// if there was no answer, and not AWS's text.
type Error struct{ Code string }

func (e *Error) Error() string {
	if e.Code == "" {
		return "Publish to the notification topic: no answer"
	}
	return "Publish to the notification topic: not accepted (" + e.Code + ")"
}

// Notify implements [notify.Notifier]. The attributes kind, severity, vendor,
// key (the secret's name) and owner are for filter policies, and id is the same
// for the same news. A message that is too long loses the ends of its texts.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
func (t *Topic) Notify(ctx context.Context, m notify.Message) error {
	body, err := fit(m)
	if err != nil {
		return &Error{Code: "NotJSON"}
	}
	attributes := map[string]types.MessageAttributeValue{}
	for name, v := range map[string]string{
		"kind": string(m.Kind), "severity": string(m.Severity), "vendor": m.Vendor, "key": m.Secret, "owner": m.Owner, "id": m.ID,
	} {
		if v = clip(v, 512); v != "" { // SNS refuses an empty one
			attributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(v)}
		}
	}
	_, err = t.api.Publish(ctx, &sns.PublishInput{
		TopicArn: &t.arn, Subject: aws.String(notify.Subject(m)), Message: aws.String(string(body)),
		MessageStructure: aws.String("json"), MessageAttributes: attributes,
	})
	if err != nil {
		return &Error{Code: awserror.Code(err)}
	}
	return nil
}

// fit renders m for all protocols, shorter and shorter until SNS takes it.
func fit(m notify.Message) ([]byte, error) {
	body, err := protocols(m)
	for most := 1024; err == nil && len(body) > maxSize && most > 16; most /= 2 {
		body, err = protocols(shorten(m, most))
	}
	return body, err
}

// protocols is the message per protocol; those that are not named get default.
func protocols(m notify.Message) ([]byte, error) {
	machine, err := notify.JSON(m)
	if err != nil {
		return nil, err
	}
	text, js := notify.Text(m), string(machine)
	return json.Marshal(map[string]string{
		"default": text, "email": text,
		"sqs": js, "lambda": js, "http": js, "https": js,
	})
}

// shorten keeps the first few of everything, and of each text what fits.
func shorten(m notify.Message, most int) notify.Message {
	m.Summary = clip(m.Summary, most)
	m.Known, m.Next = clipAll(m.Known, most), clipAll(m.Next, most)
	m.Secret, m.Vendor, m.Owner, m.ID = clip(m.Secret, 512), clip(m.Vendor, most), clip(m.Owner, most), clip(m.ID, most)
	m.Step, m.ErrorType = clip(m.Step, most), clip(m.ErrorType, most)
	detail := map[string]string{}
	for name, v := range m.Detail {
		if len(detail) < few {
			detail[clip(name, 64)] = clip(v, most)
		}
	}
	m.Detail = detail
	return m
}

const few = 16

func clipAll(in []string, most int) []string {
	out := make([]string, 0, few)
	for _, s := range in[:min(len(in), few)] {
		out = append(out, clip(s, most))
	}
	return out
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := 0
	for i := range s { // never in the middle of a character
		if i > most-3 {
			break
		}
		end = i
	}
	return s[:end] + "..."
}

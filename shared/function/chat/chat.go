// Package chat is the chat function: it turns what the notifications' topics say
// into what Amazon Q Developer shows in a channel, see package chat of
// shared/notify. Every channel has a topic of its own, and an alias of the
// function, whose subscriptions have the channel's filters.
package chat

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/metric"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/notify/chat"
)

// Name is the function's name in logs and metrics.
const Name = "chat"

// Needs returns the variables that the function cannot do without. It knows no key,
// and gets nothing that is secret.
func Needs() []boot.Variable { return []boot.Variable{boot.NoKeys} }

// Open implements [boot.Open]. It calls nothing.
func Open(_ context.Context, e *boot.Env) (boot.Handler, error) {
	f := &function{topics: sns.NewFromConfig(e.AWS), log: e.Log}
	return f.handle, nil
}

type function struct {
	topics *sns.Client
	log    *slog.Logger
}

// event is what Lambda gets of SNS.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
type event struct {
	Records []struct {
		EventSource string
		Sns         struct{ MessageId, Subject, Message string } //nolint:revive // SNS's name
	}
}

// handle passes each message on to the channel's topic. A failure is the whole
// event's: Lambda tries again, and the notification has the same id then.
func (f *function) handle(ctx context.Context, raw json.RawMessage) (any, error) {
	metric.From(ctx).Label(metric.Labels{Step: Name})
	to, ok := topicOf(boot.FunctionARN(ctx))
	if !ok {
		return nil, &eventError{"not invoked by an alias, which names the channel: subscribe an alias of the function"}
	}
	ev, err := boot.Decode[event](raw)
	if err != nil {
		return nil, err
	}
	if len(ev.Records) == 0 {
		return nil, &eventError{"no records: this is for Amazon SNS to invoke"}
	}
	for _, r := range ev.Records {
		if r.EventSource != "aws:sns" {
			return nil, &eventError{"a record that is not of Amazon SNS"}
		}
		body, err := render(r.Sns.MessageId, r.Sns.Subject, r.Sns.Message)
		if err != nil {
			return nil, &eventError{"a message that cannot be written as JSON"}
		}
		if _, err := f.topics.Publish(ctx, &sns.PublishInput{TopicArn: &to, Message: aws.String(string(body))}); err != nil {
			return nil, &publishError{awserror.Code(err)}
		}
		f.log.LogAttrs(ctx, slog.LevelInfo, "message passed on", slog.String("topic_arn", to), slog.String("message_id", r.Sns.MessageId))
	}
	return struct{}{}, nil
}

// topicOf returns the topic of the channel that an alias is for: alias x of the
// function NAME-channels is for the topic NAME-channels-x.
func topicOf(function string) (arn string, ok bool) {
	p := strings.Split(function, ":")
	if len(p) != 8 || p[7] == "$LATEST" {
		return "", false
	}
	return strings.Join([]string{p[0], p[1], "sns", p[3], p[4], p[6] + "-" + p[7]}, ":"), true
}

// render writes one of ours, an alarm, or what else was published to the topic.
func render(id, subject, text string) ([]byte, error) {
	var m notify.Message
	if json.Unmarshal([]byte(text), &m) == nil && m.Version > 0 && m.Kind != "" && m.ID != "" {
		return chat.Render(m)
	}
	var a chat.Alarm
	if json.Unmarshal([]byte(text), &a) == nil && a.AlarmName != "" && a.NewStateValue != "" {
		return chat.RenderAlarm(a)
	}
	return chat.RenderText(id, subject, text)
}

// eventError is Lambda's answer to an event that is none.
type eventError struct{ what string }

func (e *eventError) Error() string { return e.what }

// ErrorType is what Lambda reports as errorType.
func (*eventError) ErrorType() string { return "BadEvent" }

// publishError says that a message may not have been accepted. It holds AWS's code,
// "" if there was no answer.
type publishError struct{ code string }

func (e *publishError) Error() string {
	if e.code == "" {
		return "publish to the channel's topic: no answer"
	}
	return "publish to the channel's topic: not accepted (" + e.code + ")"
}

// ErrorType is what Lambda reports as errorType.
func (*publishError) ErrorType() string { return "NotPublished" }

package sns_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/sns"
	"github.com/keyturn/keyturn/test/cloud/sqs"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

// world has the topic "alerts", the queue "q" and an HTTP subscriber.
type world struct {
	*sdk.Client

	clock   *clock.Clock
	service *sns.Service
	queues  *sqs.Service
	topic   *string

	mu      sync.Mutex
	posts   []map[string]any // what the HTTP subscriber got
	refuse  int              // how many more posts it answers with 500
	invoked []string         // payloads of functions
}

func newWorld(t *testing.T) *world {
	t.Helper()
	clk := clock.New()
	t.Cleanup(clk.Stop)
	w := &world{clock: clk, queues: sqs.New(clk)}
	if _, err := w.queues.Create("q", nil); err != nil {
		t.Fatal(err)
	}
	w.service = sns.New(sns.Options{
		Clock: clk, Queues: w.queues, Functions: w, Client: &http.Client{Transport: w},
		Endpoint: func() string { return "http://127.0.0.1:4566" },
	})
	t.Cleanup(w.service.Close)
	w.Client = sdk.NewFromConfig(wiretest.Config("sns", w.service, clk))
	out, err := w.CreateTopic(t.Context(), &sdk.CreateTopicInput{Name: aws.String("alerts")})
	if err != nil {
		t.Fatal(err)
	}
	w.topic = out.TopicArn
	return w
}

// InvokeAsync implements sns.Invoker.
func (w *world) InvokeAsync(_ context.Context, function string, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.invoked = append(w.invoked, function+" "+string(payload))
	return nil
}

// RoundTrip is the HTTP subscriber.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	answer := httptest.NewRecorder()
	if w.refuse > 0 {
		w.refuse--
		answer.WriteHeader(http.StatusInternalServerError)
		return answer.Result(), nil
	}
	var e map[string]any
	if json.Unmarshal(body, &e) != nil {
		e = map[string]any{"raw": string(body)}
	}
	e["kind"] = r.Header.Get("X-Amz-Sns-Message-Type")
	w.posts = append(w.posts, e)
	return answer.Result(), nil
}

func (w *world) subscribe(t *testing.T, protocol, endpoint string, attributes map[string]string) string {
	t.Helper()
	out, err := w.Subscribe(t.Context(), &sdk.SubscribeInput{TopicArn: w.topic, Protocol: &protocol, Endpoint: &endpoint, Attributes: attributes, ReturnSubscriptionArn: true})
	if err != nil {
		t.Fatal(err)
	}
	return *out.SubscriptionArn
}

func (w *world) publish(t *testing.T, text string, attributes map[string]types.MessageAttributeValue) {
	t.Helper()
	if _, err := w.Publish(t.Context(), &sdk.PublishInput{TopicArn: w.topic, Message: &text, Subject: aws.String("hello"), MessageAttributes: attributes}); err != nil {
		t.Fatal(err)
	}
}

func text(v string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &v}
}

func TestInbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	out, err := w.Publish(t.Context(), &sdk.PublishInput{
		TopicArn: w.topic, Subject: aws.String("rotated: a"), MessageStructure: aws.String("json"),
		Message:           aws.String(`{"default":"{\"kind\":\"rotated\"}","email":"Key a was rotated.\nAll is well.","number":7}`),
		MessageAttributes: map[string]types.MessageAttributeValue{"vendor": text("sendgrid"), "raw": {DataType: aws.String("Binary"), BinaryValue: []byte{1, 2}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := w.service.Inbox("alerts")
	want := []sns.Message{{
		ID: *out.MessageId, Topic: *w.topic, Subject: "rotated: a", Text: `{"kind":"rotated"}`, Texts: map[string]string{"email": "Key a was rotated.\nAll is well."},
		Attributes: map[string]sns.Attribute{"vendor": {Type: "String", Value: "sendgrid"}, "raw": {Type: "Binary", Value: "AQI="}}, Time: got[0].Time,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got[0].Time = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var b strings.Builder
	if err := sns.Render(&b, got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("[1] 2026-01-02T03:04:05Z  alerts  rotated: a\n    (raw=AQI=, vendor=sendgrid)\n    Key a was rotated.\n    All is well.\n\n", b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		pending, err := w.Subscribe(t.Context(), &sdk.SubscribeInput{TopicArn: w.topic, Protocol: aws.String("http"), Endpoint: aws.String("http://127.0.0.1:8080/hook")})
		if err != nil || *pending.SubscriptionArn != "pending confirmation" {
			t.Fatalf("%v, %v", pending, err)
		}
		synctest.Wait()
		w.publish(t, "too early", nil)
		synctest.Wait()
		if len(w.posts) != 1 || w.posts[0]["kind"] != "SubscriptionConfirmation" || !strings.Contains(w.posts[0]["SubscribeURL"].(string), "Action=ConfirmSubscription") {
			t.Fatalf("posts %v", w.posts)
		}
		token := w.posts[0]["Token"].(string)
		confirmed, err := w.ConfirmSubscription(t.Context(), &sdk.ConfirmSubscriptionInput{TopicArn: w.topic, Token: &token})
		if err != nil {
			t.Fatal(err)
		}
		w.refuse = 2
		w.publish(t, "now", nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(w.posts) != 2 || w.posts[1]["Message"] != "now" || w.posts[1]["Type"] != "Notification" || w.posts[1]["Subject"] != "hello" {
			t.Errorf("posts %v", w.posts)
		}
		if _, err := w.SetSubscriptionAttributes(t.Context(), &sdk.SetSubscriptionAttributesInput{SubscriptionArn: confirmed.SubscriptionArn, AttributeName: aws.String("RawMessageDelivery"), AttributeValue: aws.String("true")}); err != nil {
			t.Error(err)
		}
		w.publish(t, "bare", nil)
		synctest.Wait()
		if w.posts[2]["raw"] != "bare" {
			t.Errorf("posts %v", w.posts[2])
		}
		w.refuse = 4 // the first and three more
		w.publish(t, "lost", nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(w.posts) != 3 || w.refuse != 0 {
			t.Errorf("%d posts, %d left to refuse", len(w.posts), w.refuse)
		}
	})
}

func TestOtherProtocols(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.subscribe(t, "sqs", sqs.ARN("q"), nil)
	w.subscribe(t, "lambda", "arn:aws:lambda:us-east-1:123456789012:function:f", nil)
	w.subscribe(t, "email", "oncall@example.com", nil)
	w.publish(t, "hi", map[string]types.MessageAttributeValue{"kind": text("held")})
	queued := w.queues.Messages("q")
	if len(queued) != 1 || !strings.Contains(queued[0].Body, `"Type":"Notification"`) || !strings.Contains(queued[0].Body, `"MessageAttributes":{"kind":{"Type":"String","Value":"held"}}`) {
		t.Errorf("queue %+v", queued)
	}
	if len(w.invoked) != 1 || !strings.Contains(w.invoked[0], `"EventSource":"aws:sns"`) || !strings.Contains(w.invoked[0], `"Message":"hi"`) {
		t.Errorf("functions %v", w.invoked)
	}
	if mail := w.service.Mailbox("oncall@example.com"); len(mail) != 1 || mail[0].Subject != "hello" || mail[0].Body != "hi" {
		t.Errorf("mail %+v", mail)
	}
}

func TestRawToQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.subscribe(t, "sqs", sqs.ARN("q"), map[string]string{"RawMessageDelivery": "true"})
	w.publish(t, "hi", map[string]types.MessageAttributeValue{"kind": text("held")})
	got := w.queues.Messages("q")
	if len(got) != 1 || got[0].Body != "hi" || got[0].Attributes["kind"].StringValue != "held" {
		t.Errorf("%+v", got)
	}
}

func TestFilterPolicy(t *testing.T) {
	t.Parallel()
	attributes := map[string]types.MessageAttributeValue{
		"kind": text("rotation.failed"), "severity": {DataType: aws.String("Number"), StringValue: aws.String("7")},
		"owners": {DataType: aws.String("String.Array"), StringValue: aws.String(`["a","b"]`)},
	}
	for _, tt := range []struct {
		policy string
		want   bool
	}{
		{`{}`, true},
		{`{"kind":["held","rotation.failed"]}`, true},
		{`{"kind":["held"]}`, false},
		{`{"kind":[{"prefix":"rotation."}]}`, true},
		{`{"kind":[{"suffix":".failed"}],"severity":[7]}`, true},
		{`{"kind":[{"prefix":"rotation."}],"severity":[8]}`, false},
		{`{"kind":[{"anything-but":["held","retired"]}]}`, true},
		{`{"kind":[{"anything-but":"rotation.failed"}]}`, false},
		{`{"kind":[{"anything-but":{"prefix":"rotation."}}]}`, false},
		{`{"absent":[{"anything-but":"x"}]}`, false},
		{`{"severity":[{"numeric":[">",5,"<=",7]}]}`, true},
		{`{"severity":[{"numeric":["=",8]}]}`, false},
		{`{"severity":["7"]}`, false},
		{`{"owners":["b"]}`, true},
		{`{"owners":["c"]}`, false},
		{`{"absent":[{"exists":false}]}`, true},
		{`{"kind":[{"exists":false}]}`, false},
		{`{"kind":[{"equals-ignore-case":"ROTATION.FAILED"}]}`, true},
	} {
		t.Run(tt.policy, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.subscribe(t, "email", "a@example.com", map[string]string{"FilterPolicy": tt.policy})
			w.publish(t, "x", attributes)
			if got := len(w.service.Mailbox("a@example.com")) == 1; got != tt.want {
				t.Errorf("delivered: %v", got)
			}
		})
	}
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	arn := w.subscribe(t, "email", "a@example.com", map[string]string{"FilterPolicy": `{"kind":["held"]}`})
	if again := w.subscribe(t, "email", "a@example.com", nil); again != arn {
		t.Errorf("another subscription for the same address: %s", again)
	}
	attributes, err := w.GetSubscriptionAttributes(ctx, &sdk.GetSubscriptionAttributesInput{SubscriptionArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"SubscriptionArn": arn, "TopicArn": *w.topic, "Protocol": "email", "Endpoint": "a@example.com", "Owner": "123456789012", "PendingConfirmation": "false",
		"RawMessageDelivery": "false", "FilterPolicy": `{"kind":["held"]}`, "FilterPolicyScope": "MessageAttributes",
	}
	if diff := cmp.Diff(want, attributes.Attributes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	list, err := w.ListSubscriptionsByTopic(ctx, &sdk.ListSubscriptionsByTopicInput{TopicArn: w.topic})
	if err != nil || len(list.Subscriptions) != 1 || *list.Subscriptions[0].SubscriptionArn != arn || *list.Subscriptions[0].Endpoint != "a@example.com" {
		t.Errorf("%+v, %v", list, err)
	}
	for range 2 { // gone already is no error
		if _, err := w.Unsubscribe(ctx, &sdk.UnsubscribeInput{SubscriptionArn: &arn}); err != nil {
			t.Error(err)
		}
	}
	w.publish(t, "x", map[string]types.MessageAttributeValue{"kind": text("held")})
	if len(w.service.Mailbox("a@example.com")) != 0 {
		t.Error("delivered after Unsubscribe")
	}
}

func TestListTopics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 150 {
		if _, err := w.service.Create(fmt.Sprintf("t%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for p := sdk.NewListTopicsPaginator(w.Client, &sdk.ListTopicsInput{}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n += len(out.Topics)
	}
	if n != 151 {
		t.Errorf("%d topics", n)
	}
}

func TestPublishBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	out, err := w.PublishBatch(t.Context(), &sdk.PublishBatchInput{TopicArn: w.topic, PublishBatchRequestEntries: []types.PublishBatchRequestEntry{
		{Id: aws.String("a"), Message: aws.String("one"), MessageAttributes: map[string]types.MessageAttributeValue{"k": text("v")}},
		{Id: aws.String("b"), Message: aws.String("")},
	}})
	if err != nil || len(out.Successful) != 1 || len(out.Failed) != 1 || *out.Failed[0].Id != "b" || !out.Failed[0].SenderFault {
		t.Errorf("%+v, %v", out, err)
	}
	if got := w.service.Inbox(*w.topic); len(got) != 1 || got[0].Attributes["k"].Value != "v" {
		t.Errorf("%+v", got)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	publish := func(in sdk.PublishInput) func(context.Context) error {
		return func(ctx context.Context) error {
			if in.TopicArn == nil {
				in.TopicArn = w.topic
			}
			_, err := w.Publish(ctx, &in)
			return err
		}
	}
	subscribe := func(protocol, endpoint string, attributes map[string]string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := w.Subscribe(ctx, &sdk.SubscribeInput{TopicArn: w.topic, Protocol: &protocol, Endpoint: &endpoint, Attributes: attributes})
			return err
		}
	}
	for _, tt := range []struct {
		name       string
		call       func(context.Context) error
		code, want string
	}{
		{"topic", publish(sdk.PublishInput{TopicArn: aws.String(sns.ARN("no")), Message: aws.String("x")}), "NotFound", "Topic does not exist"},
		{"empty", publish(sdk.PublishInput{Message: aws.String("")}), "InvalidParameter", "Empty message"},
		{"too long", publish(sdk.PublishInput{Message: aws.String(strings.Repeat("x", 256<<10+1))}), "InvalidParameter", "Message too long"},
		{"subject", publish(sdk.PublishInput{Message: aws.String("x"), Subject: aws.String("two\nlines")}), "InvalidParameter", "Subject"},
		{"long subject", publish(sdk.PublishInput{Message: aws.String("x"), Subject: aws.String(strings.Repeat("x", 101))}), "InvalidParameter", "Subject"},
		{"structure", publish(sdk.PublishInput{Message: aws.String("x"), MessageStructure: aws.String("json")}), "InvalidParameter", "failed to parse"},
		{"no default", publish(sdk.PublishInput{Message: aws.String(`{"email":"x"}`), MessageStructure: aws.String("json")}), "InvalidParameter", "No default entry"},
		{"attribute", publish(sdk.PublishInput{Message: aws.String("x"), MessageAttributes: map[string]types.MessageAttributeValue{"a": text("")}}), "ParameterValueInvalid", "non-empty"},
		{"foreign host", subscribe("https", "https://example.com/hook", nil), "InvalidParameter", "loopback only"},
		{"loopback by name only", subscribe("http", "http://localhost.example.com/", nil), "InvalidParameter", "loopback only"},
		{"protocol", subscribe("sms", "+1555", nil), "InvalidParameter", "Protocol"},
		{"filter", subscribe("email", "b@example.com", map[string]string{"FilterPolicy": `{"a":"b"}`}), "InvalidParameter", "FilterPolicy"},
		{"operator", subscribe("email", "b@example.com", map[string]string{"FilterPolicy": `{"a":[{"like":"b"}]}`}), "InvalidParameter", "unknown operator"},
		{"scope", subscribe("email", "b@example.com", map[string]string{"FilterPolicyScope": "MessageBody"}), "InvalidParameter", "MessageAttributes only"},
		{"not modeled", func(ctx context.Context) error {
			_, err := w.ListPhoneNumbersOptedOut(ctx, &sdk.ListPhoneNumbersOptedOutInput{})
			return err
		}, "NotImplemented", "ListPhoneNumbersOptedOut"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, ok := errors.AsType[smithy.APIError](tt.call(t.Context()))
			if !ok || e.ErrorCode() != tt.code || !strings.Contains(e.ErrorMessage(), tt.want) {
				t.Errorf("got %v", e)
			}
		})
	}
	_, err := w.Publish(t.Context(), &sdk.PublishInput{TopicArn: aws.String(sns.ARN("no")), Message: aws.String("x")})
	if _, ok := errors.AsType[*types.NotFoundException](err); !ok {
		t.Errorf("not typed: %v", err)
	}
}

package sqs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/sqs"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

type world struct {
	*sdk.Client

	clock   *clock.Clock
	service *sqs.Service
	url     *string
}

// newWorld has a queue "q" with the attributes, and a queue "dead".
func newWorld(t *testing.T, attributes map[string]string) *world {
	t.Helper()
	clk := clock.New()
	t.Cleanup(clk.Stop)
	s := sqs.New(clk)
	w := &world{Client: sdk.NewFromConfig(wiretest.Config("sqs", s, clk)), clock: clk, service: s}
	if _, err := w.CreateQueue(t.Context(), &sdk.CreateQueueInput{QueueName: new("dead")}); err != nil {
		t.Fatal(err)
	}
	out, err := w.CreateQueue(t.Context(), &sdk.CreateQueueInput{QueueName: new("q"), Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	w.url = out.QueueUrl
	return w
}

func (w *world) send(t *testing.T, body string) {
	t.Helper()
	if _, err := w.SendMessage(t.Context(), &sdk.SendMessageInput{QueueUrl: w.url, MessageBody: &body}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) receive(t *testing.T, url *string) []types.Message {
	t.Helper()
	out, err := w.ReceiveMessage(t.Context(), &sdk.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: 10,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}, MessageAttributeNames: []string{"All"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Messages
}

func TestMessageLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		attributes := map[string]types.MessageAttributeValue{
			"kind": {DataType: new("String"), StringValue: new("rotated")},
			"raw":  {DataType: new("Binary"), BinaryValue: []byte{0, 1, 2}},
		}
		sent, err := w.SendMessage(t.Context(), &sdk.SendMessageInput{QueueUrl: w.url, MessageBody: new("hello"), MessageAttributes: attributes})
		if err != nil {
			t.Fatal(err)
		}
		got := w.receive(t, w.url)
		if len(got) != 1 || *got[0].MessageId != *sent.MessageId || *got[0].Body != "hello" {
			t.Fatalf("received %v", got)
		}
		if *got[0].MD5OfMessageAttributes != *sent.MD5OfMessageAttributes || string(got[0].MessageAttributes["raw"].BinaryValue) != "\x00\x01\x02" {
			t.Errorf("attributes %v", got[0].MessageAttributes)
		}
		if n := got[0].Attributes["ApproximateReceiveCount"]; n != "1" {
			t.Errorf("receive count %s", n)
		}
		if again := w.receive(t, w.url); len(again) != 0 {
			t.Error("received while hidden")
		}
		w.clock.Advance(30 * time.Second)
		again := w.receive(t, w.url)
		if len(again) != 1 || again[0].Attributes["ApproximateReceiveCount"] != "2" {
			t.Fatalf("after the visibility timeout: %v", again)
		}
		// A receipt of the first receive still deletes.
		if _, err := w.DeleteMessage(t.Context(), &sdk.DeleteMessageInput{QueueUrl: w.url, ReceiptHandle: got[0].ReceiptHandle}); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(time.Hour)
		if left := w.receive(t, w.url); len(left) != 0 {
			t.Error("received after delete")
		}
		if all := w.service.Messages("q"); len(all) != 1 || !all[0].Deleted || all[0].Receives != 2 {
			t.Errorf("history %+v", all)
		}
	})
}

// The sum is the one that AWS gave for these attributes, as moto's tests have it.
func TestAttributesMD5(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	out, err := w.SendMessage(t.Context(), &sdk.SendMessageInput{QueueUrl: w.url, MessageBody: new("derp"), MessageAttributes: map[string]types.MessageAttributeValue{
		"timestamp": {DataType: new("Number"), StringValue: new("1493147359900")},
	}})
	if err != nil || *out.MD5OfMessageAttributes != "235c5c510d26fb653d073faed50ae77c" {
		t.Errorf("got %v, %v", out, err)
	}
}

func TestChangeVisibility(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.send(t, "a")
		got := w.receive(t, w.url)
		change := func(seconds int32) error {
			_, err := w.ChangeMessageVisibility(t.Context(), &sdk.ChangeMessageVisibilityInput{QueueUrl: w.url, ReceiptHandle: got[0].ReceiptHandle, VisibilityTimeout: seconds})
			return err
		}
		if err := change(0); err != nil {
			t.Fatal(err)
		}
		if _, ok := errors.AsType[*types.MessageNotInflight](change(0)); !ok {
			t.Error("a visible message is in flight")
		}
		if len(w.receive(t, w.url)) != 1 {
			t.Error("not visible at once")
		}
	})
}

func TestDelayAndRetention(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]string{"DelaySeconds": "60", "MessageRetentionPeriod": "600"})
		w.send(t, "a")
		if len(w.receive(t, w.url)) != 0 {
			t.Error("received before its delay")
		}
		w.clock.Advance(61 * time.Second)
		if len(w.receive(t, w.url)) != 1 {
			t.Error("not received after its delay")
		}
		w.clock.Advance(time.Hour)
		if len(w.receive(t, w.url)) != 0 {
			t.Error("received after the retention period")
		}
	})
}

func TestLongPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.clock.After(5*time.Second, func() { w.send(t, "late") })
		start := time.Now()
		out, err := w.ReceiveMessage(t.Context(), &sdk.ReceiveMessageInput{QueueUrl: w.url, WaitTimeSeconds: 20})
		if err != nil || len(out.Messages) != 1 || time.Since(start) != 5*time.Second {
			t.Errorf("after %v: %v, %v", time.Since(start), out, err)
		}
		out, err = w.ReceiveMessage(t.Context(), &sdk.ReceiveMessageInput{QueueUrl: w.url, WaitTimeSeconds: 20})
		if err != nil || len(out.Messages) != 0 || time.Since(start) != 25*time.Second {
			t.Errorf("after %v: %v, %v", time.Since(start), out, err)
		}
	})
}

func TestDeadLetter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + sqs.ARN("dead") + `","maxReceiveCount":"2"}`})
		w.send(t, "poison")
		for range 2 {
			if len(w.receive(t, w.url)) != 1 {
				t.Fatal("not received")
			}
			w.clock.Advance(31 * time.Second)
		}
		if len(w.receive(t, w.url)) != 0 {
			t.Error("received more than maxReceiveCount times")
		}
		dead := w.receive(t, new("http://local.aws/123456789012/dead"))
		if len(dead) != 1 || dead[0].Attributes["DeadLetterQueueSourceArn"] != sqs.ARN("q") {
			t.Errorf("dead letters %v", dead)
		}
	})
}

func TestBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	out, err := w.SendMessageBatch(t.Context(), &sdk.SendMessageBatchInput{QueueUrl: w.url, Entries: []types.SendMessageBatchRequestEntry{
		{Id: new("a"), MessageBody: new("1")}, {Id: new("b"), MessageBody: new("")},
	}})
	if err != nil || len(out.Successful) != 1 || len(out.Failed) != 1 || *out.Failed[0].Id != "b" {
		t.Fatalf("send: %v, %v", out, err)
	}
	got := w.receive(t, w.url)
	deleted, err := w.DeleteMessageBatch(t.Context(), &sdk.DeleteMessageBatchInput{QueueUrl: w.url, Entries: []types.DeleteMessageBatchRequestEntry{
		{Id: new("a"), ReceiptHandle: got[0].ReceiptHandle}, {Id: new("b"), ReceiptHandle: new("nonsense")},
	}})
	if err != nil || len(deleted.Successful) != 1 || len(deleted.Failed) != 1 {
		t.Errorf("delete: %v, %v", deleted, err)
	}
	_, err = w.SendMessageBatch(t.Context(), &sdk.SendMessageBatchInput{QueueUrl: w.url, Entries: []types.SendMessageBatchRequestEntry{
		{Id: new("a"), MessageBody: new("1")}, {Id: new("a"), MessageBody: new("2")},
	}})
	if _, ok := errors.AsType[*types.BatchEntryIdsNotDistinct](err); !ok {
		t.Errorf("same ids: %v", err)
	}
}

func TestQueues(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"VisibilityTimeout": "7"})
	ctx := t.Context()
	if out, err := w.GetQueueUrl(ctx, &sdk.GetQueueUrlInput{QueueName: new("q")}); err != nil || *out.QueueUrl != "http://local.aws/123456789012/q" {
		t.Errorf("url: %v, %v", out, err)
	}
	if out, err := w.ListQueues(ctx, &sdk.ListQueuesInput{QueueNamePrefix: new("d")}); err != nil || len(out.QueueUrls) != 1 {
		t.Errorf("list: %v, %v", out, err)
	}
	if _, err := w.SetQueueAttributes(ctx, &sdk.SetQueueAttributesInput{QueueUrl: w.url, Attributes: map[string]string{"DelaySeconds": "3"}}); err != nil {
		t.Error(err)
	}
	w.send(t, "delayed")
	out, err := w.GetQueueAttributes(ctx, &sdk.GetQueueAttributesInput{QueueUrl: w.url, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, k := range []string{"QueueArn", "VisibilityTimeout", "DelaySeconds", "ApproximateNumberOfMessagesDelayed", "MessageRetentionPeriod"} {
		got[k] = out.Attributes[k]
	}
	want := map[string]string{"QueueArn": sqs.ARN("q"), "VisibilityTimeout": "7", "DelaySeconds": "3", "ApproximateNumberOfMessagesDelayed": "1", "MessageRetentionPeriod": "345600"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if _, err := w.PurgeQueue(ctx, &sdk.PurgeQueueInput{QueueUrl: w.url}); err != nil {
		t.Error(err)
	}
	if _, err := w.DeleteQueue(ctx, &sdk.DeleteQueueInput{QueueUrl: w.url}); err != nil {
		t.Error(err)
	}
	_, err = w.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: w.url, MessageBody: new("x")})
	if e, ok := errors.AsType[*types.QueueDoesNotExist](err); !ok || e.ErrorCode() != "AWS.SimpleQueueService.NonExistentQueue" {
		t.Errorf("deleted queue: %v", err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx := t.Context()
	for _, tt := range []struct {
		name string
		call func() error
		want string
	}{
		{"empty body", func() error {
			_, err := w.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: w.url, MessageBody: new("")})
			return err
		}, "MissingParameter"},
		{"too big", func() error {
			_, err := w.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: w.url, MessageBody: new(strings.Repeat("x", 1<<20+1))})
			return err
		}, "InvalidParameterValue"},
		{"eleven at once", func() error {
			_, err := w.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: w.url, MaxNumberOfMessages: 11})
			return err
		}, "InvalidParameterValue"},
		{"receipt", func() error {
			_, err := w.DeleteMessage(ctx, &sdk.DeleteMessageInput{QueueUrl: w.url, ReceiptHandle: new("x")})
			return err
		}, "ReceiptHandleIsInvalid"},
		{"attribute name", func() error {
			_, err := w.SetQueueAttributes(ctx, &sdk.SetQueueAttributesInput{QueueUrl: w.url, Attributes: map[string]string{"Flavor": "sweet"}})
			return err
		}, "InvalidAttributeName"},
		{"attribute value", func() error {
			_, err := w.SetQueueAttributes(ctx, &sdk.SetQueueAttributesInput{QueueUrl: w.url, Attributes: map[string]string{"DelaySeconds": "901"}})
			return err
		}, "InvalidAttributeValue"},
		{"redrive", func() error {
			_, err := w.SetQueueAttributes(ctx, &sdk.SetQueueAttributesInput{QueueUrl: w.url, Attributes: map[string]string{"RedrivePolicy": `{"maxReceiveCount":0}`}})
			return err
		}, "InvalidParameterValue"},
		{"fifo", func() error {
			_, err := w.CreateQueue(ctx, &sdk.CreateQueueInput{QueueName: new("q.fifo")})
			return err
		}, "UnsupportedOperation"},
		{"same name", func() error {
			_, err := w.CreateQueue(ctx, &sdk.CreateQueueInput{QueueName: new("q"), Attributes: map[string]string{"DelaySeconds": "1"}})
			return err
		}, "QueueAlreadyExists"},
		{"not modeled", func() error { _, err := w.ListQueueTags(ctx, &sdk.ListQueueTagsInput{QueueUrl: w.url}); return err }, "NotImplemented"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.call()
			if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func FuzzReceipt(f *testing.F) {
	clk := clock.New()
	s := sqs.New(clk)
	if _, err := s.Create("q", nil); err != nil {
		f.Fatal(err)
	}
	client := sdk.NewFromConfig(wiretest.Config("sqs", s, clk))
	f.Add("cmVjZWlwdDphOmI=")
	f.Fuzz(func(t *testing.T, handle string) {
		_, err := client.DeleteMessage(t.Context(), &sdk.DeleteMessageInput{QueueUrl: new("q"), ReceiptHandle: &handle})
		if e, ok := errors.AsType[smithy.APIError](err); err != nil && (!ok || e.ErrorCode() != "ReceiptHandleIsInvalid") {
			t.Error(err)
		}
	})
}

func decode(t *testing.T, payload []byte) (ids []string, e map[string]any) {
	t.Helper()
	if err := json.Unmarshal(payload, &e); err != nil {
		t.Fatal(err)
	}
	for _, r := range e["Records"].([]any) {
		ids = append(ids, fmt.Sprint(r.(map[string]any)["messageId"]))
	}
	return ids, e
}

package sqs_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keyturn/keyturn/test/cloud/sqs"
)

type invoker func(payload []byte) (string, string, error)

func (f invoker) Invoke(_ context.Context, function string, payload []byte) ([]byte, string, error) {
	if function != "retire" {
		return nil, "", errors.New("unknown function")
	}
	result, functionError, err := f(payload)
	return []byte(result), functionError, err
}

func TestMappingDeletesWhatSucceeded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		var event map[string]any
		if err := w.service.Map(t.Context(), "q", "retire", 10, invoker(func(payload []byte) (string, string, error) {
			_, event = decode(t, payload)
			return "null", "", nil
		})); err != nil {
			t.Fatal(err)
		}
		w.send(t, `{"a":1}`)
		synctest.Wait()
		record, _ := event["Records"].([]any)[0].(map[string]any)
		want := map[string]any{
			"body": `{"a":1}`, "messageAttributes": map[string]any{}, "eventSource": "aws:sqs",
			"eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:q", "awsRegion": "us-east-1", "md5OfBody": "bb6cb5c68df4652941caf652a366f2d8",
		}
		if diff := cmp.Diff(want, record, cmpopts.IgnoreMapEntries(func(k string, _ any) bool {
			return k == "messageId" || k == "receiptHandle" || k == "attributes"
		})); diff != "" {
			t.Errorf("record (-want +got):\n%s", diff)
		}
		if all := w.service.Messages("q"); !all[0].Deleted {
			t.Error("not deleted")
		}
	})
}

func TestMappingRetriesThenDeadLetters(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer invoker
	}{
		{"function error", func([]byte) (string, string, error) { return `{"errorType":"x"}`, "Unhandled", nil }},
		{"not invoked", func([]byte) (string, string, error) { return "", "", errors.New("throttled") }},
		{"unknown item", func([]byte) (string, string, error) { return `{"batchItemFailures":[{"itemIdentifier":"?"}]}`, "", nil }},
		{"item without a name", func([]byte) (string, string, error) { return `{"batchItemFailures":[{}]}`, "", nil }},
		{"item of null", func([]byte) (string, string, error) {
			return `{"batchItemFailures":[{"itemIdentifier":null}]}`, "", nil
		}},
		{"empty item", func([]byte) (string, string, error) { return `{"batchItemFailures":[{"itemIdentifier":""}]}`, "", nil }},
		{"no JSON", func([]byte) (string, string, error) { return `{"batchItem`, "", nil }},
		{"no list", func([]byte) (string, string, error) { return `{"batchItemFailures":"x"}`, "", nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + sqs.ARN("dead") + `","maxReceiveCount":3}`, "VisibilityTimeout": "90"})
				var at []time.Duration
				start := time.Now()
				if err := w.service.Map(t.Context(), "q", "retire", 1, invoker(func(payload []byte) (string, string, error) {
					at = append(at, time.Since(start))
					return tt.answer(payload)
				})); err != nil {
					t.Fatal(err)
				}
				w.send(t, "x")
				time.Sleep(time.Hour) // the bubble's time
				synctest.Wait()
				if diff := cmp.Diff([]time.Duration{0, 90 * time.Second, 180 * time.Second}, at); diff != "" {
					t.Errorf("invoked at (-want +got):\n%s", diff)
				}
				if dead := w.service.Messages("dead"); len(dead) != 1 || dead[0].Body != "x" {
					t.Errorf("dead letters %v", dead)
				}
			})
		})
	}
}

func TestMappingSucceedsWithoutFailures(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"", "null", "{}", `{"batchItemFailures":null}`, `{"batchItemFailures":[]}`} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil)
			if err := w.service.Map(t.Context(), "q", "retire", 10, invoker(func([]byte) (string, string, error) { return answer, "", nil })); err != nil {
				t.Fatal(err)
			}
			w.send(t, "x")
			synctest.Wait()
			if m := w.service.Messages("q"); len(m) != 1 || !m[0].Deleted || m[0].Receives != 1 {
				t.Errorf("%q: %+v", answer, m)
			}
		})
	}
}

func TestMappingHonoursItemFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]string{"DelaySeconds": "1"})
		first := true
		if err := w.service.Map(t.Context(), "q", "retire", 10, invoker(func(payload []byte) (string, string, error) {
			ids, _ := decode(t, payload)
			if !first {
				return "", "", nil
			}
			first = false
			return fmt.Sprintf(`{"batchItemFailures":[{"itemIdentifier":%q}]}`, ids[1]), "", nil
		})); err != nil {
			t.Fatal(err)
		}
		for _, body := range []string{"a", "b", "c"} {
			w.send(t, body)
		}
		time.Sleep(2 * time.Second)
		var deleted []bool
		for _, m := range w.service.Messages("q") {
			deleted = append(deleted, m.Deleted)
		}
		if diff := cmp.Diff([]bool{true, false, true}, deleted); diff != "" {
			t.Errorf("deleted (-want +got):\n%s", diff)
		}
		time.Sleep(time.Minute)
		if m := w.service.Messages("q")[1]; !m.Deleted || m.Receives != 2 {
			t.Errorf("the failed one: %+v", m)
		}
	})
}

func TestMappingTakesEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		var mu sync.Mutex
		seen, running, most := 0, 0, 0
		if err := w.service.Map(t.Context(), "q", "retire", 2, invoker(func(payload []byte) (string, string, error) {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			running--
			ids, _ := decode(t, payload)
			seen += len(ids)
			return "", "", nil
		})); err != nil {
			t.Fatal(err)
		}
		for range 40 {
			w.send(t, "x")
		}
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if seen != 40 || most != 5 {
			t.Errorf("saw %d messages, %d batches at once", seen, most)
		}
	})
}

package sqs_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud/sqs"
)

// batches is what a function was invoked with: when, and how many messages.
type batches struct {
	mu    sync.Mutex
	start time.Time
	all   []batch
}

type batch struct {
	At time.Duration
	N  int
}

// take is a function that works for a time.
func (b *batches) take(t *testing.T, work time.Duration, answer string) invoker {
	t.Helper()
	b.start = time.Now()
	return func(payload []byte) (string, string, error) {
		ids, _ := decode(t, payload)
		b.mu.Lock()
		b.all = append(b.all, batch{time.Since(b.start), len(ids)})
		b.mu.Unlock()
		time.Sleep(work)
		return answer, "", nil
	}
}

// list waits until nothing goes on.
func (b *batches) list() []batch {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all
}

// A batch begins with its first message, and ends when it is full or the window closes;
// what comes while the function runs is collected meanwhile.
func TestWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		var got batches
		if err := w.service.MapAs(t.Context(), "q", "retire", sqs.Mapping{BatchSize: 20, Window: 5 * time.Second, Concurrency: 2}, got.take(t, 3*time.Second, "")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		for range 10 { // 10 s to 19.9 s
			w.send(t, "x")
			time.Sleep(1100 * time.Millisecond)
		}
		time.Sleep(9 * time.Second) // 30 s
		for range 45 {
			w.send(t, "x")
		}
		time.Sleep(time.Minute)
		want := []batch{
			{15 * time.Second, 5},
			{20500 * time.Millisecond, 5},
			{30 * time.Second, 20},
			{30 * time.Second, 20},
			{38 * time.Second, 5}, // both are busy until 33 s
		}
		if diff := cmp.Diff(want, got.list()); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
	})
}

// The messages are hidden from when they are collected, so that a window as long as
// the queue's timeout has them come twice.
func TestWindow_hides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]string{"VisibilityTimeout": "20"})
		var got batches
		if err := w.service.MapAs(t.Context(), "q", "retire", sqs.Mapping{BatchSize: 20, Window: 15 * time.Second}, got.take(t, 10*time.Second, "")); err != nil {
			t.Fatal(err)
		}
		w.send(t, "x")
		time.Sleep(time.Minute)
		if all := got.list(); len(all) < 2 {
			t.Errorf("batches %v, want the message again", all)
		}
	})
}

// Without ReportBatchItemFailures an answer is not read.
func TestWholeBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		var got batches
		if err := w.service.MapAs(t.Context(), "q", "retire", sqs.Mapping{BatchSize: 1, Whole: true}, got.take(t, 0, `{"batchItemFailures":[{"itemIdentifier":""}]}`)); err != nil {
			t.Fatal(err)
		}
		w.send(t, "x")
		time.Sleep(time.Hour)
		if all := got.list(); len(all) != 1 || !w.service.Messages("q")[0].Deleted {
			t.Errorf("batches %v", all)
		}
	})
}

// No event is larger than Lambda takes.
func TestLargeBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		var got batches
		if err := w.service.MapAs(t.Context(), "q", "retire", sqs.Mapping{BatchSize: 100, Window: time.Second}, got.take(t, 0, "")); err != nil {
			t.Fatal(err)
		}
		for range 28 {
			w.send(t, strings.Repeat("x", 250_000))
		}
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]batch{{time.Second, 14}, {time.Second, 14}}, got.list()); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
	})
}

func TestMapAs_refused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, m := range []sqs.Mapping{
		{},
		{BatchSize: 11},
		{BatchSize: 10001, Window: time.Second},
		{BatchSize: 1, Window: 301 * time.Second},
		{BatchSize: 1, Window: time.Millisecond},
		{BatchSize: 1, Concurrency: 1},
	} {
		if err := w.service.MapAs(t.Context(), "q", "retire", m, nil); err == nil {
			t.Errorf("%+v is accepted", m)
		}
	}
}

package events_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/shared/function/audit"
	"github.com/keyturn/keyturn/shared/function/review"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/events"
	"github.com/keyturn/keyturn/test/stack"
)

// every is after how many events the ledger is proven: that takes long.
const every = 64

// Whatever an event says, the audit function handles it or refuses it as no event of
// its own, without repeating it; only messages that came come again; and the ledger is
// whole after it, with no call of another account.
func FuzzAudit(f *testing.F) {
	s := fuzzed(f, audit.Name)
	n := 0
	f.Fuzz(func(t *testing.T, event []byte) {
		out := handled(t, s, stack.Auditor, event)
		if n++; n%every == 0 {
			whole(t, s)
		}
		var answer struct {
			Failures []struct{ ItemIdentifier string } `json:"batchItemFailures"`
		}
		if json.Unmarshal(out, &answer) != nil { // the answer to reconcile is a list
			return
		}
		var came struct{ Records []struct{ MessageID string } }
		_ = json.Unmarshal(event, &came)
		ids := map[string]bool{}
		for _, m := range came.Records {
			ids[m.MessageID] = true
		}
		for _, again := range answer.Failures {
			if !ids[again.ItemIdentifier] {
				t.Errorf("%q comes again, and never came", again.ItemIdentifier)
			}
		}
	})
}

// Whatever an event says, the review function makes this week's review, or refuses it.
func FuzzReview(f *testing.F) {
	s := fuzzed(f, review.Name)
	week := ""
	f.Fuzz(func(t *testing.T, event []byte) {
		out := handled(t, s, stack.Reviewer, event)
		if out == nil {
			return
		}
		var done struct{ Week string }
		if err := json.Unmarshal(out, &done); err != nil || done.Week == "" || week != "" && done.Week != week {
			t.Errorf("%.200s: %v, want week %q", out, err, week)
		}
		week = done.Week
	})
}

// fuzzed deploys what has a function's samples, and makes those the first events.
func fuzzed(f *testing.F, function string) *stack.Stack {
	f.Helper()
	names, err := events.Samples(function)
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		sample, err := events.Read(function, name)
		if err != nil {
			f.Fatal(err)
		}
		if len(sample) < 64<<10 { // of short ones more are tried
			f.Add(sample)
		}
	}
	for _, event := range []string{
		`{}`, `null`, `{"task":null}`, `{"task":"seal","Records":[{}]}`, `{"Records":[null,{}]}`, `{"TASK":"canary"}`, `{"task":"` + mark + `"}`, `{"task":{"` + mark + `":1}}`,
	} {
		f.Add([]byte(event))
	}
	r := events.Region()
	s, err := stack.Deploy(f.Context(), r, stack.Options{Watch: events.Watch(function)})
	if err != nil {
		f.Fatal(err)
	}
	s.Cut()
	f.Cleanup(func() {
		s.Close()
		if err := r.Close(); err != nil {
			f.Error(err)
		}
	})
	return s
}

const mark = "hunter2-hunter2"

// handled returns the answer to an event, nil if it was refused. What is not JSON,
// Lambda itself refuses.
func handled(t *testing.T, s *stack.Stack, function string, event []byte) []byte {
	t.Helper()
	if !json.Valid(event) {
		return nil
	}
	out, failure, err := s.Region.Lambda.Invoke(t.Context(), function, event)
	if err != nil {
		t.Fatal(err)
	}
	if failure == "" {
		return out
	}
	var e struct{ ErrorType, ErrorMessage string }
	if err := json.Unmarshal(out, &e); err != nil || e.ErrorType != "BadEvent" || strings.Contains(e.ErrorMessage, mark) {
		t.Errorf("%.200s: %s %s", event, failure, out)
	}
	return nil
}

// whole proves the ledger.
func whole(t *testing.T, s *stack.Stack) {
	t.Helper()
	_, err := s.Verify(t.Context(), func(_ int64, data []byte) error {
		e, err := ledger.Decode(data)
		if err != nil {
			return err
		}
		fact, err := history.Of(e)
		if c := fact.Call; c != nil && c.Account != "" && c.Account != wire.Account {
			t.Errorf("a call of account %q is in the ledger", c.Account)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

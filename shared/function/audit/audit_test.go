package audit_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	record "github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/function/audit"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/sqs"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/stack"
)

const (
	bridge  = "AIDAIENQZJOLO23YVJ4VO" // EventBridge, as SQS names it
	rotator = "AROAEXAMPLE:keyturn-rotate"
)

// world is the function on the local AWS. Its queues are empty: the tests invoke it.
type world struct {
	t     *testing.T
	stack *stack.Stack
	next  int
}

func run(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := region.New(region.Options{})
		s, err := stack.Deploy(t.Context(), r, stack.Options{Log: io.Discard, Watch: &stack.Watch{HoneyToken: "prod/honey"}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			s.Close()
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}()
		s.Cut()
		time.Sleep(time.Minute)
		f(&world{t: t, stack: s})
	})
}

type message struct {
	ID         string            `json:"messageId"`
	Body       string            `json:"body"`
	Queue      string            `json:"eventSourceARN"`
	Attributes map[string]string `json:"attributes"`
}

func (w *world) message(queue, sender, body string) message {
	w.next++
	return message{fmt.Sprintf("message-%d", w.next), body, sqs.ARN(queue), map[string]string{"SenderId": sender}}
}

// act is a record of our own.
func act(id string, detail map[string]string) string {
	b, err := json.Marshal(record.Record{
		ID: id, Time: time.Now(), Act: record.Create, Phase: record.Intent, Secret: "prod/mailer", Detail: detail,
	})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// call is an event as EventBridge sends it, with more fields of the record.
func call(id, account string, more map[string]any) string {
	detail := map[string]any{
		"eventVersion": "1.11", "eventID": id, "eventTime": time.Now().UTC().Format(time.RFC3339), "eventSource": "secretsmanager.amazonaws.com",
		"eventName": "DeleteSecret", "awsRegion": wire.Region, "recipientAccountId": account, "sourceIPAddress": "192.0.2.1", "readOnly": false,
		"requestParameters": map[string]any{"secretId": "prod/honey"},
		"userIdentity":      map[string]any{"type": "IAMUser", "arn": "arn:aws:iam::" + account + ":user/mallory", "accountId": account},
	}
	maps.Copy(detail, more)
	b, err := json.Marshal(map[string]any{
		"version": "0", "id": "e-" + id, "detail-type": "AWS API Call via CloudTrail", "source": "aws.secretsmanager", "account": account,
		"time": time.Now().UTC().Format(time.RFC3339), "region": wire.Region, "detail": detail,
	})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// handle gives the function a batch, and returns the messages that are to come again.
func (w *world) handle(batch ...message) []string {
	w.t.Helper()
	event, err := json.Marshal(map[string]any{"Records": batch})
	if err != nil {
		w.t.Fatal(err)
	}
	out, failure, err := w.stack.Region.Lambda.Invoke(w.t.Context(), stack.Auditor, event)
	if err != nil || failure != "" {
		w.t.Fatalf("%v %s %s", err, failure, out)
	}
	var answer struct {
		Failures []struct {
			ID string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(out, &answer); err != nil || !strings.Contains(string(out), "batchItemFailures") {
		w.t.Fatalf("%v: %s", err, out)
	}
	var again []string
	for _, f := range answer.Failures {
		again = append(again, f.ID)
	}
	return again
}

// entries proves the ledger, and returns what it has.
func (w *world) entries() (all []ledger.Entry) {
	w.t.Helper()
	_, err := w.stack.Verify(w.t.Context(), func(_ int64, line []byte) error {
		e, err := ledger.Decode(line)
		all = append(all, e)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func (w *world) facts() (all []history.Fact) {
	w.t.Helper()
	for _, e := range w.entries() {
		f, err := history.Of(e)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

// An event that is neither is refused by its type, and changes nothing.
func TestOpen_badEvent(t *testing.T) {
	t.Parallel()
	run(t, func(w *world) {
		before := len(w.entries())
		for _, event := range []string{`{}`, `{"Records":[]}`, `{"task":"nothing"}`, `{"task":"SEAL"}`, `{"task":7}`, `[]`, `null`, `"seal"`, `{"Records":[{"body":7}]}`} {
			out, failure, err := w.stack.Region.Lambda.Invoke(w.t.Context(), stack.Auditor, []byte(event))
			if err != nil || failure == "" || !strings.Contains(string(out), "BadEvent") {
				w.t.Errorf("%s: %v %q %s", event, err, failure, out)
			}
		}
		if n := len(w.entries()); n != before {
			w.t.Errorf("%d entries, %d before", n, before)
		}
	})
}

// Each task ends well, also the second time.
func TestOpen_tasks(t *testing.T) {
	t.Parallel()
	run(t, func(w *world) {
		for range 2 {
			for _, task := range []string{audit.TaskCanary, audit.TaskSeal, audit.TaskReconcile} {
				if err := w.stack.Task(w.t.Context(), task); err != nil {
					w.t.Errorf("%s: %v", task, err)
				}
			}
			time.Sleep(time.Hour)
		}
	})
}

// Who sent a message is what SQS says, and what nobody of ours sent is not believed.
func TestOpen_forged(t *testing.T) {
	t.Parallel()
	run(t, func(w *world) {
		honest := w.message(stack.Trail, bridge, call("honest", wire.Account, nil))
		lie := strings.Replace(act("claimed", nil), `{`, `{"writer":"keyturn/audit",`, 1)
		batch := []message{
			w.message(stack.Trail, "AROAEXAMPLE:mallory", call("by-a-role", wire.Account, nil)),
			w.message(stack.Trail, bridge, call("of-another-account", "999999999999", nil)),
			w.message(stack.Trail, bridge, call("of-a-stranger", wire.Account, map[string]any{"recipientAccountId": "999999999999"})),
			w.message(stack.Trail, bridge, strings.Replace(call("of-nobody", wire.Account, nil), `"aws.secretsmanager"`, `"mallory"`, 1)),
			honest,
			w.message(stack.Audit, "AROAEXAMPLE:mallory", lie),
			w.message(stack.Audit, "", act("without-sender", nil)),
			w.message(stack.Audit, rotator, call("a-call-as-an-act", wire.Account, nil)),
			w.message("another-queue", bridge, call("elsewhere", wire.Account, nil)),
			w.message(stack.Trail, bridge, "nonsense"),
		}
		again := w.handle(batch...)
		// What is no record at all is left to the dead letters, for a person.
		if want := []string{batch[6].ID, batch[7].ID, batch[8].ID, batch[9].ID}; !slices.Equal(again, want) {
			w.t.Errorf("again %v, want %v", again, want)
		}
		refused, calls := map[string]string{}, []string{}
		for _, e := range w.entries() {
			f, err := history.Of(e)
			if err != nil {
				w.t.Fatal(err)
			}
			switch {
			case f.Refused != nil:
				refused[f.Refused.Why] += f.Refused.Queue + " "
			case f.Call != nil:
				calls = append(calls, f.Call.EventID)
			case f.Act != nil && f.Act.ID == "claimed" && e.Writer != "AROAEXAMPLE:mallory":
				w.t.Errorf("the act is believed to be of %q", e.Writer)
			case f.Act != nil && f.Act.ID != "claimed":
				w.t.Errorf("%+v", f.Act)
			}
		}
		if !slices.Equal(calls, []string{"honest"}) || len(refused) < 7 {
			w.t.Errorf("calls %v, refused %v", calls, refused)
		}
		n := len(w.entries())
		if w.handle(batch...); len(w.entries()) != n {
			w.t.Errorf("%d entries after the same batch, %d before", len(w.entries()), n)
		}
	})
}

// Messages as long as SQS lets them be are cut or refused, and hold nothing up.
func TestOpen_long(t *testing.T) {
	t.Parallel()
	run(t, func(w *world) {
		long := strings.Repeat("x", 255<<10)
		batch := []message{
			w.message(stack.Audit, rotator, act("long", map[string]string{"reason": long})),
			w.message(stack.Trail, bridge, call("long-call", wire.Account, map[string]any{"requestParameters": map[string]any{"secretId": "prod/honey", "description": long}})),
			w.message(stack.Trail, bridge, call("long-error", wire.Account, map[string]any{"errorCode": "AccessDenied", "errorMessage": long})),
			w.message(stack.Trail, bridge, long),
			w.message(stack.Audit, rotator, long),
			w.message(stack.Audit, rotator, act("short", nil)),
		}
		if again := w.handle(batch...); !slices.Equal(again, []string{batch[3].ID, batch[4].ID}) {
			w.t.Errorf("again %v", again)
		}
		got := map[string]bool{}
		for _, f := range w.facts() {
			switch {
			case f.Act != nil:
				got[f.Act.ID] = true
				if f.Act.ID == "long" && f.Act.Detail["sha256"] == "" {
					w.t.Errorf("cut without a hash: %v", f.Act.Detail)
				}
			case f.Call != nil:
				got[f.Call.EventID] = true
			}
		}
		for _, id := range []string{"long", "short", "long-call", "long-error"} {
			if !got[id] {
				w.t.Errorf("%s is not in the ledger: %v", id, got)
			}
		}
	})
}

// More batches at once than there are ever deployed all come to their end.
func TestOpen_contended(t *testing.T) {
	t.Parallel()
	run(t, func(w *world) {
		const writers, each = 8, 5
		var wg sync.WaitGroup
		batches := make([][]message, writers)
		for i := range batches {
			for j := range each {
				batches[i] = append(batches[i], w.message(stack.Audit, rotator, act(fmt.Sprintf("act-%d-%d", i, j), nil)))
			}
		}
		for _, b := range batches {
			wg.Go(func() {
				if again := w.handle(b...); len(again) > 0 {
					w.t.Errorf("again %v", again)
				}
			})
		}
		wg.Wait()
		acts := 0
		for _, f := range w.facts() {
			if f.Act != nil && strings.HasPrefix(f.Act.ID, "act-") {
				acts++
			}
		}
		if acts != writers*each {
			w.t.Errorf("%d acts, want %d", acts, writers*each)
		}
	})
}

// What stays is locked, and what passes is not.
func TestOpen_lock(t *testing.T) {
	t.Parallel()
	run(t, func(w *world) {
		w.handle(w.message(stack.Audit, rotator, act("one", nil)))
		client := s3.NewFromConfig(w.stack.Region.Cloud.Config())
		list, err := client.ListObjectsV2(w.t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(stack.Ledger)})
		if err != nil || len(list.Contents) < 5 {
			w.t.Fatalf("%v, %d objects", err, len(list.Contents))
		}
		locked := 0
		for _, o := range list.Contents {
			head, err := client.HeadObject(w.t.Context(), &s3.HeadObjectInput{Bucket: aws.String(stack.Ledger), Key: o.Key})
			if err != nil {
				w.t.Fatal(err)
			}
			if strings.HasPrefix(*o.Key, ledger.PassingDir) {
				if head.ObjectLockMode != "" {
					w.t.Errorf("%s is locked", *o.Key)
				}
				continue
			}
			locked++
			until := aws.ToTime(head.ObjectLockRetainUntilDate)
			if head.ObjectLockMode != types.ObjectLockModeGovernance || time.Until(until) < 9599*time.Hour {
				w.t.Errorf("%s is locked %q until %v", *o.Key, head.ObjectLockMode, until)
			}
		}
		if locked < 4 {
			w.t.Errorf("%d objects are locked", locked)
		}
	})
}

// TestOpen_change: what a deployment changed is looked for before the first batch, and not
// only at the next beat.
func TestOpen_change(t *testing.T) {
	t.Parallel()
	run(t, func(w *world) {
		w.handle(w.message(stack.Audit, "AROAROTATE:keyturn-rotate", act("one", nil)))
		for _, e := range w.entries() {
			if strings.Contains(string(e.Act), `"kind":"change"`) {
				return
			}
		}
		w.t.Error("the ledger has no change")
	})
}

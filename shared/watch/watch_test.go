package watch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/cell"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/tally"
	"github.com/keyturn/keyturn/shared/trail"
	"github.com/keyturn/keyturn/shared/watch"
)

const (
	account = "111122223333"
	trailQ  = "arn:aws:sqs:eu-west-1:111122223333:keyturn-trail"
	auditQ  = "arn:aws:sqs:eu-west-1:111122223333:keyturn-audit"
	bridge  = "AIDAIENQZJOLO23YVJ4VO"
	mailer  = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/mailer-AbCdEf"
)

var start = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// world is a watch whose calls can be made to fail.
type world struct {
	*watch.Watch
	store *ledgertest.Memory
	key   *ledgertest.Key
	cells *cells
	told  []notify.Message
	fault func(call string) ledgertest.Fault
	now   time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	k, err := ledgertest.NewKey("keyturn.example/ledger", "seed")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{store: &ledgertest.Memory{}, key: k, now: start.Add(20 * time.Minute)}
	log := ledgertest.Log(w.store, k)
	if err := log.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.store.Fault = func(op, path string) ledgertest.Fault { return w.ask("ledger " + op + " " + path) }
	w.cells = &cells{w: w}
	site := &detect.Site{Account: account, Secrets: []detect.Secret{{Name: "prod/mailer"}, {Name: "prod/honey", HoneyToken: true}}}
	site = site.Prepare(nil)
	honey := slices.DeleteFunc(detect.All(site), func(r detect.Rule) bool { return r.ID != "D-01" }) // the rules have tests of their own
	part := 0
	w.Watch = &watch.Watch{
		Ledger: log, Counter: &tally.Counter{Cells: w.cells, NewPart: func() string { part++; return fmt.Sprintf("part-%d", part) }},
		Detector: detect.New(site, honey, watch.State{Cells: w.cells}),
		Alerts:   &watch.Alerts{Cells: w.cells, Notifier: w, Key: func(string) (string, string) { return "sendgrid", "mail@example.com" }},
		Cells:    w.cells, Account: account, TrailQueue: trailQ, AuditQueue: auditQ,
		Ours: func(e *trail.Event) bool {
			return slices.ContainsFunc(e.Secrets(), func(s trail.SecretRef) bool { return strings.HasPrefix(s.Name, "prod/") })
		},
		Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler),
	}
	return w
}

func (w *world) ask(call string) ledgertest.Fault {
	if w.fault == nil {
		return ledgertest.None
	}
	return w.fault(call)
}

// Notify implements notify.Notifier.
func (w *world) Notify(_ context.Context, m notify.Message) error {
	f := w.ask("notify")
	if f == ledgertest.Before {
		return ledgertest.ErrFault
	}
	w.told = append(w.told, m)
	if f == ledgertest.After {
		return ledgertest.ErrFault
	}
	return nil
}

// cells fail as the ledger's stores do.
type cells struct {
	cell.Memory
	w *world
}

func (c *cells) Load(ctx context.Context, part string, names []string) ([]cell.Cell, error) {
	if c.w.ask("load "+part) != ledgertest.None {
		return nil, ledgertest.ErrFault
	}
	return c.Memory.Load(ctx, part, names)
}

func (c *cells) Put(ctx context.Context, x cell.Cell) error {
	f := c.w.ask("put " + x.Part)
	if f == ledgertest.Before {
		return ledgertest.ErrFault
	}
	if err := c.Memory.Put(ctx, x); err != nil {
		return err
	}
	if f == ledgertest.After {
		return ledgertest.ErrFault
	}
	return nil
}

func (c *cells) Remove(ctx context.Context, x cell.Cell) error {
	f := c.w.ask("remove " + x.Part)
	if f == ledgertest.Before {
		return ledgertest.ErrFault
	}
	if err := c.Memory.Remove(ctx, x); err != nil {
		return err
	}
	if f == ledgertest.After {
		return ledgertest.ErrFault
	}
	return nil
}

func (c *cells) Walk(ctx context.Context, part, before string, f func(cell.Cell) error) error {
	if c.w.ask("walk "+part) != ledgertest.None {
		return ledgertest.ErrFault
	}
	return c.Memory.Walk(ctx, part, before, f)
}

// entries verifies the ledger and returns what it says, by ID.
func (w *world) entries(t *testing.T) map[string]history.Fact {
	t.Helper()
	fault := w.fault
	w.fault = nil
	defer func() { w.fault = fault }()
	out := map[string]history.Fact{}
	if _, err := ledger.Verify(t.Context(), w.store, w.key.Verifier, ledger.Check{Each: func(_ int64, line []byte) error {
		e, err := ledger.Decode(line)
		if err != nil {
			return err
		}
		f, err := history.Of(e)
		if err != nil {
			return err
		}
		out[e.Writer+" "+e.ID] = f
		return nil
	}}); err != nil {
		t.Fatal(err)
	}
	return out
}

// record is a CloudTrail record in its envelope.
func record(id string, seconds int, name, secret string, more map[string]any) string {
	detail := map[string]any{
		"eventVersion": "1.11", "eventID": id, "eventTime": start.Add(time.Duration(seconds) * time.Second).Format(time.RFC3339), "eventType": "AwsApiCall",
		"eventSource": "secretsmanager.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1", "recipientAccountId": account, "sourceIPAddress": "203.0.113.9",
		"readOnly":          name == "GetSecretValue",
		"requestParameters": map[string]any{"secretId": secret},
		"userIdentity":      map[string]any{"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/app", "accountId": account, "accessKeyId": "AKIAEXAMPLE"},
	}
	maps.Copy(detail, more)
	b, err := json.Marshal(map[string]any{"id": "x" + id, "detail-type": "AWS API Call via CloudTrail", "source": "aws.secretsmanager", "account": account, "region": "eu-west-1", "time": "2026-11-24T09:00:00Z", "detail": detail})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func sqs(queue, sender, body string) watch.Message {
	return watch.Message{Queue: queue, Sender: sender, Body: body}
}

func batch(ms ...watch.Message) []watch.Message {
	for i := range ms {
		ms[i].ID = fmt.Sprintf("m%d", i)
	}
	return ms
}

const anAct = `{"id":"create-n2","time":"2026-11-24T09:01:00Z","act":"create","phase":"outcome","secret":"prod/mailer","key_id":"k2","result":"done"}`

// everything is a batch with one of each.
func everything() []watch.Message {
	denied := map[string]any{"errorCode": "AccessDenied"}
	ms := []watch.Message{
		sqs(auditQ, "AROAROTATE:keyturn-rotate", anAct),
		sqs(auditQ, "AROAROTATE:keyturn-rotate", anAct),
		sqs(trailQ, bridge, record("policy", 5, "PutResourcePolicy", mailer, nil)),
		sqs(trailQ, bridge, record("denied", 6, "GetSecretValue", mailer, denied)),
		sqs(trailQ, bridge, record("denied", 6, "GetSecretValue", mailer, denied)),
		sqs(trailQ, bridge, record("honey", 7, "GetSecretValue", "prod/honey", nil)),
		sqs(trailQ, bridge, record("foreign", 8, "DeleteSecret", "others", nil)),
	}
	for i := range 6 {
		ms = append(ms, sqs(trailQ, bridge, record(fmt.Sprintf("read-%d", i), 10+i, "GetSecretValue", mailer, nil)))
	}
	return batch(ms...)
}

func TestHandle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	out, done := w.Handle(t.Context(), everything())
	if len(out) != 0 {
		t.Errorf("failed: %v", out)
	}
	if diff := cmp.Diff(watch.Handled{Acts: 2, Calls: 3, Reads: 7, Findings: 2}, done); diff != "" {
		t.Errorf("done (-want +got):\n%s", diff)
	}
	w.check(t)
	loot, m := w.told[0], w.told[1]
	if loot.Secret != "prod/mailer" {
		t.Errorf("told %+v", loot)
	}
	if m.Severity != notify.Critical || m.Secret != "prod/honey" || m.Owner != "mail@example.com" || m.Kind != notify.Finding || !m.Asks() ||
		!strings.Contains(m.Summary, "prod/honey") || m.Detail["events"] != "honey" || m.Detail["ledger_index"] == "" || len(m.Known) < 2 {
		t.Errorf("told %+v", m)
	}
}

// check says that what everything has is in the ledger, once each, and was told.
func (w *world) check(t *testing.T) {
	t.Helper()
	w.now = start.Add(12 * time.Hour)
	w.fault = nil
	if _, err := w.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	counts := map[string]int64{}
	for id, f := range w.entries(t) {
		switch f.Kind { //nolint:exhaustive // the others are named by their IDs
		case history.KindReads:
			counts[f.Reads.Secret] += f.Reads.Count
		case history.KindAlert:
			got = append(got, "alert "+f.Alert.Rule)
		default:
			got = append(got, id)
		}
	}
	slices.Sort(got)
	want := []string{"AROAROTATE:keyturn-rotate create-n2/outcome", "alert D-01", "keyturn/audit denied", "keyturn/audit policy"}
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int64{mailer: 6, "prod/honey": 1}, counts); diff != "" {
		t.Errorf("reads (-want +got):\n%s", diff)
	}
	ids := map[string]bool{}
	for _, m := range w.told {
		ids[m.ID] = true
	}
	if len(ids) != 2 { // that the honey token was read, and what else by the same
		t.Errorf("told %d different messages, want 2: %v", len(ids), ids)
	}
}

// Whatever call fails, before or after it took effect: given again, all is written
// once, and told.
func TestHandle_crash(t *testing.T) {
	t.Parallel()
	calls := 0
	w := newWorld(t)
	w.fault = func(string) ledgertest.Fault { calls++; return ledgertest.None }
	w.Handle(t.Context(), everything())
	if calls < 20 {
		t.Fatalf("only %d calls", calls)
	}
	for at := range calls {
		for _, f := range []ledgertest.Fault{ledgertest.Before, ledgertest.After} {
			w := newWorld(t)
			n, which := 0, ""
			w.fault = func(call string) ledgertest.Fault {
				if n++; n == at+1 {
					which = call
					return f
				}
				return ledgertest.None
			}
			ms := everything()
			for range 4 {
				out, _ := w.Handle(t.Context(), ms)
				ms = slices.DeleteFunc(ms, func(m watch.Message) bool { return !slices.Contains(out, m.ID) })
			}
			if len(ms) > 0 {
				t.Errorf("fault %d at call %d, %s: never done", f, at, which)
			}
			if w.check(t); t.Failed() {
				t.Fatalf("fault %d at call %d, %s", f, at, which)
			}
		}
	}
}

// What is not EventBridge's word about our account is written down and goes no
// further; what cannot be read is written down and kept for a person.
func TestHandle_bad(t *testing.T) {
	t.Parallel()
	good := record("honey", 7, "GetSecretValue", "prod/honey", nil)
	for name, c := range map[string]struct {
		m    watch.Message
		why  string
		kept bool
	}{
		"source":      {sqs(trailQ, bridge, strings.Replace(good, `"source":"aws.secretsmanager"`, `"source":"my.app"`, 1)), "not AWS", false},
		"account":     {sqs(trailQ, bridge, strings.Replace(good, `"account":"111122223333"`, `"account":"999999999999"`, 1)), "envelope is of another account", false},
		"recipient":   {sqs(trailQ, bridge, strings.Replace(good, `"recipientAccountId":"111122223333"`, `"recipientAccountId":"999999999999"`, 1)), "record is of another account", false},
		"sender":      {sqs(trailQ, "AROAEVIL:session", good), "sent by a role", false},
		"no envelope": {sqs(trailQ, bridge, `{"eventVersion":"1.11","eventID":"x","eventTime":"2026-11-24T09:00:00Z","recipientAccountId":"111122223333"}`), "envelope", false},
		"not JSON":    {sqs(trailQ, bridge, `{"detail-type"`), "", true},
		"version":     {sqs(trailQ, bridge, strings.Replace(good, "1.11", "2.0", 1)), "2.0", true},
		"huge":        {sqs(trailQ, bridge, `{"x":"`+strings.Repeat("a", 2<<20)+`"}`), "", true},
		"empty":       {sqs(trailQ, bridge, ""), "", true},
		"to come":     {sqs(trailQ, bridge, record("ahead", 25*3600, "GetSecretValue", "prod/honey", nil)), "ahead", true},
		"act":         {sqs(auditQ, "AROAROTATE:x", `{"id":1}`), "no record of ours", true},
		"half an act": {sqs(auditQ, "AROAROTATE:x", `{"id":"x","act":"create"}`), "without id, act, phase or time", true},
		"no sender":   {sqs(auditQ, "", anAct), "no sender", true},
		"queue":       {sqs("arn:other", bridge, anAct), "not ours", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			out, done := w.Handle(t.Context(), batch(c.m))
			if got := len(out) == 1; got != c.kept || done.Refused+done.Unreadable != 1 {
				t.Errorf("kept %v, %+v", got, done)
			}
			entries := w.entries(t)
			if len(entries) != 1 || len(w.told) != 0 {
				t.Fatalf("%d entries, told %v", len(entries), w.told)
			}
			for _, f := range entries {
				if f.Kind != history.KindRefused || !strings.Contains(f.Refused.Why, c.why) || f.Refused.Bytes != len(c.m.Body) {
					t.Errorf("%+v", f.Refused)
				}
			}
		})
	}
}

// A record that is too long for the ledger is written without its details.
func TestHandle_long(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := strings.Replace(anAct, `"result":"done"`, `"result":"done","detail":{"x":"`+strings.Repeat("y", 20<<10)+`"}`, 1)
	if out, _ := w.Handle(t.Context(), batch(sqs(auditQ, "AROAROTATE:x", long))); len(out) != 0 {
		t.Fatal("not done")
	}
	for _, f := range w.entries(t) {
		if f.Act == nil || f.Act.KeyID != "k2" || f.Act.Detail["sha256"] == "" {
			t.Errorf("%+v", f)
		}
	}
}

// One matter is told when it begins, when it has grown tenfold, when it is worse, and
// when it comes back after a day.
func TestAlerts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := 0
	touch := func(at time.Duration) {
		n++
		out, _ := w.Handle(t.Context(), batch(sqs(trailQ, bridge, record(fmt.Sprintf("honey-%d", n), int(at.Seconds()), "GetSecretValue", "prod/honey", nil))))
		if len(out) > 0 {
			t.Fatal("not done")
		}
	}
	counts := func() (out []string) {
		for _, m := range w.told {
			out = append(out, m.Detail["count"])
		}
		return out
	}
	for i := range 120 {
		touch(time.Duration(i) * time.Second)
	}
	if diff := cmp.Diff([]string{"1", "10", "100"}, counts()); diff != "" {
		t.Fatalf("told at (-want +got):\n%s", diff)
	}
	w.now = start.Add(50 * time.Hour)
	touch(49 * time.Hour)
	if diff := cmp.Diff([]string{"1", "10", "100", "1"}, counts()); diff != "" {
		t.Errorf("told at (-want +got):\n%s", diff)
	}
	ids := map[string]bool{}
	for _, m := range w.told {
		ids[m.ID] = true
	}
	if len(ids) != 4 {
		t.Errorf("the same ID for different news: %v", ids)
	}
}

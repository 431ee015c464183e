package events_test

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/test/events"
	"github.com/keyturn/keyturn/test/stack"
)

const (
	none = `{"batchItemFailures":[]}`
	id   = "2e1424d4-f796-459a-8184-9c92662b000"
)

// again is the answer after which the batch's messages with these numbers come again.
func again(numbers ...string) string {
	var out []string
	for _, n := range numbers {
		out = append(out, `{"itemIdentifier":"`+id+n+`"}`)
	}
	return `{"batchItemFailures":[` + strings.Join(out, ",") + `]}`
}

// watched is what each sample for a function that audits must come to: an error type or
// an answer, and what is then new in the ledger, and told. next is the answer when it
// comes once more, if that is another.
var watched = map[string]map[string]struct {
	failure, answer, next string
	said                  []string
}{
	"audit": {
		"canary": {answer: `{"silent":false}`}, // what was deployed was noted when the function opened
		"seal": {answer: `{"tallies":3}`, next: `{"tallies":0}`, said: []string{
			"reads" + app + "10.0.0.0/24 2", "reads" + app + "203.0.113.0/24 1", "reads arn:aws:iam::123456789012:role/keyturn-audit 127.0.0.0/24 1",
		}},
		"reconcile": {answer: `"source":"lookup","events":0,"missed":0`},
		"trail-queue": {answer: none, said: []string{
			"alert D-01 " + events.HoneyToken + app + "203.0.113.66", "alert D-01 " + events.Secret + app + "10.0.0.7",
			"call GetSecretValue" + intern + "198.51.100.9 AccessDenied", "call RotateSecret arn:aws:iam::123456789012:role/deployer 198.51.100.7",
			"told finding", "told finding",
		}},
		"label-queue": {answer: none, said: []string{"call SecretLabelUpdated secretsmanager.amazonaws.com secretsmanager.amazonaws.com"}},
		"acts-queue": {answer: none, said: []string{
			"act create intent " + rotator, "act create outcome " + rotator, "act promote fact " + rotator,
			"sign_off s3://keyturn-ledger/review/2026-W47/review.html accepted AROAEXAMPLE0000000002:ann@example.com",
		}},
		"odd-forged-sender": {answer: none, said: []string{
			"act revoke outcome AROAEXAMPLE0000000003:mallory", // whatever it says of itself, the ledger says who sent it
			"refused trail AROAEXAMPLE0000000003:mallory it was sent by a role, not by EventBridge",
		}},
		"odd-forged-source": {answer: none, said: []string{"refused trail" + bridge + "its source is not AWS"}},
		"odd-other-account": {answer: none, said: []string{
			"refused trail" + bridge + "its envelope is of another account", "refused trail" + bridge + "its record is of another account",
		}},
		"odd-unreadable-body": {answer: again("1", "2"), said: append([]string{
			"refused audit " + rotator + " it is a record without id, act, phase or time", "refused trail" + bridge + "read record: not a JSON object",
		}, deleted...)},
		"odd-other-queue":    {answer: again("1"), said: []string{"refused unknown" + bridge + "it came from a queue that is not ours"}},
		"odd-no-sender":      {answer: again("1"), said: []string{"refused audit  it has no sender"}},
		"odd-unknown-fields": {answer: none, said: append([]string{"act create intent " + rotator}, deleted...)},
		"odd-256kb-record":   {answer: none, said: deleted},
		"odd-unknown-task":   {failure: "BadEvent"},
		"odd-no-records":     {failure: "BadEvent"},
		"odd-not-an-object":  {failure: "BadEvent"},
	},
	"review": {
		"review":             {answer: `"already":false,"keys":4,"findings":4`, next: `"already":true`, said: reviewed},
		"odd-unknown-fields": {answer: `"week":"1999-W52"`, said: reviewed}, // nobody may choose the week
		"odd-unknown-task":   {failure: "BadEvent"},
		"odd-no-task":        {failure: "BadEvent"},
		"odd-not-an-object":  {failure: "BadEvent"},
	},
}

const (
	app     = " arn:aws:iam::123456789012:role/app "
	intern  = " arn:aws:iam::123456789012:role/intern "
	bridge  = " AIDAIENQZJOLO23YVJ4VO "
	rotator = "AROAEXAMPLE0000000001:keyturn-rotate-sendgrid-main"
)

// deleted is what the deletion of the samples' secret comes to.
var deleted = []string{
	"call DeleteSecret" + intern + "198.51.100.9", "alert D-19 " + events.Secret + intern + "198.51.100.9", "told finding",
}

var reviewed = []string{"act review fact keyturn-review", "told reviewed"}

// TestSamples_watched sends each sample for a function that audits twice: the second
// time changes nothing.
func TestSamples_watched(t *testing.T) {
	t.Parallel()
	for function, samples := range watched {
		files, err := events.Samples(function)
		if err != nil {
			t.Fatal(err)
		}
		for name := range samples {
			if !slices.Contains(files, name) {
				t.Errorf("no sample %s/%s", function, name)
			}
		}
		for _, name := range files {
			w, ok := samples[name]
			if !ok {
				t.Errorf("nobody says what %s/%s must come to", function, name)
			}
			t.Run(function+"/"+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					deployed(t, function, name, func(s *stack.Stack) {
						before := said(t, s)
						for _, answer := range []string{w.answer, cmp.Or(w.next, w.answer)} {
							out, failure, err := events.Send(t.Context(), s, function, name)
							if err != nil {
								t.Fatal(err)
							}
							checked(t, out, failure, w.failure, answer)
							if d := gocmp.Diff(slices.Sorted(slices.Values(w.said)), without(said(t, s), before), cmpopts.EquateEmpty()); d != "" {
								t.Errorf("(-want +got):\n%s", d)
							}
						}
					})
				})
			})
		}
	}
}

// without returns, sorted, what is in all and not in some of it.
func without(all, some []string) []string {
	for _, s := range some {
		if i := slices.Index(all, s); i >= 0 {
			all = slices.Delete(all, i, i+1)
		}
	}
	slices.Sort(all)
	return all
}

// said is what the ledger holds, proven, and what people were told.
func said(t *testing.T, s *stack.Stack) (out []string) {
	t.Helper()
	time.Sleep(time.Second) // for what goes through the audit queue
	_, err := s.Verify(t.Context(), func(_ int64, data []byte) error {
		e, err := ledger.Decode(data)
		if err != nil {
			return err
		}
		f, err := history.Of(e)
		out = append(out, line(e.Writer, f))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range s.Region.SNS.Inbox(stack.Topic) {
		out = append(out, "told "+m.Attributes["kind"].Value)
	}
	return out
}

// line says what f says, without what is of one run.
func line(writer string, f history.Fact) string {
	var parts []string
	switch {
	case f.Act != nil:
		parts = []string{string(f.Act.Act), string(f.Act.Phase), writer}
	case f.Call != nil:
		name, _, _ := strings.Cut(f.Call.Name, " ")
		parts = []string{name, f.Call.Principal, f.Call.Source, f.Call.Error}
	case f.Reads != nil:
		parts = []string{f.Reads.Principal, f.Reads.Network, strconv.FormatInt(f.Reads.Count, 10)}
	case f.Alert != nil:
		parts = []string{f.Alert.Rule, f.Alert.Secret, f.Alert.Principal, f.Alert.Source}
	case f.Change != nil:
		parts = []string{f.Change.What}
	case f.SignOff != nil:
		parts = []string{f.SignOff.Report, f.SignOff.Decision, writer}
	case f.Refused != nil:
		parts = []string{f.Refused.Queue, f.Refused.Sender, f.Refused.Why}
	}
	return strings.TrimSpace(string(f.Kind) + " " + strings.Join(parts, " "))
}

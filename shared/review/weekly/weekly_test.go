package weekly_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/review"
	"github.com/keyturn/keyturn/shared/review/weekly"
)

var errFault = errors.New("fault")

// world is all that a weekly review touches. Its call number at fails, before or after
// its effect.
type world struct {
	objects  map[string][]byte
	records  []audit.Record
	told     []notify.Message
	gathered int
	now      time.Time

	calls []string
	at    int // 0: none
	after bool
}

func (w *world) call(name string, effect func() error) error {
	w.calls = append(w.calls, name)
	hit := len(w.calls) == w.at
	if hit && !w.after {
		return errFault
	}
	err := effect()
	if hit {
		return errFault
	}
	return err
}

func (w *world) Read(_ context.Context, path string) (data []byte, err error) {
	err = w.call("read "+path, func() error {
		d, ok := w.objects[path]
		if data = d; !ok {
			return weekly.ErrNotFound
		}
		return nil
	})
	return data, err
}

func (w *world) Create(_ context.Context, path, _ string, data []byte) error {
	return w.call("create "+path, func() error {
		if _, ok := w.objects[path]; ok {
			return weekly.ErrExists
		}
		w.objects[path] = bytes.Clone(data)
		return nil
	})
}

func (*world) URL(path string) string { return "s3://bucket/review/" + path }

func (w *world) Record(_ context.Context, r audit.Record) error {
	return w.call("record", func() error { w.records = append(w.records, r); return nil })
}

func (w *world) Notify(_ context.Context, m notify.Message) error {
	return w.call("notify", func() error { w.told = append(w.told, m); return nil })
}

// gather answers otherwise each time, as an account does.
func (w *world) gather(context.Context) (in review.Input, err error) {
	err = w.call("gather", func() error {
		w.gathered++
		in = review.Input{
			Account: "111122223333", Partition: "aws", Region: "eu-central-1", Now: w.now.Add(time.Duration(w.gathered) * time.Second),
			Checkpoint: "example.com/ledger\n7\nAAAA\n\n— example.com/ledger sig\n",
			Secrets:    []review.Secret{{ARN: "arn:aws:secretsmanager:eu-central-1:111122223333:secret:a-AbCdEf", Name: "a", Created: w.now}},
			Notices:    []review.Notice{{Kind: "suppression", Text: fmt.Sprint("gathering ", w.gathered), Until: w.now, Expired: true}},
		}
		return nil
	})
	return in, err
}

func newWorld() (*world, *weekly.Weekly) {
	w := &world{objects: map[string][]byte{}, now: time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)}
	return w, &weekly.Weekly{
		Objects: w, Gather: w.gather, Audit: w, Notifier: w, Installation: "keyturn", Now: func() time.Time { return w.now },
	}
}

// TestRun_everyFault lets every call fail once, before and after its effect, and runs
// again: a week has one page, of which the ledger has the hash, and which is told.
func TestRun_everyFault(t *testing.T) {
	t.Parallel()
	whole, run := newWorld()
	if _, err := run.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	calls := whole.calls
	for at := 1; at <= len(calls); at++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%02d %s after=%v", at, calls[at-1], after), func(t *testing.T) {
				t.Parallel()
				w, run := newWorld()
				w.at, w.after = at, after
				if _, err := run.Run(t.Context()); !errors.Is(err, errFault) {
					t.Errorf("it ended with %v", err)
				}
				w.now = w.now.Add(2 * time.Minute) // Lambda tries again
				done, err := run.Run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				w.consistent(t, done)
				most := 1
				if calls[at-1] == "notify" && after || calls[at-1] == "create 2026-W48/announced" && !after {
					most = 2 // it went out, and nobody knew
				}
				if n := len(w.told); n < 1 || n > most {
					t.Errorf("told %d times, at most %d", n, most)
				}
				told, recorded := len(w.told), len(w.records)
				again, err := run.Run(t.Context())
				if err != nil || !again.Already || again.SHA256 != done.SHA256 || len(w.told) != told || len(w.records) != recorded {
					t.Errorf("a third run: %+v, %v; told %d times", again, err, len(w.told))
				}
			})
		}
	}
}

func (w *world) consistent(t *testing.T, done weekly.Done) {
	t.Helper()
	sum := sha256.Sum256(w.objects["2026-W48/review.html"])
	if page := hex.EncodeToString(sum[:]); page != done.SHA256 {
		t.Errorf("the page that is kept is %s, told was of %s", page, done.SHA256)
	}
	if got := slices.Sorted(maps.Keys(w.objects)); !slices.Equal(got, []string{
		"2026-W48/announced", "2026-W48/review.csv", "2026-W48/review.html", "2026-W48/review.json",
	}) {
		t.Errorf("kept: %q", got)
	}
	if len(w.records) == 0 {
		t.Error("nothing is in the ledger")
	}
	for _, r := range w.records {
		if diff := cmp.Diff(w.records[0], r); diff != "" || r.Detail["sha256"] != done.SHA256 || r.ID != "review-2026-W48" {
			t.Errorf("recorded otherwise: %+v %s", r, diff)
		}
	}
	for _, m := range w.told {
		if diff := cmp.Diff(w.told[0], m); diff != "" || m.Detail["sha256"] != done.SHA256 {
			t.Errorf("told otherwise: %+v %s", m, diff)
		}
	}
}

// A page of which AWS did not answer a part is made when it was asked three times.
func TestRun_unanswered(t *testing.T) {
	t.Parallel()
	for answers := range 5 { // from which run on all is answered
		w, run := newWorld()
		run.Gather = func(ctx context.Context) (review.Input, error) {
			in, err := w.gather(ctx)
			in.Unanswered = w.gathered <= answers
			return in, err
		}
		runs := 0
		for {
			runs++
			_, err := run.Run(t.Context())
			if err == nil {
				break
			}
			if !errors.Is(err, weekly.ErrUnanswered) || len(w.told) > 0 || len(w.records) > 0 {
				t.Fatalf("%v, told %d times", err, len(w.told))
			}
		}
		if want := min(answers, 2) + 1; runs != want || len(w.told) != 1 {
			t.Errorf("answered from run %d on: made by run %d, want %d", answers+1, runs, want)
		}
	}
}

// What was told carries the checkpoint as it was signed.
func TestRun_message(t *testing.T) {
	t.Parallel()
	w, run := newWorld()
	done, err := run.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if done.Report != "s3://bucket/review/2026-W48/review.html" || done.Keys != 1 || done.Findings != 1 {
		t.Errorf("%+v", done)
	}
	m := w.told[0]
	text := notify.Text(m)
	for _, part := range []string{"\n\nexample.com/ledger\n7\nAAAA\n\n— example.com/ledger sig\n", done.Report, done.SHA256, "no-owner: 1", "still there: 1"} {
		if !strings.Contains(text, part) {
			t.Errorf("the message lacks %q:\n%s", part, text)
		}
	}
	if m.Severity != notify.Info || m.Kind != notify.Reviewed || m.Asks() {
		t.Errorf("%+v", m)
	}
}

// Each week is compared with the last one that is kept, two months back at most.
func TestRun_since(t *testing.T) {
	t.Parallel()
	w, run := newWorld()
	for _, later := range []int{0, 7, 21, 77} {
		w.now = time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC).AddDate(0, 0, later)
		if _, err := run.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		page := string(w.objects[weekly.Week(w.now)+"/review.html"])
		if compared := strings.Contains(page, "Since the last review"); compared != (later > 0) {
			t.Errorf("after %d days: compared %v", later, compared)
		}
	}
	w.now = w.now.AddDate(0, 0, 70)
	if _, err := run.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(w.objects[weekly.Week(w.now)+"/review.html"]), "Since the last review") {
		t.Error("compared with a review of ten weeks ago")
	}
	if got := weekly.Week(time.Date(2027, 1, 3, 23, 0, 0, 0, time.UTC)); got != "2026-W53" {
		t.Errorf("the week of 3 January 2027 is %s", got)
	}
}

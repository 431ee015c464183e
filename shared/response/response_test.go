package response_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/cell"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/response"
)

var start = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

var errFault = errors.New("fault")

// What becomes of a call.
const (
	works  = iota
	before // it fails, and had no effect
	after  // it fails, and had its effect
	dies   // as before, and so does every later call: the process has ended
	kinds
)

// world is the cells and rotatenow, whose calls can be made to fail.
type world struct {
	cell.Memory
	mu    sync.Mutex
	now   time.Time
	fault func() int
	dead  bool
	calls int
	ids   int
	sent  []sending
	// Of what rotatenow answers.
	refuse string
}

type sending struct {
	secret, reason string
	at             time.Time
}

func (w *world) call(effect func() error) error {
	w.mu.Lock()
	w.calls++
	f := works
	if w.fault != nil {
		f = w.fault()
	}
	w.dead = w.dead || f == dies
	dead := w.dead
	w.mu.Unlock()
	runtime.Gosched() // others come between two calls
	if dead || f == before {
		return errFault
	}
	if err := effect(); err != nil {
		return err
	}
	if f == after {
		return errFault
	}
	return nil
}

func (w *world) Load(ctx context.Context, part string, names []string) (out []cell.Cell, err error) {
	err = w.call(func() error { out, err = w.Memory.Load(ctx, part, names); return err })
	return out, err
}

func (w *world) Put(ctx context.Context, c cell.Cell) error {
	return w.call(func() error { return w.Memory.Put(ctx, c) })
}

// Request implements response.Requester.
func (w *world) Request(_ context.Context, secret, reason string) (version, refused string, err error) {
	err = w.call(func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if refused = w.refuse; refused == "" {
			w.sent = append(w.sent, sending{secret, reason, w.now})
		}
		return nil
	})
	return "v1", refused, err
}

func (w *world) responder(rules detect.Respond) *response.Responder {
	return &response.Responder{
		Cells: w, Requester: w, Rules: rules, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now },
		NewID: func() string {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.ids++
			return fmt.Sprint("attempt-", w.ids)
		},
	}
}

func (w *world) finding(id, rule string, secrets ...string) detect.Finding {
	return detect.Finding{ID: id, Rule: rule, Severity: detect.Critical, Why: "it\nwas read", Time: w.now, Rotate: secrets}
}

var rules = detect.Respond{Rules: []string{"D-01", "D-07"}}

func TestRespond(t *testing.T) {
	t.Parallel()
	w := &world{now: start}
	r := w.responder(rules)
	ask := func(f detect.Finding) string {
		t.Helper()
		out, err := r.Respond(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := ask(w.finding("f1", "D-07", "a", "b")); got != "a: started, version v1; b: started, version v1" || len(w.sent) != 2 {
		t.Errorf("told %q, sent %v", got, w.sent)
	}
	if got := w.sent[0].reason; got != "finding f1: it was read" {
		t.Errorf("reason %q", got)
	}
	w.now = w.now.Add(2 * time.Hour)
	if got := ask(w.finding("f1", "D-07", "a")); got != "a: started, version v1" || len(w.sent) != 2 {
		t.Errorf("again: told %q, sent %v", got, w.sent)
	}
	for _, f := range []detect.Finding{w.finding("f2", "D-26", "a"), w.finding("f3", "D-07")} {
		if got := ask(f); got != "" || len(w.sent) != 2 {
			t.Errorf("%s: told %q, sent %v", f.ID, got, w.sent)
		}
	}
	w.refuse = "NotOurs: no"
	if got := ask(w.finding("f4", "D-07", "c")); got != "c: not started: NotOurs: no" {
		t.Errorf("refused: told %q", got)
	}
	old := w.finding("f6", "D-07", "e")
	old.Time = w.now.Add(-37 * time.Hour)
	if got := ask(old); got != "e: not started: it was 37h0m0s ago" || len(w.sent) != 2 {
		t.Errorf("old: told %q, sent %v", got, w.sent)
	}
	r.Rules.Off = true
	if got := ask(w.finding("f5", "D-01", "d")); got != "d: not started: the response is switched off" || len(w.sent) != 2 {
		t.Errorf("off: told %q, sent %v", got, w.sent)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	w := &world{now: start}
	r := w.responder(detect.Respond{Rules: []string{"D-07"}, Cooldown: 3 * time.Hour, Hourly: 2})
	n := 0
	ask := func(secret string) bool {
		t.Helper()
		n++
		out, err := r.Respond(t.Context(), w.finding(fmt.Sprint("f", n), "D-07", secret))
		if err != nil {
			t.Fatal(err)
		}
		return strings.HasPrefix(out, secret+": started")
	}
	for _, step := range []struct {
		after  time.Duration
		secret string
		want   bool
	}{
		{0, "a", true},
		{time.Minute, "a", false},
		{0, "b", true},
		{0, "c", false}, // the cap
		{59 * time.Minute, "c", true},
		{0, "a", false}, // the cooldown is longer
		{2*time.Hour - time.Nanosecond, "a", false},
		{time.Nanosecond, "a", true},
	} {
		w.now = w.now.Add(step.after)
		if got := ask(step.secret); got != step.want {
			t.Errorf("%s at %s: started %t", step.secret, w.now.Sub(start), got)
		}
	}
}

// TestLimits_nothingBegan: what is refused uses up neither the hour nor the cooldown,
// nor does a clock that was ahead.
func TestLimits_nothingBegan(t *testing.T) {
	t.Parallel()
	w := &world{now: start, refuse: "InProgress: wait"}
	r := w.responder(detect.Respond{Rules: []string{"D-07"}, Hourly: 2})
	ask := func(id, secret string) string {
		t.Helper()
		out, err := r.Respond(t.Context(), w.finding(id, "D-07", secret))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for i := range 5 {
		if got := ask(fmt.Sprint("refused-", i), fmt.Sprint("admin-", i%2)); !strings.HasSuffix(got, "InProgress: wait") {
			t.Errorf("request %d: %q", i, got)
		}
	}
	w.refuse, w.now = "", start.Add(30*24*time.Hour)
	for _, secret := range []string{"a", "b"} {
		if got := ask("ahead-"+secret, secret); !strings.HasSuffix(got, ": started, version v1") {
			t.Errorf("after refusals: %q", got)
		}
	}
	w.now = start.Add(time.Minute)
	if got := ask("back", "a"); !strings.HasSuffix(got, ": started, version v1") {
		t.Errorf("after a clock that was ahead: %q", got)
	}
	if got := ask("again", "a"); !strings.Contains(got, "a rotation was asked for at") {
		t.Errorf("within the cooldown: %q", got)
	}
}

// TestEachCall lets each call of one response fail in each way, and asks again.
func TestEachCall(t *testing.T) {
	t.Parallel()
	whole := &world{now: start}
	f := whole.finding("f1", "D-07", "a")
	if _, err := whole.responder(rules).Respond(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	for n := range whole.calls {
		for kind := before; kind < kinds; kind++ {
			w := &world{now: start}
			w.fault = func() int {
				if w.calls == n+1 {
					return kind
				}
				return works
			}
			first, err := w.responder(rules).Respond(t.Context(), f)
			sent := len(w.sent)
			w.fault, w.dead = nil, false
			w.now = w.now.Add(time.Minute)
			second, again := w.responder(rules).Respond(t.Context(), f)
			if again != nil {
				t.Errorf("call %d, %d: %v", n, kind, again)
			}
			for text, sent := range map[string]int{first: sent, second: len(w.sent)} {
				if started, not := strings.Contains(text, ": started"), strings.Contains(text, "not started"); started && sent != 1 || not && sent != 0 {
					t.Errorf("call %d, %d: told %q, sent %d times", n, kind, text, sent)
				}
			}
			if len(w.sent) > 1 {
				t.Errorf("call %d, %d: sent %d times", n, kind, len(w.sent))
			}
			if err != nil && len(w.sent) == 0 && !strings.Contains(second, "not known") {
				t.Errorf("call %d, %d: %v, then %q: never sent, and nobody knows", n, kind, err, second)
			}
		}
	}
}

var long = flag.Bool("all", false, "try many more histories")

// TestHistories lets processes end and calls fail at random, over days: two requests
// for a secret are never closer than the cooldown, and no hour has more than the cap.
func TestHistories(t *testing.T) {
	t.Parallel()
	seeds := uint64(300)
	if *long {
		seeds = 20_000
	}
	total := 0
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 7))
		w := &world{now: start}
		rules := detect.Respond{Rules: []string{"D-01"}, Cooldown: time.Duration(20+r.IntN(100)) * time.Minute, Hourly: 1 + r.IntN(4)}
		bad := r.IntN(30)
		w.fault = func() int {
			if r.IntN(100) < bad {
				return before + r.IntN(kinds-1)
			}
			return works
		}
		for range 60 {
			w.dead = false
			w.now = w.now.Add(time.Duration(r.IntN(40)) * time.Minute)
			f := w.finding(fmt.Sprint("f", r.IntN(40)), "D-01", fmt.Sprint("s", r.IntN(3)), fmt.Sprint("s", 3+r.IntN(3)))
			_, _ = w.responder(rules).Respond(t.Context(), f) // whatever it says
		}
		w.check(t, seed, rules)
		total += len(w.sent)
	}
	if total < int(seeds) {
		t.Errorf("only %d requests were sent in %d histories", total, seeds)
	}
}

func (w *world) check(t *testing.T, seed uint64, rules detect.Respond) {
	t.Helper()
	once := map[string]bool{}
	for i, s := range w.sent {
		if key := s.secret + s.reason; once[key] {
			t.Errorf("seed %d: %s was asked for twice by %q", seed, s.secret, s.reason)
		} else {
			once[key] = true
		}
		hour := 0
		for _, other := range w.sent[:i] {
			if d := s.at.Sub(other.at); other.secret == s.secret && d < rules.Cooldown {
				t.Errorf("seed %d: %s again after %s, cooldown %s", seed, s.secret, d, rules.Cooldown)
			}
			if s.at.Sub(other.at) < time.Hour {
				hour++
			}
		}
		if hour >= rules.Hourly {
			t.Errorf("seed %d: %d in an hour, cap %d", seed, hour+1, rules.Hourly)
		}
	}
}

// TestTogether lets several processes find the same at once.
func TestTogether(t *testing.T) {
	t.Parallel()
	for range 50 {
		w := &world{now: start}
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				r := w.responder(detect.Respond{Rules: []string{"D-01"}, Hourly: 3})
				for j := range 6 {
					_, _ = r.Respond(t.Context(), w.finding(fmt.Sprint("f", (i/4+j)%2), "D-01", fmt.Sprint("s", j)))
				}
			})
		}
		all.Wait()
		if len(w.sent) == 0 {
			t.Fatal("nothing was sent")
		}
		w.check(t, 0, detect.Respond{Cooldown: time.Hour, Hourly: 3})
	}
}

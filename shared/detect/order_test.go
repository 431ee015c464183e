package detect

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	difference "github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/trail"
)

// history makes events of few principals about few secrets, in hours or in
// minutes, so that thresholds are met and missed by a little.
func history(r *rand.Rand) []trail.Event {
	names := []string{"GetSecretValue", "GetSecretValue", "GetSecretValue", "GetSecretValue", "PutSecretValue", "ListSecrets", "BatchGetSecretValue", "DescribeSecret", "UpdateSecretVersionStage", "DeleteSecret", "PutResourcePolicy", "RotateSecret"}
	width := pick(r, 600, 3600, 3*3600, 20*24*3600)
	out, secrets := make([]trail.Event, r.IntN(150)), pick(r, secretNames, secretNames[:3])
	for i := range out {
		e := ev(r.IntN(width), pick(r, alice, mailer, rotator), pick(r, names...), pick(r, secrets...), from(pick(r, "203.0.113.7", "198.51.100.9", "10.1.2.3", "2001:db8::1")))
		if v := r.IntN(6); v > 3 {
			set("versionId", fmt.Sprint("v", v))(&e)
			set("clientRequestToken", fmt.Sprint("v", v))(&e)
		} else if v == 0 {
			set("versionStage", "AWSPENDING")(&e)
		}
		e.ErrorCode = pick(r, "", "", "", "AccessDenied", "ResourceNotFoundException", "ThrottlingException")
		e.Identity.Type, e.Identity.AccessKeyID = pick(r, "IAMUser", "IAMUser", "IAMUser", "Root"), pick(r, "", "AKIAEXAMPLE")
		e.Region = pick(r, "eu-west-1", "eu-west-1", "us-east-1", "ap-south-1")
		rare(r, &e)
		e.ID = strconv.FormatUint(hash(fmt.Sprint(e.ID, e.Name, e.UserAgent, e.VPCEndpoint, e.ErrorCode, e.Region, string(e.Request), e.Identity)), 16)
		out[i] = e
	}
	return out
}

var secretNames = []string{"prod/mail", "prod/mail", "prod/pay", "prod/decoy", "admin/mail", "a", "b", "c", "d", "e", "f"}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// arriving puts the events into an order in which none comes later than Lateness
// after a newer one, some of them twice, and cuts it into batches.
func arriving(r *rand.Rand, events []trail.Event) [][]trail.Event {
	type arrival struct {
		at    time.Time
		event trail.Event
	}
	var all []arrival
	for _, e := range events {
		for range pick(r, 1, 1, 1, 2, 3) {
			late := time.Duration(r.IntN(int(Lateness/time.Second))) * time.Second
			all = append(all, arrival{e.Time.Add(late), e})
		}
	}
	slices.SortStableFunc(all, func(a, b arrival) int { return a.at.Compare(b.at) })
	var batches [][]trail.Event
	for most := pick(r, 1, 10, 100); len(all) > 0; {
		var batch []trail.Event
		n := min(len(all), 1+r.IntN(most))
		for _, a := range all[:n] {
			batch = append(batch, a.event)
		}
		all = all[n:]
		batches = append(batches, batch)
	}
	return batches
}

// identity is what may not depend on the order.
func identity(found []Finding) []string {
	out := []string{}
	for _, f := range found {
		out = append(out, fmt.Sprint(f.ID, " ", f.Group, " ", f.Severity, " ", f.Principal))
	}
	slices.Sort(out)
	return out
}

// every returns all rules, with low thresholds, and all of them on.
func every(s *Site) []Rule {
	s.Thresholds = map[string]int{"D-02": 3, "D-03": 2, "D-10": 4, "D-12": 2, "D-13": 2, "D-14": 2, "D-15": 3, "D-19": 2, "D-24": 2}
	rules := All(s)
	s.Rules = map[string]bool{}
	for _, r := range rules {
		s.Rules[r.ID] = true
	}
	return rules
}

var all = flag.Bool("all", false, "run the long version")

// TestOrder: the same events give the same findings in any order that is at most
// Lateness wrong, in any batches, with duplicates, and each finding once.
func TestOrder(t *testing.T) {
	t.Parallel()
	cases := uint64(200)
	if *all {
		cases = 10000
	}
	byRule := map[string]int{}
	for seed := range cases {
		r := rand.New(rand.NewPCG(seed, 5))
		s := ours()
		s.Installed = start.Add(-s.Learning + 30*time.Minute) // learning ends within the history
		s.Allow.CIDRs = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("10.0.0.0/8")}
		for i := range s.Secrets {
			s.Secrets[i].Allow = Allow{}
			s.Secrets[i].Interval = 48 * time.Hour
			s.Secrets[i].Canary = s.Secrets[i].Name == "prod/mail"
		}
		if seed%2 == 0 {
			s.Secrets = nil
		}
		s = s.Prepare(nil)
		rules, events := every(s), history(r)
		sorted := slices.Clone(events)
		slices.SortFunc(sorted, func(a, b trail.Event) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID)) })
		whole := replay(t, New(s, rules, &Memory{}), [][]trail.Event{sorted})
		want := identity(whole)
		if again := slices.Compact(slices.Clone(want)); len(again) != len(want) {
			t.Fatalf("seed %d: found twice: %q", seed, want)
		}
		if got := identity(replay(t, New(s, rules, &Memory{}), arriving(r, events))); !slices.Equal(got, want) {
			t.Fatalf("seed %d: another order gives other findings:\n%s", seed, difference.Diff(want, got))
		}
		for _, f := range whole {
			byRule[f.Rule]++
		}
	}
	t.Logf("%d histories; findings by rule: %v", cases, byRule)
	for _, r := range every(ours()) {
		if byRule[r.ID] == 0 && !unordered[r.ID] {
			t.Errorf("no history trips %s: the test says nothing about it", r.ID)
		}
	}
}

// unordered are rules that no history of this test trips, and why.
var unordered = map[string]bool{"R-02": true, "R-04": true} // no calls to STS and Lambda

// rival is a State in which somebody else stores between every load and store,
// and which fails where told to.
type rival struct {
	Memory
	other *Engine
	left  [][]trail.Event
	fail  int
}

var errLost = errors.New("the answer was lost")

func (r *rival) Store(ctx context.Context, items []Item) error {
	if len(r.left) > 0 {
		batch := r.left[0]
		r.left = r.left[1:]
		if err := r.other.Process(ctx, batch[len(batch)-1].Time, batch, func(context.Context, []Finding) error { return nil }); err != nil {
			return err
		}
	}
	err := r.Memory.Store(ctx, items)
	if r.fail--; r.fail == 0 && err == nil {
		return errLost
	}
	return err
}

// TestRivals: nothing is lost when another process changes the same tracks, nor
// when an answer of the store is lost and the batch comes again.
func TestRivals(t *testing.T) {
	t.Parallel()
	read := func(i int) trail.Event { return ev(i, alice, "GetSecretValue", fmt.Sprint("s", i)) }
	s := (&Site{}).Prepare(nil)
	state := &rival{fail: 2}
	state.other = New(s, []Rule{bulkRead(20)}, &state.Memory)
	state.left = [][]trail.Event{many(10, read)}
	mine := many(20, read)[10:]
	e := New(s, []Rule{bulkRead(20)}, state)
	var got []Finding
	deliver := func(_ context.Context, f []Finding) error {
		got = append(got, f...)
		return nil
	}
	if err := e.Process(t.Context(), mine[9].Time, mine, deliver); !errors.Is(err, errLost) {
		t.Fatalf("a lost answer: %v", err)
	}
	if err := e.Process(t.Context(), mine[9].Time, mine, deliver); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Rule != "D-10" {
		t.Errorf("found %v, want one D-10", shown(got))
	}
}

func TestUndelivered(t *testing.T) {
	t.Parallel()
	events := many(20, func(i int) trail.Event { return ev(i, alice, "GetSecretValue", fmt.Sprint("s", i)) })
	e := New((&Site{}).Prepare(nil), []Rule{bulkRead(20)}, &Memory{})
	err := e.Process(t.Context(), start, events, func(context.Context, []Finding) error { return errLost })
	if !errors.Is(err, errLost) {
		t.Fatalf("got %v", err)
	}
	if got := replay(t, e, [][]trail.Event{events}); len(got) != 1 {
		t.Errorf("found %v after it was not delivered, want one", shown(got))
	}
}

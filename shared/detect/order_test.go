package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyturn/keyturn/shared/trail"
)

// history draws events of few principals about few secrets, in three hours, so
// that thresholds are met and missed by a little.
func history(t *rapid.T) []trail.Event {
	names := []string{"GetSecretValue", "GetSecretValue", "GetSecretValue", "PutSecretValue", "ListSecrets", "BatchGetSecretValue", "DescribeSecret"}
	secrets := append([]string{"prod/mail", "prod/pay", "prod/decoy", "admin/mail"}, manyNames...)
	one := rapid.Custom(func(t *rapid.T) trail.Event {
		seconds := rapid.OneOf(rapid.IntRange(0, 3*3600), rapid.IntRange(3000, 3600)).Draw(t, "at")
		e := ev(seconds, rapid.SampledFrom([]string{alice, mailer, rotator}).Draw(t, "who"),
			rapid.SampledFrom(names).Draw(t, "name"), rapid.SampledFrom(secrets).Draw(t, "secret"),
			from(rapid.SampledFrom([]string{"203.0.113.7", "203.0.113.9", "10.1.2.3", "2001:db8::1"}).Draw(t, "from")))
		if v := rapid.IntRange(0, 6).Draw(t, "version"); v > 3 {
			set("versionId", fmt.Sprint("v", v))(&e)
			set("clientRequestToken", fmt.Sprint("v", v))(&e)
		}
		e.ErrorCode = rapid.SampledFrom([]string{"", "", "", "AccessDenied", "ResourceNotFoundException", "ThrottlingException"}).Draw(t, "error")
		e.Region = rapid.SampledFrom([]string{"eu-west-1", "eu-west-1", "us-east-1", "ap-south-1"}).Draw(t, "region")
		e.ID = fmt.Sprintf("%x", hash(fmt.Sprint(e.ID, seconds, e.ErrorCode, e.Region, string(e.Request))))
		return e
	})
	return rapid.SliceOfN(one, 0, 120).Draw(t, "events")
}

var manyNames = []string{"a", "b", "c", "d", "e", "f", "g", "h"}

// arriving puts the events into an order in which none comes later than Lateness
// after a newer one, some of them twice, and cuts it into batches.
func arriving(t *rapid.T, events []trail.Event) [][]trail.Event {
	type arrival struct {
		at    time.Time
		event trail.Event
	}
	var all []arrival
	for _, e := range events {
		for range rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(t, "times") {
			late := time.Duration(rapid.IntRange(0, int(Lateness/time.Second)-1).Draw(t, "late")) * time.Second
			all = append(all, arrival{e.Time.Add(late), e})
		}
	}
	slices.SortStableFunc(all, func(a, b arrival) int { return a.at.Compare(b.at) })
	var batches [][]trail.Event
	for len(all) > 0 {
		n := min(len(all), rapid.IntRange(1, 20).Draw(t, "batch"))
		var batch []trail.Event
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
	s.Thresholds = map[string]int{"D-02": 2, "D-03": 2, "D-10": 4, "D-14": 3}
	rules := All(s)
	for i := range rules {
		rules[i].Default = true
	}
	return rules
}

// TestOrder: the same events give the same findings in any order that is at most
// Lateness wrong, in any batches, with duplicates, and each finding once.
func TestOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := ours()
		s.Installed = start.Add(-14*24*time.Hour + time.Hour) // learning ends within the history
		if rapid.Bool().Draw(rt, "all") {
			s.Secrets, s.secrets = nil, nil
			s = s.Prepare(nil)
		}
		rules, events := every(s), history(rt)
		sorted := slices.Clone(events)
		slices.SortFunc(sorted, func(a, b trail.Event) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID)) })
		want := identity(replay(t, New(s, rules, &Memory{}), [][]trail.Event{sorted}))
		if again := slices.Compact(slices.Clone(want)); len(again) != len(want) {
			rt.Fatalf("found twice: %q", want)
		}
		if got := identity(replay(t, New(s, rules, &Memory{}), arriving(rt, events))); !slices.Equal(got, want) {
			rt.Fatalf("in another order\n%q\nin order\n%q", got, want)
		}
	})
}

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

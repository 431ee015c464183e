package detect

import (
	"context"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

func TestSilence(t *testing.T) {
	t.Parallel()
	site := ours()
	site.secrets["prod/mail"].Canary = true
	beat := func(minutes int) trail.Event { return ev(minutes*60, rotator, "GetSecretValue", "prod/mail") }
	// until lets the beats go on, so that the end of the events is no gap.
	run := func(t *testing.T, events []trail.Event, now time.Time) []Finding {
		t.Helper()
		r := silence(45)
		e := New(site, []Rule{r}, &Memory{})
		var got []Finding
		deliver := collect(&got)
		if err := e.Process(t.Context(), now, events, deliver); err != nil {
			t.Fatal(err)
		}
		if err := e.Process(t.Context(), now, nil, deliver); err != nil {
			t.Fatal(err)
		}
		return got
	}
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	for _, c := range []struct {
		name   string
		events []trail.Event
		now    time.Time
		want   int
	}{
		{"alive", []trail.Event{beat(0), beat(15), beat(30), beat(45)}, at(60), 0},
		{"one lost", []trail.Event{beat(0), beat(15), beat(45)}, at(75), 0},
		{"silent", []trail.Event{beat(0), beat(15)}, at(15 + 75), 1},
		{"silent, but too soon to say", []trail.Event{beat(0), beat(15)}, at(15 + 55), 0},
		{"a gap that is over", []trail.Event{beat(0), beat(90), beat(105)}, at(125), 1},
		{"out of order", []trail.Event{beat(45), beat(0), beat(30), beat(15)}, at(60), 0},
		{"never a canary", []trail.Event{ev(0, rotator, "GetSecretValue", "prod/pay")}, at(600), 0},
		{"its reads are denied", []trail.Event{beat(0), ev(900, rotator, "GetSecretValue", "prod/mail", denied), ev(1800, rotator, "GetSecretValue", "prod/mail", denied)}, at(90), 1},
	} {
		if got := run(t, c.events, c.now); len(got) != c.want {
			t.Errorf("%s: got %q, want %d", c.name, shown(got), c.want)
		}
	}
}

// collect appends what is delivered.
func collect(to *[]Finding) func(context.Context, []Finding) error {
	return func(_ context.Context, f []Finding) error {
		*to = append(*to, f...)
		return nil
	}
}

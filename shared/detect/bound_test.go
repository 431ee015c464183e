package detect

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// TestFlood: a million events in one minute (with -all; else 8,000) by one caller who
// makes every text as long as it can be: no track passes its bound, and the caller is
// found.
func TestFlood(t *testing.T) {
	t.Parallel()
	const perBatch = 1000
	batches := 8
	if *all {
		batches = 1000
	}
	site := &Site{Account: account, Region: "eu-west-1"}
	for i := range 300 {
		site.Secrets = append(site.Secrets, Secret{Name: fmt.Sprintf("prod/%s-%d", strings.Repeat("n", 180), i), Tier: 1 + i%4})
	}
	site = site.Prepare(nil)
	state := &Memory{}
	e := New(site, allOn(site), state)
	found := map[string]bool{}
	names := []string{"GetSecretValue", "GetSecretValue", "ListSecrets", "DescribeSecret", "PutSecretValue"}
	for b := range batches {
		events := make([]trail.Event, perBatch)
		for i := range events {
			n := b*perBatch + i
			one := ev(n*60/(batches*perBatch), alice, names[n%len(names)], site.Secrets[n%300].Name, from(fmt.Sprintf("203.%d.%d.7", n/256%256, n%256)))
			one.ID, one.Identity.AccessKeyID = fmt.Sprintf("%0200d", n), "AKIAEXAMPLE"
			if n%7 == 0 {
				one.ErrorCode = "AccessDenied"
			}
			if n%3 == 0 {
				set("versionId", fmt.Sprintf("%064d", n))(&one)
			}
			events[i] = one
		}
		err := e.Process(t.Context(), start.Add(time.Minute), events, func(_ context.Context, f []Finding) error {
			for _, one := range f {
				found[one.Rule] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	largest := 0
	for name, i := range state.items {
		if len(i.Data) > MaxTrack {
			t.Errorf("%.80s: %d bytes, limit %d", name, len(i.Data), MaxTrack)
		}
		largest = max(largest, len(i.Data))
	}
	// A track of the caller, of its key, and a few of each secret and network.
	if most := 10 + 5*300 + 256*256; len(state.items) > most {
		t.Errorf("%d tracks, want at most %d", len(state.items), most)
	}
	if !found["D-02"] || !found["D-10"] {
		t.Errorf("found only %v", found)
	}
	t.Logf("%d events, %d tracks, the largest of %d bytes", batches*perBatch, len(state.items), largest)
}

// TestFit: what does not fit loses the oldest of what is most.
func TestFit(t *testing.T) {
	t.Parallel()
	slots, index := places()
	var many []Mark
	for i := range uint32(1000) {
		many = append(many, Mark{i, fmt.Sprint("value ", i), "", ""})
	}
	in := track{parts: []part{{slot: 0, body: encodeMarks(many[:2])}, {slot: 1, body: encodeMarks(many)}}}
	data, err := in.fit(slots, 4096)
	if err != nil || len(data) > 4096 {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	out, err := decode(data, index)
	if err != nil {
		t.Fatal(err)
	}
	few, _ := out.parts[0].read()
	rest, _ := out.parts[1].read()
	if len(few) != 2 || len(rest) < 100 || rest[len(rest)-1].Minute != 999 {
		t.Errorf("left %d and %d", len(few), len(rest))
	}
}

// TestTrackNames: no name that a caller makes for itself is too long for DynamoDB.
func TestTrackNames(t *testing.T) {
	t.Parallel()
	site := (&Site{}).Prepare(nil)
	names := map[string]bool{}
	for _, end := range []string{"a", "b"} {
		e := ev(0, "arn:aws:iam::123456789012:role/"+strings.Repeat("p/", 256)+end, "GetSecretValue", strings.Repeat("s", 511)+end)
		c := newCall(site, &e)
		for _, name := range []string{principal(&c), reading(&c, c.About[0])} {
			if names[name] = true; len(name) > 1000 {
				t.Errorf("%d bytes: %.60s", len(name), name)
			}
		}
	}
	if len(names) != 4 {
		t.Errorf("%d names, want 4", len(names))
	}
}

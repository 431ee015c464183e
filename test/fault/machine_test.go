package fault

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/keyturn/keyturn/shared/keyrecord"
)

const (
	fewLives, allLives = 6, 1000
	mostLiving         = 2 * time.Minute // of a row in the long run
)

// seed makes the short run the same every time, and has the long one draw other
// lives each time. Whoever asks for a seed gets it:
//
//	go test ./test/fault -run TestMachine/overlap -rapid.seed=1
func seed() error {
	set := map[string]string{"rapid.checks": strconv.Itoa(few(fewLives, 2)), "rapid.seed": "1", "rapid.nofailfile": "true"}
	if *all {
		set["rapid.checks"], set["rapid.seed"] = strconv.Itoa(allLives), strconv.FormatInt(time.Now().UnixNano(), 10)
	}
	flag.Visit(func(f *flag.Flag) { delete(set, f.Name) })
	for name, value := range set {
		if err := flag.Set(name, value); err != nil {
			return err
		}
	}
	return nil
}

// Whatever operators, AWS, the vendor and bad luck do, in any order.
func TestMachine(t *testing.T) { //nolint:paralleltest // it uses all processors by itself
	if *only != "" {
		return
	}
	if *all {
		fmt.Printf("state machine: -rapid.seed=%s\n", flag.Lookup("rapid.seed").Value)
	}
	for _, s := range Subjects() { //nolint:paralleltest // the same
		if s.Again {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			began, runs, failed := time.Now(), 0, false
			defer func() { // rapid ends the test where it fails
				if failed {
					total.Broken.Add(1)
				}
				if *all {
					fmt.Printf("%-40s %6d runs in %5.1f s\n", s.Name+" state machine", runs, time.Since(began).Seconds())
				}
			}()
			deed := rapid.Custom(func(t *rapid.T) Deed {
				return Deed{
					What:  rapid.SampledFrom(Deeds()).Draw(t, "what"),
					Hours: rapid.IntRange(1, 60).Draw(t, "hours"),
					Fault: Fault{rapid.IntRange(1, 40).Draw(t, "at"), Effect(rapid.IntRange(int(FailBefore), int(effects)-1).Draw(t, "effect"))},
				}
			})
			rapid.Check(t, func(rt *rapid.T) {
				deeds := rapid.SliceOfN(deed, 1, 12).Draw(rt, "deeds")
				if time.Since(began) > mostLiving && runs > 0 && !failed {
					return // the clock never decides what the short run finds
				}
				runs++
				total.Runs.Add(1)
				if broken, _ := s.Machine(t, deeds); len(broken) > 0 {
					failed = true
					rt.Fatalf("%v:\n\t%s", deeds, strings.Join(broken, "\n\t"))
				}
			})
		})
	}
}

// Lives that once broke something.
func TestMachineKept(t *testing.T) { //nolint:paralleltest // as above
	if testing.Short() {
		t.Skip("one life after the other, as in TestMachine")
	}
	for _, c := range []struct { //nolint:paralleltest // as above
		name, row string
		deeds     []Deed
	}{
		// The alert of a key that is held was taken for the key's record.
		{"a held key with an alert", "dualslot-fill", []Deed{
			{"stick", 28, Fault{8, HangBefore}},
			{"rotate", 11, Fault{3, HangBefore}},
			{"sweep", 46, Fault{17, FailAfter}},
			{"outage", 2, Fault{31, Late}},
			{"outage", 3, Fault{5, KillAfter}},
			{"unstage", 2, Fault{1, FailBefore}},
			{"pass", 43, Fault{4, Throttle}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			broken, _ := row(t, c.row).Machine(t, c.deeds)
			for _, b := range broken {
				t.Error(b)
			}
		})
	}
}

// The same deeds are the same life, call by call: what is found once can be
// found again.
func TestMachineAgain(t *testing.T) { //nolint:paralleltest // as above
	if testing.Short() {
		t.Skip("one life after the other, as in TestMachine")
	}
	deeds := []Deed{
		{"rotate", 1, Fault{1, Late}},
		{"outage", 3, Fault{1, Late}}, // the clients' pauses have jitter
		{"fault", 1, Fault{2, KillAfter}},
		{"fault", 1, Fault{9, Throttle}},
		{"rotate", 1, Fault{1, Late}},
		{"pass", 40, Fault{1, Late}},
	}
	for _, s := range Subjects() { //nolint:paralleltest // as above
		t.Run(s.Name, func(t *testing.T) {
			_, one := s.Machine(t, deeds)
			_, two := s.Machine(t, deeds)
			for i := range min(len(one.calls), len(two.calls)) {
				if a, b := one.calls[i], two.calls[i]; a != b {
					t.Fatalf("call %d is %s at %s, and then %s at %s", i+1, a, a.At, b, b.At)
				}
			}
			if len(one.calls) != len(two.calls) {
				t.Errorf("%d calls, and then %d", len(one.calls), len(two.calls))
			}
		})
	}
}

// A key that nobody answers for is seen, one with a record and an alert is not
// taken for it.
func TestLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testLeft)
}

func testLeft(t *testing.T) {
	w := NewWorld(row(t, "dualslot-fill"))
	defer w.Close()
	m := &machine{World: w}
	m.deliver()
	m.left(false)
	if len(w.breaches) > 0 {
		t.Errorf("before: %q", w.breaches)
	}
	id := w.fake.Add("").ID
	m.left(false)
	if !slices.ContainsFunc(w.breaches, func(b string) bool { return strings.Contains(b, id) }) {
		t.Errorf("the orphan %s is not among %q", id, w.breaches)
	}
	for n := range 20 { // in any order that the table may have
		id := fmt.Sprintf("key-%d", n)
		for _, item := range []map[string]any{
			{"item": text("key#" + id), "key_id": text(id), "state": text(string(keyrecord.Held))},
			{"item": text("alert#held-" + id), "key_id": text(id), "kind": text("held")},
		} {
			item["secret"] = text(secretName)
			w.must(w.dynamo, "PutItem", map[string]any{"TableName": table, "Item": item})
		}
		if r := w.records()[id]; r.State != keyrecord.Held {
			t.Errorf("key %s is %q", id, r.State)
		}
	}
}

func text(s string) map[string]string { return map[string]string{"S": s} }

func row(t *testing.T, name string) Subject {
	t.Helper()
	for _, s := range Subjects() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no row %q", name)
	return Subject{}
}

// Package captures runs the detections over real CloudTrail records that others
// have published, which are not copied into this repository.
package captures

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/trail"
)

var show = flag.Bool("show", false, "print what is found in each capture")

// folder returns where the captures are, or ends the test.
func folder(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("KEYTURN_REFERENCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	dir = filepath.Join(dir, "cloudtrail")
	if _, err := os.Stat(dir); err != nil {
		t.Logf("the reference folder is not there: detections are not tried on real records")
		return ""
	}
	return dir
}

// replay returns how often each rule found something, all rules being on.
func replay(t *testing.T, events []trail.Event, change func(*detect.Site)) map[string]int {
	t.Helper()
	slices.SortStableFunc(events, func(a, b trail.Event) int { return a.Time.Compare(b.Time) })
	s := &detect.Site{Rules: map[string]bool{}}
	if len(events) > 0 {
		s.Installed = events[0].Time
	}
	if change != nil {
		change(s)
	}
	s = s.Prepare(nil)
	rules := detect.All(s)
	for _, r := range rules {
		s.Rules[r.ID] = true
	}
	found := map[string]int{}
	deliver := func(_ context.Context, fs []detect.Finding) error { //nolint:unparam // as Process takes it
		for _, f := range fs {
			found[f.Rule]++
			if *show {
				t.Logf("%s %s %s %s: %s; by %s on %v", f.Time.Format(time.RFC3339), f.Severity, f.Rule, f.Title, f.Why, f.Principal, f.Secrets)
			}
		}
		return nil
	}
	e := detect.New(s, rules, &detect.Memory{})
	for part := range slices.Chunk(events, 100) {
		if err := e.Process(t.Context(), part[len(part)-1].Time, part, deliver); err != nil {
			t.Fatal(err)
		}
	}
	if len(events) > 0 {
		if err := e.Process(t.Context(), events[len(events)-1].Time.Add(3*time.Hour), nil, deliver); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func read(t *testing.T, files ...string) []trail.Event {
	t.Helper()
	var events []trail.Event
	for _, path := range files {
		r, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := trail.ReadFile(r)
		_ = r.Close() // it was only read
		if err != nil || f.Refused > 0 {
			t.Errorf("%s: %d records were refused, %v", path, f.Refused, err)
		}
		events = append(events, f.Events...)
	}
	return events
}

// TestStratus: what each file of Stratus trips. Those that are not listed are
// about other things than secrets, and trip nothing.
func TestStratus(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	if dir == "" {
		return
	}
	files, err := filepath.Glob(filepath.Join(dir, "stratus", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no file: %v", err)
	}
	seen := map[string]bool{}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		want := stratus[name]
		if want == nil {
			want = map[string]int{}
		}
		seen[name] = true
		if diff := cmp.Diff(want, replay(t, read(t, path), nil)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name := range stratus {
		if !seen[name] {
			t.Errorf("%s is listed, but not there", name)
		}
	}
}

// TestInvictus: a whole account during an hour of attacks, with Terraform's work
// before and after each.
func TestInvictus(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	if dir == "" {
		return
	}
	files, err := filepath.Glob(filepath.Join(dir, "invictus", "CloudTrail", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no file: %v", err)
	}
	events := read(t, files...)
	terraform := slices.DeleteFunc(slices.Clone(events), func(e trail.Event) bool {
		return !strings.HasPrefix(e.UserAgent, "APN/1.0 HashiCorp/1.0 Terraform/")
	})
	throttled := slices.DeleteFunc(slices.Clone(events), func(e trail.Event) bool { return e.Outcome() != trail.Throttled })
	if len(events) != 2900 || len(throttled) != 102 || len(terraform) == 0 {
		t.Fatalf("%d events, %d throttled, %d of Terraform", len(events), len(throttled), len(terraform))
	}
	for _, c := range []struct {
		name   string
		events []trail.Event
		want   map[string]int
	}{
		{"all", events, invictus},
		{"Terraform alone", terraform, invictusTerraform},
		{"throttled alone", throttled, map[string]int{}},
	} {
		if diff := cmp.Diff(c.want, replay(t, slices.Clone(c.events), nil)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	if got := replay(t, terraform, nil); got["D-10"] > 0 || got["D-13"] > 0 {
		t.Errorf("Terraform's refresh is taken for a theft: %v", got)
	}
}

// fixture is one test of a rule of Panther.
type fixture struct {
	Rule     string          `json:"rule"`
	Test     string          `json:"test"`
	Expected bool            `json:"expected"`
	Event    json.RawMessage `json:"event"`
}

// TestPanther: those of Panther's rules that have one of ours beside them come
// out as Panther says. Where Panther counts events, its one event is repeated as
// often as its threshold asks, with other ids, Regions or secrets.
func TestPanther(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	if dir == "" {
		return
	}
	files, err := filepath.Glob(filepath.Join(dir, "panther", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no file: %v", err)
	}
	compared := map[string]int{}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var x fixture
		if json.Unmarshal(b, &x) != nil || x.Rule == "" {
			continue // the index
		}
		p, ours := panther[x.Rule]
		if !ours {
			name := strings.TrimSuffix(filepath.Base(path), ".json")
			want := pantherOthers[name]
			if want == nil {
				want = map[string]int{}
			}
			if diff := cmp.Diff(want, replay(t, repeated(t, x.Event, 1, nil), nil)); diff != "" {
				t.Errorf("%s, about other things (-want +got):\n%s", name, diff)
			}
			continue
		}
		compared[x.Rule]++
		got := replay(t, repeated(t, x.Event, p.times, p.change), p.site)
		if (got[p.rule] > 0) != x.Expected {
			t.Errorf("%s, %q: %s found %d, Panther expects %v", x.Rule, x.Test, p.rule, got[p.rule], x.Expected)
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(panther)) {
		if compared[rule] == 0 {
			t.Errorf("no test of %s is there", rule)
		}
	}
	t.Logf("compared: %v", compared)
}

// repeated reads a fixture n times, each with what change does to it.
func repeated(t *testing.T, event json.RawMessage, n int, change func(i int, fields map[string]any)) []trail.Event {
	t.Helper()
	var out []trail.Event
	for i := range n {
		var fields map[string]any
		if err := json.Unmarshal(event, &fields); err != nil {
			t.Fatal(err)
		}
		if n > 1 {
			fields["eventID"] = fmt.Sprint("repeated-", i)
		}
		if change != nil {
			change(i, fields)
		}
		b, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		f, err := trail.ReadFixtures(strings.NewReader(string(b)), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
		if err != nil || f.Refused > 0 {
			t.Errorf("a fixture is refused: %v %v", f.Unreadable, err)
		}
		out = append(out, f.Events...)
	}
	return out
}

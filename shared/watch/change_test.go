package watch_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
	"github.com/keyturn/keyturn/shared/watch"
)

func site(changes ...func(*detect.Site)) *detect.Site {
	s := &detect.Site{
		Secrets: []detect.Secret{{Name: "a", Readers: []string{"arn:x"}}, {Name: "honey", HoneyToken: true}},
		Rules:   map[string]bool{"D-06": true}, Respond: &detect.Respond{Rules: []string{"D-01"}, Cooldown: time.Hour, Hourly: 10},
		Suppressions: []detect.Suppression{{Rule: "D-05", Principal: "arn:x", Until: start.Add(24 * time.Hour), Reason: "a move", Owner: "me"}},
	}
	for _, c := range changes {
		c(s)
	}
	return s
}

func (w *world) changes(s *detect.Site) *watch.Changes {
	return &watch.Changes{Cells: w.cells, Ledger: w.Ledger, Notifier: w, Site: s, ID: "one", Now: func() time.Time { return w.now }}
}

// written returns the changes in the ledger but those of the whole.
func (w *world) written(t *testing.T) (out []string) {
	t.Helper()
	for _, f := range w.entries(t) {
		if c := f.Change; c != nil && c.What != "site" {
			out = append(out, fmt.Sprintf("%s %s: %q to %q, told %t", c.What, c.Name, c.Before, c.After, c.Told))
		}
	}
	slices.Sort(out)
	return out
}

func TestChanges(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*detect.Site)
		after  time.Duration
		want   []string
		told   int // lines
	}{
		"nothing":     {},
		"a reader":    {change: func(s *detect.Site) { s.Secrets[0].Readers = []string{"arn:x", "arn:y"} }, want: []string{`readers a: "arn:x" to "arn:x arn:y", told true`}, told: 1},
		"a deployer":  {change: func(s *detect.Site) { s.Deployers = []string{"arn:z"} }, want: []string{`deployer arn:z: "" to "listed", told true`}, told: 1},
		"an operator": {change: func(s *detect.Site) { s.Operators = []string{"arn:z"} }, want: []string{`operator arn:z: "" to "listed", told true`}, told: 1},
		"automation": {
			change: func(s *detect.Site) { s.Automation = []detect.Automation{{Principal: "arn:z"}} },
			want:   []string{`automation arn:z: "" to "listed, user agent \"\"", told true`}, told: 1,
		},
		"an allowed network": {
			change: func(s *detect.Site) { s.Allow.CIDRs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} },
			want:   []string{`allow : "" to "10.0.0.0/8", told false`},
		},
		"a honey token less": {
			change: func(s *detect.Site) { s.Secrets[1].HoneyToken = false },
			want:   []string{`honeytoken honey: "nobody reads it in peace" to "", told true`}, told: 1,
		},
		"no suppression": {
			change: func(s *detect.Site) { s.Suppressions = nil },
			want:   []string{`suppression D-05 arn:x: "until 2026-11-25 09:00:00: a move (me)" to "", told true`}, told: 1,
		},
		"the suppression ends": {
			after: 24 * time.Hour,
			want:  []string{`suppression D-05 arn:x: "until 2026-11-25 09:00:00: a move (me)" to "ended 2026-11-25 09:00:00: a move (me)", told true`}, told: 1,
		},
		"the kill switch": {
			change: func(s *detect.Site) { s.Respond.Off, s.Respond.Until = true, start.Add(48*time.Hour) },
			want:   []string{`respond off: "" to "the kill switch is on until 2026-11-26 09:00:00", told true`}, told: 1,
		},
		"a rule off": {
			change: func(s *detect.Site) { s.Rules["D-06"] = false },
			want:   []string{`rule D-06: "on" to "off", told true`}, told: 1,
		},
		"learning begins anew": {
			change: func(s *detect.Site) { s.Installed = start },
			want:   []string{`learning : "from 0001-01-01 for 0s" to "from 2026-11-24 for 0s", told true`}, told: 1,
		},
		"a key that matters less": {
			change: func(s *detect.Site) { s.Secrets[0].Tier = 4 },
			want:   []string{`key a: "{\"name\":\"\"}" to "{\"name\":\"\",\"tier\":4}", told true`}, told: 1,
		},
		"a key more": {
			change: func(s *detect.Site) { s.Secrets = append(s.Secrets, detect.Secret{Name: "b", Tier: 2}) },
			want:   []string{`key b: "" to "{\"name\":\"\",\"tier\":2}", told false`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if n, err := w.changes(site()).Note(t.Context()); n != 1 || err != nil || len(w.told) > 0 {
				t.Fatalf("the first: %d, %v, told %v", n, err, w.told)
			}
			w.now = w.now.Add(tt.after)
			next := site()
			if tt.change != nil {
				tt.change(next)
			}
			for range 2 { // the second time it is known
				if _, err := w.changes(next).Note(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.want, w.written(t)); diff != "" {
				t.Errorf("written (-want +got):\n%s", diff)
			}
			lines := 0
			for _, m := range w.told {
				lines += len(m.Known)
			}
			if lines != tt.told || len(w.told) > 1 {
				t.Errorf("told %+v", w.told)
			}
		})
	}
}

// TestChanges_again: what is changed back, and again, is written each time; whatever call
// fails, it is written and told once.
func TestChanges_again(t *testing.T) {
	t.Parallel()
	quiet := func(s *detect.Site) { s.Suppressions = nil }
	for at := range 12 {
		for _, f := range []ledgertest.Fault{ledgertest.None, ledgertest.Before, ledgertest.After} {
			w := newWorld(t)
			if _, err := w.changes(site()).Note(t.Context()); err != nil {
				t.Fatal(err)
			}
			n := 0
			w.fault = func(string) ledgertest.Fault {
				if n++; n == at+1 {
					return f
				}
				return ledgertest.None
			}
			for _, s := range []*detect.Site{site(quiet), site(), site(quiet)} {
				for range 3 {
					if _, err := w.changes(s).Note(t.Context()); err == nil {
						break
					}
				}
			}
			ids := map[string]bool{}
			for _, m := range w.told {
				ids[m.ID] = true
			}
			if got := w.written(t); len(got) != 3 || len(ids) != 3 {
				t.Errorf("fault %d at call %d: written %q, told %v", f, at, got, ids)
			}
		}
	}
}

// TestChanges_together: of processes that see a change at once, one tells; if it ends
// before it has, another does.
func TestChanges_together(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.changes(site()).Note(t.Context()); err != nil {
		t.Fatal(err)
	}
	note := func(id string) error {
		c := w.changes(site(func(s *detect.Site) { s.Suppressions = nil }))
		c.ID = id
		_, err := c.Note(t.Context())
		return err
	}
	within := false
	w.fault = func(call string) ledgertest.Fault {
		if !within && call == "notify" {
			within = true
			if err := note("second"); err != nil {
				t.Error(err)
			}
			return ledgertest.Before // and the first ends
		}
		return ledgertest.None
	}
	if err := note("first"); err == nil || len(w.told) != 0 {
		t.Errorf("%v, told %+v", err, w.told)
	}
	w.now = w.now.Add(15 * time.Minute)
	for _, id := range []string{"second", "third"} {
		if err := note(id); err != nil {
			t.Error(err)
		}
	}
	if !within || len(w.told) != 1 || len(w.written(t)) != 1 {
		t.Errorf("told %+v", w.told)
	}
}

// TestChanges_many: thousands of keys are no trouble, and what people are told is
// never left out.
func TestChanges_many(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	more := func(s *detect.Site) {
		for i := range 10_000 {
			s.Secrets = append(s.Secrets, detect.Secret{Name: fmt.Sprintf("prod/service-%d/vendor-api-key", i), Tier: 3, Owner: "team@example.com", Readers: []string{fmt.Sprintf("arn:aws:iam::111122223333:role/service-%d", i)}})
		}
	}
	for _, s := range []*detect.Site{site(), site(more), site(more, func(s *detect.Site) { s.Secrets[1].HoneyToken, s.Secrets[0].Tier = false, 1 })} {
		if _, err := w.changes(s).Note(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	got := w.written(t)
	if i := slices.IndexFunc(got, func(s string) bool { return strings.HasPrefix(s, "honeytoken honey") }); i < 0 || len(w.told) != 1 {
		t.Errorf("%d changes, told %+v", len(got), w.told)
	}
	if len(got) > 510 {
		t.Errorf("%d changes were written", len(got))
	}
}

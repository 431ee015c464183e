package report

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/audit"
)

const secretName = "prod/app/vendor"

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(s float64) time.Time { return began.Add(time.Duration(s * float64(time.Second))) }

// trail is the audit trail of a secret with three keys: the first is held and
// dies, the second is lost in a crash, the third is current.
func trail() []Entry {
	entry := func(s float64, act audit.Act, phase audit.Phase, id, name, version string, more func(*audit.Record)) Entry {
		r := audit.Record{ID: string(act) + "-" + name, Act: act, Phase: phase, Secret: secretName, KeyID: id, KeyName: name, Version: version}
		if phase == audit.Outcome {
			r.Result = audit.Done
		}
		if more != nil {
			more(&r)
		}
		return Entry{r, at(s)}
	}
	fingerprint := func(p string) func(*audit.Record) { return func(r *audit.Record) { r.Fingerprint = p } }
	end := func(state, how, text string) func(*audit.Record) {
		return func(r *audit.Record) { r.Detail = map[string]string{"state": state, how: text} }
	}
	return []Entry{
		entry(0, audit.Create, audit.Intent, "", "first", "v1", nil),
		entry(1, audit.Create, audit.Outcome, "id1", "first", "v1", fingerprint("aaaaaaaa11111111")),
		entry(10, audit.Create, audit.Intent, "", "second", "v2", nil),
		entry(12, audit.Create, audit.Intent, "", "third", "v2", nil),
		entry(13, audit.Create, audit.Outcome, "id3", "third", "v2", fingerprint("cccccccc33333333")),
		entry(20, audit.Hold, audit.Fact, "id1", "first", "v1", nil),
		entry(30, audit.Revoke, audit.Intent, "id1", "first", "v1", nil),
		entry(31, audit.Revoke, audit.Outcome, "id1", "first", "v1", nil),
		entry(31, audit.Dead, audit.Fact, "id1", "first", "v1", end("dead", "proof", "the vendor refused it")),
		entry(32, audit.Revoke, audit.Intent, "id2", "second", "", nil),
		entry(33, audit.Revoke, audit.Outcome, "id2", "second", "", nil),
		entry(34, audit.Dead, audit.Fact, "id2", "second", "", end("gone", "why", "the vendor does not list it")),
		{audit.Record{ID: "other", Act: audit.Create, Phase: audit.Intent, Secret: "prod/other", KeyName: "other"}, at(2)},
	}
}

func moves() []Move {
	return []Move{{secretName, "v1", at(0.9)}, {"prod/other", "v1", at(5)}, {secretName, "v2", at(14)}}
}

// sample is a run in which every promise was kept.
func sample() Run {
	lives := Lives(secretName, trail(), moves(), at(40))
	lives[0].Answer, lives[1].Answer, lives[2].Answer = Refused, Unlisted, Accepted
	return Run{
		Began: began, From: at(-1), To: at(40), Took: 12 * time.Second, Build: 3 * time.Second,
		Keys: []Key{{
			Secret: secretName, Vendor: "Vendor", Lives: lives, Live: []string{"id3"},
			Rotations: []Rotation{{Cause: "schedule", Started: at(9.5), Promoted: at(14), Calls: 11, Writes: 2, Crashes: 1}},
			Consumers: []Consumer{{Name: "app", Requests: 100}, {Name: "app-legacy", Stubborn: true, Requests: 99}},
		}},
		Jumps: []Jump{{at(2), at(8), "it is due"}, {at(15), at(17), "time passes"}, {at(18), at(19), "time passes"}},
		Notes: []Note{{at(11), secretName, 0, Crash, "It is killed."}, {at(20.5), secretName, 0, Restart, "It is started again."}},
		Watch: Watch{Expected: []string{"D-01 prod/honey"}, Alerts: []string{"D-01 prod/honey"}, Told: 1, Denied: 1, Acts: 9, Reads: 40, Entries: 12},
		Files: []File{{"dist/demo/audit.jsonl", "audit.jsonl", "the audit trail"}},
	}
}

func TestLives(t *testing.T) {
	t.Parallel()
	want := []Life{
		{
			Number: 1, ID: "id1", Name: "first", Fingerprint: "aaaaaaaa11111111", Version: "v1", Ended: at(31), End: "dead", Proof: "the vendor refused it",
			Spans: []Span{{Pending, at(0), at(0.9)}, {Current, at(0.9), at(14)}, {Grace, at(14), at(20)}, {Held, at(20), at(31)}, {Revoked, at(31), at(31)}},
		},
		{
			Number: 2, ID: "id2", Name: "second", Version: "v2", Ended: at(34), End: "gone", Proof: "the vendor does not list it",
			Spans: []Span{{Lost, at(10), at(33)}, {Revoked, at(33), at(34)}},
		},
		{
			Number: 3, ID: "id3", Name: "third", Fingerprint: "cccccccc33333333", Version: "v2",
			Spans: []Span{{Pending, at(12), at(14)}, {Current, at(14), at(40)}},
		},
	}
	if diff := cmp.Diff(want, Lives(secretName, trail(), moves(), at(40))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnasked(t *testing.T) {
	t.Parallel()
	if got := Unasked(trail()); got != nil {
		t.Errorf("of a trail with every intent: %q", got)
	}
	all := trail()
	if diff := cmp.Diff([]string{"create of first", "revoke of second"}, Unasked(append(all[1:9:9], all[10:]...))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPromises(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(r *Run)
		want   []string // promise: how it was broken
	}{
		{"all kept", func(*Run) {}, nil},
		{"an act did not work", func(r *Run) { r.Problems = []string{"act 1: late"} }, []string{"The whole story was shown: act 1: late"}},
		{"a request failed", func(r *Run) { r.Keys[0].Consumers[0].Failed, r.Keys[0].Consumers[0].LastErr = 2, "status 401" }, []string{
			"No request of a consumer failed: prod/app/vendor: 2 of 100 requests of app failed, the last with status 401",
		}},
		{"too few requests to mean something", func(r *Run) { r.Keys[0].Consumers[1].Requests = 3 }, []string{
			"No request of a consumer failed: prod/app/vendor: app-legacy made no more than 3 requests, which proves nothing",
		}},
		{"nobody used it", func(r *Run) { r.Keys[0].Consumers = nil }, []string{"No request of a consumer failed: prod/app/vendor: nobody used it"}},
		{"an orphan", func(r *Run) { r.Keys[0].Live = []string{"id2", "id3"} }, []string{
			"One key of each secret lives, and the vendors hold no orphan: prod/app/vendor: the vendor also holds id2",
		}},
		{"the current key is refused", func(r *Run) { r.Keys[0].Lives[2].Answer = Refused }, []string{
			"Every current key is accepted by its vendor: prod/app/vendor: key 3 is refused",
		}},
		{"the current key was not tried", func(r *Run) { r.Keys[0].Lives[2].Answer = "" }, []string{
			"Every current key is accepted by its vendor: prod/app/vendor: key 3 is not tried",
		}},
		{"an old key works", func(r *Run) { r.Keys[0].Lives[0].Answer = Accepted }, []string{
			"Every older key is refused by its vendor, and its end is proven: prod/app/vendor: key 1 is accepted",
		}},
		{"a lost key is still there", func(r *Run) { r.Keys[0].Lives[1].Answer = Listed }, []string{
			"Every older key is refused by its vendor, and its end is proven: prod/app/vendor: key 2 is listed",
		}},
		{"no proof", func(r *Run) { r.Keys[0].Lives[0].Proof = "" }, []string{
			"Every older key is refused by its vendor, and its end is proven: prod/app/vendor: key 1 is not proven dead",
		}},
		{"gone is not dead where the value is known", func(r *Run) { r.Keys[0].Lives[0].End = "gone" }, []string{
			"Every older key is refused by its vendor, and its end is proven: prod/app/vendor: key 1 is not proven dead",
			"A key that was still in use was held, and revoked only when it was quiet: no key was held and then retired",
		}},
		{"nothing was held", func(r *Run) { r.Keys[0].Lives[0].Spans[3].State = Grace }, []string{
			"A key that was still in use was held, and revoked only when it was quiet: no key was held and then retired",
		}},
		{"too many calls", func(r *Run) { r.Keys[0].Rotations[0].Crashes = 0 }, []string{
			"A rotation needs at most 8 calls of Secrets Manager, 2 of them writes: prod/app/vendor: 11 calls, 2 of them writes",
		}},
		{"a write too many", func(r *Run) { r.Keys[0].Rotations[0].Writes = 3 }, []string{
			"A rotation needs at most 8 calls of Secrets Manager, 2 of them writes: prod/app/vendor: 11 calls, 3 of them writes",
		}},
		{"an act without an intent", func(r *Run) { r.Unasked = []string{"revoke of x"} }, []string{
			"Every act at a vendor was in the audit trail before it was done: revoke of x",
		}},
		{"a theft was not noticed", func(r *Run) { r.Watch.Alerts, r.Watch.Told = nil, 0 }, []string{
			"A theft and what it gives away were noticed and told once, nothing else was, and the ledger is proven: 0 messages about 0 alerts: ",
		}},
		{"we tripped a rule", func(r *Run) { r.Watch.Alerts = append(r.Watch.Alerts, "D-20 prod/app/vendor") }, []string{
			"A theft and what it gives away were noticed and told once, nothing else was, and the ledger is proven: 1 messages about 2 alerts: D-01 prod/honey, D-20 prod/app/vendor",
		}},
		{"the ledger is not proven", func(r *Run) { r.Watch.Entries = 0 }, []string{
			"A theft and what it gives away were noticed and told once, nothing else was, and the ledger is proven: of the ledger 0 entries are proven: 9 acts, 40 reads, 1 denials",
		}},
		{"a secret is shown", func(r *Run) { r.Leaks = []string{"functions.log"} }, []string{"No secret is in any log, message, record or file: functions.log"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := sample()
			tt.change(&r)
			var got []string
			for _, p := range Broken(r.Promises()) {
				got = append(got, p.What+": "+strings.Join(p.Broken, "; "))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if kept := len(sample().Promises()) - len(Broken(Run{}.Promises())); kept != 3 {
		t.Errorf("a run in which nothing happened keeps %d promises; only those about what was not seen can hold", kept)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	want := `KEY              OLD       NEW       CALLS    TIME  REQUESTS  FAILED  ALIVE  ORPHANS
prod/app/vendor  aaaaaaaa  cccccccc    11*  4.50 s       199       0      1        0
OLD, NEW: fingerprints (HMAC). CALLS: Secrets Manager's, of the rotation.
TIME: from its start until the new key was current. *: with a crash in it.
`
	if diff := cmp.Diff(want, sample().Table()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in          time.Duration
		short, long string
	}{
		{time.Second, "1 s", "1 second"},
		{90 * time.Second, "90 s", "90 seconds"},
		{61 * time.Minute, "61 min", "61 minutes"},
		{25 * time.Hour, "25 h", "25 hours"},
		{30*24*time.Hour + time.Hour, "30 d", "30 days"},
	} {
		if got := Short(tt.in); got != tt.short {
			t.Errorf("Short(%s) = %q, want %q", tt.in, got, tt.short)
		}
		if got := Long(tt.in); got != tt.long {
			t.Errorf("Long(%s) = %q, want %q", tt.in, got, tt.long)
		}
	}
}

// Package detect finds what is odd in CloudTrail events about our keys.
//
// A [Rule] is data and pure functions. What one event shows is found by See;
// what several events show together by a [Pattern], from marks that the engine
// remembers. Time is the events' own, never the clock's. The findings of a set
// of events are the same in any order that is at most [Lateness] wrong, in any
// batches, and with any of them twice, because
//
//   - marks are a set: adding one twice, or in another order, changes nothing;
//   - a pattern is judged on the whole set, and what it finds only grows with it;
//   - a pattern that asks what did not happen looks at settled marks only:
//     those that are older than Lateness, before which nothing new is expected.
//
// The engine judges the marks before and after each batch, and what is found
// after but not before is new. Nothing else needs to be remembered.
package detect

import (
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// Lateness is how much later than others an event may come: CloudTrail takes 5
// minutes on average, and promises nothing.
//
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html
const Lateness = 15 * time.Minute

// Rule is one detection. Its functions are pure: they read no clock, and what
// they are given is not changed by anybody while they run.
type Rule struct {
	ID        string   // "D-01"
	Title     string   // what happened, in a few words
	Severity  Severity // of findings that do not say otherwise
	Technique string   // of ATT&CK, such as "T1555.006"
	// Default says that the rule is on where the site does not say otherwise.
	Default bool
	Next    string // what to do about a finding

	// Responds says that its findings may ask for emergency rotations: see
	// [Finding.Rotate].
	Responds bool

	// Ours shows the rule what our own roles do to their own secrets, too.
	Ours bool
	// Services shows it what AWS's services do on their own account, too.
	Services bool
	// Automation hides what the site's listed automation does.
	Automation bool

	// See returns what the call alone shows: findings made by [Call.Finding].
	See      func(s *Site, c *Call) []Finding
	Patterns []Pattern

	first int // of its slots in an engine
}

// Pattern is something that several calls show together. What calls are
// counted under, such as a principal, is a track; every track has its own marks.
type Pattern struct {
	Name string // apart from the rule's other patterns; it is stored
	// Span is how long marks are of use, by their own time.
	Span time.Duration
	// Bucket is what times are rounded down to: whole minutes. Findings see no finer.
	Bucket time.Duration
	// Cap is how many values are kept in one bucket: those with the smallest hashes,
	// so that it does not depend on the order. It is at least the highest threshold;
	// 0: all.
	Cap int
	// Keep is a value that Cap never drops.
	Keep string
	// Most is how many marks are kept in all, the newest; 0: MaxMarks.
	Most int
	// Latest keeps, of the settled marks of one value, the latest only.
	Latest bool
	// First keeps, of the marks of one value in such a time, aligned as buckets are,
	// the first only: of whom is seen all day, little changes. 0: all.
	First time.Duration
	// Brief is a value whose settled marks are of no use without marks of others;
	// "": none.
	Brief string
	// Every is how values begin that Latest leaves alone, where there is one.
	Every string
	// Fold keeps, of a settled bucket, only how many values there were: see counts.
	Fold bool
	// Settles says that Judge looks at what is settled, and wants to run again when
	// more is.
	Settles bool
	// Wait is how much later than a mark's bucket Judge wants to run once more, to
	// see what did not happen since: whole buckets.
	Wait time.Duration
	// Until is more to wait for a mark, in whole buckets, where it is not the same for
	// all; nil: nothing.
	Until func(s *Site, h History, m Mark) time.Duration
	// Mark returns what to remember of the call.
	Mark func(s *Site, c *Call) []Note
	// Judge returns all that the marks show. More marks never show less; where
	// Settles is set, this holds of what is settled.
	Judge func(s *Site, h History) []Finding
}

// Note is a mark to be made: that the call has to do with Value, on the track On.
type Note struct{ On, Value string }

// Mark is what is remembered of a call.
type Mark struct {
	Minute uint32 // since 1970, rounded down to the pattern's bucket
	Value  string
	Event  string // id of the event; of several, the smallest
	Where  string // address or VPC endpoint of that event
}

// Time is when the mark's bucket begins.
func (m Mark) Time() time.Time { return time.Unix(int64(m.Minute)*60, 0).UTC() }

// History is what a pattern judges.
type History struct {
	On      string // the track
	Settled uint32 // minute before which no mark will be added
	Marks   []Mark // by time, then by value
}

// Old returns the settled marks.
func (h History) Old() []Mark {
	for i, m := range h.Marks {
		if m.Minute >= h.Settled {
			return h.Marks[:i]
		}
	}
	return h.Marks
}

func minute(t time.Time) uint32 { return uint32(max(0, min(t.Unix()/60, 1<<32-1))) }

// newCalls reads the events once for all rules.
func newCalls(s *Site, events []trail.Event) []Call {
	calls := make([]Call, len(events))
	for i := range events {
		calls[i] = newCall(s, &events[i])
	}
	return calls
}
